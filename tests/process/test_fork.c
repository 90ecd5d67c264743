/* Forks beside threads that use caches, again and again: whatever those threads hold just then,
 * every function tells the child at once that its parent's caches are not its own, and caches that
 * the child opens work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"

#include "process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORKS 60
#define WRITERS 3
#define KEYS 8

/* Every kind of entry that is read under a mutex, and the one that is not. */
typedef struct big {
  char bytes[2000];
} big;

typedef struct owner {
  uint64_t *number;
} owner;

typedef struct wide_key {
  uint64_t words[12];
} wide_key;

static bool owner_copy(owner *to, const owner *from)
{
  to->number = (uint64_t *)malloc(sizeof *to->number);
  if (to->number != NULL) *to->number = *from->number;
  return to->number != NULL;
}

static void owner_drop(owner *value)
{
  free(value->number);
}

static uint64_t wide_hash(const wide_key *key, uint64_t seed)
{
  return accel_hash_bytes(key, sizeof *key, seed);
}

static bool wide_equal(const wide_key *a, const wide_key *b)
{
  return memcmp(a, b, sizeof *a) == 0;
}

ACCEL_DEFINE(plain, uint64_t, uint64_t)
ACCEL_DEFINE(large, uint64_t, big)
ACCEL_DEFINE_WITH(owning, uint64_t, owner, .copy = owner_copy, .drop = owner_drop)
ACCEL_DEFINE_WITH(wide, wide_key, uint64_t, .hash = wide_hash, .equal = wide_equal)
ACCEL_DEFINE_STR(named, uint64_t)
ACCEL_DEFINE_WITH(lru, uint64_t, uint64_t, .local = &accel_uthash_ops)

static struct {
  plain_cache plain;
  large_cache large;
  owning_cache owning;
  wide_cache wide;
  named_cache named;
  lru_cache lru;
} caches;

static large_cache_ref held; /* taken before every fork, released on both sides of it */
static atomic_bool is_over;

static const char *long_name(uint64_t i, char name[200])
{
  snprintf(name, 200, "%0150llu", (unsigned long long)i);
  return name;
}

static wide_key wide_of(uint64_t i)
{
  wide_key key;
  memset(&key, 0, sizeof key);
  key.words[11] = i;
  return key;
}

static accel_status load_number(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  *out = key;
  return ACCEL_OK;
}

static accel_status load_numbers(void *ctx, const uint64_t *keys, size_t count, uint64_t *values,
                                 accel_status *statuses)
{
  for (size_t i = 0; i < count; i++) statuses[i] = load_number(ctx, keys[i], &values[i]);
  return ACCEL_OK;
}

static bool visit_nothing(void *ctx, uint64_t key, const uint64_t *value)
{
  (void)ctx, (void)key, (void)value;
  return true;
}

static bool visit_big(void *ctx, uint64_t key, const big *value)
{
  (void)ctx, (void)key, (void)value;
  return true;
}

/* ---- the parent's threads ---- */

static void *write_on(void *seed)
{
  uint64_t random = (uint64_t)(uintptr_t)seed;
  static const big zero;
  char name[200];
  uint64_t loaded;
  while (!atomic_load(&is_over)) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t i = random >> 33 & (KEYS - 1);
    const owner value = {.number = &random};
    large_cache_set(&caches.large, i, &zero);
    owning_cache_set(&caches.owning, i, &value);
    wide_cache_set(&caches.wide, wide_of(i), &random);
    named_cache_set(&caches.named, long_name(i, name), &random);
    lru_cache_set(&caches.lru, i, &random);
    plain_cache_get_or_load(&caches.plain, random >> 20, NULL, load_number, NULL, &loaded);
  }
  return NULL;
}

/* ---- the child ---- */

#define REFUSED(call_) \
  if ((call_) != ACCEL_ERR_CONFIG) return __LINE__

static int ask_parents_large(void)
{
  static big value;
  uint64_t keys[4] = {0, 1, 2, 3};
  static big values[4];
  accel_status statuses[4];
  large_cache_ref ref;
  accel_diagnostic seen;
  REFUSED(large_cache_get(&caches.large, 1, &value));
  REFUSED(large_cache_mget(&caches.large, keys, 4, NULL, values, statuses));
  REFUSED(large_cache_set(&caches.large, 1, &value));
  REFUSED(large_cache_mset(&caches.large, keys, values, 4));
  REFUSED(large_cache_del(&caches.large, 1));
  REFUSED(large_cache_mdel(&caches.large, keys, 4));
  REFUSED(large_cache_del_after(&caches.large, 1, 1));
  REFUSED(large_cache_clear(&caches.large));
  REFUSED(large_cache_get_ref(&caches.large, 1, &ref));
  REFUSED(large_cache_resize(&caches.large, 100));
  large_cache_ref_release(&held);
  large_cache_each(&caches.large, visit_big, NULL);
  large_cache_diagnostic_snapshot(&caches.large, &seen);
  if (seen.local_ready) return __LINE__;
  return 0;
}

