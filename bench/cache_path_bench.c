/* What a read through a whole cache costs, written by hand and through a generated wrapper.
 *
 *   single_key/{hit,miss}/{manual,macro}     one key, in L1 or nowhere
 *   batch/{hit,miss}/{manual,macro}/32       32 keys in one call
 *
 * and each of them again as single_key_remote and batch_remote, with L2 alone, where a Redis server
 * answers at $ACCELERATOR_BENCH_REDIS_URL (redis://127.0.0.1:6379). "manual" is what a program
 * without wrappers writes: ask the cache, ask the source of truth for what is missing, put it in.
 *
 * A miss puts its key into the cache, so the next sample of the same keys would hit: after a fixed
 * number of misses the clock is stopped and the keys are removed. The cache never grows, and the
 * cost of an iteration does not depend on how many there are. All of it fits into 1 MiB.
 */
#include "harness.h"

#define ACCEL_IMPLEMENTATION
#include "accel.h"
#ifdef ACCEL_BENCH_REDIS
#include "accel_backends/redis.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 32
#define HIT_KEY 42
#define FIRST_BATCH_KEY 1
#define FIRST_MISS_KEY 1000000
#define MISS_KEYS 512 /* a multiple of BATCH */
#define DEFINITION "64-byte values, 1024 entries, hit key 42, 512 misses between resets, version 1"

typedef struct item_t {
  uint64_t words[8];
} item_t;

/* ---- the source of truth ---- */

static accel_status find_item(uint64_t key, item_t *out)
{
  for (size_t i = 0; i < 8; i++) out->words[i] = key + i;
  return ACCEL_OK;
}

static accel_status find_items(const uint64_t *keys, size_t count, item_t *values,
                               accel_status *statuses)
{
  for (size_t i = 0; i < count; i++) statuses[i] = find_item(keys[i], &values[i]);
  return ACCEL_OK;
}

/* ---- keys, the same for all ---- */

static uint64_t hit_keys[BATCH];
static uint64_t miss_keys[MISS_KEYS];
static item_t found[BATCH];
static accel_status found_statuses[BATCH];

static void make_keys(void)
{
  for (uint64_t i = 0; i < BATCH; i++) hit_keys[i] = FIRST_BATCH_KEY + i;
  for (uint64_t i = 0; i < MISS_KEYS; i++) miss_keys[i] = FIRST_MISS_KEY + i;
}

/* ---- loops: the functions are constants, and inlined as in a program that calls them ---- */

typedef accel_status get_fn(uint64_t key, item_t *out);
typedef accel_status mget_fn(const uint64_t *keys, size_t count, item_t *values,
                             accel_status *statuses);
typedef accel_status reset_fn(void);

static bool is_item(const item_t *item, uint64_t key)
{
  return item->words[0] == key && item->words[7] == key + 7;
}

ACCEL_INLINE void hit_one(bench_loop *loop, get_fn *get)
{
  item_t item = {{0}};
  accel_status worst = get(HIT_KEY, &item);
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++) {
    worst |= get(HIT_KEY, &item);
    bench_keep_at(&item);
  }
  bench_stop(loop);
  if (worst != ACCEL_OK || !is_item(&item, HIT_KEY)) loop->failure = "a hit gave no value";
}

ACCEL_INLINE void hit_batch(bench_loop *loop, mget_fn *mget)
{
  accel_status worst = mget(hit_keys, BATCH, found, found_statuses);
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++) {
    worst |= mget(hit_keys, BATCH, found, found_statuses);
    bench_keep_at(found);
  }
  bench_stop(loop);
  if (worst != ACCEL_OK || !is_item(&found[BATCH - 1], hit_keys[BATCH - 1]))
    loop->failure = "a batch of hits gave no values";
}

ACCEL_INLINE void miss_one(bench_loop *loop, get_fn *get, reset_fn *reset)
{
  item_t item = {{0}};
  accel_status worst = ACCEL_OK;
  for (uint64_t left = loop->iterations; left > 0;) {
    const uint64_t count = left < MISS_KEYS ? left : MISS_KEYS;
    worst |= reset();
    bench_start(loop);
    for (uint64_t i = 0; i < count; i++) {
      worst |= get(miss_keys[i], &item);
      bench_keep_at(&item);
    }
    bench_stop(loop);
    left -= count;
  }
  if (worst != ACCEL_OK) loop->failure = "a miss gave no value";
}

