#include "read.h"

#include "file.h"
#include "json.h"
#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gate_form json_form(json_t *root)
{
  if (json_is_object(json_object_get(root, "context"))) return GATE_FORM_GOOGLE;
  if (json_is_array(json_object_get(root, "results"))) return GATE_FORM_HYPERFINE;
  if (json_object_get(root, "benchmarks"))
    return json_object_get(root, "schema") ? GATE_FORM_OWN : GATE_FORM_SEED;
  /* One with a key missing is still meant to be one. */
  if (json_object_get(root, "bench_id") || json_object_get(root, "metric")) return GATE_FORM_RECORD;
  return GATE_FORM_UNKNOWN;
}

static bool starts_as_json(const char *text)
{
  text += strspn(text, " \t\r\n");
  return *text == '{' || *text == '[' || *text == '\0';
}

/* Whether some line is a result of Go's, or one of its headers. */
static bool looks_like_go(const char *text)
{
  static const char *const starts[] = {"Benchmark", "goos:", "goarch:", "pkg:", "cpu:", "Unit "};
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
      if (strncmp(line, starts[i], strlen(starts[i])) == 0) return true;
  }
  return false;
}

static gate_set *read_json(gate_arena *arena, const char *path, const char *text, size_t length,
                           gate_read_options options, gate_problems *problems)
{
  gate_json json;
  if (!gate_json_open(&json, path, text, length, problems)) return NULL;
  gate_set *set = gate_set_new(arena, path, json_form(json.root));
  switch (set->form) {
    case GATE_FORM_SEED:
    case GATE_FORM_OWN: gate_read_own(set, &json, options); break;
    case GATE_FORM_RECORD: gate_read_record(set, &json); break;
    case GATE_FORM_GOOGLE: gate_read_google(set, &json); break;
    case GATE_FORM_HYPERFINE: gate_read_hyperfine(set, &json); break;
    default:
      if (options.is_seed) {
        gate_json_wrong(&json, "missing field `benchmarks`");
      } else {
        gate_json_wrong(&json, "no form that is known: a baseline, Google Benchmark's, hyperfine's "
                               "or a bench_id record");
      }
  }
  gate_json_release(&json);
  return set;
}

gate_set *gate_read_text(gate_arena *arena, const char *path, const char *text, size_t length,
                         gate_read_options options, gate_problems *problems)
{
  gate_set *set = NULL;
  if (options.is_seed || starts_as_json(text)) {
    set = read_json(arena, path, text, length, options, problems);
  } else if (looks_like_go(text)) {
    set = gate_set_new(arena, path, GATE_FORM_GO);
    gate_read_go(set, text, length, problems);
  } else {
    gate_wrong(problems, path, "failed to parse %s: neither JSON nor Go benchmark text at line 1",
               path);
  }
  if (set) gate_read_finish(set, options, problems);
  return set;
}

gate_set *gate_read(gate_arena *arena, const char *path, gate_read_options options,
                    gate_problems *problems)
{
  if (gate_is_folder(path) && !options.is_seed)
    return gate_read_criterion(arena, path, options, problems);
  char *text;
  size_t length;
  if (!gate_file_read(arena, path, &text, &length, problems)) return NULL;
  return gate_read_text(arena, path, text, length, options, problems);
}

const char *gate_criterion_folder(gate_arena *arena)
{
  const char *home = getenv("CRITERION_HOME");
  if (home && *home != '\0') return home;
  const char *target = getenv("CARGO_TARGET_DIR");
  if (target && *target != '\0') return gate_format(arena, "%s/criterion", target);
  return "target/criterion";
}

/* ---- what all readers end with ---- */

void gate_metric_summarise(gate_arena *arena, gate_metric *metric, const gate_numbers *values)
{
  if (values->count == 0) return;
  const double *sorted = gate_sorted(arena, values->values, values->count);
  const double found[GATE_FIGURES] = {
      [GATE_MEAN] = gate_mean(sorted, values->count),
      [GATE_MEDIAN] = gate_quantile(sorted, values->count, 0.5),
      [GATE_P05] = gate_quantile(sorted, values->count, 0.05),
      [GATE_P50] = gate_quantile(sorted, values->count, 0.5),
      [GATE_P95] = gate_quantile(sorted, values->count, 0.95),
      [GATE_P99] = gate_quantile(sorted, values->count, 0.99),
      [GATE_LOW] = NAN,
      [GATE_HIGH] = NAN,
      [GATE_VALUE] = NAN,
  };
  for (int i = 0; i < GATE_FIGURES; i++)
    if (isnan(metric->figures[i])) metric->figures[i] = found[i];
  if (metric->sample_count == 0) metric->sample_count = (double)values->count;
}

static bool may_be_zero(const gate_metric *metric)
{
  return strcmp(metric->unit, "ns") != 0 && gate_unit_better(metric->unit) == GATE_LOWER;
}

static const char *metric_fault(const gate_metric *metric)
{
  for (int i = 0; i < GATE_FIGURES; i++) {
    const double figure = metric->figures[i];
    if (isnan(figure)) continue;
    if (!isfinite(figure)) return "is not finite";
    if (figure < 0) return "is below 0";
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
  if (fault)
    return gate_wrong(problems, set->path, "failed to parse %s: an id %s", set->path, fault);
  if (bench->metric_count == 0)
    return gate_wrong(problems, set->path, "failed to parse %s: %s measures nothing", set->path,
                      bench->id);
  for (size_t i = 0; i < bench->metric_count && !options.is_seed; i++) {
    fault = metric_fault(&bench->metrics[i]);
    if (fault)
      return gate_wrong(problems, set->path, "failed to parse %s: %s: %s %s", set->path, bench->id,
                        bench->metrics[i].name, fault);
  }
  return true;
}

void gate_read_finish(gate_set *set, gate_read_options options, gate_problems *problems)
{
  size_t kept = 0;
  gate_set_sort(set);
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    if (kept > 0 && strcmp(set->benches[kept - 1].id, bench->id) == 0) {
      gate_wrong(problems, set->path, "failed to parse %s: %s occurs twice", set->path, bench->id);
    } else if (check_bench(set, bench, options, problems)) {
      set->benches[kept++] = *bench;
    }
  }
  set->count = kept;
}
