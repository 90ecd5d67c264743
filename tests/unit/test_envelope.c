/* The codec's envelopes: nothing foreign, harmed or misplaced gets through. */
#include "envelope_world.h"

static accel_traits schema_traits(void)
{
  return (accel_traits){.schema = 3};
}

static uint64_t random_next(void)
{
  static uint64_t word = 88172645463325252u;
  word ^= word << 13;
  word ^= word >> 7;
  word ^= word << 17;
  return word;
}

static void what_is_sealed_can_be_opened(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  assert_int_equal(bytes.size, ACCEL_ENVELOPE_SIZE + sizeof value);
  accel_envelope found;
  assert_true(opens(&type_u64, bytes.data, bytes.size, &found));
  assert_int_equal(found.flags, 0);
  assert_true(found.schema == accel_schema_fingerprint(&type_u64));
  assert_true(found.token == terms.token && found.created_ms == terms.created_ms);
  assert_true(found.soft_ttl_ms == 5 && found.ttl_ms == 60000);
  note back;
  assert_int_equal(accel_envelope_value(&type_u64, &found, &back), ACCEL_OK);
  assert_memory_equal(&back, &value, sizeof value);
  accel_buffer_release(&bytes);
}

static void the_layout_is_that_of_the_header(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  static const unsigned char expected[ACCEL_ENVELOPE_SIZE] = {
      0x41, 0x43, 0x4C, 0x31, 0x01, 0x30, 0x00, 0x00, 0xF0, 0x04, 0x73, 0xBA,
      0x10, 0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      0x7B, 0x68, 0xE5, 0xCF, 0x8B, 0x01, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00,
      0x60, 0xEA, 0x00, 0x00, 0xA4, 0xEA, 0x43, 0xAF, 0x03, 0xE3, 0x67, 0x06};
  assert_memory_equal(bytes.data, expected, sizeof expected);
  accel_buffer_release(&bytes);
}

/* What s390x writes for the same value: the first word of the payload is in its byte order. */
static void bytes_of_another_byte_order_are_refused(void **state)
{
  (void)state;
  static const unsigned char foreign[ACCEL_ENVELOPE_SIZE + sizeof value] = {
      0x41, 0x43, 0x4C, 0x31, 0x01, 0x30, 0x00, 0x00, 0xE9, 0x37, 0x48, 0x0C, 0x10,
      0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x7B, 0x68,
      0xE5, 0xCF, 0x8B, 0x01, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x60, 0xEA, 0x00,
      0x00, 0x0B, 0xF8, 0xA5, 0x90, 0x90, 0x63, 0xC1, 0x3D, 0x01, 0x02, 0x03, 0x04,
      0x05, 0x06, 0x07, 0x08, 0x73, 0x65, 0x76, 0x65, 0x6E, 0x37, 0x37, 0x00};
  accel_envelope found;
  assert_false(opens(&type_u64, foreign, sizeof foreign, &found));
  const uint32_t own = accel_schema_fingerprint(&type_u64);
  assert_true(accel_schema_fingerprint_of(&type_u64, false, 8) == own);
  assert_true(accel_schema_fingerprint_of(&type_u64, true, 8) == 0x0C4837E9u);
  assert_true(accel_schema_fingerprint_of(&type_u64, false, 4) != own);
}

typedef struct padded {
  uint8_t kind; /* and seven bytes that are no field's */
  uint64_t id;
  uint16_t small;
} padded;

ACCEL_DEFINE(padded, uint64_t, padded)

/* Where no compiler can tell the bytes, what the library itself hands to loaders is zeroed. */
static void padding_stays_at_home(void **state)
{
  (void)state;
  for (size_t offset = 0; offset < 8; offset++) {
    padded secret;
    memset(&secret, 0xA5, sizeof secret);
    secret.kind = 1;
    secret.id = 2;
    secret.small = 3;
    accel_buffer out = {NULL, 0, 0};
    assert_true(accel_buffer_append(&out, "12345678", offset));
    assert_int_equal(
        accel_envelope_append(&padded_cache_type_, "area", "name", 4, &terms, &secret, &out),
        ACCEL_OK);
    padded clean;
    memset(&clean, 0, sizeof clean);
    clean.kind = 1;
    clean.id = 2;
    clean.small = 3;
    const unsigned char *payload = out.data + offset + ACCEL_ENVELOPE_SIZE;
#ifdef ACCEL_HAS_CLEAR_PADDING_
    assert_memory_equal(payload, &clean, sizeof clean);
#else
    assert_memory_equal(payload, &secret, sizeof secret);
#endif
    accel_buffer_release(&out);
  }
}

