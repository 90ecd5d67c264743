/* Twenty-four threads on a thousand hot keys, of which half fit: places are used again while others
 * read them. Every value carries its key and a checksum. Values are small, large, or own memory
 * that is overwritten before it is freed, so that a read of what is gone shows without a sanitizer.
 *
 * ACCEL_SOAK_SECONDS, shared by the cases; 3 without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "crew.h"
#include "whole_table.h"

#include <string.h>

#define THREADS 24u
#define KEYS 1000u
#define CAPACITY 512u
#define CASES 3u

/* ---- words that belong together ---- */

static void fill_words(uint64_t *words, size_t count, uint64_t key, uint64_t version)
{
  words[0] = key;
  words[1] = version;
  for (size_t i = 2; i < count; i++) words[i] = (key + i) * (version | 1) + i;
}

static bool is_whole(const uint64_t *words, size_t count, uint64_t key)
{
  if (words[0] != key) return false;
  for (size_t i = 2; i < count; i++)
    if (words[i] != (key + i) * (words[1] | 1) + i) return false;
  return true;
}

typedef struct small {
  uint64_t words[8];
} small;

typedef struct large {
  uint64_t words[70];
} large;

typedef struct owner {
  large *memory;
} owner;

static uint64_t owners_alive;

static bool owner_copy(owner *to, const owner *from)
{
  to->memory = (large *)malloc(sizeof *to->memory);
  if (to->memory == NULL) return false;
  *to->memory = *from->memory;
  accel_add_relaxed(&owners_alive, 1u);
  return true;
}

static void owner_drop(owner *value)
{
  memset(value->memory, 0xDD, sizeof *value->memory);
  free(value->memory);
  value->memory = NULL;
  accel_add_relaxed(&owners_alive, (uint64_t)-1);
}

ACCEL_DEFINE(small, uint64_t, small)
ACCEL_DEFINE(large, uint64_t, large)
ACCEL_DEFINE_WITH(owner, uint64_t, owner, .copy = owner_copy, .drop = owner_drop)

/* ---- what the kinds share: a typed read, and where the words of a value lie ---- */

typedef struct hammer_kind {
  accel_cache *cache;
  const accel_type *type;
  size_t words;
  accel_status (*get)(uint64_t key, void *value_out);
  const uint64_t *(*look)(const void *value);
  bool (*make)(void *value, uint64_t key, uint64_t version);
  void (*drop)(void *value);
} hammer_kind;

static small_cache small_hammered;
static large_cache large_hammered;
static owner_cache owner_hammered;

static accel_status small_get(uint64_t key, void *value_out)
{
  return small_cache_get(&small_hammered, key, (small *)value_out);
}

static accel_status large_get(uint64_t key, void *value_out)
{
  return large_cache_get(&large_hammered, key, (large *)value_out);
}

static accel_status owner_get(uint64_t key, void *value_out)
{
  return owner_cache_get(&owner_hammered, key, (owner *)value_out);
}

static const uint64_t *look_inside(const void *value)
{
  return (const uint64_t *)value;
}

static const uint64_t *look_behind(const void *value)
{
  return ((const owner *)value)->memory->words;
}

static bool make_small(void *value, uint64_t key, uint64_t version)
{
  fill_words((uint64_t *)value, sizeof(small) / 8, key, version);
  return true;
}

static bool make_large(void *value, uint64_t key, uint64_t version)
{
  fill_words((uint64_t *)value, sizeof(large) / 8, key, version);
  return true;
}

static bool make_owner(void *value, uint64_t key, uint64_t version)
{
  large content;
  const owner source = {&content};
  make_large(&content, key, version);
  return owner_copy((owner *)value, &source);
}

static void drop_nothing(void *value)
{
  (void)value;
}

static void drop_owner(void *value)
{
  owner_drop((owner *)value);
}

static const hammer_kind small_kind = {
    &small_hammered.base, &small_cache_type_, sizeof(small) / 8, small_get,
    look_inside,          make_small,         drop_nothing};
static const hammer_kind large_kind = {
    &large_hammered.base, &large_cache_type_, sizeof(large) / 8, large_get,
    look_inside,          make_large,         drop_nothing};