ACCEL_INLINE void miss_batch(bench_loop *loop, mget_fn *mget, reset_fn *reset)
{
  accel_status worst = ACCEL_OK;
  for (uint64_t left = loop->iterations; left > 0;) {
    const uint64_t most = MISS_KEYS / BATCH, count = left < most ? left : most;
    worst |= reset();
    bench_start(loop);
    for (uint64_t i = 0; i < count; i++) {
      worst |= mget(&miss_keys[i * BATCH], BATCH, found, found_statuses);
      bench_keep_at(found);
    }
    bench_stop(loop);
    left -= count;
  }
  if (worst != ACCEL_OK) loop->failure = "a batch of misses gave no values";
}

/* The misses of a batch, side by side: what the hand-written batches ask the source for. */
typedef struct missed_items {
  uint64_t keys[BATCH];
  size_t places[BATCH], count;
  item_t items[BATCH];
  accel_status statuses[BATCH];
} missed_items;

static void collect_missed(missed_items *to, const uint64_t *keys, size_t count,
                           const accel_status *statuses)
{
  to->count = 0;
  for (size_t i = 0; i < count; i++) {
    if (statuses[i] != ACCEL_MISS) continue;
    to->places[to->count] = i;
    to->keys[to->count++] = keys[i];
  }
}

static void hand_out_missed(const missed_items *from, item_t *values, accel_status *statuses)
{
  for (size_t i = 0; i < from->count; i++) {
    values[from->places[i]] = from->items[i];
    statuses[from->places[i]] = from->statuses[i];
  }
}

/* ---- L1 alone ---- */

ACCEL_DEFINE(item, uint64_t, item_t)

static item_cache items;

static accel_status get_manual(uint64_t key, item_t *out)
{
  accel_status status = item_cache_get(&items, key, out);
  if (status != ACCEL_MISS) return status;
  status = find_item(key, out);
  if (status == ACCEL_OK) status = item_cache_set(&items, key, out);
  return status;
}

static ACCEL_CACHEABLE(item, get_macro, (uint64_t key, item_t *out), (key, out), .cache = &items,
                       .key = key, .out = out)
{
  return find_item(key, out);
}

static accel_status mget_manual(const uint64_t *keys, size_t count, item_t *values,
                                accel_status *statuses)
{
  missed_items missed;
  accel_status status = item_cache_mget(&items, keys, count, NULL, values, statuses);
  if (accel_failed(status)) return status;
  collect_missed(&missed, keys, count, statuses);
  if (missed.count == 0) return ACCEL_OK;
  status = find_items(missed.keys, missed.count, missed.items, missed.statuses);
  if (status != ACCEL_OK) return status;
  status = item_cache_mset(&items, missed.keys, missed.items, missed.count);
  hand_out_missed(&missed, values, statuses);
  return status;
}

static ACCEL_CACHEABLE_BATCH(item, mget_macro, (void), (), .cache = &items)
{
  return find_items(keys, count, values, statuses);
}

static accel_status reset_local(void)
{
  return item_cache_clear(&items);
}

static const char *open_local(void *ctx)
{
  const accel_config config = {.area = "bench", .capacity = 1024, .null_ttl_ms = 10000};
  (void)ctx;
  if (item_cache_open(&items, &config) == ACCEL_OK) return NULL;
  return item_cache_last_error(&items);
}

static void close_local(void *ctx)
{
  (void)ctx;
  item_cache_close(&items);
}

#define RUN(name_, loop_, ...) \
  static void name_(bench_loop *loop, void *ctx) \
  { \
    (void)ctx; \
    loop_(loop, __VA_ARGS__); \
  }