static void it_opens_wherever_it_lies(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  unsigned char moved[ACCEL_ENVELOPE_SIZE + sizeof value + 8];
  for (size_t offset = 0; offset < 8; offset++) {
    memcpy(moved + offset, bytes.data, bytes.size);
    accel_envelope found;
    note back;
    assert_true(opens(&type_u64, moved + offset, bytes.size, &found));
    assert_int_equal(accel_envelope_value(&type_u64, &found, &back), ACCEL_OK);
  }
  accel_buffer_release(&bytes);
}

static void it_is_appended_to_what_is_there(void **state)
{
  (void)state;
  accel_buffer out = {NULL, 0, 0};
  assert_true(accel_buffer_append(&out, "abc", 3));
  for (int i = 0; i < 2; i++)
    assert_int_equal(accel_envelope_append(&type_u64, "area", "name", 4, &terms, &value, &out),
                     ACCEL_OK);
  const size_t size = ACCEL_ENVELOPE_SIZE + sizeof value;
  accel_envelope found;
  assert_int_equal(out.size, 3 + 2 * size);
  assert_memory_equal(out.data, "abc", 3);
  assert_true(opens(&type_u64, out.data + 3, size, &found));
  assert_true(opens(&type_u64, out.data + 3 + size, size, &found));
  accel_buffer_release(&out);
}

static void leases_and_negatives_have_no_payload(void **state)
{
  (void)state;
  accel_envelope lease = terms, found;
  lease.flags = ACCEL_ENVELOPE_LEASE;
  note back;
  const struct {
    const accel_envelope *terms;
    uint32_t flags;
  } kinds[] = {{&terms, ACCEL_ENVELOPE_NEGATIVE}, {&lease, ACCEL_ENVELOPE_LEASE}};
  for (size_t i = 0; i < 2; i++) {
    accel_buffer bytes = sealed(&type_u64, kinds[i].terms, NULL);
    assert_int_equal(bytes.size, ACCEL_ENVELOPE_SIZE);
    assert_true(opens(&type_u64, bytes.data, bytes.size, &found));
    assert_int_equal(found.flags, kinds[i].flags);
    assert_true(found.token == terms.token);
    assert_int_equal(accel_envelope_value(&type_u64, &found, &back), ACCEL_ERR_CODEC);
    accel_buffer_release(&bytes);
  }
}

static void every_truncation_is_found(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  accel_envelope found;
  for (size_t size = 0; size < bytes.size; size++) {
    unsigned char *exact = (unsigned char *)malloc(size + 1); /* so that ASan sees a step beyond */
    memcpy(exact, bytes.data, size);
    assert_false(opens(&type_u64, exact, size, &found));
    free(exact);
  }
  assert_true(accel_buffer_append(&bytes, "", 1));
  assert_false(opens(&type_u64, bytes.data, bytes.size, &found));
  accel_buffer_release(&bytes);
}

static void every_flipped_bit_is_found(void **state)
{
  (void)state;
  const void *const payloads[] = {&value, NULL};
  for (size_t i = 0; i < 2; i++) {
    accel_buffer bytes = sealed(&type_u64, &terms, payloads[i]);
    accel_envelope found;
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
      bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
      assert_false(opens(&type_u64, bytes.data, bytes.size, &found));
      bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(opens(&type_u64, bytes.data, bytes.size, &found));
    accel_buffer_release(&bytes);
  }
}

