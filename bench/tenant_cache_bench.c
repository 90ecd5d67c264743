/* One tenant's cache of a service: rows of 32 bytes in L1, and times that are aimed at.
 *
 *   cache_insert/{100,1000,10000}   that many rows into an empty cache
 *   cache_get_hit                   any of 1000 rows; aimed at 5 ns, 10 ns are accepted
 *   cache_get_miss                  a row that is not cached; aimed at 20 ns, 50 ns are accepted
 *
 * The rows are read in an order that no processor guesses. The largest set is less than 1 MiB.
 */
#include "harness.h"

#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include <stdlib.h>

#define ROWS 1000
#define MISSED_FROM 1000000
#define DRAWS 1024 /* a power of two */

typedef struct tenant_row {
  uint64_t tenant, balance, words[2];
} tenant_row;

ACCEL_DEFINE(tenant, uint64_t, tenant_row)

static tenant_cache tenants;
static uint64_t drawn[DRAWS];

static const char *open_for(size_t capacity)
{
  const accel_config config = {.area = "tenants", .capacity = capacity};
  if (tenant_cache_open(&tenants, &config) == ACCEL_OK) return NULL;
  return tenant_cache_last_error(&tenants);
}

static void close_tenants(void *ctx)
{
  (void)ctx;
  tenant_cache_close(&tenants);
}

/* ---- insert ---- */

static const char *open_empty(void *ctx)
{
  return open_for(*(const size_t *)ctx);
}

static void insert(bench_loop *loop, void *ctx)
{
  const size_t rows = *(const size_t *)ctx;
  accel_status worst = ACCEL_OK;
  for (uint64_t i = 0; i < loop->iterations; i++) {
    worst |= tenant_cache_clear(&tenants);
    bench_start(loop);
    for (uint64_t key = 0; key < rows; key++) {
      const tenant_row row = {.tenant = key, .balance = i};
      worst |= tenant_cache_set(&tenants, key, &row);
    }
    bench_stop(loop);
  }
  if (worst != ACCEL_OK) loop->failure = "a row could not be inserted";
}

/* ---- get ---- */

static const char *open_filled(void *ctx)
{
  (void)ctx;
  const char *const failure = open_for(2 * (size_t)ROWS); /* room for all, wherever they hash */
  if (failure != NULL) return failure;
  for (uint64_t key = 0; key < ROWS; key++) {
    const tenant_row row = {.tenant = key, .balance = key};
    if (tenant_cache_set(&tenants, key, &row) != ACCEL_OK) return "a row could not be inserted";
  }
  return NULL;
}

ACCEL_INLINE void get_all(bench_loop *loop, uint64_t offset, accel_status wanted)
{
  uint64_t others = 0;
  tenant_row row;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++) {
    others += tenant_cache_get(&tenants, offset + drawn[i & (DRAWS - 1)], &row) != wanted;
    bench_keep_at(&row);
  }
  bench_stop(loop);
  if (others > 0) loop->failure = "a row was cached that should not be, or the other way round";
}

static void get_hit(bench_loop *loop, void *ctx)
{
  (void)ctx;
  get_all(loop, 0, ACCEL_OK);
}

static void get_miss(bench_loop *loop, void *ctx)
{
  (void)ctx;
  get_all(loop, MISSED_FROM, ACCEL_MISS);
}

/* ---- the suite ---- */

static size_t sizes[] = {100, 1000, 10000};

#define DEFINITION "32-byte rows under integer keys, version 1"
#define INSERT(text_, i_) \
  { \
    .group = "cache_insert", .parameter = text_, .definition = DEFINITION, .open = open_empty, \
    .run = insert, .close = close_tenants, .ctx = &sizes[i_] \
  }

static bench_case cases[] = {
    INSERT("100", 0),
    INSERT("1000", 1),
    INSERT("10000", 2),
    {.group = "cache_get_hit",
     .definition = DEFINITION ", any of 1000",
     .open = open_filled,
     .run = get_hit,
     .close = close_tenants,
     .elements = 1,
     .target_ns = 5,
     .acceptable_ns = 10},
    {.group = "cache_get_miss",
     .definition = DEFINITION ", none of 1000",
     .open = open_filled,
     .run = get_miss,
     .close = close_tenants,
     .elements = 1,
     .target_ns = 20,
     .acceptable_ns = 50},
};

static const bench_suite suite = {.name = "tenant_cache_bench",
                                  .cases = cases,
                                  .count = sizeof cases / sizeof *cases,
                                  .accel_version = ACCEL_VERSION};

int main(int count, char **arguments)
{
  uint64_t state = 1;
  for (size_t i = 0; i < DRAWS; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    drawn[i] = (state >> 33) % ROWS;
  }
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) cases[i].elements = sizes[i];
  return bench_main(&suite, BENCH_BUILD(), count, arguments);
}
