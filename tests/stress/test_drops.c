/* Every copy of an owned value that the cache makes is dropped exactly once, whatever ends it:
 * eviction, an overwrite, del, clear, resize, a reference that outlives its entry, close. Each copy
 * has a record that stays when its value is gone, so that a second drop, or none, is seen for what
 * it is. The library's own memory is counted by its hooks.
 *
 * ACCEL_SOAK_SECONDS; 1 without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "crew.h"
#include "whole_table.h"

#include <string.h>

#define THREADS 6u
#define KEYS 120u
#define CAPACITY 48u
#define RECORDS \
  (1u << 20) /* copies of a round; when they are used up the others wait for the end */
#define ROUND_MS 1000u

/* ---- copies ---- */

typedef struct copy {
  uint32_t drops; /* atomic */
  uint32_t key;
} copy;

typedef struct token {
  copy *record;
} token;

static copy *records;
static uint32_t records_used; /* atomic */

static bool token_make(token *out, uint32_t key)
{
  const uint32_t number = accel_add_relaxed(&records_used, 1u);
  if (number >= RECORDS) return false; /* as if there were no memory */
  out->record = &records[number];
  out->record->key = key;
  return true;
}

static bool token_copy(token *to, const token *from)
{
  crew_expect(accel_load_relaxed(&from->record->drops) == 0, "copied after it was dropped");
  return token_make(to, from->record->key);
}

static void token_drop(token *value)
{
  crew_expect(accel_add_relaxed(&value->record->drops, 1u) == 0, "dropped a second time");
}

static uint32_t token_weigh(const char *const *key, const token *value)
{
  (void)key;
  return value->record->key % 4;
}

ACCEL_DEFINE_STR_WITH(token, token, .copy = token_copy, .drop = token_drop, .weigh = token_weigh)

static char keys[KEYS][40];

/* ---- a thread ---- */

static void get_one(crew_member *self, token_cache *cache, uint32_t key)
{
  token value;
  self->reads++;
  if (token_cache_get(cache, keys[key], &value) != ACCEL_OK) return;
  crew_expect(value.record->key == key, "another key's value");
  token_drop(&value);
}

static void hold_one(crew_member *self, token_cache *cache, uint32_t key)
{
  token_cache_ref ref;
  self->reads++;
  if (token_cache_get_ref(cache, keys[key], &ref) != ACCEL_OK) return;
  token_cache_del(cache, keys[key]);
  const token *value = token_cache_ref_value(&ref);
  crew_expect(accel_load_relaxed(&value->record->drops) == 0, "dropped while it was held");
  token_cache_ref_release(&ref);
}

static void set_one(token_cache *cache, uint32_t key)
{
  token value;
  if (!token_make(&value, key)) return;
  const accel_status status = token_cache_set(cache, keys[key], &value);
  crew_expect(status == ACCEL_OK || status == ACCEL_ERR_NOMEM, "set: refused");
  token_drop(&value);
}

static accel_status load_one(void *ctx, const char *key, token *out)
{
  (void)ctx;
  const uint32_t index = (uint32_t)strtoul(key, NULL, 10);
  return token_make(out, index) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static void load_or_get_one(crew_member *self, token_cache *cache, uint32_t key)
{
  token value;
  self->reads++;
  const accel_status status =
      token_cache_get_or_load(cache, keys[key], NULL, load_one, NULL, &value);
  if (status == ACCEL_OK) token_drop(&value);
}

static void drops_step(crew_member *self, uint64_t random)
{
  token_cache *cache = (token_cache *)self->ctx;
  const uint32_t key = (uint32_t)(random >> 8) % KEYS;
  const unsigned choice = (unsigned)(random >> 40) % 512;
  if (choice == 0)
    token_cache_clear(cache);
  else if (choice == 1)
    token_cache_resize(cache, CAPACITY / 2 + (size_t)(random >> 16) % CAPACITY);
  else if (choice < 20)
    token_cache_del(cache, keys[key]);
  else if (choice < 40)
    token_cache_set_null(cache, keys[key]);
  else if (choice < 70)
    hold_one(self, cache, key);
  else if (choice < 130)
    load_or_get_one(self, cache, key);
  else if (choice < 330)
    set_one(cache, key);
  else
    get_one(self, cache, key);
}

/* ---- a round: open, work, close; then every record is looked at ---- */

static void count_drops(void)
{
  const uint32_t used = records_used < RECORDS ? records_used : RECORDS;
  size_t never = 0, often = 0;
  for (uint32_t i = 0; i < used; i++) {
    never += records[i].drops == 0;
    often += records[i].drops > 1;
  }
  assert_true(used > 1000);
  assert_int_equal(never, 0);
  assert_int_equal(often, 0);
}

static void run_round(uint64_t ms)
{
  static token_cache cache;
  const accel_config config = {
      .area = "drops", .capacity = CAPACITY, .max_weight = 60, .loader_timeout_ms = ACCEL_FOREVER};
  memset(records, 0, RECORDS * sizeof *records);
  records_used = 0;
  assert_int_equal(token_cache_open(&cache, &config), ACCEL_OK);
  crew_run(THREADS, ms, drops_step, &cache);
  expect_whole_table(cache.base.local, &token_cache_type_);
  token_cache_close(&cache);
  assert_int_equal(crew_faults, 0);
  count_drops();
}

static void every_copy_is_dropped_exactly_once(void **state)
{
  (void)state;
  accel_thread_scratch(1); /* the thread's own, which stays */
  const uint64_t live_bytes = failing_alloc_live_bytes();
  const uint64_t end_ms = accel_clock_monotonic_ms() + crew_case_ms(ROUND_MS, 1);
  records = (copy *)malloc(RECORDS * sizeof *records);
  assert_non_null(records);
  do {
    run_round(ROUND_MS);
  } while (accel_clock_monotonic_ms() < end_ms);
  accel_thread_scratch(1);
  assert_int_equal(failing_alloc_live_bytes(), live_bytes);
  free(records);
}

int main(void)
{
  const struct CMUnitTest cases[] = {cmocka_unit_test(every_copy_is_dropped_exactly_once)};
  for (uint32_t i = 0; i < KEYS; i++) /* some too long for an engine's places for short keys */
    snprintf(keys[i], sizeof keys[i], "%u%s", i, i % 3 == 0 ? " and many more words" : "");
  return cmocka_run_group_tests(cases, NULL, NULL);
}
