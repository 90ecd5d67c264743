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
  json to;
  const size_t count = one->samples.count;
  const bool is_throughput = one->bench->bytes > 0;
  if (!json_open(&to, true)) return NULL;
  json_object(&to, NULL);
  json_string(&to, "bench_id", one->id->directory);
  json_string(&to, "metric", is_throughput ? "throughput_mbs" : "duration_ms");
  json_string(&to, "unit", is_throughput ? "MB/s" : "ms");
  json_number(&to, "p05", stats_percentile(values, count, 5));
  json_number(&to, "p50", stats_percentile(values, count, 50));
  json_number(&to, "p95", stats_percentile(values, count, 95));
  json_integer(&to, "n", count);
  json_string(&to, "timestamp", all->started);
  if (one->bench->definition != NULL) json_string(&to, "notes", one->bench->definition);
  json_end(&to);
  fputc('\n', to.file);
  return json_finish(&to);
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
