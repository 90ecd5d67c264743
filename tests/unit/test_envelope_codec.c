/* Envelopes whose payload a codec of the user's makes and reads. */
#include "envelope_world.h"

static accel_status codec_answer;
static size_t codec_room; /* what encode leaves in the buffer, if not SIZE_MAX */

static accel_status text_encode(void *ctx, const void *from, accel_buffer *out)
{
  assert_string_equal((const char *)ctx, "ctx");
  const note *text = (const note *)from;
  if (!accel_buffer_append(out, text->text, strlen(text->text))) return ACCEL_ERR_NOMEM;
  if (codec_room != SIZE_MAX) out->size = codec_room;
  return codec_answer;
}

static accel_status text_decode(void *ctx, const void *data, size_t size, void *value_out)
{
  assert_string_equal((const char *)ctx, "ctx");
  note *text = (note *)value_out;
  if (size >= sizeof text->text) return ACCEL_ERR_CODEC;
  memset(text, 0, sizeof *text);
  memcpy(text->text, data, size);
  return codec_answer;
}

static char codec_ctx[] = "ctx";
static const accel_codec text_codec = {codec_ctx, text_encode, text_decode};

static accel_traits codec_traits(void)
{
  return (accel_traits){.codec = &text_codec};
}

static void a_codec_makes_the_payload(void **state)
{
  (void)state;
  accel_type type = type_u64;
  type.traits = codec_traits;
  codec_answer = ACCEL_OK;
  codec_room = SIZE_MAX;
  accel_buffer bytes = sealed(&type, &terms, &value);
  assert_int_equal(bytes.size, ACCEL_ENVELOPE_SIZE + 7);
  assert_memory_equal(bytes.data + ACCEL_ENVELOPE_SIZE, "seven77", 7);
  accel_envelope found;
  note back;
  assert_true(opens(&type, bytes.data, bytes.size, &found));
  assert_int_equal(accel_envelope_value(&type, &found, &back), ACCEL_OK);
  assert_string_equal(back.text, "seven77");

  codec_answer = ACCEL_ERR_NOMEM;
  assert_int_equal(accel_envelope_value(&type, &found, &back), ACCEL_ERR_NOMEM);
  codec_answer = (accel_status)-1234;
  assert_int_equal(accel_envelope_value(&type, &found, &back), ACCEL_ERR_CODEC);
  accel_buffer_release(&bytes);
}

static void a_codec_that_fails_leaves_nothing(void **state)
{
  (void)state;
  accel_type type = type_u64;
  type.traits = codec_traits;
  accel_buffer out = {NULL, 0, 0};
  assert_true(accel_buffer_append(&out, "kept", 4));
  static const struct {
    accel_status answer;
    size_t room;
    accel_status expected;
  } cases[] = {
      {ACCEL_ERR_CODEC, SIZE_MAX, ACCEL_ERR_CODEC},
      {ACCEL_ERR_NOMEM, SIZE_MAX, ACCEL_ERR_NOMEM},
      {ACCEL_MISS, SIZE_MAX, ACCEL_ERR_CODEC},
      {(accel_status)-1234, SIZE_MAX, ACCEL_ERR_CODEC},
      {ACCEL_OK, 0, ACCEL_ERR_CODEC}, /* it took away what was not its own */
      {ACCEL_OK, 51, ACCEL_ERR_CODEC},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    codec_answer = cases[i].answer;
    codec_room = cases[i].room;
    assert_int_equal(accel_envelope_append(&type, "area", "name", 4, &terms, &value, &out),
                     cases[i].expected);
    assert_int_equal(out.size, 4);
    assert_memory_equal(out.data, "kept", 4);
  }
  accel_buffer_release(&out);
}

static void a_payload_of_another_size_is_no_value(void **state)
{
  (void)state;
  note back;
  char payload[sizeof value + 1] = {0};
  accel_envelope envelope = {.payload = payload, .payload_size = sizeof value};
  assert_int_equal(accel_envelope_value(&type_u64, &envelope, &back), ACCEL_OK);
  envelope.payload_size = sizeof value - 1;
  assert_int_equal(accel_envelope_value(&type_u64, &envelope, &back), ACCEL_ERR_CODEC);
  envelope.payload_size = sizeof value + 1;
  assert_int_equal(accel_envelope_value(&type_u64, &envelope, &back), ACCEL_ERR_CODEC);
  envelope.payload_size = 0;
  assert_int_equal(accel_envelope_value(&type_u64, &envelope, &back), ACCEL_ERR_CODEC);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_codec_makes_the_payload),
      cmocka_unit_test(a_codec_that_fails_leaves_nothing),
      cmocka_unit_test(a_payload_of_another_size_is_no_value),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
