#include "forms.h"

#include <math.h>
#include <stdlib.h>

void gate_add_json(gate_text *text, json_t *value, bool is_pretty)
{
  char *written = json_text(value, is_pretty);
  if (!written) arena_exhausted();
  gate_text_add(text, written);
  free(written);
}

json_t *gate_pairs_json(const gate_pairs *pairs)
{
  json_t *object = json_object();
  for (size_t i = 0; i < pairs->count; i++)
    json_object_set_new(object, pairs->items[i].key, json_words(pairs->items[i].value));
  return object;
}

void gate_write_compat(gate_text *text, const gate_set *set)
{
  json_t *benches = json_object();
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    if (time && gate_has(time, GATE_MEAN))
      json_object_set_new(benches, set->benches[i].id,
                          json_pack("{s:f, s:o}", "mean_ns", time->figures[GATE_MEAN], "median_ns",
                                    json_figure(time->figures[GATE_MEDIAN])));
  }
  gate_add_json(text, json_pack("{s:i, s:o}", "version", 1, "benchmarks", benches), true);
}

static json_t *metric_json(const gate_metric *metric, bool is_line)
{
  json_t *object = json_pack("{s:s, s:s}", "unit", metric->unit, "better",
                             metric->better == GATE_LOWER ? "lower" : "higher");
  if (metric->is_exact) json_object_set_new(object, "exact", json_true());
  for (int i = 0; i < GATE_FIGURES; i++)
    if (isfinite(metric->figures[i]))
      json_object_set_new(object, gate_figure_names[i], json_real(metric->figures[i]));
  if (metric->sample_count > 0)
    json_object_set_new(object, "n", json_integer((json_int_t)metric->sample_count));
  if (metric->has_operation_percentiles)
    json_object_set_new(object, "percentiles", json_string("op"));
  const gate_numbers *const lists[] = {&metric->rounds, &metric->mean_rounds, &metric->p95_rounds,
                                       &metric->samples};
  for (size_t l = 0; l < GATE_LISTS - (is_line ? 1 : 0); l++)
    if (lists[l]->count > 0)
      json_object_set_new(object, gate_list_names[l],
                          json_figures(lists[l]->values, lists[l]->count));
  return object;
}

static json_t *bench_json(const gate_bench *bench, bool is_line)
{
  const gate_metric *time = gate_bench_find(bench, "time");
  json_t *metrics = json_object(), *targets = NULL;
  for (size_t i = 0; i < bench->metric_count; i++)
    json_object_set_new(metrics, bench->metrics[i].name, metric_json(&bench->metrics[i], is_line));
  if (isfinite(bench->target))
    targets = json_pack("{s:{s:f, s:o*}}", "time", "target", bench->target, "acceptable",
                        json_figure_or_none(bench->acceptable));
  return json_pack("{s:o*, s:o*, s:s, s:s*, s:o*, s:o}", "mean_ns",
                   json_figure_or_none(time ? time->figures[GATE_MEAN] : NAN), "median_ns",
                   json_figure_or_none(time ? time->figures[GATE_MEDIAN] : NAN), "full_id",
                   bench->full_id, "bench_hash", bench->definition_hash, "targets", targets,
                   "metrics", metrics);
}

static json_t *pairs_or_none(const gate_pairs *pairs)
{
  return pairs->count > 0 ? gate_pairs_json(pairs) : NULL;
}

void gate_write_own(gate_text *text, const gate_set *set, bool is_line)
{
  json_t *benches = json_object();
  for (size_t i = 0; i < set->count; i++)
    json_object_set_new(benches, set->benches[i].id, bench_json(&set->benches[i], is_line));
  json_t *whole = json_pack("{s:i, s:i, s:s*, s:s*, s:s*, s:s*, s:s*, s:o*, s:o*, s:o*, s:o*, s:o}",
                            "version", 1, "schema", 2, "run_id", set->run_id, "started",
                            set->started, "commit", set->commit, "tag", set->tag, "reason",
                            set->reason, "machine", pairs_or_none(&set->machine), "build",
                            pairs_or_none(&set->build), "skipped", pairs_or_none(&set->skipped),
                            "failed", pairs_or_none(&set->failed), "benchmarks", benches);
  gate_add_json(text, whole, !is_line);
  if (is_line) gate_text_add(text, "\n");
}
