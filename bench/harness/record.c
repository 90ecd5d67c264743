/* The own JSON: one file per program and run, which accel-gate reads, keeps as a baseline and adds
 * to a history. It is the founding baseline ("version": 1, mean_ns, median_ns) and more. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_KEPT 500

static void write_time(json *to, const result *one, const result_percentiles *percentiles,
                       const double *each)
{
  const stats_summary *const summary = &one->summary;
  const size_t count = one->samples.count;
  json_object(to, "time");
  json_string(to, "unit", "ns");
  json_string(to, "better", "lower");
  json_number(to, "mean", summary->mean.point);
  json_number(to, "median", summary->median.point);
  json_number(to, "p05", percentiles->p05);
  json_number(to, "p50", percentiles->p50);
  json_number(to, "p95", percentiles->p95);
  json_number(to, "p99", percentiles->p99);
  json_number(to, "lo", summary->mean.low);
  json_number(to, "hi", summary->mean.high);
  json_integer(to, "n", count);
  json_string(to, "percentiles", percentiles->is_of_operations ? "op" : "batch");
  json_array(to, "rounds");
  json_number(to, NULL, summary->median.point);
  json_end(to);
  json_array(to, "samples");
  for (size_t i = 0; i < count && i < SAMPLES_KEPT; i++) json_number(to, NULL, each[i]);
  json_end(to);
  json_end(to);
}

static void write_throughput(json *to, const bench_case *bench, unsigned threads, double median_ns)
{
  if (bench->bytes == 0 && bench->elements == 0) return;
  const bool is_bytes = bench->bytes > 0;
  const double amount = (double)(is_bytes ? bench->bytes : bench->elements) * threads;
  json_object(to, "throughput");
  json_string(to, "unit", is_bytes ? "MB/s" : "elem/s");
  json_string(to, "better", "higher");
  json_number(to, "median", amount / median_ns * (is_bytes ? 1e3 : 1e9));
  json_end(to);
}

static void write_exact(json *to, const char *key, const char *unit, double value)
{
  json_object(to, key);
  json_string(to, "unit", unit);
  json_string(to, "better", "lower");
  json_bool(to, "exact", true);
  json_number(to, "value", value);
  json_end(to);
}

static void write_params(json *to, const results *all, const result *one)
{
  json_object(to, "params");
  json_integer(to, "seed", all->settings->statistics.seed);
  json_integer(to, "threads", all->settings->plan.threads);
  json_string(to, "sampling_mode", one->samples.is_linear ? "Linear" : "Flat");
  if (one->bench->definition != NULL) json_string(to, "definition", one->bench->definition);
  json_end(to);
}

static void write_targets(json *to, const bench_case *bench)
{
  if (bench->target_ns <= 0) return;
  json_object(to, "targets");
  json_object(to, "time");
  json_number(to, "target", bench->target_ns);
  json_number(to, "acceptable", bench->acceptable_ns);
  json_end(to);
  json_end(to);
}

static void write_host(json *to, const measure_samples *samples)
{
  json_object(to, "host");
  json_number(to, "cpu_ratio", samples->cpu_ratio);
  json_number(to, "steal_ratio", samples->steal_ratio);
  json_integer(to, "involuntary_switches", samples->involuntary_switches);
  json_bool(to, "is_dirty", samples->steal_ratio > .01);
  json_end(to);
}

static bool write_result(json *to, const results *all, const result *one)
{
  char hash[17];
  result_percentiles percentiles;
  double *const each = (double *)malloc(one->samples.count * sizeof *each);
  if (each == NULL || !result_percentiles_of(one, &percentiles)) {
    free(each);
    return false;
  }
  result_each(&one->samples, each);
  const unsigned long long hashed = identity_hash(one->bench, one->id);
  snprintf(hash, sizeof hash, "%016llx", hashed);
  json_object(to, one->id->directory);
  json_number(to, "mean_ns", one->summary.mean.point);
  json_number(to, "median_ns", one->summary.median.point);
  json_string(to, "full_id", one->id->full);
  json_string(to, "bench_hash", hash);
  json_string(to, "status", "ok");
  write_params(to, all, one);
  write_targets(to, one->bench);
  json_object(to, "metrics");
  write_time(to, one, &percentiles, each);
  write_throughput(to, one->bench, all->settings->plan.threads, one->summary.median.point);
  write_exact(to, "allocs", "1/op", one->memory.allocations);
  write_exact(to, "alloc_bytes", "B/op", one->memory.bytes);
  write_exact(to, "peak_bytes", "B", (double)one->memory.peak_bytes);
  json_end(to);
  write_host(to, &one->samples);
  json_end(to);
  free(each);
  return true;
}

static void write_reasons(json *to, const results *all, const char *key, result_state state)
{
  json_object(to, key);
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state == state)
      json_string(to, all->list[i].id->directory, all->list[i].reason);
  json_end(to);
}

char *record_write(const results *all)
{
  json to;
  bool is_whole = true;
  if (!json_open(&to, true)) return NULL;
  json_object(&to, NULL);
  json_integer(&to, "version", 1);
  json_integer(&to, "schema", 2);
  json_string(&to, "executable", all->suite->name);
  json_string(&to, "run_id", all->run_id);
  json_string(&to, "started", all->started);
  result_write_machine(&to);
  result_write_build(&to, all);
  write_reasons(&to, all, "skipped", RESULT_SKIPPED);
  write_reasons(&to, all, "failed", RESULT_FAILED);
  json_object(&to, "benchmarks");
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state == RESULT_OK) is_whole &= write_result(&to, all, &all->list[i]);
  json_end(&to);
  json_end(&to);
  fputc('\n', to.file);
  char *const text = json_finish(&to);
  if (is_whole) return text;
  free(text);
  return NULL;
}

bool record_save(const results *all)
{
  char path[4096];
  snprintf(path, sizeof path, "%.2000s/accel-run-%s.json", all->settings->criterion_path,
           all->suite->name);
  if (!result_write(path, record_write(all))) return false;
  const char *const also = all->settings->json_path;
  return also == NULL || result_write(also, record_write(all));
}
