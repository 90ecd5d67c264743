/* The codec and bytes that lie about themselves, and callbacks that do not keep their word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/bytes.h"
#include "accel/codec.h"

#include "failing_alloc.h"

#include <string.h>

/* ---- names ---- */

static accel_traits no_traits(void)
{
  return (accel_traits){0};
}

static accel_traits text_traits(void)
{
  return (accel_traits){.has_key_text = true, .has_key_parse = true};
}

static accel_traits text_only_traits(void)
{
  return (accel_traits){.has_key_text = true};
}

static bool parse_anything(const char *text, size_t length, void *key)
{
  (void)text;
  (void)length;
  (void)key;
  return true;
}

static void names_that_this_library_does_not_write_are_no_keys(void **state)
{
  static const char *const wrong[] = {
      "a b",   /* a byte that would be encoded */
      "%4",    /* an escape that ends early */
      "ab%",   /* likewise */
      "%g0",   /* no digits */
      "%0g",   /* likewise */
      "%4a",   /* digits are upper case */
      "%41",   /* an escape for a byte that needs none */
      "a/b%20" /* a right one behind a wrong byte */
  };
  char text[ACCEL_KEY_NAME_MAX + 2];
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (accel_key_is_remote(wrong[i], strlen(wrong[i]))) fail_msg("\"%s\" is a name", wrong[i]);
  assert_true(accel_key_is_remote("a%20b", 5));
  memset(text, 'a', sizeof text);
  assert_true(accel_key_is_remote(text, ACCEL_KEY_NAME_MAX));
  assert_false(accel_key_is_remote(text, ACCEL_KEY_NAME_MAX + 1));
  /* As long as a hash, and none. */
  assert_true(accel_key_is_remote(text, 33));
  text[0] = '#';
  memset(text + 1, '0', 32);
  assert_true(accel_key_is_remote(text, 33));
  text[5] = 'x';
  assert_false(accel_key_is_remote(text, 33));
}

/* Descriptors that were written by hand may say anything. */
static void keys_of_impossible_sizes_have_no_names(void **state)
{
  static const size_t sizes[] = {0, 9};
  uint64_t key[2] = {7, 7}, back;
  char text[32];
  accel_buffer out = {0};
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const accel_type type = {
        .name = "type", .key_kind = ACCEL_KEY_UNSIGNED, .key_size = sizes[i], .traits = no_traits};
    assert_int_equal(accel_key_append_name(&type, key, &out), ACCEL_ERR_CONFIG);
    assert_false(accel_key_parse_name(&type, "7", 1, text, &back));
  }
  const accel_type of_no_kind = {
      .name = "type", .key_kind = (accel_key_kind)99, .key_size = 8, .traits = no_traits};
  assert_int_equal(accel_key_append_name(&of_no_kind, key, &out), ACCEL_ERR_CONFIG);
  assert_false(accel_key_parse_name(&of_no_kind, "7", 1, text, &back));
  assert_int_equal(out.size, 0);
  accel_buffer_release(&out);
}

/* Nor is the user's parser asked: no key_text writes an empty text. */
static void an_empty_name_is_no_key(void **state)
{
  const accel_type type = {.name = "type",
                           .key_kind = ACCEL_KEY_STRUCT,
                           .key_size = 8,
                           .traits = text_traits,
                           .key_parse = parse_anything};
  char text[32];
  uint64_t key;
  (void)state;
  assert_false(accel_key_parse_name(&type, "", 0, text, &key));
  assert_true(accel_key_parse_name(&type, "a", 1, text, &key));
}

static void a_text_that_cannot_be_parsed_is_no_key(void **state)
{
  const accel_type type = {
      .name = "type", .key_kind = ACCEL_KEY_STRUCT, .key_size = 8, .traits = text_only_traits};
  char text[32];
  uint64_t key;
  (void)state;
  assert_false(accel_key_parse_name(&type, "a", 1, text, &key));
}

static void a_key_without_memory_is_not_begun(void **state)
{
  char name[ACCEL_KEY_NAME_MAX + 1];
  (void)state;
  memset(name, 'a', sizeof name);
  for (size_t size = 1; size <= sizeof name; size += sizeof name - 1)
    for (size_t place = 0; place < 200; place++) {
      accel_buffer out = {0};
      for (size_t i = 0; i < place; i++) assert_true(accel_buffer_append(&out, "x", 1));
      failing_alloc_fail_from(1);
      const bool is_whole = accel_key_append_remote("area", name, size, &out);
      failing_alloc_fail_from(0);
      assert_true(is_whole || out.size == place);
      accel_buffer_release(&out);
    }
}

