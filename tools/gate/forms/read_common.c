/* What the readers share: rounds, and the invariants that all of them keep. */
#include "forms.h"

#include "harness/stats.h"

#include <math.h>
#include <string.h>

void gate_add_round(gate_bench *bench, const char *name, const char *unit, double value)
{
  if (isnan(value)) return;
  gate_metric *metric = gate_bench_get(bench, name, unit);
  gate_numbers_add(&metric->rounds, value);
}

/* Of a single number there are no percentiles. */
void gate_metric_summarise(gate_metric *metric, const gate_numbers *values)
{
  if (values->count == 0) return;
  const stats_percentiles at = stats_percentiles_of(values->values, values->count);
  const struct {
    gate_figure figure;
    double value;
  } found[] = {{GATE_MEAN, stats_mean(values->values, values->count)},
               {GATE_MEDIAN, at.p50},
               {GATE_P05, at.p05},
               {GATE_P50, at.p50},
               {GATE_P95, at.p95},
               {GATE_P99, at.p99}};
  for (size_t i = 0; i < (values->count > 1 ? 6 : 2); i++)
    if (!gate_has(metric, found[i].figure)) metric->figures[found[i].figure] = found[i].value;
  if (metric->sample_count == 0) metric->sample_count = (double)values->count;
}

static bool may_be_zero(const gate_metric *metric)
{
  return strcmp(metric->unit, "ns") != 0 && gate_unit_better(metric->unit) == GATE_LOWER;
}

static const char *metric_fault(const gate_metric *metric)
{
  const bool is_counter = metric->unit[0] == '\0'; /* of a user, who may count down */
  for (int i = 0; i < GATE_FIGURES; i++) {
    const double figure = metric->figures[i];
    if (isnan(figure) || i == GATE_DEVIATION) continue;
    if (!isfinite(figure)) return "is not finite";
    if (figure < 0 && !is_counter) return "is below 0";
    if (figure == 0 && !may_be_zero(metric)) return "is 0";
  }
  /* Percentiles that were rounded for print may touch. */
  if (metric->figures[GATE_P50] > metric->figures[GATE_P95]) return "has p50 above p95";
  if (metric->figures[GATE_LOW] > metric->figures[GATE_HIGH]) return "has lo above hi";
  return NULL;
}

static bool check_bench(const gate_set *set, const gate_bench *bench, gate_read_options options,
                        gate_problems *problems)
{
  const char *fault = gate_id_fault(bench->id);
  if (fault) return gate_wrong(problems, "failed to parse %s: an id %s", set->path, fault);
  if (bench->metric_count == 0)
    return gate_wrong(problems, "failed to parse %s: %s measures nothing", set->path, bench->id);
  for (size_t i = 0; i < bench->metric_count && !options.is_compat; i++) {
    fault = metric_fault(&bench->metrics[i]);
    if (fault)
      return gate_wrong(problems, "failed to parse %s: %s: %s %s", set->path, bench->id,
                        bench->metrics[i].name, fault);
  }
  return true;
}

void gate_read_finish(gate_set *set, gate_read_options options, gate_problems *problems)
{
  size_t kept = 0;
  const bool is_whole = set->form == GATE_FORM_OWN || set->form == GATE_FORM_CRITERION;
  gate_set_sort(set);
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    for (size_t m = 0; m < bench->metric_count && !is_whole; m++)
      gate_metric_summarise(&bench->metrics[m], &bench->metrics[m].rounds);
    if (kept > 0 && strcmp(set->benches[kept - 1].id, bench->id) == 0) {
      gate_wrong(problems, "failed to parse %s: %s occurs twice", set->path, bench->id);
    } else if (check_bench(set, bench, options, problems)) {
      set->benches[kept++] = *bench;
    }
  }
  set->count = kept;
}
