/* The codec's names: one spelling for every key, and one key for every spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/codec.h"

#include "failing_alloc.h"
#include "note_type.h"

#include <stdio.h>
#include <string.h>

/* ---- types ---- */

typedef struct point {
  int32_t x, y;
} point;

static accel_traits point_traits(void)
{
  return (accel_traits){.has_key_text = true, .has_key_parse = true, .schema = 3};
}

static size_t point_text(const void *key, char *text, size_t size)
{
  const point *at = (const point *)key;
  return (size_t)snprintf(text, size, "%d/%d", at->x, at->y);
}

static bool point_parse(const char *text, size_t length, void *key)
{
  point *at = (point *)key;
  int used = 0;
  return sscanf(text, "%d/%d%n", &at->x, &at->y, &used) == 2 && (size_t)used == length;
}

static const accel_type type_i8 = NOTE_TYPE("i8", ACCEL_KEY_SIGNED, int8_t);
static const accel_type type_i16 = NOTE_TYPE("i16", ACCEL_KEY_SIGNED, int16_t);
static const accel_type type_i32 = NOTE_TYPE("i32", ACCEL_KEY_SIGNED, int32_t);
static const accel_type type_i64 = NOTE_TYPE("i64", ACCEL_KEY_SIGNED, int64_t);
static const accel_type type_u8 = NOTE_TYPE("u8", ACCEL_KEY_UNSIGNED, uint8_t);
static const accel_type type_u16 = NOTE_TYPE("u16", ACCEL_KEY_UNSIGNED, uint16_t);
static const accel_type type_u32 = NOTE_TYPE("u32", ACCEL_KEY_UNSIGNED, uint32_t);
static const accel_type type_string = NOTE_TYPE("string", ACCEL_KEY_STRING, const char *);
static const accel_type type_opaque = NOTE_TYPE("opaque", ACCEL_KEY_STRUCT, point);
static const accel_type type_point = {
    .name = "point",
    .key_kind = ACCEL_KEY_STRUCT,
    .key_size = sizeof(point),
    .value_size = sizeof(note),
    .traits = point_traits,
    .key_text = point_text,
    .key_parse = point_parse,
};

/* ---- names ---- */

/* The key's name, to be freed by the next call; NULL: it has none. */
static const char *name_of(const accel_type *type, const void *key)
{
  static accel_buffer buffer;
  accel_buffer_release(&buffer);
  if (accel_key_append_name(type, key, &buffer) != ACCEL_OK) return NULL;
  assert_true(accel_buffer_append(&buffer, "", 1));
  return (const char *)buffer.data;
}

static void release_name(void)
{
  const uint8_t key = 0;
  failing_alloc_fail_from(1);
  assert_null(name_of(&type_u8, &key));
  failing_alloc_fail_from(0);
}

static bool parses(const accel_type *type, const char *name, void *key_out)
{
  char text[64];
  assert_true(strlen(name) < sizeof text);
  return accel_key_parse_name(type, name, strlen(name), text, key_out);
}

static void check_integer(const accel_type *type, const void *key, const char *name)
{
  assert_string_equal(name_of(type, key), name);
  unsigned char back[8] = {0};
  assert_true(parses(type, name, back));
  assert_memory_equal(back, key, type->key_size);
}

#define CHECK_INTEGER(type_, ctype_, value_, name_) \
  check_integer(&(type_), &(const ctype_){value_}, name_)

