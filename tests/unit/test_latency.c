/* test_latency.c: histograms of times: their bounds, their sums, and what is timed in a cache. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/latency.h"
#include "accel_backends/fake.h"

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

/* ---- bounds ---- */

/* The bucket by its definition: (2^(i/8), 2^((i+1)/8)] seconds. */
static long bucket_by_formula(long double ns)
{
  const long double power = 8 * log2l(ns / 1e9L);
  return lroundl(ceill(power)) - 1 - ACCEL_HISTOGRAM_OFFSET;
}

static void expect_bucket(uint64_t ns)
{
  const long last = ACCEL_HISTOGRAM_BUCKETS - 1;
  long wanted = bucket_by_formula((long double)ns);
  if (wanted < 0) wanted = 0;
  if (wanted > last) wanted = last;
  const long found = accel_histogram_bucket(ns);
  if (found != wanted) fail_msg("%llu ns: %ld, not %ld", (unsigned long long)ns, found, wanted);
}

static void every_bound_is_exact(void **state)
{
  (void)state;
  for (unsigned i = 0; i < ACCEL_HISTOGRAM_BUCKETS; i++) {
    const int power = (int)i + 1 + ACCEL_HISTOGRAM_OFFSET;
    const uint64_t bound = (uint64_t)(exp2l((long double)power / 8) * 1e9L);
    for (uint64_t ns = bound - 1; ns <= bound + 2; ns++) expect_bucket(ns);
  }
  assert_int_equal(accel_histogram_bucket(0), 0);
  assert_int_equal(accel_histogram_bucket(59), 0);
  assert_int_equal(accel_histogram_bucket(UINT64_MAX), ACCEL_HISTOGRAM_BUCKETS - 1);
  /* Upper bounds are inclusive, also where they are whole nanoseconds. */
  const uint32_t second = accel_histogram_bucket(1000000000);
  assert_int_equal(second, 24 * 8 - 1);
  assert_int_equal(accel_histogram_bucket(1000000001), second + 1);
  assert_int_equal(accel_histogram_bucket(1953125), 15 * 8 - 1); /* 2^-9 s */
  assert_int_equal(accel_histogram_bucket(1953126), 15 * 8);
}

static void any_time_is_in_its_bucket(void **state)
{
  (void)state;
  uint64_t random = 88172645463325252u;
  for (int i = 0; i < 1000000; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    expect_bucket(random >> (random & 31) >> 20);
  }
}

/* ---- sums ---- */

static void a_summary_is_near_the_truth(void **state)
{
  (void)state;
  static accel_histogram histogram;
  accel_latency latency;
  accel_histogram_summarize(&histogram, &latency);
  assert_int_equal(latency.count, 0);
  assert_true(latency.p99_ms == 0 && latency.mean_ms == 0 && latency.max_ms == 0);
  for (uint64_t i = 1; i <= 1000; i++) accel_histogram_record(&histogram, i * 1000000);
  accel_histogram_summarize(&histogram, &latency);
  assert_int_equal(latency.count, 1000);
  assert_true(fabs(latency.mean_ms - 500.5) < 1e-9);
  assert_true(latency.max_ms == 1000);
  assert_true(fabs(latency.p50_ms / 500 - 1) < 0.046);
  assert_true(fabs(latency.p95_ms / 950 - 1) < 0.046);
  assert_true(fabs(latency.p99_ms / 990 - 1) < 0.046 && latency.p99_ms <= 1000);
}

#define LATENCY_THREADS 24
#define LATENCY_RECORDS 20000

static void *record_many(void *histogram)
{
  for (uint64_t i = 0; i < LATENCY_RECORDS; i++)
    accel_histogram_record((accel_histogram *)histogram, i * 1000);
  return NULL;
}

static void threads_lose_nothing(void **state)
{
  (void)state;
  static accel_histogram histogram, sum;
  pthread_t threads[LATENCY_THREADS];
  for (int i = 0; i < LATENCY_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, record_many, &histogram), 0);
  for (int i = 0; i < LATENCY_THREADS; i++) pthread_join(threads[i], NULL);
  accel_histogram_add(&sum, &histogram);
  accel_histogram_add(&sum, &histogram);
  assert_int_equal(accel_histogram_count(&sum), 2 * LATENCY_THREADS * LATENCY_RECORDS);
  const uint64_t each_ns = (uint64_t)LATENCY_RECORDS * (LATENCY_RECORDS - 1) / 2 * 1000;
  assert_int_equal(sum.sum_ns, 2 * LATENCY_THREADS * each_ns);
  assert_int_equal(sum.max_ns, (LATENCY_RECORDS - 1) * 1000);
}

/* ---- what is timed ---- */

static accel_status load_row(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  *out = id;
  return ACCEL_OK;
}

static accel_status load_rows(void *ctx, const uint64_t *ids, size_t count, uint64_t *rows,
                              accel_status *statuses)
{
  (void)ctx;
  for (size_t i = 0; i < count; i++) {
    rows[i] = ids[i];
    statuses[i] = ACCEL_OK;
  }
  return ACCEL_OK;
}