/* ---- envelopes ---- */

typedef struct page {
  char text[2048];
} page;

typedef enum lie { HONEST, SHRINKS, GROWS_BEYOND } lie;

static accel_status encode_with_a_lie(void *ctx, const void *value, accel_buffer *out)
{
  (void)value;
  if (*(const lie *)ctx == SHRINKS) out->size -= 1;
  if (*(const lie *)ctx == GROWS_BEYOND) out->size += (size_t)UINT32_MAX + 1;
  return ACCEL_OK;
}

static lie told;
static const accel_codec lying_codec = {.ctx = &told, .encode = encode_with_a_lie};

static accel_traits lying_traits(void)
{
  return (accel_traits){.codec = &lying_codec};
}

static void a_codec_that_does_not_only_append_is_refused(void **state)
{
  static const lie lies[] = {SHRINKS, GROWS_BEYOND};
  const accel_type type = {.name = "type",
                           .key_kind = ACCEL_KEY_UNSIGNED,
                           .key_size = 8,
                           .value_size = sizeof(page),
                           .traits = lying_traits};
  static const page value;
  const accel_envelope terms = {.ttl_ms = 1000};
  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    accel_buffer out = {0};
    told = lies[i];
    assert_int_equal(accel_envelope_append(&type, "a", "n", 1, &terms, &value, &out),
                     ACCEL_ERR_CODEC);
    assert_int_equal(out.size, 0);
    accel_buffer_release(&out);
  }
}

static size_t compressed_size;

static size_t compress_to(void *ctx, const void *data, size_t size, void *out, size_t room)
{
  (void)ctx;
  memcpy(out, data, size < room ? size : room);
  return compressed_size;
}

static bool decompress_nothing(void *ctx, const void *data, size_t size, void *out, size_t raw_size)
{
  (void)ctx;
  (void)data;
  (void)size;
  memset(out, 0, raw_size);
  return true;
}

static const accel_compressor compressor = {
    .method = 5, .min_bytes = 1, .compress = compress_to, .decompress = decompress_nothing};

static const accel_type page_type = {.name = "page",
                                     .key_kind = ACCEL_KEY_UNSIGNED,
                                     .key_size = 8,
                                     .value_size = sizeof(page),
                                     .traits = no_traits};

/* An envelope of a value of the type, compressed to `size` bytes if that is believed. */
static accel_buffer sealed(const accel_type *type, size_t size, accel_envelope *found)
{
  static const page value;
  const accel_envelope terms = {.ttl_ms = 1000, .compressor = &compressor};
  accel_buffer out = {0};
  compressed_size = size;
  assert_int_equal(accel_envelope_append(type, "a", "n", 1, &terms, &value, &out), ACCEL_OK);
  assert_true(accel_envelope_open(type, "a", "n", 1, out.data, out.size, found));
  return out;
}

static accel_status encode_bytes(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  return accel_buffer_append(out, value, sizeof(page)) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status decode_bytes(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  memcpy(value_out, data, size < sizeof(page) ? size : sizeof(page));
  return ACCEL_OK;
}

static const accel_codec bytes_codec = {.encode = encode_bytes, .decode = decode_bytes};

static accel_traits codec_traits(void)
{
  return (accel_traits){.codec = &bytes_codec};
}

/* Its length is the codec's business. */
static void a_codecs_bytes_are_compressed_and_read_again(void **state)
{
  accel_type type = page_type;
  accel_envelope found;
  page back;
  (void)state;
  type.traits = codec_traits;
  type.value_size = 8;
  accel_buffer out = sealed(&type, 64, &found);
  assert_int_equal(found.raw_size, sizeof(page));
  found.compressor = &compressor;
  assert_int_equal(accel_envelope_value(&type, &found, &back), ACCEL_OK);
  accel_buffer_release(&out);
}

/* Nothing; more than there was room for; so little that no reader would believe it. */
static void a_compressor_that_cannot_be_right_is_not_believed(void **state)
{
  static const size_t sizes[] = {0, sizeof(page), 1};
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    accel_envelope found;
    accel_buffer out = sealed(&page_type, sizes[i], &found);
    assert_int_equal(found.flags & ACCEL_ENVELOPE_METHOD, 0);
    assert_int_equal(found.payload_size, sizeof(page));
    accel_buffer_release(&out);
  }
}

