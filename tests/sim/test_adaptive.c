/* The default policy adapts: over made-up traces of many kinds it is, on average, near the best of
 * the references, nearer than the same policy with a fixed window, and far from LRU where LRU
 * fails. The engine seeds its hashes anew in each run, so the bounds have room for that. */
#include "engine.h"
#include "reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

typedef bool run_fn(const sim_trace *trace, uint32_t capacity, uint64_t *hits);

typedef struct row {
  const char *description;
  uint32_t capacity;
} row;

static const row rows[] = {
    {"zipf:keys=20000,length=100000,exponent=0.7", 1000},
    {"zipf:keys=20000,length=100000,exponent=1.1", 500},
    {"loop:keys=1200,length=60000", 1000},
    {"mixed:keys=5000,length=100000,period=5000", 800},
    {"shift:keys=5000,length=100000,period=2000,exponent=1.2", 400},
    {"shift:keys=50000,length=200000,period=500,exponent=1.3", 600},
    {"phases:keys=5000,length=100000,period=20000,share=0.3,exponent=0.9", 1000},
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

/* In percent. */
static double ratio_of(run_fn *run, const sim_trace *trace, uint32_t capacity)
{
  uint64_t hits;
  assert_true(run(trace, capacity, &hits));
  return 100.0 * (double)hits / (double)trace->length;
}

typedef struct regrets {
  double sum, largest;
} regrets;

static void add_regret(regrets *to, double regret)
{
  to->sum += regret > 0 ? regret : 0;
  if (regret > to->largest) to->largest = regret;
}

static void regret_is_small(void **state)
{
  static run_fn *const references[] = {sim_lru, sim_s3fifo, sim_tinylfu_1, sim_tinylfu_20};
  (void)state;
  regrets adaptive = {0, 0}, fixed = {0, 0};
  for (size_t i = 0; i < ROW_COUNT; i++) {
    sim_trace trace = {0};
    sim_error error;
    assert_true(sim_trace_make(rows[i].description, &trace, &error));
    double best = 0;
    for (unsigned j = 0; j < sizeof references / sizeof *references; j++) {
      const double ratio = ratio_of(references[j], &trace, rows[i].capacity);
      best = ratio > best ? ratio : best;
    }
    const double ours = ratio_of(sim_engine_adaptive, &trace, rows[i].capacity);
    const double without = ratio_of(sim_engine_tinylfu, &trace, rows[i].capacity);
    print_message("%-60s best %6.2f adaptive %6.2f fixed %6.2f\n", rows[i].description, best, ours,
                  without);
    add_regret(&adaptive, best - ours);
    add_regret(&fixed, best - without);
    sim_trace_release(&trace);
  }
  print_message("regret: adaptive %.2f, largest %.2f; fixed %.2f, largest %.2f\n",
                adaptive.sum / ROW_COUNT, adaptive.largest, fixed.sum / ROW_COUNT, fixed.largest);
  assert_true(adaptive.sum / ROW_COUNT < 2.2);
  assert_true(adaptive.largest < 9.5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(regret_is_small)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