ACCEL_CACHEABLE(row, find_row, (row_cache * rows, uint64_t id, uint64_t *out), (rows, id, out),
                .cache = rows, .key = id, .out = out)
{
  (void)rows;
  *out = id;
  return ACCEL_OK;
}

static accel_diagnostic diagnose(const row_cache *rows)
{
  accel_diagnostic seen;
  row_cache_diagnostic_snapshot(rows, &seen);
  return seen;
}

static void reads_loads_and_calls_are_timed(void **state)
{
  (void)state;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  row_cache rows;
  const accel_config config = {.area = "rows", .remote = &fake, .no_lease = true};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  row_cache_set_loader(&rows, load_row, NULL);
  row_cache_set_mloader(&rows, load_rows, NULL);
  uint64_t row, many[3], ids[] = {11, 12, 13};
  assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_OK);
  accel_diagnostic seen = diagnose(&rows);
  assert_int_equal(seen.load.count, 1);
  assert_int_equal(seen.remote.count, 2); /* get and fill */
  assert_int_equal(seen.read.count, 1);
  assert_int_equal(seen.wait.count, 0);
  assert_true(seen.read.max_ms >= seen.load.max_ms && seen.load.max_ms > 0);
  assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_OK); /* a hit is not timed */
  assert_int_equal(row_cache_mget(&rows, ids, 3, NULL, many, NULL), ACCEL_OK);
  seen = diagnose(&rows);
  assert_int_equal(seen.load.count, 2);
  assert_int_equal(seen.remote.count, 4);
  assert_int_equal(seen.read.count, 2);
  assert_int_equal(find_row(&rows, 21, &row), ACCEL_OK); /* a body is a load */
  assert_int_equal(find_row(&rows, 21, &row), ACCEL_OK);
  seen = diagnose(&rows);
  assert_int_equal(seen.load.count, 3);
  assert_int_equal(seen.read.count, 3);
  assert_int_equal(row_cache_set(&rows, 1, &row), ACCEL_OK);
  assert_int_equal(row_cache_del(&rows, 1), ACCEL_OK);
  assert_int_equal(row_cache_clear(&rows), ACCEL_OK);
  seen = diagnose(&rows);
  assert_int_equal(seen.remote.count, 9);
  row_cache_close(&rows);
  accel_fake_close(&fake);
}

static void a_delay_is_seen(void **state)
{
  (void)state;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  row_cache rows;
  const accel_config config = {.area = "rows", .remote = &fake, .no_lease = true};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  accel_fake_delay(&fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, 20);
  uint64_t row;
  assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_MISS);
  const accel_diagnostic seen = diagnose(&rows);
  assert_true(seen.remote.max_ms >= 19);
  assert_true(seen.read.max_ms >= seen.remote.max_ms);
  assert_true(seen.remote.p99_ms >= 18 && seen.remote.p99_ms <= seen.remote.max_ms);
  row_cache_close(&rows);
  accel_fake_close(&fake);
}

/* A load that ends when another reader has joined it. */
typedef struct pair {
  row_cache rows;
  uint64_t begun; /* atomic: the key that is being loaded */
} pair;

static accel_status load_for_two(void *ctx, uint64_t id, uint64_t *out)
{
  pair *both = (pair *)ctx;
  accel_metrics metrics;
  accel_store_release(&both->begun, id);
  do {
    row_cache_metrics_snapshot(&both->rows, &metrics);
  } while (metrics.load_shared < id);
  *out = id;
  return ACCEL_OK;
}

static void *follow(void *both_pointer)
{
  pair *both = (pair *)both_pointer;
  uint64_t id, row;
  while ((id = accel_load_acquire(&both->begun)) == 0) {}
  (void)(row_cache_get(&both->rows, id, &row) == ACCEL_OK);
  return NULL;
}

/* The load may end before the follower begins to wait: then again. */
static void a_followers_wait_is_timed(void **state)
{
  (void)state;
  static pair both;
  const accel_config config = {.area = "rows", .loader_timeout_ms = ACCEL_FOREVER};
  assert_int_equal(row_cache_open(&both.rows, &config), ACCEL_OK);
  row_cache_set_loader(&both.rows, load_for_two, &both);
  accel_diagnostic seen = {0};
  uint64_t round = 0;
  while (seen.wait.count == 0 && round < 10000) {
    pthread_t follower;
    uint64_t row;
    accel_store_release(&both.begun, (uint64_t)0);
    assert_int_equal(pthread_create(&follower, NULL, follow, &both), 0);
    assert_int_equal(row_cache_get(&both.rows, ++round, &row), ACCEL_OK);
    pthread_join(follower, NULL);
    seen = diagnose(&both.rows);
    assert_int_equal(seen.load.count, round);
    assert_int_equal(seen.read.count, 2 * round);
  }
  assert_int_equal(seen.wait.count, 1);
  assert_true(seen.wait.max_ms > 0);
  row_cache_close(&both.rows);
}