static void integers_are_decimal(void **state)
{
  (void)state;
  CHECK_INTEGER(type_i8, int8_t, 0, "0");
  CHECK_INTEGER(type_i8, int8_t, -1, "-1");
  CHECK_INTEGER(type_i8, int8_t, INT8_MIN, "-128");
  CHECK_INTEGER(type_i8, int8_t, INT8_MAX, "127");
  CHECK_INTEGER(type_i16, int16_t, INT16_MIN, "-32768");
  CHECK_INTEGER(type_i16, int16_t, 1000, "1000");
  CHECK_INTEGER(type_i32, int32_t, INT32_MIN, "-2147483648");
  CHECK_INTEGER(type_i32, int32_t, INT32_MAX, "2147483647");
  CHECK_INTEGER(type_i64, int64_t, INT64_MIN, "-9223372036854775808");
  CHECK_INTEGER(type_i64, int64_t, INT64_MAX, "9223372036854775807");
  CHECK_INTEGER(type_u8, uint8_t, 255, "255");
  CHECK_INTEGER(type_u8, bool, true, "1");
  CHECK_INTEGER(type_u16, uint16_t, UINT16_MAX, "65535");
  CHECK_INTEGER(type_u32, uint32_t, UINT32_MAX, "4294967295");
  CHECK_INTEGER(type_u64, uint64_t, 0, "0");
  CHECK_INTEGER(type_u64, uint64_t, UINT64_MAX, "18446744073709551615");
  release_name();
}

static void integers_have_one_spelling(void **state)
{
  (void)state;
  static const char *const foreign[] = {
      "",   "-",   "-0",  "00",  "01", "-01", "+1",
      " 1", "1 ",  "0x1", "1.0", "a",  "%31", "--1",
      "1-", "1e2", "１",  "1\n", "A",  ":",   "9999999999999999999999"};
  unsigned char key[8];
  const accel_type *const types[] = {&type_i8, &type_i64, &type_u8, &type_u64};
  for (size_t t = 0; t < 4; t++)
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
      assert_false(parses(types[t], foreign[i], key));
  assert_false(accel_key_parse_name(&type_u32, "1\0002", 3, (char[8]){0}, key));
}

static void integers_keep_to_their_range(void **state)
{
  (void)state;
  static const struct {
    const accel_type *type;
    const char *name;
  } outside[] = {
      {&type_i8, "128"},
      {&type_i8, "-129"},
      {&type_u8, "256"},
      {&type_u8, "-1"},
      {&type_i16, "32768"},
      {&type_i16, "-32769"},
      {&type_u16, "65536"},
      {&type_i32, "2147483648"},
      {&type_i32, "-2147483649"},
      {&type_u32, "4294967296"},
      {&type_i64, "9223372036854775808"},
      {&type_i64, "-9223372036854775809"},
      {&type_u64, "18446744073709551616"},
      {&type_u64, "18446744073709551620"},
  };
  unsigned char key[8];
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
    assert_false(parses(outside[i].type, outside[i].name, key));
}

static void check_string(const char *key, const char *name)
{
  assert_string_equal(name_of(&type_string, &key), name);
  const char *back = NULL;
  char text[1024];
  assert_true(accel_key_parse_name(&type_string, name, strlen(name), text, &back));
  assert_ptr_equal(back, text);
  assert_string_equal(back, key);
}

static void strings_are_percent_encoded(void **state)
{
  (void)state;
  check_string("", "");
  check_string("plain_Text-09.", "plain_Text-09.");
  check_string("a b:c/d%e", "a%20b%3Ac%2Fd%25e");
  check_string("\x01\x7F\x80\xFF\r\n", "%01%7F%80%FF%0D%0A");
  check_string("{tag}", "%7Btag%7D");
  char all[256];
  for (unsigned i = 1; i < 256; i++) all[i - 1] = (char)i;
  all[255] = '\0';
  const char *key = all, *back = NULL;
  char name[1024], text[1024];
  snprintf(name, sizeof name, "%s", name_of(&type_string, &key));
  assert_int_equal(strlen(name), 65 + 3 * (255 - 65));
  assert_true(accel_key_parse_name(&type_string, name, strlen(name), text, &back));
  assert_string_equal(back, all);
  release_name();
}

static void strings_have_one_spelling(void **state)
{
  (void)state;
  static const char *const foreign[] = {"%",   "%2",  "%2f", "%61",   "%G0",
                                        "%0G", "a b", "a:b", "%%",    "a%20%",
                                        "#a",  "a\n", "%00", "a%00b", "\xC3\xA4"};
  const char *key;
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
    assert_false(parses(&type_string, foreign[i], &key));
  assert_false(accel_key_parse_name(&type_string, "a\0b", 3, (char[8]){0}, &key));
}