static int ask_the_others(void)
{
  uint64_t value = 0, keys[4];
  owner own;
  lru_cache_ref ref;
  accel_metrics metrics;
  char name[200];
  REFUSED(owning_cache_get(&caches.owning, 1, &own));
  REFUSED(wide_cache_get(&caches.wide, wide_of(1), &value));
  REFUSED(named_cache_get(&caches.named, long_name(1, name), &value));
  REFUSED(plain_cache_get(&caches.plain, 1, &value));
  REFUSED(plain_cache_refresh(&caches.plain, 1));
  REFUSED(lru_cache_get(&caches.lru, 1, &value));
  REFUSED(lru_cache_set(&caches.lru, 1, &value));
  REFUSED(lru_cache_get_ref(&caches.lru, 1, &ref));
  lru_cache_each(&caches.lru, visit_nothing, NULL);
  if (lru_cache_hottest(&caches.lru, keys, 4) != 0) return __LINE__;
  lru_cache_metrics_snapshot(&caches.lru, &metrics);
  return 0;
}

static void close_parents(void)
{
  large_cache_close(&caches.large);
  owning_cache_close(&caches.owning);
  wide_cache_close(&caches.wide);
  named_cache_close(&caches.named);
  lru_cache_close(&caches.lru);
  plain_cache_close(&caches.plain);
}

static int use_own(void)
{
  static plain_cache own;
  uint64_t keys[16], values[16], value;
  accel_status statuses[16];
  for (uint64_t i = 0; i < 16; i++) keys[i] = i;
  const accel_config config = {
      .area = "own", .capacity = 100, .loader_timeout_ms = PROCESS_PATIENCE_S * 1000};
  if (plain_cache_open(&own, &config) != ACCEL_OK) return __LINE__;
  plain_cache_set_loader(&own, load_number, NULL);
  plain_cache_set_mloader(&own, load_numbers, NULL);
  if (plain_cache_get(&own, 7, &value) != ACCEL_OK || value != 7) return __LINE__;
  if (plain_cache_get(&own, 7, &value) != ACCEL_OK || value != 7) return __LINE__;
  if (plain_cache_mget(&own, keys, 16, NULL, values, statuses) != ACCEL_OK) return __LINE__;
  if (plain_cache_del(&own, 7) != ACCEL_OK) return __LINE__;
  if (plain_cache_close_within(&own, PROCESS_PATIENCE_S * 1000) != ACCEL_OK) return __LINE__;
  return 0;
}

static int run_child(int round)
{
  int line = 0;
  if (round % 2 == 0) line = use_own();
  if (line == 0) line = ask_parents_large();
  if (line == 0) line = ask_the_others();
  if (line == 0 && round % 3 == 0) close_parents();
  return line != 0 ? line : use_own();
}

/* ---- the tests ---- */

static void open_all(void)
{
  const accel_config config = {.area = "parents", .capacity = 500, .loader_timeout_ms = 60000};
  assert_int_equal(plain_cache_open(&caches.plain, &config), ACCEL_OK);
  assert_int_equal(large_cache_open(&caches.large, &config), ACCEL_OK);
  assert_int_equal(owning_cache_open(&caches.owning, &config), ACCEL_OK);
  assert_int_equal(wide_cache_open(&caches.wide, &config), ACCEL_OK);
  assert_int_equal(named_cache_open(&caches.named, &config), ACCEL_OK);
  assert_int_equal(lru_cache_open(&caches.lru, &config), ACCEL_OK);
  plain_cache_set_loader(&caches.plain, load_number, NULL);
}

static void children_are_told_and_work(void **state)
{
  (void)state;
  if (PROCESS_CANNOT_FORK_BESIDE_THREADS) skip();
  pthread_t writers[WRITERS];
  static const big zero;
  open_all();
  for (uintptr_t i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_create(&writers[i], NULL, write_on, (void *)(i + 1)), 0);
  for (int round = 0; round < FORKS; round++) {
    large_cache_set(&caches.large, 1000, &zero);
    const accel_status has_ref = large_cache_get_ref(&caches.large, 1000, &held);
    const pid_t child = process_fork();
    if (child == 0) process_end_child(run_child(round));
    process_expect_zero(child);
    if (has_ref == ACCEL_OK) large_cache_ref_release(&held);
  }
  atomic_store(&is_over, true);
  for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
  close_parents();
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(children_are_told_and_work)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
