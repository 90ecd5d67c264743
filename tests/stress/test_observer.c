/* Scrapes while caches are used, opened and closed: what is shown is whole, and no counter of an
 * area falls while one of its caches is open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/observer_state.h"
#include "accel_backends/fake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPENERS 3
#define SCRAPERS 2
#define WORKERS (OPENERS + 1 + SCRAPERS)
#define ROUNDS 12
#define READS 50

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_observer observer;
static accel_fake fake;
static atomic_int openers_left;

static accel_status load_row(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  *out = id;
  return id % 3 == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

/* Opens a cache of an area that stays and one of an area that comes and goes. */
static const char *open_and_close(uint64_t number)
{
  for (uint64_t round = 0; round < ROUNDS; round++) {
    row_cache stays, goes;
    const accel_config config = {
        .area = "stays", .observer = &observer, .capacity = 100, .remote = &fake};
    const accel_config local = {
        .area = "goes", .observer = &observer, .capacity = 100, .no_histograms = round % 2 == 0};
    if (row_cache_open(&stays, &config) != ACCEL_OK) return "it was not opened";
    row_cache_set_loader(&stays, load_row, NULL);
    if (row_cache_open(&goes, &local) != ACCEL_OK) return "it was not opened";
    uint64_t row;
    for (uint64_t i = 0; i < READS; i++) {
      (void)row_cache_get(&stays, i + number * 1000, &row);
      (void)row_cache_get(&goes, i, &row);
    }
    row_cache_close(&goes);
    row_cache_close(&stays);
  }
  return NULL;
}

static const char *check(const accel_observation *seen, uint64_t before[ACCEL_COUNTERS],
                         uint64_t *reads)
{
  const accel_observed_cache *line = NULL;
  for (size_t i = 0; i < seen->cache_count; i++)
    if (strcmp(seen->caches[i].area, "stays") == 0) line = &seen->caches[i];
  if (line == NULL) return "the area that stays is not there";
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) {
    if (line->counters[i] < before[i]) return "a counter fell";
    before[i] = line->counters[i];
  }
  const uint64_t count = accel_histogram_count(&line->latencies->histograms[ACCEL_TIMED_read]);
  if (count < *reads) return "the count of a histogram fell";
  *reads = count;
  return NULL;
}

static const char *scrape(void)
{
  uint64_t before[ACCEL_COUNTERS] = {0}, reads = 0;
  const char *fault = NULL;
  do { /* once at least, however late this thread begins */
    accel_observation seen;
    if (accel_observer_observe(&observer, &seen) != ACCEL_OK) return "nothing was observed";
    fault = check(&seen, before, &reads);
    accel_observation_release(&seen);
    accel_answer answer;
    if (!accel_observer_answer(&observer, "GET", "/metrics", &answer) || answer.status != 200)
      fault = "no metrics";
    accel_answer_release(&answer);
    if (!accel_observer_answer(&observer, "GET", "/state.json", &answer) || answer.status != 200)
      fault = "no state";
    accel_answer_release(&answer);
  } while (fault == NULL && atomic_load(&openers_left) > 0);
  return fault;
}

/* Resizes the cache that stays while it is shown. */
static const char *resize(row_cache *cache)
{
  for (size_t capacity = 100; atomic_load(&openers_left) > 0; capacity = 5100 - capacity)
    if (row_cache_resize(cache, capacity) != ACCEL_OK) return "it was not resized";
  return NULL;
}

typedef struct worker {
  pthread_t thread;
  uint64_t number;
  row_cache *first;
  const char *fault;
} worker;

static void *work(void *worker_pointer)
{
  worker *self = (worker *)worker_pointer;
  const bool is_opener = self->number < OPENERS;
  if (is_opener)
    self->fault = open_and_close(self->number);
  else
    self->fault = self->number == OPENERS ? resize(self->first) : scrape();
  if (is_opener) atomic_fetch_sub(&openers_left, 1);
  return NULL;
}

static void scrapes_meet_caches_that_come_and_go(void **state)
{
  (void)state;
  assert_int_equal(accel_fake_open(&fake, NULL), ACCEL_OK);
  assert_int_equal(accel_observer_open(&observer, NULL), ACCEL_OK);
  row_cache first; /* keeps the area */
  const accel_config config = {
      .area = "stays", .observer = &observer, .remote = &fake, .hot_keys = 16};
  assert_int_equal(row_cache_open(&first, &config), ACCEL_OK);
  worker workers[WORKERS];
  atomic_store(&openers_left, OPENERS);
  for (uint64_t i = 0; i < WORKERS; i++) {
    workers[i] = (worker){.number = i, .first = &first};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (size_t i = 0; i < WORKERS; i++) {
    pthread_join(workers[i].thread, NULL);
    if (workers[i].fault != NULL) fail_msg("%s", workers[i].fault);
  }
  accel_observation seen;
  assert_int_equal(accel_observer_observe(&observer, &seen), ACCEL_OK);
  assert_int_equal(seen.cache_count, 1);
  assert_int_equal(seen.caches[0].counters[ACCEL_COUNT_local_miss], OPENERS * ROUNDS * READS);
  accel_observation_release(&seen);
  row_cache_close(&first);
  accel_observer_close(&observer);
  accel_fake_close(&fake);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(scrapes_meet_caches_that_come_and_go)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