static void structs_use_their_text(void **state)
{
  (void)state;
  const point at = {-3, 12};
  assert_string_equal(name_of(&type_point, &at), "-3%2F12");
  point back = {0, 0};
  assert_true(parses(&type_point, "-3%2F12", &back));
  assert_memory_equal(&back, &at, sizeof at);
  assert_false(parses(&type_point, "-3/12", &back));
  assert_false(parses(&type_point, "-3%2F12x", &back));
  assert_false(parses(&type_point, "", &back));
  release_name();
}

static size_t text_size;

static size_t text_of_size(const void *key, char *text, size_t size)
{
  (void)key;
  for (size_t i = 0; i < text_size && i + 1 < size; i++) text[i] = (char)('a' + i % 26);
  if (size > 0) text[text_size < size ? text_size : size - 1] = '\0';
  return text_size;
}

static size_t text_that_grows(const void *key, char *text, size_t size)
{
  (void)key;
  (void)text;
  return size + 10;
}

static void texts_of_any_length_are_asked_for_twice(void **state)
{
  (void)state;
  accel_type type = type_point;
  type.key_text = text_of_size;
  const point at = {0, 0};
  static const size_t sizes[] = {1, 254, 255, 256, 257, 10000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    text_size = sizes[i];
    const char *name = name_of(&type, &at);
    assert_non_null(name);
    assert_int_equal(strlen(name), text_size);
    for (size_t j = 0; j < text_size; j++) assert_int_equal(name[j], 'a' + j % 26);
  }
  release_name();
}

static void keys_without_a_name_are_refused(void **state)
{
  (void)state;
  accel_buffer out = {NULL, 0, 0};
  assert_true(accel_buffer_append(&out, "kept", 4));
  const point at = {0, 0};
  const char *none = NULL;
  accel_type type = type_point;
  assert_int_equal(accel_key_append_name(&type_string, &none, &out), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_key_append_name(&type_opaque, &at, &out), ACCEL_ERR_CONFIG);
  type.key_text = text_of_size;
  static const size_t sizes[] = {0, SIZE_MAX, SIZE_MAX - 1, (size_t)1 << 30};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    text_size = sizes[i];
    assert_int_equal(accel_key_append_name(&type, &at, &out), ACCEL_ERR_CONFIG);
  }
  type.key_text = text_that_grows;
  assert_int_equal(accel_key_append_name(&type, &at, &out), ACCEL_ERR_CONFIG);
  assert_int_equal(out.size, 4);
  assert_memory_equal(out.data, "kept", 4);
  accel_buffer_release(&out);

  point back;
  assert_false(parses(&type_opaque, "a", &back));
}

static uint64_t random_next(void)
{
  static uint64_t word = 88172645463325252u;
  word ^= word << 13;
  word ^= word >> 7;
  word ^= word << 17;
  return word;
}

/* Over few letters, so that different keys are likely to look alike. */
static void random_string(char *text)
{
  static const char letters[] = "a%2:#F5\xFF";
  const size_t size = random_next() % 5;
  for (size_t i = 0; i < size; i++) text[i] = letters[random_next() % (sizeof letters - 1)];
  text[size] = '\0';
}

static void different_keys_have_different_names(void **state)
{
  (void)state;
  for (int i = 0; i < 20000; i++) {
    char a[8], b[8], name[32];
    random_string(a);
    random_string(b);
    const char *key_a = a, *key_b = b;
    snprintf(name, sizeof name, "%s", name_of(&type_string, &key_a));
    assert_int_equal(strcmp(name, name_of(&type_string, &key_b)) == 0, strcmp(a, b) == 0);

    const int16_t number_a = (int16_t)random_next(), number_b = (int16_t)(random_next() % 300);
    snprintf(name, sizeof name, "%s", name_of(&type_i16, &number_a));
    assert_int_equal(strcmp(name, name_of(&type_i16, &number_b)) == 0, number_a == number_b);
  }
  release_name();
}

