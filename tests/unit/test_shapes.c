/* Keys and values of unusual shapes: aligned to more than a word, and of no size at all. Whatever
 * code of the user's gets to see them, they lie where their type wants them. */
#pragma GCC diagnostic ignored "-Wpedantic" /* a struct without members */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/platform/atomic.h"
#include "accel_backends/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is misplaced, and where ---- */

static uint64_t misplaced, seen; /* atomic: background threads look too */

static void look(const void *object, size_t align)
{
  accel_add_relaxed(&seen, 1u);
  if ((uintptr_t)object % align != 0) accel_add_relaxed(&misplaced, 1u);
}

static void expect_all_in_place(void)
{
  assert_true(accel_load_relaxed(&seen) > 0);
  assert_int_equal(accel_load_relaxed(&misplaced), 0);
}

/* ---- types ---- */

typedef struct key16 {
  __extension__ unsigned __int128 id;
  uint64_t more;
} key16;
typedef struct key64 {
  _Alignas(64) uint64_t id;
} key64;
typedef struct value8 {
  uint64_t id;
} value8;
typedef struct value64 {
  _Alignas(64) uint64_t id;
  char *owned;
} value64;

/* The functions of a key and a value type. What a key is made of is one number. */
#define SHAPE_FUNCTIONS(key_, value_) \
  static uint64_t key_##_##value_##_hash(const key_ *key, uint64_t seed) \
  { \
    look(key, _Alignof(key_)); \
    return accel_hash_integer((uint64_t)key->id, seed); \
  } \
  static bool key_##_##value_##_equal(const key_ *a, const key_ *b) \
  { \
    look(a, _Alignof(key_)); \
    look(b, _Alignof(key_)); \
    return a->id == b->id; \
  } \
  static uint32_t key_##_##value_##_weigh(const key_ *key, const value_ *value) \
  { \
    look(key, _Alignof(key_)); \
    look(value, _Alignof(value_)); \
    return 1; \
  } \
  static size_t key_##_##value_##_text(const key_ *key, char *text, size_t size) \
  { \
    look(key, _Alignof(key_)); \
    return (size_t)snprintf(text, size, "%u", (unsigned)key->id); \
  } \
  static bool key_##_##value_##_parse(const char *text, size_t size, key_ *key) \
  { \
    char digits[16] = {0}; \
    look(key, _Alignof(key_)); \
    if (size >= sizeof digits) return false; \
    memcpy(digits, text, size); \
    memset(key, 0, sizeof *key); \
    key->id = strtoul(digits, NULL, 10); \
    return true; \
  } \
  static accel_status key_##_##value_##_load(void *unused, key_ key, value_ *out) \
  { \
    (void)unused; \
    look(out, _Alignof(value_)); \
    memset(out, 0, sizeof *out); \
    out->id = (uint64_t)key.id; \
    return ACCEL_OK; \
  } \
  static accel_status key_##_##value_##_mload(void *unused, const key_ *keys, size_t n, \
                                              value_ *out, accel_status *statuses) \
  { \
    look(keys, _Alignof(key_)); \
    look(out, _Alignof(value_)); \
    look(statuses, _Alignof(accel_status)); \
    for (size_t i = 0; i < n; i++) statuses[i] = key_##_##value_##_load(unused, keys[i], &out[i]); \
    return ACCEL_OK; \
  }

SHAPE_FUNCTIONS(key16, value8)
SHAPE_FUNCTIONS(key64, value64)

static bool value64_copy(value64 *to, const value64 *from)
{
  look(to, 64);
  look(from, 64);
  to->id = from->id;
  to->owned = (char *)malloc(1);
  return to->owned != NULL;
}

static void value64_drop(value64 *value)
{
  look(value, 64);
  free(value->owned);
}

#define SHAPE_TRAITS(key_, value_) \
  .hash = key_##_##value_##_hash, .equal = key_##_##value_##_equal, \
  .weigh = key_##_##value_##_weigh, .key_text = key_##_##value_##_text, \
  .key_parse = key_##_##value_##_parse, .remote = &accel_fake_ops

ACCEL_DEFINE_WITH(wide, key16, value8, SHAPE_TRAITS(key16, value8))
ACCEL_DEFINE_WITH(wide_exact, key16, value8, SHAPE_TRAITS(key16, value8),
                  .local = &accel_uthash_ops)
ACCEL_DEFINE_WITH(wider, key64, value64, SHAPE_TRAITS(key64, value64))
ACCEL_DEFINE_WITH(wider_exact, key64, value64, SHAPE_TRAITS(key64, value64),
                  .local = &accel_uthash_ops)