/* Two caches of one L2, as two processes have them: one loads until the other waits for its lease.
 */
typedef struct rivals {
  row_cache loads, waits;
  bool has_begun; /* atomic */
} rivals;

static accel_status load_until_waited_for(void *ctx, uint64_t id, uint64_t *out)
{
  rivals *both = (rivals *)ctx;
  accel_metrics metrics;
  accel_store_release(&both->has_begun, true);
  do {
    row_cache_metrics_snapshot(&both->waits, &metrics);
  } while (metrics.lease_waits == 0);
  *out = id;
  return ACCEL_OK;
}

static void *load_first(void *both_pointer)
{
  rivals *both = (rivals *)both_pointer;
  uint64_t row;
  (void)(row_cache_get(&both->loads, 1, &row) == ACCEL_OK);
  return NULL;
}

static void a_wait_for_a_lease_is_timed(void **state)
{
  (void)state;
  static rivals both;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  const accel_config config = {.area = "rows", .remote = &fake, .loader_timeout_ms = ACCEL_FOREVER};
  assert_int_equal(row_cache_open(&both.loads, &config), ACCEL_OK);
  assert_int_equal(row_cache_open(&both.waits, &config), ACCEL_OK);
  row_cache_set_loader(&both.loads, load_until_waited_for, &both);
  row_cache_set_loader(&both.waits, load_row, NULL);
  pthread_t loading;
  assert_int_equal(pthread_create(&loading, NULL, load_first, &both), 0);
  while (!accel_load_acquire(&both.has_begun)) {}
  uint64_t row;
  assert_int_equal(row_cache_get(&both.waits, 1, &row), ACCEL_OK);
  pthread_join(loading, NULL);
  const accel_diagnostic seen = diagnose(&both.waits);
  assert_int_equal(seen.wait.count, 1);
  assert_true(seen.wait.max_ms > 0 && seen.wait.max_ms <= seen.read.max_ms);
  row_cache_close(&both.waits);
  row_cache_close(&both.loads);
  accel_fake_close(&fake);
}

static void without_histograms_nothing_is_timed(void **state)
{
  (void)state;
  row_cache rows;
  const accel_config config = {.area = "rows", .no_histograms = true};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  row_cache_set_loader(&rows, load_row, NULL);
  uint64_t row;
  assert_int_equal(row_cache_get(&rows, 1, &row), ACCEL_OK);
  assert_int_equal(find_row(&rows, 2, &row), ACCEL_OK);
  const accel_diagnostic seen = diagnose(&rows);
  assert_int_equal(seen.metrics.load_total, 2);
  assert_int_equal(seen.load.count + seen.remote.count + seen.wait.count + seen.read.count, 0);
  row_cache_close(&rows);
}

static void bytes_are_counted(void **state)
{
  (void)state;
  accel_fake fake;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  row_cache rows;
  const accel_config config = {.area = "rows", .remote = &fake};
  assert_int_equal(row_cache_open(&rows, &config), ACCEL_OK);
  uint64_t row = 1;
  const uint64_t each = 48 + sizeof row; /* with its envelope */
  assert_int_equal(row_cache_set(&rows, 1, &row), ACCEL_OK);
  assert_int_equal(row_cache_set(&rows, 2, &row), ACCEL_OK);
  assert_int_equal(diagnose(&rows).metrics.remote_bytes_sent, 2 * each);
  assert_int_equal(diagnose(&rows).metrics.remote_bytes_received, 0);
  const accel_read past = {.skip_local = true};
  assert_int_equal(row_cache_get_with(&rows, 1, &past, &row), ACCEL_OK);
  assert_int_equal(row_cache_get_with(&rows, 9, &past, &row), ACCEL_MISS);
  assert_int_equal(row_cache_del(&rows, 1), ACCEL_OK);
  const accel_diagnostic seen = diagnose(&rows);
  assert_int_equal(seen.metrics.remote_bytes_sent, 2 * each);
  assert_int_equal(seen.metrics.remote_bytes_received, each);
  accel_fake_fail(&fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  assert_int_equal(row_cache_set(&rows, 3, &row), ACCEL_ERR_BACKEND);
  assert_int_equal(diagnose(&rows).metrics.remote_bytes_sent, 2 * each);
  row_cache_close(&rows);
  accel_fake_close(&fake);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_bound_is_exact),
      cmocka_unit_test(any_time_is_in_its_bucket),
      cmocka_unit_test(a_summary_is_near_the_truth),
      cmocka_unit_test(threads_lose_nothing),
      cmocka_unit_test(reads_loads_and_calls_are_timed),
      cmocka_unit_test(a_delay_is_seen),
      cmocka_unit_test(a_followers_wait_is_timed),
      cmocka_unit_test(a_wait_for_a_lease_is_timed),
      cmocka_unit_test(without_histograms_nothing_is_timed),
      cmocka_unit_test(bytes_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