/* Any bytes either are no name, or the name of exactly the key they parse to. */
static void parsing_accepts_only_what_appending_makes(void **state)
{
  (void)state;
  for (int i = 0; i < 20000; i++) {
    char name[8], text[8];
    random_string(name);
    const char *key;
    if (accel_key_parse_name(&type_string, name, strlen(name), text, &key))
      assert_string_equal(name_of(&type_string, &key), name);
  }
  release_name();
}

/* ---- names in L2 ---- */

static void short_names_stand_for_themselves(void **state)
{
  (void)state;
  accel_buffer out = {NULL, 0, 0};
  assert_true(accel_key_append_remote("user", "42", 2, &out));
  assert_int_equal(out.size, 7);
  assert_memory_equal(out.data, "user:42", 7);
  char name[ACCEL_KEY_NAME_MAX];
  memset(name, 'x', sizeof name);
  out.size = 0;
  assert_true(accel_key_append_remote("a", name, sizeof name, &out));
  assert_int_equal(out.size, 2 + ACCEL_KEY_NAME_MAX);
  accel_buffer_release(&out);
}

/* Written down here, because processes of different versions must agree on it. */
static void long_names_are_hashed(void **state)
{
  (void)state;
  char name[ACCEL_KEY_NAME_MAX + 2];
  memset(name, 'x', sizeof name);
  accel_buffer out = {NULL, 0, 0};
  assert_true(accel_key_append_remote("a", name, ACCEL_KEY_NAME_MAX + 1, &out));
  assert_int_equal(out.size, 2 + 33);
  assert_memory_equal(out.data, "a:#D7C3C6655730DE979A25ABA11212F5F6", 35);
  accel_buffer other = {NULL, 0, 0};
  assert_true(accel_key_append_remote("a", name, ACCEL_KEY_NAME_MAX + 2, &other));
  assert_int_equal(other.size, 2 + 33);
  assert_memory_not_equal(out.data, other.data, 2 + 17);
  assert_memory_not_equal(out.data + 2 + 17, other.data + 2 + 17, 16);
  accel_buffer_release(&other);
  accel_buffer_release(&out);
}

/* ---- without memory ---- */

static void without_memory_no_name_is_begun(void **state)
{
  (void)state;
  char long_text[600], name[600];
  memset(long_text, ' ', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  memset(name, 'n', sizeof name);
  const char *string = long_text;
  const point at = {1, 2};
  accel_type wordy = type_point;
  wordy.key_text = text_of_size;
  text_size = 400;
  for (uint64_t n = 1, failures = 1; failures > 0; n++) {
    accel_buffer out = {NULL, 0, 0};
    failing_alloc_fail_nth(n);
    const bool done[] = {
        accel_key_append_name(&type_string, &string, &out) == ACCEL_OK,
        accel_key_append_name(&wordy, &at, &out) == ACCEL_OK,
        accel_key_append_remote("a", name, sizeof name, &out),
        accel_key_append_remote("a", name, 100, &out),
    };
    failures = failing_alloc_failures();
    failing_alloc_fail_nth(0);
    static const size_t sizes[] = {599 * 3, 400, 35, 102};
    size_t expected = 0;
    uint64_t failed = 0;
    for (size_t i = 0; i < 4; i++) {
      if (done[i]) expected += sizes[i];
      if (!done[i]) failed++;
    }
    assert_true(failed == failures);
    assert_int_equal(out.size, expected);
    accel_buffer_release(&out);
  }
  assert_int_equal(failing_alloc_live_blocks(), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers_are_decimal),
      cmocka_unit_test(integers_have_one_spelling),
      cmocka_unit_test(integers_keep_to_their_range),
      cmocka_unit_test(strings_are_percent_encoded),
      cmocka_unit_test(strings_have_one_spelling),
      cmocka_unit_test(structs_use_their_text),
      cmocka_unit_test(texts_of_any_length_are_asked_for_twice),
      cmocka_unit_test(keys_without_a_name_are_refused),
      cmocka_unit_test(different_keys_have_different_names),
      cmocka_unit_test(parsing_accepts_only_what_appending_makes),
      cmocka_unit_test(short_names_stand_for_themselves),
      cmocka_unit_test(long_names_are_hashed),
      cmocka_unit_test(without_memory_no_name_is_begun),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
