/* After a flood of keys that nobody asks for again the default policy finds its feet: what was
 * counted for them does not keep those out that are asked for now. LRU, which counts nothing,
 * says how fast that can go. */
#include "engine.h"
#include "reference.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CAPACITY 10000u
#define AFTER "zipf:keys=100000,length=40000,exponent=0.99" /* four capacities */
#define POINTS_MAX 5.5

/* Every key of the flood is asked for once, and perhaps once more; then comes AFTER. */
static sim_trace flood(unsigned requests_per_key)
{
  sim_trace after = {0}, trace = {0};
  sim_error error;
  size_t space = 0;
  assert_true(sim_trace_make(AFTER, &after, &error));
  for (unsigned round = 0; round < requests_per_key; round++)
    for (uint32_t key = 0; key < CAPACITY; key++)
      assert_true(sim_trace_append(&trace, key, &space));
  for (size_t i = 0; i < after.length; i++)
    assert_true(sim_trace_append(&trace, CAPACITY + after.keys[i], &space));
  sim_trace_release(&after);
  return trace;
}

/* How many points of the requests after the flood LRU has hit and the default has not. */
static double points_behind(unsigned requests_per_key)
{
  sim_trace trace = flood(requests_per_key);
  uint64_t lru, ours;
  assert_true(sim_lru(&trace, CAPACITY, &lru));
  assert_true(sim_engine_adaptive(&trace, CAPACITY, &ours));
  const double after = (double)(trace.length - (size_t)requests_per_key * CAPACITY);
  const double points = 100 * ((double)lru - (double)ours) / after;
  print_message("keys asked for %u times: LRU %.2f points ahead\n", requests_per_key, points);
  sim_trace_release(&trace);
  return points;
}

static void keys_asked_for_once_give_way(void **state)
{
  (void)state;
  assert_true(points_behind(1) < POINTS_MAX);
}

static void keys_asked_for_twice_give_way(void **state)
{
  (void)state;
  assert_true(points_behind(2) < POINTS_MAX);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_asked_for_once_give_way),
      cmocka_unit_test(keys_asked_for_twice_give_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