static const hammer_kind owner_kind = {
    &owner_hammered.base, &owner_cache_type_, sizeof(large) / 8, owner_get,
    look_behind,          make_owner,         drop_owner};

/* ---- what a thread does: mostly it reads; every third does nothing else, and waits for no thread
 * that was stopped in the middle of a write ---- */

static void hammer_read(crew_member *self, const hammer_kind *kind, uint64_t key)
{
  large value; /* the largest of the kinds */
  const accel_status status = kind->get(key, &value);
  self->reads++;
  crew_expect(status == ACCEL_OK || status == ACCEL_NULL || status == ACCEL_MISS,
              "get: neither found nor missed");
  if (status != ACCEL_OK) return;
  crew_expect(is_whole(kind->look(&value), kind->words, key), "get: a torn value");
  kind->drop(&value);
}

static void hammer_hold(crew_member *self, const hammer_kind *kind, uint64_t key)
{
  accel_local_pin pin;
  self->reads++;
  if (accel_cache_get_ref(kind->cache, kind->type, &key, &pin) != ACCEL_OK) return;
  if (key % 2 == 0) accel_cache_del(kind->cache, kind->type, &key);
  crew_expect(is_whole(kind->look(accel_cache_ref_value(&pin)), kind->words, key),
              "get_ref: a torn value");
  accel_cache_ref_release(&pin, kind->type);
}

static void hammer_write(const hammer_kind *kind, uint64_t key, uint64_t version)
{
  large value;
  if (!kind->make(&value, key, version)) return;
  crew_expect(accel_cache_set(kind->cache, kind->type, &key, &value) == ACCEL_OK, "set: refused");
  kind->drop(&value);
}

static void hammer_step(crew_member *self, uint64_t random)
{
  const hammer_kind *kind = (const hammer_kind *)self->ctx;
  const uint64_t key = (random >> 8) % KEYS;
  const unsigned choice = (unsigned)(random % 64);
  if (choice < 44 || self->number % 3 == 0)
    hammer_read(self, kind, key);
  else if (choice < 59)
    hammer_write(kind, key, random);
  else if (choice < 61)
    hammer_hold(self, kind, key);
  else if (choice == 61)
    crew_expect(accel_cache_set_null(kind->cache, kind->type, &key) == ACCEL_OK, "set_null");
  else
    crew_expect(accel_cache_del(kind->cache, kind->type, &key) == ACCEL_OK, "del");
}

static void hammer(const hammer_kind *kind)
{
  const accel_config config = {.area = "hammer", .capacity = CAPACITY};
  accel_diagnostic seen;
  assert_int_equal(accel_cache_open(kind->cache, kind->type, &config), ACCEL_OK);
  const uint64_t reads =
      crew_run(THREADS, crew_case_ms(3000, CASES), hammer_step, (void *)(uintptr_t)kind);
  accel_cache_diagnostic_snapshot(kind->cache, &seen);
  expect_whole_table(kind->cache->local, kind->type);
  accel_cache_close(kind->cache, kind->type);
  assert_int_equal(crew_faults, 0);
  assert_true(seen.entries <= CAPACITY);
  assert_true(seen.metrics.local_hit > 0 && seen.metrics.local_miss > 0);
  assert_int_equal(seen.metrics.local_hit + seen.metrics.local_miss, reads);
  assert_int_equal(owners_alive, 0);
}

static void small_values_are_never_torn(void **state)
{
  (void)state;
  hammer(&small_kind);
}

static void large_values_are_never_torn(void **state)
{
  (void)state;
  hammer(&large_kind);
}

static void owned_values_are_never_read_once_freed(void **state)
{
  (void)state;
  hammer(&owner_kind);
}

int main(void)
{
  const struct CMUnitTest cases[CASES] = {
      cmocka_unit_test(small_values_are_never_torn),
      cmocka_unit_test(large_values_are_never_torn),
      cmocka_unit_test(owned_values_are_never_read_once_freed),
  };
  return cmocka_run_group_tests(cases, NULL, NULL);
}
