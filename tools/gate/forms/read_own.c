/* The compat baseline, {"version":1,"benchmarks":{ID:{"mean_ns","median_ns"}}}, and our own
 * form, which adds to it and stays readable by the compat checker. */
#include "forms.h"

#include <math.h>
#include <string.h>

const char *const gate_list_names[GATE_LISTS] = {"rounds", "mean_rounds", "p95_rounds", "samples"};

static const char *kept_text(gate_json *json, json_t *object, const char *key)
{
  return arena_copy(gate_json_text(json, object, key));
}

static void read_figures(gate_json *json, json_t *object, gate_metric *metric, double factor)
{
  for (int i = 0; i < GATE_FIGURES; i++) {
    const char *name = gate_figure_names[i];
    metric->figures[i] = gate_json_number(json, object, name, GATE_NOT_NEGATIVE) * factor;
  }
}

static void read_metric(gate_bench *bench, gate_json *json, const char *name, json_t *object)
{
  const char *unit = gate_json_text(json, object, "unit");
  const char *better = gate_json_text(json, object, "better");
  double factor;
  const char *canonical = gate_unit_canonical(unit ? unit : "ns", &factor);
  if (better && strcmp(better, "lower") != 0 && strcmp(better, "higher") != 0) {
    gate_json_wrong(json, "metrics.%s.better is neither lower nor higher", name);
    return;
  }
  gate_metric *metric = gate_bench_add(bench, name, canonical);
  if (better) metric->better = strcmp(better, "higher") == 0 ? GATE_HIGHER : GATE_LOWER;
  read_figures(json, object, metric, factor);
  metric->is_exact = json_is_true(json_object_get(object, "exact"));
  const double count = gate_json_number(json, object, "n", GATE_POSITIVE);
  if (count > floor(count)) gate_json_wrong(json, "metrics.%s.n is not a whole number", name);
  metric->sample_count = isnan(count) ? 0 : count;
  const char *kind = gate_json_text(json, object, "percentiles");
  metric->has_operation_percentiles = kind && strcmp(kind, "op") == 0;
  gate_numbers *const lists[] = {&metric->rounds, &metric->mean_rounds, &metric->p95_rounds,
                                 &metric->samples};
  for (size_t l = 0; l < GATE_LISTS; l++) {
    *lists[l] = gate_json_numbers(json, object, gate_list_names[l], GATE_NOT_NEGATIVE);
    for (size_t i = 0; i < lists[l]->count; i++) lists[l]->values[i] *= factor;
  }
}

void gate_read_about(gate_bench *bench, gate_json *json, json_t *object)
{
  const char *full_id = gate_json_text(json, object, "full_id");
  if (full_id && !gate_id_fault(full_id)) bench->full_id = arena_copy(full_id);
  bench->definition_hash = kept_text(json, object, "bench_hash");
  json_t *targets = gate_json_object(json, gate_json_object(json, object, "targets"), "time");
  bench->target = gate_json_number(json, targets, "target", GATE_POSITIVE);
  bench->acceptable = gate_json_number(json, targets, "acceptable", GATE_POSITIVE);
}

/* The compat keys fill what the metrics do not say. */
static void read_compat(gate_bench *bench, gate_json *json, json_t *object,
                        gate_read_options options)
{
  const gate_range range = options.is_compat ? GATE_ANY : GATE_POSITIVE;
  const double mean = gate_json_number(json, object, "mean_ns", range);
  const double median =
      options.is_compat ? NAN : gate_json_number(json, object, "median_ns", range);
  if (isnan(mean) && bench->metric_count == 0 && !json->is_wrong)
    gate_json_wrong(json, "missing field `mean_ns`");
  if (isnan(mean) && isnan(median)) return;
  gate_metric *time = gate_bench_get(bench, "time", "ns");
  if (!gate_has(time, GATE_MEAN)) time->figures[GATE_MEAN] = mean;
  if (!gate_has(time, GATE_MEDIAN)) time->figures[GATE_MEDIAN] = median;
}

static void read_bench(gate_set *set, gate_json *json, const char *id, json_t *object,
                       gate_read_options options)
{
  json->where = id;
  json->is_wrong = false;
  if (!json_is_object(object)) {
    gate_json_wrong(json, "is not an object");
    return;
  }
  gate_bench *bench = gate_set_add(set, id);
  if (!options.is_compat) {
    gate_read_about(bench, json, object);
    const char *name;
    json_t *metric;
    json_object_foreach(gate_json_object(json, object, "metrics"), name, metric)
    {
      if (json_is_object(metric))
        read_metric(bench, json, name, metric);
      else
        gate_json_wrong(json, "metrics.%s is not an object", name);
    }
  }
  read_compat(bench, json, object, options);
  if (json->is_wrong) set->count--;
}

static bool is_known(gate_json *json, const char *key, double only)
{
  const double number = gate_json_number(json, json->root, key, GATE_ANY);
  return isnan(number) || number == only ||
         gate_json_wrong(json, "%s %g is not known, only %g is", key, number, only);
}

void gate_read_own(gate_set *set, gate_json *json, gate_read_options options)
{
  json_t *benches = json_object_get(json->root, "benchmarks");
  if (!options.is_compat && (!is_known(json, "version", 1) || !is_known(json, "schema", 2))) return;
  if (!json_is_object(benches)) {
    gate_json_wrong(json, "benchmarks is not an object");
    return;
  }
  if (!options.is_compat) {
    set->run_id = kept_text(json, json->root, "run_id");
    set->started = kept_text(json, json->root, "started");
    set->commit = kept_text(json, json->root, "commit");
    set->tag = kept_text(json, json->root, "tag");
    set->reason = kept_text(json, json->root, "reason");
    gate_pairs_read(&set->machine, gate_json_object(json, json->root, "machine"));
    gate_pairs_read(&set->build, gate_json_object(json, json->root, "build"));
    gate_pairs_read(&set->skipped, gate_json_object(json, json->root, "skipped"));
    gate_pairs_read(&set->failed, gate_json_object(json, json->root, "failed"));
  }
  const char *id;
  json_t *object;
  json_object_foreach(benches, id, object) read_bench(set, json, id, object, options);
  json->where = NULL;
}