static void small_values_are_not_compressed_whatever_the_least_is(void **state)
{
  accel_type small = page_type;
  accel_envelope found;
  (void)state;
  small.value_size = 15;
  accel_buffer out = sealed(&small, 4, &found);
  assert_int_equal(found.flags & ACCEL_ENVELOPE_METHOD, 0);
  accel_buffer_release(&out);
}

static void without_memory_a_value_is_stored_as_it_is(void **state)
{
  static const page value;
  const accel_envelope terms = {.ttl_ms = 1000, .compressor = &compressor};
  accel_envelope found;
  accel_buffer out = {0};
  (void)state;
  for (size_t i = 0; i < 2; i++) assert_true(accel_buffer_append(&out, &value, sizeof value));
  out.size = 0; /* there is room, so that the next memory is the compressor's */
  compressed_size = 64;
  failing_alloc_fail_from(1);
  assert_int_equal(accel_envelope_append(&page_type, "a", "n", 1, &terms, &value, &out), ACCEL_OK);
  failing_alloc_fail_from(0);
  assert_true(accel_envelope_open(&page_type, "a", "n", 1, out.data, out.size, &found));
  assert_int_equal(found.flags & ACCEL_ENVELOPE_METHOD, 0);
  accel_buffer_release(&out);
}

static void a_compressed_value_is_read_by_its_own_method_and_size_only(void **state)
{
  accel_compressor other = compressor;
  accel_type larger = page_type;
  accel_envelope found;
  page back;
  (void)state;
  other.method = 6;
  larger.value_size = sizeof(page) + 1;
  accel_buffer out = sealed(&page_type, 64, &found);
  assert_int_not_equal(found.flags & ACCEL_ENVELOPE_METHOD, 0);
  found.compressor = NULL;
  assert_int_equal(accel_envelope_value(&page_type, &found, &back), ACCEL_ERR_CODEC);
  found.compressor = &other;
  assert_int_equal(accel_envelope_value(&page_type, &found, &back), ACCEL_ERR_CODEC);
  found.compressor = &compressor;
  assert_int_equal(accel_envelope_value(&larger, &found, &back), ACCEL_ERR_CODEC);
  failing_alloc_fail_from(1);
  assert_int_equal(accel_envelope_value(&page_type, &found, &back), ACCEL_ERR_NOMEM);
  failing_alloc_fail_from(0);
  assert_int_equal(accel_envelope_value(&page_type, &found, &back), ACCEL_OK);
  accel_buffer_release(&out);
}

static void what_is_too_short_for_a_token_has_none(void **state)
{
  accel_envelope found;
  (void)state;
  accel_buffer out = sealed(&page_type, 0, &found);
  accel_bytes_put(out.data + 16, 7, 8);
  assert_int_equal(accel_envelope_token(out.data, 24), 7);
  assert_int_equal(accel_envelope_token(out.data, 23), 0);
  assert_int_equal(accel_envelope_token(out.data, 0), 0);
  accel_buffer_release(&out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_that_this_library_does_not_write_are_no_keys),
      cmocka_unit_test(keys_of_impossible_sizes_have_no_names),
      cmocka_unit_test(an_empty_name_is_no_key),
      cmocka_unit_test(a_text_that_cannot_be_parsed_is_no_key),
      cmocka_unit_test(a_key_without_memory_is_not_begun),
      cmocka_unit_test(a_codec_that_does_not_only_append_is_refused),
      cmocka_unit_test(a_codecs_bytes_are_compressed_and_read_again),
      cmocka_unit_test(a_compressor_that_cannot_be_right_is_not_believed),
      cmocka_unit_test(small_values_are_not_compressed_whatever_the_least_is),
      cmocka_unit_test(without_memory_a_value_is_stored_as_it_is),
      cmocka_unit_test(a_compressed_value_is_read_by_its_own_method_and_size_only),
      cmocka_unit_test(what_is_too_short_for_a_token_has_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
