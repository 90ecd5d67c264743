/* A file per bench with the figures that a table of service levels asks for:
 *
 *   {"bench_id", "metric": "duration_ms" | "throughput_mbs", "unit": "ms" | "MB/s",
 *    "p05", "p50", "p95", "n", "timestamp", "notes"}
 *
 * A bench with bytes per iteration is a throughput: more is better, and its bad tail is p05. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1e6

/* One number for each sample, sorted. */
static void fill_values(const result *one, double *values)
{
  const double bytes = (double)one->bench->bytes;
  result_each(&one->samples, values);
  for (size_t i = 0; i < one->samples.count; i++)
    values[i] = bytes > 0 ? bytes / values[i] * 1e3 : values[i] / NS_PER_MS;
  stats_sort(values, one->samples.count);
}

static char *summary_text(const results *all, const result *one, const double *values)
{
  const size_t count = one->samples.count;
  const bool is_throughput = one->bench->bytes > 0;
  return json_text(
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:s*}", "bench_id", one->id->directory,
                "metric", is_throughput ? "throughput_mbs" : "duration_ms", "unit",
                is_throughput ? "MB/s" : "ms", "p05",
                json_figure(stats_percentile(values, count, 5)), "p50",
                json_figure(stats_percentile(values, count, 50)), "p95",
                json_figure(stats_percentile(values, count, 95)), "n", (json_int_t)count,
                "timestamp", all->started, "notes", one->bench->definition),
      true);
}

bool summary_save(const results *all, const result *one)
{
  char path[4096], name[IDENTITY_SIZE];
  if (!all->suite->has_summaries) return true;
  double *const values = (double *)malloc(one->samples.count * sizeof *values);
  if (values == NULL) return false;
  fill_values(one, values);
  strcpy(name, one->id->directory);
  for (char *at = name; *at != '\0'; at++)
    if (*at == '/') *at = '_';
  snprintf(path, sizeof path, "%.2000s/bench-%s.json", all->settings->summary_path, name);
  const bool is_saved = result_write(path, summary_text(all, one, values));
  free(values);
  return is_saved;
}
