/* The own JSON: one file per program and run, which accel-gate reads, keeps as a baseline and adds
 * to a history. It is the baseline of compat mode ("version": 1, mean_ns, median_ns) and more.
 *
 * Beside it a file per bench with the figures that a table of service levels asks for. A bench with
 * bytes per iteration is a throughput there: more is better, and its bad tail is p05. */
#include "result.h"

#include <string.h>

#define SAMPLES_KEPT 500
#define NS_PER_MS 1e6

static json_t *time_of(const result *one)
{
  const stats_summary *const summary = &one->summary;
  const stats_percentiles *const at = &one->percentiles;
  const size_t count = one->samples.count;
  return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:[o], s:o}",
                   "unit", "ns", "better", "lower", "mean", json_figure(summary->mean.point),
                   "median", json_figure(summary->median.point), "p05", json_figure(at->p05), "p50",
                   json_figure(at->p50), "p95", json_figure(at->p95), "p99", json_figure(at->p99),
                   "lo", json_figure(summary->mean.low), "hi", json_figure(summary->mean.high), "n",
                   (json_int_t)count, "percentiles", one->is_of_operations ? "op" : "batch",
                   "rounds", json_figure(summary->median.point), "samples",
                   json_figures(one->each, count < SAMPLES_KEPT ? count : SAMPLES_KEPT));
}

static json_t *throughput_of(const bench_case *bench, double median_ns)
{
  const bool is_bytes = bench->bytes > 0;
  const double amount = (double)(is_bytes ? bench->bytes : bench->elements);
  if (amount <= 0) return NULL;
  return json_pack("{s:s, s:s, s:o}", "unit", is_bytes ? "MB/s" : "elem/s", "better", "higher",
                   "median", json_figure(amount / median_ns * (is_bytes ? 1e3 : 1e9)));
}

static json_t *count_of(const char *unit, double value)
{
  return json_pack("{s:s, s:s, s:b, s:o}", "unit", unit, "better", "lower", "exact", 1, "value",
                   json_figure(value));
}

static json_t *metrics_of(const result *one)
{
  const measure_memory *const memory = &one->memory;
  const double median_ns = one->summary.median.point;
  return json_pack("{s:o, s:o*, s:o, s:o, s:o}", "time", time_of(one), "throughput",
                   throughput_of(one->bench, median_ns), "allocs",
                   count_of("1/op", memory->allocations), "alloc_bytes",
                   count_of("B/op", memory->bytes), "peak_bytes",
                   count_of("B", (double)memory->peak_bytes));
}

static json_t *result_of(const results *all, const result *one)
{
  const options *const settings = all->settings;
  json_t *const params = json_pack("{s:I, s:s*}", "seed", (json_int_t)settings->statistics.seed,
                                   "definition", one->bench->definition);
  return json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o*, s:o}", "mean_ns",
                   json_figure(one->summary.mean.point), "median_ns",
                   json_figure(one->summary.median.point), "full_id", one->id->full, "bench_hash",
                   identity_hash(one->bench, one->id), "status", "ok", "params", params, "targets",
                   result_targets(one->bench), "metrics", metrics_of(one));
}

/* Of every case in this state, by its folder: its reason, or all that is known. */
static json_t *cases_of(const results *all, result_state state)
{
  json_t *const cases = json_object();
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state != state) continue;
    json_t *const value = state == RESULT_OK ? result_of(all, one) : json_words(one->reason);
    if (json_object_set_new(cases, one->id->directory, value) == 0) continue;
    json_decref(cases);
    return NULL;
  }
  return cases;
}

bool record_save(const results *all)
{
  const char *const path =
      arena_format("%s/accel-run-%s.json", all->settings->criterion_path, all->suite->name);
  json_t *const record = json_pack(
      "{s:i, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "version", 1, "schema", 2, "executable",
      all->suite->name, "run_id", all->run_id, "started", all->started, "machine", host_machine(),
      "build", result_build(all), "skipped", cases_of(all, RESULT_SKIPPED), "failed",
      cases_of(all, RESULT_FAILED), "benchmarks", cases_of(all, RESULT_OK));
  return result_write(path, record, true);
}

bool summary_save(const results *all, const result *one)
{
  if (!all->suite->has_summaries) return true;
  const size_t count = one->samples.count;
  const double bytes = (double)one->bench->bytes;
  const bool is_rate = bytes > 0;
  double *const values = result_each(&one->samples);
  for (size_t i = 0; i < count; i++)
    values[i] = is_rate ? bytes / values[i] * 1e3 : values[i] / NS_PER_MS;
  const stats_percentiles found = stats_percentiles_of(values, count);
  char *const path =
      arena_format("%s/bench-%s.json", all->settings->summary_path, one->id->directory);
  char *const name = path + strlen(all->settings->summary_path) + 1;
  for (char *at = name; (at = strchr(at, '/')) != NULL;) *at = '_';
  return result_write(
      path,
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:s*}", "bench_id", one->id->directory,
                "metric", is_rate ? "throughput_mbs" : "duration_ms", "unit",
                is_rate ? "MB/s" : "ms", "p05", json_figure(found.p05), "p50",
                json_figure(found.p50), "p95", json_figure(found.p95), "n", (json_int_t)count,
                "timestamp", all->started, "notes", one->bench->definition),
      true);
}