static void random_bytes_do_not_open(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  accel_envelope found;
  for (int i = 0; i < 20000; i++) {
    unsigned char noise[ACCEL_ENVELOPE_SIZE + sizeof value];
    memcpy(noise, bytes.data, sizeof noise);
    const size_t from = random_next() % sizeof noise;
    for (size_t j = from; j < sizeof noise; j++) noise[j] = (unsigned char)random_next();
    assert_int_equal(opens(&type_u64, noise, sizeof noise, &found),
                     memcmp(noise, bytes.data, sizeof noise) == 0);
  }
  accel_buffer_release(&bytes);
}

/* Makes the hash right again, as a writer of another version would. */
static void seal_again(accel_buffer *bytes)
{
  static const uint64_t secret[2] = {0x3C6EF372FE94F82Bu, 0x510E527FADE682D1u};
  static const unsigned char key[] = {9, 0, 0, 0, 'a', 'r', 'e', 'a', ':', 'n', 'a', 'm', 'e'};
  accel_siphash hash;
  accel_siphash_begin(&hash, secret);
  accel_siphash_add(&hash, key, sizeof key);
  accel_siphash_add(&hash, bytes->data, 40);
  accel_siphash_add(&hash, bytes->data + 48, bytes->size - 48);
  const uint64_t word = accel_siphash_end(&hash);
  for (size_t i = 0; i < 8; i++) bytes->data[40 + i] = (unsigned char)(word >> (8 * i));
}

static void a_foreign_header_is_refused_even_if_its_hash_is_right(void **state)
{
  (void)state;
  static const struct {
    size_t at;
    unsigned char flip;
    bool opens;
  } cases[] = {
      {0, 1, false},     {3, 2, false},     {4, 3, false},     {5, 8, false},
      {5, 0x30, false},  {6, 1, false}, /* negative and a lease with payload */
      {6, 2, false},     {6, 4, false},     {6, 0x80, false},  {7, 1, false},
      {7, 0x80, false},  {8, 1, false},     {11, 0x80, false}, {12, 1, false},
      {12, 0x10, false}, {15, 0x80, false}, {16, 1, true}, /* token and times may be any */
      {24, 1, true},     {32, 1, true},     {36, 1, true},     {39, 0xFF, true},
  };
  accel_envelope found;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    accel_buffer bytes = sealed(&type_u64, &terms, &value);
    seal_again(&bytes);
    assert_true(opens(&type_u64, bytes.data, bytes.size, &found));
    bytes.data[cases[i].at] ^= cases[i].flip;
    seal_again(&bytes);
    assert_int_equal(opens(&type_u64, bytes.data, bytes.size, &found), cases[i].opens);
    accel_buffer_release(&bytes);
  }
}

static void every_flag_that_is_not_known_is_refused(void **state)
{
  (void)state;
  accel_envelope found;
  for (unsigned bit = 0; bit < 16; bit++) {
    accel_buffer bytes = sealed(&type_u64, &terms, NULL);
    bytes.data[6 + bit / 8] |= (unsigned char)(1u << bit % 8);
    seal_again(&bytes);
    assert_int_equal(opens(&type_u64, bytes.data, bytes.size, &found), bit < 2);
    accel_buffer_release(&bytes);
  }
}

static void it_belongs_to_one_key(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  const unsigned char *data = bytes.data;
  accel_envelope found;
  assert_false(accel_envelope_open(&type_u64, "area", "nam", 3, data, bytes.size, &found));
  assert_false(accel_envelope_open(&type_u64, "area", "name2", 5, data, bytes.size, &found));
  assert_false(accel_envelope_open(&type_u64, "areb", "name", 4, data, bytes.size, &found));
  assert_false(accel_envelope_open(&type_u64, "are", "aname", 5, data, bytes.size, &found));
  assert_false(accel_envelope_open(&type_u64, "area", "", 0, data, bytes.size, &found));
  accel_buffer_release(&bytes);

  /* Long names differ in their hash in L2 and, should that ever meet, in the envelope's. */
  char name[300];
  memset(name, 'x', sizeof name);
  accel_buffer out = {NULL, 0, 0};
  assert_int_equal(
      accel_envelope_append(&type_u64, "area", name, sizeof name, &terms, &value, &out), ACCEL_OK);
  assert_true(
      accel_envelope_open(&type_u64, "area", name, sizeof name, out.data, out.size, &found));
  name[299] = 'y';
  assert_false(
      accel_envelope_open(&type_u64, "area", name, sizeof name, out.data, out.size, &found));
  accel_buffer_release(&out);
}