ACCEL_DEFINE_WITH(wider_owning, key64, value64, .hash = key64_value64_hash,
                  .equal = key64_value64_equal, .copy = value64_copy, .drop = value64_drop)

/* ---- everything that a cache does with keys and values ---- */

enum { KEYS = 40 };

static accel_fake fake;

#define SHAPE_TEST(cache_, key_, value_) \
  static bool cache_##_visit(void *count, key_ key, const value_ *value) \
  { \
    look(value, _Alignof(value_)); \
    *(size_t *)count += key.id == value->id; \
    return true; \
  } \
  static void cache_##_do_all(accel_mode mode) \
  { \
    cache_##_cache cache, other; \
    const accel_config config = {.area = #cache_, \
                                 .remote = &fake, \
                                 .mode = mode, \
                                 .capacity = 100, \
                                 .loader_timeout_ms = ACCEL_FOREVER, \
                                 .warmup_enabled = true}; \
    assert_int_equal(cache_##_cache_open(&cache, &config), ACCEL_OK); \
    assert_int_equal(cache_##_cache_open(&other, &config), ACCEL_OK); \
    cache_##_cache_set_loader(&cache, key_##_##value_##_load, NULL); \
    cache_##_cache_set_mloader(&cache, key_##_##value_##_mload, NULL); \
    key_ keys[KEYS]; \
    value_ values[KEYS]; \
    accel_status statuses[KEYS]; \
    memset(keys, 0, sizeof keys); \
    memset(values, 0, sizeof values); \
    for (unsigned i = 0; i < KEYS; i++) keys[i].id = values[i].id = i + 1; \
    const accel_read reads = {.skip_local = true}; \
    assert_int_equal(cache_##_cache_mget(&cache, keys, KEYS / 2, NULL, values, statuses), \
                     ACCEL_OK); \
    for (unsigned i = KEYS / 2; i < KEYS; i++) { \
      assert_int_equal(cache_##_cache_get(&cache, keys[i], &values[i]), ACCEL_OK); \
      assert_int_equal(values[i].id, i + 1); \
      assert_int_equal(cache_##_cache_get_with(&cache, keys[i], &reads, &values[i]), ACCEL_OK); \
    } \
    assert_int_equal(cache_##_cache_set(&cache, keys[0], &values[0]), ACCEL_OK); \
    assert_int_equal(cache_##_cache_mset(&cache, keys, values, KEYS), ACCEL_OK); \
    assert_int_equal(cache_##_cache_mget(&other, keys, KEYS, NULL, values, statuses), ACCEL_OK); \
    if (mode != ACCEL_REMOTE) { \
      cache_##_cache_ref ref; \
      size_t count = 0; \
      assert_int_equal(cache_##_cache_get_ref(&cache, keys[1], &ref), ACCEL_OK); \
      look(cache_##_cache_ref_value(&ref), _Alignof(value_)); \
      assert_int_equal(cache_##_cache_resize(&cache, 200), ACCEL_OK); \
      assert_int_equal(cache_##_cache_ref_value(&ref)->id, 2); \
      cache_##_cache_ref_release(&ref); \
      cache_##_cache_each(&cache, cache_##_visit, &count); \
      assert_true(count > 0); \
      assert_true(cache_##_cache_hottest(&cache, keys, KEYS) > 0); \
    } \
    assert_int_equal(cache_##_cache_del(&cache, keys[2]), ACCEL_OK); \
    assert_int_equal(cache_##_cache_del_after(&cache, keys[3], 1), ACCEL_OK); \
    assert_int_equal(cache_##_cache_refresh(&cache, keys[4]), ACCEL_OK); \
    assert_int_equal(cache_##_cache_warmup(&cache, keys, KEYS, NULL), ACCEL_OK); \
    assert_int_equal(cache_##_cache_mdel(&cache, keys, KEYS), ACCEL_OK); \
    accel_fake_settle(&fake, 10000); /* the other hears of it */ \
    cache_##_cache_close(&cache); \
    cache_##_cache_close(&other); \
  } \
  static void cache_##_keys_and_values_lie_where_they_should(void **state) \
  { \
    (void)state; \
    assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK); \
    cache_##_do_all(ACCEL_BOTH); \
    cache_##_do_all(ACCEL_REMOTE); \
    accel_fake_close(&fake); \
    expect_all_in_place(); \
  }

SHAPE_TEST(wide, key16, value8)
SHAPE_TEST(wide_exact, key16, value8)
SHAPE_TEST(wider, key64, value64)
SHAPE_TEST(wider_exact, key64, value64)

static void owning_values_lie_where_they_should(void **state)
{
  (void)state;
  wider_owning_cache cache;
  const accel_config config = {.area = "a", .capacity = 100};
  assert_int_equal(wider_owning_cache_open(&cache, &config), ACCEL_OK);
  for (unsigned i = 0; i < 1000; i++) {
    const key64 key = {.id = i % 150};
    value64 value = {.id = i, .owned = NULL};
    assert_int_equal(wider_owning_cache_set(&cache, key, &value), ACCEL_OK);
    if (i % 7 == 0) assert_int_equal(wider_owning_cache_set_null(&cache, key), ACCEL_OK);
    if (wider_owning_cache_get(&cache, key, &value) == ACCEL_OK) free(value.owned);
    if (i % 300 == 5) assert_int_equal(wider_owning_cache_resize(&cache, 100 + i), ACCEL_OK);
  }
  wider_owning_cache_close(&cache);
  expect_all_in_place();
}

/* ---- wrappers ---- */

ACCEL_CACHEABLE(wider, get_wider, (wider_cache * cache, key64 key, value64 *out), (cache, key, out),
                .cache = cache, .key = key, .out = out)
{
  (void)cache;
  look(out, 64);
  return key64_value64_load(NULL, key, out);
}

static void wrapped_functions_see_what_they_should(void **state)
{
  (void)state;
  wider_cache cache;
  const accel_config config = {.area = "a", .mode = ACCEL_LOCAL};
  assert_int_equal(wider_cache_open(&cache, &config), ACCEL_OK);
  for (unsigned i = 0; i < 100; i++) {
    value64 value;
    assert_int_equal(get_wider(&cache, (key64){.id = i % 50}, &value), ACCEL_OK);
    assert_int_equal(value.id, i % 50);
  }
  wider_cache_close(&cache);
  expect_all_in_place();
}

/* ---- no size at all ---- */

typedef struct nothing {
} nothing;

ACCEL_DEFINE(flag, uint64_t, nothing)
ACCEL_DEFINE_WITH(flag_exact, uint64_t, nothing, .local = &accel_uthash_ops)

static bool count_flag(void *sum, uint64_t key, const nothing *value)
{
  (void)value;
  *(uint64_t *)sum += key;
  return true;
}

/* A set of keys. What a reference refers to lies behind the end of its slot. */
#define FLAG_TEST(cache_) \
  static void cache_##_is_a_set_of_keys(void **state) \
  { \
    (void)state; \
    cache_##_cache cache; \
    cache_##_cache_ref refs[100]; \
    nothing value; \
    uint64_t sum = 0, keys[100]; \
    const accel_config config = {.area = "a", .capacity = 200}; \
    assert_int_equal(cache_##_cache_open(&cache, &config), ACCEL_OK); \
    for (uint64_t key = 0; key < 100; key++) \
      assert_int_equal(cache_##_cache_set(&cache, key, &value), ACCEL_OK); \
    for (uint64_t key = 0; key < 100; key++) \
      assert_int_equal(cache_##_cache_get_ref(&cache, key, &refs[key]), ACCEL_OK); \
    assert_int_equal(cache_##_cache_resize(&cache, 300), ACCEL_OK); \
    for (uint64_t key = 0; key < 100; key += 2) cache_##_cache_ref_release(&refs[key]); \
    for (uint64_t key = 1; key < 100; key += 2) cache_##_cache_ref_release(&refs[key]); \
    cache_##_cache_each(&cache, count_flag, &sum); \
    assert_int_equal(sum, 99 * 100 / 2); \
    assert_int_equal(cache_##_cache_hottest(&cache, keys, 100), 100); \
    cache_##_cache_close(&cache); \
  }

FLAG_TEST(flag)
FLAG_TEST(flag_exact)

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wide_keys_and_values_lie_where_they_should),
      cmocka_unit_test(wide_exact_keys_and_values_lie_where_they_should),
      cmocka_unit_test(wider_keys_and_values_lie_where_they_should),
      cmocka_unit_test(wider_exact_keys_and_values_lie_where_they_should),
      cmocka_unit_test(owning_values_lie_where_they_should),
      cmocka_unit_test(wrapped_functions_see_what_they_should),
      cmocka_unit_test(flag_is_a_set_of_keys),
      cmocka_unit_test(flag_exact_is_a_set_of_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
