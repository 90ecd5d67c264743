/* observer_bench: what an observer costs: a timed call, and a scrape.
 *
 *   call      one read that L2 answers (the fake, in this process), with and without histograms. It
 *             is timed twice: the call to L2, and the read
 *   record    reading the clock twice and adding to a histogram
 *   scrape    what an observer collects of 1, 40 and 1000 caches, and then writes
 *
 * Processor time of this thread, the least of several rounds that take turns.
 *
 * usage: observer_bench [--quick]
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel/observer_output.h"
#include "accel_backends/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

#define BENCH_CACHES_MAX 1000
#define BENCH_ENTRIES 100

static row_cache caches[BENCH_CACHES_MAX];
static accel_fake fake;
static int rounds = 15;
static uint64_t calls = 20000;

static double now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void demand(bool is_right, const char *what)
{
  if (is_right) return;
  fprintf(stderr, "observer_bench: %s\n", what);
  exit(1);
}

static void least(double *kept, double ns)
{
  if (*kept == 0 || ns < *kept) *kept = ns;
}

/* ---- calls ---- */

static double read_remote(row_cache *cache)
{
  const accel_read past = {.skip_local = true};
  uint64_t row;
  const double start = now_ns();
  for (uint64_t i = 0; i < calls; i++)
    demand(row_cache_get_with(cache, i % BENCH_ENTRIES, &past, &row) == ACCEL_OK, "no read");
  return (now_ns() - start) / (double)calls;
}

static void bench_calls(void)
{
  double timed = 0, untimed = 0, record = 0;
  row_cache *with = &caches[0], *without = &caches[1];
  accel_config config = {.area = "with", .remote = &fake};
  demand(row_cache_open(with, &config) == ACCEL_OK, "no cache");
  config.area = "without";
  config.no_histograms = true;
  demand(row_cache_open(without, &config) == ACCEL_OK, "no cache");
  for (uint64_t id = 0; id < BENCH_ENTRIES; id++)
    demand(row_cache_set(with, id, &id) == ACCEL_OK && row_cache_set(without, id, &id) == ACCEL_OK,
           "no set");
  accel_latencies *latencies = accel_latencies_open();
  demand(latencies != NULL, "no memory");
  for (int round = 0; round < rounds; round++) {
    least(&untimed, read_remote(without));
    least(&timed, read_remote(with));
    const double start = now_ns();
    for (uint64_t i = 0; i < calls; i++)
      accel_latencies_end(latencies, ACCEL_TIMED_get, accel_latencies_begin(latencies));
    least(&record, (now_ns() - start) / (double)calls);
  }
  accel_latencies_close(latencies);
  row_cache_close(without);
  row_cache_close(with);
  printf("call    read by L2 %.0f ns, not timed %.0f ns: %.0f ns for each of two times\n", timed,
         untimed, (timed - untimed) / 2);
  printf("record  %.0f ns\n", record);
}

/* ---- scrapes ---- */

typedef void bench_show_fn(const accel_observation *observation, accel_observer_text *out);

static double show(const accel_observation *seen, bench_show_fn *shown, size_t *size)
{
  accel_buffer out = {NULL, 0, 0};
  accel_observer_text text = {&out, false};
  const double start = now_ns();
  shown(seen, &text);
  const double taken = now_ns() - start;
  demand(!text.has_failed, "no memory");
  *size = out.size;
  accel_buffer_release(&out);
  return taken;
}

static void bench_scrape(int count)
{
  accel_observer observer;
  demand(accel_observer_open(&observer, NULL) == ACCEL_OK, "no observer");
  for (int i = 0; i < count; i++) {
    char area[16];
    snprintf(area, sizeof area, "area_%d", i);
    const accel_config config = {.area = area, .remote = &fake, .observer = &observer};
    demand(row_cache_open(&caches[i], &config) == ACCEL_OK, row_cache_last_error(&caches[i]));
    for (uint64_t id = 0; id < BENCH_ENTRIES; id++)
      demand(row_cache_set(&caches[i], id, &id) == ACCEL_OK, "no set");
  }
  double collect = 0, metrics = 0, json = 0;
  size_t metrics_size = 0, json_size = 0;
  for (int round = 0; round < rounds; round++) {
    accel_observation seen;
    const double start = now_ns();
    demand(accel_observer_observe(&observer, &seen) == ACCEL_OK, "nothing observed");
    least(&collect, now_ns() - start);
    least(&metrics, show(&seen, accel_observer_show_prometheus, &metrics_size));
    least(&json, show(&seen, accel_observer_show_json, &json_size));
    accel_observation_release(&seen);
  }
  for (int i = 0; i < count; i++) row_cache_close(&caches[i]);
  accel_observer_close(&observer);
  printf("scrape  %4d caches: collect %.3f ms, metrics %.3f ms (%zu KB), json %.3f ms (%zu KB)\n",
         count, collect / 1e6, metrics / 1e6, metrics_size / 1000, json / 1e6, json_size / 1000);
}

int main(int argument_count, char **arguments)
{
  if (argument_count == 2 && strcmp(arguments[1], "--quick") == 0) {
    rounds = 5;
    calls = 5000;
  } else if (argument_count != 1) {
    fprintf(stderr, "usage: observer_bench [--quick]\n");
    return 2;
  }
  demand(accel_fake_open(&fake, NULL) == ACCEL_OK, "no fake");
  bench_calls();
  bench_scrape(1);
  bench_scrape(40);
  bench_scrape(BENCH_CACHES_MAX);
  accel_fake_close(&fake);
  return 0;
}
