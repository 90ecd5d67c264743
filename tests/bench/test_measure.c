/* What the harness does around its statistics: names, numbers as text, allocations. */
#include "harness/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- names ---- */

static void components_are_sanitised(void **state)
{
  (void)state;
  const char *to = identity_sanitise("a?b\"c/d\\e*f<g>h:i|j^k.l m");
  assert_string_equal(to, "a_b_c_d_e_f_g_h_i_j_k.l m");
  char text[71];
  memset(text, 'x', 70);
  text[70] = '\0';
  assert_int_equal(strlen(identity_sanitise(text)), 64);
  memcpy(text + 63, "\xC3\xA9y", 3); /* a letter of two bytes across the limit */
  assert_int_equal(strlen(identity_sanitise(text)), 63);
  arena_end();
}

static void ids_are_criterions(void **state)
{
  char group[121];
  memset(group, 'g', 120);
  group[120] = '\0';
  const bench_case cases[] = {
      {.group = "batch", .function = "hit/macro", .parameter = "32"},
      {.group = "batch", .function = "hit_macro", .parameter = "32"},
      {.group = "batch", .function = "hit:macro", .parameter = "32"},
      {.group = "alone"},
      {.group = group, .parameter = "7"},
  };
  const bench_suite suite = {.cases = cases, .count = 5};
  (void)state;
  const identity *ids = identity_fill(&suite);
  assert_string_equal(ids[0].full, "batch/hit/macro/32");
  assert_string_equal(ids[0].directory, "batch/hit_macro/32");
  assert_string_equal(ids[1].directory, "batch/hit_macro/32_2");
  assert_string_equal(ids[2].directory, "batch/hit_macro/32_3");
  assert_string_equal(ids[3].full, "alone");
  assert_string_equal(ids[3].directory, "alone");
  assert_int_equal(strlen(ids[4].directory), 64 + 2);
  assert_int_equal(strlen(ids[4].title), 103);
  arena_end();
}

static void another_definition_is_another_bench(void **state)
{
  const bench_case cases[] = {{.group = "a", .definition = "one"},
                              {.group = "a", .definition = "two"},
                              {.group = "a", .definition = "one", .elements = 1}};
  const bench_suite suite = {.cases = cases, .count = 3};
  (void)state;
  const identity *ids = identity_fill(&suite);
  const char *first = identity_hash(&cases[0], &ids[0]);
  assert_string_equal(first, identity_hash(&cases[0], &ids[0]));
  assert_string_not_equal(first, identity_hash(&cases[1], &ids[0]));
  assert_string_not_equal(first, identity_hash(&cases[2], &ids[0]));
  arena_end();
}

/* ---- JSON ---- */

static void numbers_read_back_the_same(void **state)
{
  static const double numbers[] = {18, 0.1, 1.0 / 3, 1e300, 504.2271, 5e-324, 123456789012345680.0};
  char text[JSON_DIGITS];
  (void)state;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    json_format(numbers[i], text);
    assert_true(strtod(text, NULL) == numbers[i]);
  }
  json_format(18, text);
  assert_string_equal(text, "18.0");
  json_format(0.1, text);
  assert_string_equal(text, "0.1");
}

static void text_is_escaped(void **state)
{
  (void)state;
  json_t *const value =
      json_pack("{s:o, s:[o, o], s:[]}", "a\"b\\c\n<&", json_words("\xC3\xA9 \xFF \xC3"), "list",
                json_figure(1), json_figure(1.0 / 0.0), "empty");
  char *const text = json_text(value, false);
  assert_string_equal(text, "{\"a\\\"b\\\\c\\n<&\":\"?? ? ?\",\"list\":[1.0,null],\"empty\":[]}");
  free(text);
  assert_null(json_text(NULL, false));
}

/* ---- running ---- */

typedef struct counted {
  uint64_t iterations, opened, closed;
  const char *failure;
} counted;