RUN(run_hit_manual, hit_one, get_manual)
RUN(run_hit_macro, hit_one, get_macro)
RUN(run_miss_manual, miss_one, get_manual, reset_local)
RUN(run_miss_macro, miss_one, get_macro, reset_local)
RUN(run_batch_hit_manual, hit_batch, mget_manual)
RUN(run_batch_hit_macro, hit_batch, mget_macro)
RUN(run_batch_miss_manual, miss_batch, mget_manual, reset_local)
RUN(run_batch_miss_macro, miss_batch, mget_macro, reset_local)

/* ---- L2 alone ---- */

#ifdef ACCEL_BENCH_REDIS

ACCEL_DEFINE_WITH(shared_item, uint64_t, item_t, .remote = &accel_redis_ops)

static shared_item_cache shared_items;
static accel_redis redis;

static accel_status remote_get_manual(uint64_t key, item_t *out)
{
  accel_status status = shared_item_cache_get(&shared_items, key, out);
  if (status != ACCEL_MISS) return status;
  status = find_item(key, out);
  if (status == ACCEL_OK) status = shared_item_cache_set(&shared_items, key, out);
  return status;
}

static ACCEL_CACHEABLE(shared_item, remote_get_macro, (uint64_t key, item_t *out), (key, out),
                       .cache = &shared_items, .key = key, .out = out)
{
  return find_item(key, out);
}

static accel_status remote_mget_manual(const uint64_t *keys, size_t count, item_t *values,
                                       accel_status *statuses)
{
  missed_items missed;
  accel_status status = shared_item_cache_mget(&shared_items, keys, count, NULL, values, statuses);
  if (accel_failed(status)) return status;
  collect_missed(&missed, keys, count, statuses);
  if (missed.count == 0) return ACCEL_OK;
  status = find_items(missed.keys, missed.count, missed.items, missed.statuses);
  if (status != ACCEL_OK) return status;
  status = shared_item_cache_mset(&shared_items, missed.keys, missed.items, missed.count);
  hand_out_missed(&missed, values, statuses);
  return status;
}

static ACCEL_CACHEABLE_BATCH(shared_item, remote_mget_macro, (void), (), .cache = &shared_items)
{
  return find_items(keys, count, values, statuses);
}

/* By their keys: a clear would look at every key of a server that others may use too. */
static accel_status reset_remote(void)
{
  return shared_item_cache_mdel(&shared_items, miss_keys, MISS_KEYS);
}

static const char *server_url(void)
{
  const char *const url = getenv("ACCELERATOR_BENCH_REDIS_URL");
  return url != NULL && url[0] != '\0' ? url : "redis://127.0.0.1:6379";
}

static accel_status open_redis(void)
{
  static char prefix[32];
  snprintf(prefix, sizeof prefix, "accel-bench-%ld", (long)getpid());
  const accel_redis_config config = {
      .url = server_url(), .key_prefix = prefix, .command_timeout_ms = 2000};
  return accel_redis_open(&redis, &config);
}

static const char *open_remote(void *ctx)
{
  const accel_config config = {.area = "bench",
                               .mode = ACCEL_REMOTE,
                               .remote = &redis,
                               .remote_ttl_ms = 60000,
                               .null_ttl_ms = 10000,
                               .remote_errors = ACCEL_PROPAGATE};
  (void)ctx;
  if (open_redis() != ACCEL_OK) return "the server's address was refused";
  if (shared_item_cache_open(&shared_items, &config) == ACCEL_OK) return NULL;
  accel_redis_close(&redis);
  return shared_item_cache_last_error(&shared_items);
}

static void close_remote(void *ctx)
{
  (void)ctx;
  reset_remote();
  shared_item_cache_mdel(&shared_items, hit_keys, BATCH);
  shared_item_cache_del(&shared_items, HIT_KEY);
  shared_item_cache_close(&shared_items);
  accel_redis_close(&redis);
}

/* Asked once: NULL, or why there is no server. */
static const char *remote_reason(void)
{
  static char reason[512];
  static bool is_known;
  if (is_known) return reason[0] != '\0' ? reason : NULL;
  is_known = true;
  if (strcmp(server_url(), "none") == 0) return strcpy(reason, "run without Redis");
  accel_status status = open_redis();
  if (status == ACCEL_OK) status = accel_redis_ping(&redis);
  if (status != ACCEL_OK)
    snprintf(reason, sizeof reason, "no Redis: %.400s", accel_redis_last_error(&redis));
  accel_redis_close(&redis);
  return reason[0] != '\0' ? reason : NULL;
}

