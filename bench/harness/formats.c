/* Formats of other tools: libtest's bencher lines, Go's benchmark text, Google Benchmark's JSON.
 *
 * One run of a bench is one measurement there: a sample is not an independent repetition. Several
 * runs, put one after the other, are several. */
#include "result.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- bencher: the median and the standard deviation, whole nanoseconds ---- */

static void format_thousands(double number, char text[static 40])
{
  char digits[32];
  snprintf(digits, sizeof digits, "%.0f", number);
  const size_t length = strlen(digits);
  size_t to = 0;
  for (size_t i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) text[to++] = ',';
    text[to++] = digits[i];
  }
  text[to] = '\0';
}

void bencher_print_result(const result *one)
{
  char median[40], deviation[40];
  format_thousands(one->summary.median.point, median);
  format_thousands(one->summary.standard_deviation.point, deviation);
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
  char time[32];
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

static void write_context(json *to, const results *all)
{
  char name[256] = "";
  host_info host;
  host_describe(&host);
  gethostname(name, sizeof name - 1);
  json_object(to, "context");
  json_string(to, "date", host.date);
  json_string(to, "host_name", name);
  json_string(to, "executable", all->suite->name);
  json_integer(to, "num_cpus", host.cores);
  json_integer(to, "mhz_per_cpu", (uint64_t)lround(host.mhz));
  json_bool(to, "cpu_scaling_enabled",
            host.governor[0] != '\0' && strcmp(host.governor, "performance") != 0);
  json_array(to, "caches");
  for (unsigned i = 0; i < host.cache_count; i++) {
    json_object(to, NULL);
    json_string(to, "type", host.caches[i].type);
    json_integer(to, "level", host.caches[i].level);
    json_integer(to, "size", host.caches[i].size);
    json_integer(to, "num_sharing", host.caches[i].num_sharing);
    json_end(to);
  }
  json_end(to);
  json_array(to, "load_avg");
  for (int i = 0; i < 3; i++) json_number(to, NULL, host.load[i]);
  json_end(to);
  json_string(to, "library_version", all->suite->accel_version);
  json_string(to, "library_build_type", "release");
  json_integer(to, "json_schema_version", 1);
  json_string(to, "run_id", all->run_id);
  json_end(to);
}

static void write_row(json *to, const results *all, const result *one, uint64_t index)
{
  const double mean_ns = one->summary.mean.point;
  json_object(to, NULL);
  json_string(to, "name", one->id->full);
  json_integer(to, "family_index", index);
  json_integer(to, "per_family_instance_index", 0);
  json_string(to, "run_name", one->id->full);
  json_string(to, "run_type", "iteration");
  json_integer(to, "repetitions", 1);
  json_integer(to, "repetition_index", 0);
  json_integer(to, "threads", all->settings->plan.threads);
  json_integer(to, "iterations", (uint64_t)total_iterations(&one->samples));
  json_number(to, "real_time", mean_ns);
  json_number(to, "cpu_time", mean_ns * one->samples.cpu_ratio);
  json_string(to, "time_unit", "ns");
  if (one->bench->bytes > 0)
    json_number(to, "bytes_per_second", (double)one->bench->bytes / mean_ns * 1e9);
  if (one->bench->elements > 0)
    json_number(to, "items_per_second", (double)one->bench->elements / mean_ns * 1e9);
  json_number(to, "allocs_per_iter", one->memory.allocations);
  json_integer(to, "max_bytes_used", one->memory.peak_bytes);
  json_end(to);
}

/* Its own name, and why there is no time. */
static void write_absent_row(json *to, const result *one, uint64_t index)
{
  const bool is_skipped = one->state == RESULT_SKIPPED;
  json_object(to, NULL);
  json_string(to, "name", one->id->full);
  json_integer(to, "family_index", index);
  json_integer(to, "per_family_instance_index", 0);
  json_string(to, "run_name", one->id->full);
  json_string(to, "run_type", "iteration");
  json_integer(to, "repetitions", 1);
  json_integer(to, "threads", 1);
  json_bool(to, is_skipped ? "skipped" : "error_occurred", true);
  json_string(to, is_skipped ? "skip_message" : "error_message", one->reason);
  json_integer(to, "iterations", 0);
  json_number(to, "real_time", 0);
  json_number(to, "cpu_time", 0);
  json_string(to, "time_unit", "ns");
  json_end(to);
}

void google_print_run(const results *all)
{
  json to;
  if (!json_open(&to, true)) return;
  json_object(&to, NULL);
  write_context(&to, all);
  json_array(&to, "benchmarks");
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state == RESULT_OK)
      write_row(&to, all, one, i);
    else if (one->state == RESULT_FAILED)
      write_absent_row(&to, one, i);
  }
  json_end(&to);
  json_end(&to);
  char *const text = json_finish(&to);
  if (text != NULL) puts(text);
  free(text);
}