static const char *open_counted(void *ctx)
{
  ((counted *)ctx)->opened++;
  return NULL;
}

static void close_counted(void *ctx)
{
  ((counted *)ctx)->closed++;
}

/* Two allocations of 100 bytes for each iteration, and one of 1000 that is no part of it. */
static void run_counted(bench_loop *loop, void *ctx)
{
  counted *const counts = (counted *)ctx;
  void *const kept = bench_malloc(1000);
  for (uint64_t part = 0; part < 2; part++) {
    bench_start(loop);
    for (uint64_t i = part; i < loop->iterations; i += 2) {
      void *block = bench_realloc(bench_malloc(50), 50);
      bench_keep_at(block);
      bench_free(block);
      counts->iterations++;
    }
    bench_stop(loop);
  }
  bench_free(kept);
  loop->failure = counts->failure;
}

static void allocations_are_counted(void **state)
{
  counted counts = {0};
  measure_memory memory;
  const bench_case bench = {
      .open = open_counted, .run = run_counted, .close = close_counted, .ctx = &counts};
  (void)state;
  assert_null(measure_allocating(&bench, 100, &memory));
  assert_int_equal(counts.iterations, 101);
  assert_int_equal(counts.opened, 1);
  assert_int_equal(counts.closed, 1);
  assert_true(memory.allocations == 2 && memory.bytes == 100);
  assert_in_range(memory.peak_bytes, 1050, 1100); /* a moving realloc holds both */
  void *const uncounted = bench_malloc(4096);
  bench_free(uncounted);
  assert_int_equal(measure_peak_bytes(), memory.peak_bytes);
}

static void a_warm_up_doubles_until_its_time_is_over(void **state)
{
  counted counts = {0};
  uint64_t iterations;
  double elapsed_ns;
  const bench_case bench = {.run = run_counted, .ctx = &counts};
  (void)state;
  assert_null(measure_warm_up(&bench, .02, &iterations, &elapsed_ns));
  assert_true((iterations & (iterations - 1)) == 0 && iterations > 1);
  assert_int_equal(counts.iterations, 2 * iterations - 1);
  assert_true(elapsed_ns > 0);
}

static void a_failing_bench_is_told(void **state)
{
  counted counts = {.failure = "it broke"};
  uint64_t iterations;
  double elapsed_ns;
  measure_memory memory;
  stats_percentiles latency;
  const bench_case bench = {.run = run_counted, .ctx = &counts};
  (void)state;
  assert_string_equal(measure_warm_up(&bench, .01, &iterations, &elapsed_ns), "it broke");
  assert_string_equal(measure_allocating(&bench, 1, &memory), "it broke");
  assert_string_equal(measure_operations(&bench, 1, 10, &latency), "it broke");
  assert_int_equal(latency.count, 0);
}

static void spin(bench_loop *loop, void *ctx)
{
  (void)ctx;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations * 1000; i++) bench_keep(i);
  bench_stop(loop);
}

static void single_operations_have_percentiles(void **state)
{
  stats_percentiles latency;
  const bench_case bench = {.run = spin};
  (void)state;
  assert_null(measure_operations(&bench, 10, 100, &latency));
  assert_int_equal(latency.count, 100);
  assert_true(latency.p05 > 0 && latency.p05 <= latency.p50 && latency.p50 <= latency.p95);
  assert_true(latency.p95 <= latency.p99);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(components_are_sanitised),
      cmocka_unit_test(ids_are_criterions),
      cmocka_unit_test(another_definition_is_another_bench),
      cmocka_unit_test(numbers_read_back_the_same),
      cmocka_unit_test(text_is_escaped),
      cmocka_unit_test(allocations_are_counted),
      cmocka_unit_test(a_warm_up_doubles_until_its_time_is_over),
      cmocka_unit_test(a_failing_bench_is_told),
      cmocka_unit_test(single_operations_have_percentiles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
