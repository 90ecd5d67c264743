/* Forms of other tools: libtest's bencher lines, Go's benchmark text, Google Benchmark's JSON.
 *
 * One run of a bench is one measurement there: a sample is not an independent repetition. Several
 * runs, put one after the other, are several. */
#include "result.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void bencher_print_result(const result *one)
{
  char median[JSON_THOUSANDS], deviation[JSON_THOUSANDS];
  json_thousands(one->summary.median.point, 2, median);
  json_thousands(one->summary.standard_deviation.point, 2, deviation);
  printf("test %s ... bench: %11s ns/iter (+/- %s)\n", one->id->full, median, deviation);
}

/* ---- Go ---- */

/* A name has no blanks; its first letter is a capital one. */
static void print_go_name(const char *id)
{
  printf("Benchmark%c", toupper((unsigned char)id[0]));
  for (const char *at = id + 1; id[0] != '\0' && *at != '\0'; at++)
    putchar(isspace((unsigned char)*at) ? '_' : *at);
}

static double total_iterations(const measure_samples *samples)
{
  double sum = 0;
  for (size_t i = 0; i < samples->count; i++) sum += samples->iterations[i];
  return sum;
}

static void print_go_result(const result *one, unsigned threads)
{
  char time[JSON_DIGITS];
  const double mean_ns = one->summary.mean.point;
  print_go_name(one->id->full);
  json_format(mean_ns, time);
  printf("-%u %.0f %s ns/op", threads, total_iterations(&one->samples), time);
  if (one->bench->bytes > 0)
    printf(" %.2f MB/s", (double)one->bench->bytes * threads / mean_ns * 1e3);
  else if (one->bench->elements > 0)
    printf(" %.2f elem/s", (double)one->bench->elements * threads / mean_ns * 1e9);
  printf(" %g B/op %g allocs/op\n", one->memory.bytes, one->memory.allocations);
}

void go_print_run(const results *all)
{
  host_info host;
  host_describe(&host);
  printf("goos: linux\npkg: %s\ncpu: %s\n", all->suite->name, host.cpu);
  printf("Unit elem/s better=higher\n");
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state == RESULT_OK)
      print_go_result(&all->list[i], all->settings->plan.threads);
}

/* ---- Google Benchmark ---- */

static json_t *rate_of(uint64_t amount, double mean_ns)
{
  return amount > 0 ? json_figure((double)amount / mean_ns * 1e9) : NULL;
}

/* A row of a bench that failed says why there is no time. */
static json_t *row_of(const results *all, const result *one, json_int_t index)
{
  const bool is_ok = one->state == RESULT_OK;
  const double mean_ns = is_ok ? one->summary.mean.point : 0;
  json_t *const row =
      json_pack("{s:s, s:I, s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:o, s:o, s:s}", "name",
                one->id->full, "family_index", index, "per_family_instance_index", 0, "run_name",
                one->id->full, "run_type", "iteration", "repetitions", 1, "repetition_index", 0,
                "threads", (json_int_t)all->settings->plan.threads, "iterations",
                (json_int_t)total_iterations(&one->samples), "real_time", json_figure(mean_ns),
                "cpu_time", json_figure(mean_ns * one->samples.cpu_ratio), "time_unit", "ns");
  json_t *const more = is_ok ? json_pack("{s:o*, s:o*, s:o, s:I}", "bytes_per_second",
                                         rate_of(one->bench->bytes, mean_ns), "items_per_second",
                                         rate_of(one->bench->elements, mean_ns), "allocs_per_iter",
                                         json_figure(one->memory.allocations), "max_bytes_used",
                                         (json_int_t)one->memory.peak_bytes)
                             : json_pack("{s:b, s:o}", "error_occurred", 1, "error_message",
                                         json_words(one->reason));
  json_object_update(row, more);
  json_decref(more);
  return row;
}

void google_print_run(const results *all)
{
  json_t *const rows = json_array();
  for (size_t i = 0; i < all->suite->count; i++) {
    const result_state state = all->list[i].state;
    if (state == RESULT_OK || state == RESULT_FAILED)
      json_array_append_new(rows, row_of(all, &all->list[i], (json_int_t)i));
  }
  json_t *const context = host_google_context();
  json_object_set_new(context, "executable", json_string(all->suite->name));
  json_object_set_new(context, "library_version", json_string(all->suite->accel_version));
  json_object_set_new(context, "run_id", json_string(all->run_id));
  char *const text =
      json_text(json_pack("{s:o, s:o}", "context", context, "benchmarks", rows), true);
  if (text != NULL) fputs(text, stdout);
  free(text);
}