RUN(run_remote_hit_manual, hit_one, remote_get_manual)
RUN(run_remote_hit_macro, hit_one, remote_get_macro)
RUN(run_remote_miss_manual, miss_one, remote_get_manual, reset_remote)
RUN(run_remote_miss_macro, miss_one, remote_get_macro, reset_remote)
RUN(run_remote_batch_hit_manual, hit_batch, remote_mget_manual)
RUN(run_remote_batch_hit_macro, hit_batch, remote_mget_macro)
RUN(run_remote_batch_miss_manual, miss_batch, remote_mget_manual, reset_remote)
RUN(run_remote_batch_miss_macro, miss_batch, remote_mget_macro, reset_remote)

#else

static const char *remote_reason(void)
{
  return "built without Redis (it needs hiredis)";
}

#define open_remote NULL
#define close_remote NULL
#define run_remote_hit_manual NULL
#define run_remote_hit_macro NULL
#define run_remote_miss_manual NULL
#define run_remote_miss_macro NULL
#define run_remote_batch_hit_manual NULL
#define run_remote_batch_hit_macro NULL
#define run_remote_batch_miss_manual NULL
#define run_remote_batch_miss_macro NULL

#endif

static const char *skip_reason(const bench_case *bench)
{
  return bench->is_remote ? remote_reason() : NULL;
}

/* ---- the suite ---- */

#define SINGLE(function_, run_) \
  { \
    .group = "single_key", .function = function_, .definition = DEFINITION, .open = open_local, \
    .run = run_, .close = close_local, .elements = 1 \
  }
#define MANY(function_, run_) \
  { \
    .group = "batch", .function = function_, .parameter = "32", .definition = DEFINITION, \
    .open = open_local, .run = run_, .close = close_local, .elements = BATCH \
  }
#define REMOTE_SINGLE(function_, run_) \
  { \
    .group = "single_key_remote", .function = function_, .definition = DEFINITION, \
    .open = open_remote, .run = run_, .close = close_remote, .elements = 1, .is_remote = true \
  }
#define REMOTE_MANY(function_, run_) \
  { \
    .group = "batch_remote", .function = function_, .parameter = "32", .definition = DEFINITION, \
    .open = open_remote, .run = run_, .close = close_remote, .elements = BATCH, .is_remote = true \
  }

static const bench_case cases[] = {
    SINGLE("hit/manual", run_hit_manual),
    SINGLE("hit/macro", run_hit_macro),
    SINGLE("miss/manual", run_miss_manual),
    SINGLE("miss/macro", run_miss_macro),
    MANY("hit/manual", run_batch_hit_manual),
    MANY("hit/macro", run_batch_hit_macro),
    MANY("miss/manual", run_batch_miss_manual),
    MANY("miss/macro", run_batch_miss_macro),
    REMOTE_SINGLE("hit/manual", run_remote_hit_manual),
    REMOTE_SINGLE("hit/macro", run_remote_hit_macro),
    REMOTE_SINGLE("miss/manual", run_remote_miss_manual),
    REMOTE_SINGLE("miss/macro", run_remote_miss_macro),
    REMOTE_MANY("hit/manual", run_remote_batch_hit_manual),
    REMOTE_MANY("hit/macro", run_remote_batch_hit_macro),
    REMOTE_MANY("miss/manual", run_remote_batch_miss_manual),
    REMOTE_MANY("miss/macro", run_remote_batch_miss_macro),
};

static const bench_suite suite = {
    .name = "cache_path_bench",
    .cases = cases,
    .count = sizeof cases / sizeof *cases,
    .accel_version = ACCEL_VERSION,
    .skip_reason = skip_reason,
};

int main(int count, char **arguments)
{
  make_keys();
  return bench_main(&suite, BENCH_BUILD(), count, arguments);
}
