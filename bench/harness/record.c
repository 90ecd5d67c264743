/* The own JSON: one file per program and run, which accel-gate reads, keeps as a baseline and adds
 * to a history. It is the compat baseline ("version": 1, mean_ns, median_ns) and more. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_KEPT 500

static json_t *time_of(const result *one, const result_percentiles *at, const double *each)
{
  const stats_summary *const summary = &one->summary;
  const size_t count = one->samples.count;
  return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:[o], s:o}",
                   "unit", "ns", "better", "lower", "mean", json_figure(summary->mean.point),
                   "median", json_figure(summary->median.point), "p05", json_figure(at->p05), "p50",
                   json_figure(at->p50), "p95", json_figure(at->p95), "p99", json_figure(at->p99),
                   "lo", json_figure(summary->mean.low), "hi", json_figure(summary->mean.high), "n",
                   (json_int_t)count, "percentiles", at->is_of_operations ? "op" : "batch",
                   "rounds", json_figure(summary->median.point), "samples",
                   json_figures(each, count < SAMPLES_KEPT ? count : SAMPLES_KEPT));
}

static json_t *throughput_of(const bench_case *bench, unsigned threads, double median_ns)
{
  const bool is_bytes = bench->bytes > 0;
  const double amount = (double)(is_bytes ? bench->bytes : bench->elements) * threads;
  if (amount <= 0) return NULL;
  return json_pack("{s:s, s:s, s:o}", "unit", is_bytes ? "MB/s" : "elem/s", "better", "higher",
                   "median", json_figure(amount / median_ns * (is_bytes ? 1e3 : 1e9)));
}

static json_t *count_of(const char *unit, double value)
{
  return json_pack("{s:s, s:s, s:b, s:o}", "unit", unit, "better", "lower", "exact", 1, "value",
                   json_figure(value));
}

static json_t *metrics_of(const results *all, const result *one, const result_percentiles *at,
                          const double *each)
{
  const measure_memory *const memory = &one->memory;
  const double median_ns = one->summary.median.point;
  return json_pack("{s:o, s:o*, s:o, s:o, s:o}", "time", time_of(one, at, each), "throughput",
                   throughput_of(one->bench, all->settings->plan.threads, median_ns), "allocs",
                   count_of("1/op", memory->allocations), "alloc_bytes",
                   count_of("B/op", memory->bytes), "peak_bytes",
                   count_of("B", (double)memory->peak_bytes));
}

static json_t *params_of(const results *all, const result *one)
{
  const char *const definition = one->bench->definition;
  return json_pack("{s:I, s:I, s:s, s:s*}", "seed", (json_int_t)all->settings->statistics.seed,
                   "threads", (json_int_t)all->settings->plan.threads, "sampling_mode",
                   one->samples.is_linear ? "Linear" : "Flat", "definition", definition);
}

static json_t *result_of(const results *all, const result *one)
{
  char hash[17];
  result_percentiles at;
  json_t *found = NULL;
  double *const each = (double *)malloc(one->samples.count * sizeof *each);
  if (each != NULL && result_percentiles_of(one, &at)) {
    result_each(&one->samples, each);
    identity_hash(one->bench, one->id, hash);
    found = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o*, s:o}", "mean_ns",
                      json_figure(one->summary.mean.point), "median_ns",
                      json_figure(one->summary.median.point), "full_id", one->id->full,
                      "bench_hash", hash, "status", "ok", "params", params_of(all, one), "targets",
                      result_targets(one->bench), "metrics", metrics_of(all, one, &at, each));
  }
  free(each);
  return found;
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

char *record_write(const results *all)
{
  return json_text(json_pack("{s:i, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "version", 1,
                             "schema", 2, "executable", all->suite->name, "run_id", all->run_id,
                             "started", all->started, "machine", host_machine(), "build",
                             result_build(all), "skipped", cases_of(all, RESULT_SKIPPED), "failed",
                             cases_of(all, RESULT_FAILED), "benchmarks", cases_of(all, RESULT_OK)),
                   true);
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