static void it_belongs_to_one_schema(void **state)
{
  (void)state;
  accel_buffer bytes = sealed(&type_u64, &terms, &value);
  accel_type renamed = type_u64, resized = type_u64, raised = type_u64;
  renamed.name = "u65";
  resized.value_size++;
  raised.traits = schema_traits;
  accel_envelope found;
  assert_false(opens(&renamed, bytes.data, bytes.size, &found));
  assert_false(opens(&resized, bytes.data, bytes.size, &found));
  assert_false(opens(&raised, bytes.data, bytes.size, &found));
  accel_type same = type_u64;
  same.key_size = 4;
  assert_true(opens(&same, bytes.data, bytes.size, &found));
  accel_buffer_release(&bytes);
}

static void what_is_left_runs_from_creation(void **state)
{
  (void)state;
  accel_envelope envelope = {.created_ms = 1000, .ttl_ms = 500};
  assert_int_equal(accel_envelope_ttl_left(&envelope, 1000), 500);
  assert_int_equal(accel_envelope_ttl_left(&envelope, 1200), 300);
  assert_int_equal(accel_envelope_ttl_left(&envelope, 1499), 1);
  assert_int_equal(accel_envelope_ttl_left(&envelope, 1500), 0);
  assert_int_equal(accel_envelope_ttl_left(&envelope, UINT64_MAX), 0);
  assert_int_equal(accel_envelope_ttl_left(&envelope, 0), 500);
  envelope.created_ms = UINT64_MAX;
  assert_int_equal(accel_envelope_ttl_left(&envelope, 1000), 500);
  envelope.ttl_ms = ACCEL_FOREVER;
  envelope.created_ms = 0;
  assert_true(accel_envelope_ttl_left(&envelope, UINT64_MAX) == ACCEL_FOREVER);
  envelope.ttl_ms = ACCEL_FOREVER - 1;
  assert_int_equal(accel_envelope_ttl_left(&envelope, (uint64_t)1 << 40), 0);
}

/* ---- without memory ---- */

static void without_memory_no_envelope_is_begun(void **state)
{
  (void)state;
  accel_type large = type_u64;
  large.value_size = 4096;
  char object[4096] = {0};
  for (uint64_t n = 1; n <= 2; n++) {
    accel_buffer out = {NULL, 0, 0};
    failing_alloc_fail_nth(n);
    assert_int_equal(accel_envelope_append(&large, "area", "name", 4, &terms, object, &out),
                     ACCEL_ERR_NOMEM);
    assert_int_equal(out.size, 0);
    assert_int_equal(accel_envelope_append(&large, "area", "name", 4, &terms, object, &out),
                     ACCEL_OK);
    assert_int_equal(failing_alloc_failures(), 1);
    accel_buffer_release(&out);
  }
  assert_int_equal(failing_alloc_live_blocks(), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_sealed_can_be_opened),
      cmocka_unit_test(the_layout_is_that_of_the_header),
      cmocka_unit_test(bytes_of_another_byte_order_are_refused),
      cmocka_unit_test(padding_stays_at_home),
      cmocka_unit_test(it_opens_wherever_it_lies),
      cmocka_unit_test(it_is_appended_to_what_is_there),
      cmocka_unit_test(leases_and_negatives_have_no_payload),
      cmocka_unit_test(every_truncation_is_found),
      cmocka_unit_test(every_flipped_bit_is_found),
      cmocka_unit_test(random_bytes_do_not_open),
      cmocka_unit_test(a_foreign_header_is_refused_even_if_its_hash_is_right),
      cmocka_unit_test(every_flag_that_is_not_known_is_refused),
      cmocka_unit_test(it_belongs_to_one_key),
      cmocka_unit_test(it_belongs_to_one_schema),
      cmocka_unit_test(what_is_left_runs_from_creation),
      cmocka_unit_test(without_memory_no_envelope_is_begun),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
