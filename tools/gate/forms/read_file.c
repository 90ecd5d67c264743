/* Which form a file is of, told by its first bytes and keys; and the invariants that all readers
 * keep. */
#include "forms.h"

#include <math.h>
#include <string.h>

/* ---- invariants ---- */

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

/* ---- which form ---- */

static bool has_member(json_t *array, const char *key)
{
  return json_object_get(json_array_get(array, 0), key) != NULL;
}

static gate_form json_form(json_t *root)
{
  json_t *results = json_object_get(root, "results");
  if (json_is_object(json_object_get(root, "context"))) return GATE_FORM_GOOGLE;
  if (has_member(results, "median(elapsed)")) return GATE_FORM_UNKNOWN;
  if (json_is_array(results)) return GATE_FORM_HYPERFINE;
  if (json_is_array(json_object_get(root, "benchmarks"))) return GATE_FORM_UNKNOWN;
  if (json_object_get(root, "benchmarks"))
    return json_object_get(root, "schema") ? GATE_FORM_OWN : GATE_FORM_COMPAT;
  /* One with a key missing is still meant to be one. */
  if (json_object_get(root, "bench_id") || json_object_get(root, "metric")) return GATE_FORM_RECORD;
  return has_member(root, "bench_id") ? GATE_FORM_RECORD : GATE_FORM_UNKNOWN;
}

/* What is told by a member of the whole, of its first item, or of its first result. */
static const char *other_json(json_t *root)
{
  static const char *const kinds[][2] = {
      {"median(elapsed)", "it looks like nanobench's JSON"},
      {"machine_info", "it looks like pytest-benchmark's JSON"},
      {"primaryMetric", "it looks like JMH's JSON"},
      {"reason", "it looks like cargo-criterion's messages; give the folder target/criterion"},
      {"mean", "it looks like a file of criterion's; give the folder target/criterion"},
      {"value", "it looks like github-action-benchmark's JSON"},
      {"accel_gate", "it is a report of accel-gate, which holds verdicts rather than results"},
  };
  json_t *results = json_object_get(root, "results");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (json_object_get(root, kinds[i][0]) || has_member(root, kinds[i][0]) ||
        has_member(results, kinds[i][0]))
      return kinds[i][1];
  if (json_object_size(root) + json_array_size(root) == 0) return "it is empty";
  if (json_object_get(json_object_iter_value(json_object_iter(root)), "latency"))
    return "it looks like Bencher's metric format";
  return "its keys are of no form that is known";
}

/* What looks like another tool's text, by what only that says. */
static const char *other_text(const char *text)
{
  static const struct {
    const char *mark, *what;
  } kinds[] = {
      {"time:   [", "criterion's console text; give the folder target/criterion"},
      {"<Catch", "Catch2's XML"},
      {"resamples", "Catch2's console text"},
      {"Time             CPU", "Google Benchmark's console text; run it with "
                               "--benchmark_format=json"},
      {"name,iterations,real_time", "Google Benchmark's CSV; run it with --benchmark_format=json"},
      {"ns/op |", "nanobench's table"},
      {"command,mean,stddev", "hyperfine's CSV; use --export-json"},
      {"Time (mean", "hyperfine's console text; use --export-json"},
      {"Performance counter stats", "perf stat"},
      {"# TYPE ", "OpenMetrics"},
      {"\x1F\x8B", "gzip; unpack it"},
      {"PK\x03\x04", "a zip archive; unpack it"},
      {"\x28\xB5\x2F\xFD", "zstd; unpack it"},
      {"\xFD"
       "7zXZ",
       "xz; unpack it"},
      {"\xFF\xFE", "UTF-16; save it as UTF-8"},
      {"\xFE\xFF", "UTF-16; save it as UTF-8"},
      {"<", "XML or HTML"},
  };
  if (text[strspn(text, " \t\r\n")] == '\0') return "an empty file";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strstr(text, kinds[i].mark)) return kinds[i].what;
  return NULL;
}

static bool has_line(const char *text, const char *start)
{
  for (const char *found = text; (found = strstr(found, start)); found++)
    if (found == text || found[-1] == '\n') return true;
  return false;
}

static gate_set *read_json(const char *path, const char *text, size_t length,
                           gate_read_options options, gate_problems *problems)
{
  gate_json json;
  if (!gate_json_open(&json, path, text, length, problems)) return NULL;
  gate_set *set = gate_set_new(path, json_form(json.root));
  switch (set->form) {
    case GATE_FORM_COMPAT:
    case GATE_FORM_OWN: gate_read_own(set, &json, options); break;
    case GATE_FORM_RECORD: gate_read_records(set, &json); break;
    case GATE_FORM_GOOGLE: gate_read_google(set, &json); break;
    case GATE_FORM_HYPERFINE: gate_read_hyperfine(set, &json); break;
    default:
      if (options.is_compat)
        gate_json_wrong(&json, "missing field `benchmarks`");
      else
        gate_json_wrong(&json, "%s; this is not read", other_json(json.root));
  }
  gate_json_release(&json);
  return set;
}

gate_set *gate_read_text(const char *path, const char *text, size_t length,
                         gate_read_options options, gate_problems *problems)
{
  const char *start = text + strspn(text, " \t\r\n");
  const char *other = other_text(text);
  gate_set *set = NULL;
  if (options.is_compat || *start == '{' || *start == '[') {
    set = read_json(path, text, length, options, problems);
  } else if (has_line(text, "test ")) {
    set = gate_set_new(path, GATE_FORM_LIBTEST);
    gate_read_libtest(set, arena_copy_bytes(text, length), problems);
  } else if (has_line(text, "Benchmark") && !(other && strstr(other, "console"))) {
    set = gate_set_new(path, GATE_FORM_GO);
    gate_read_go(set, arena_copy_bytes(text, length), problems);
  } else if (other) {
    gate_wrong(problems, "failed to parse %s: it looks like %s (line 1); this is not read", path,
               other);
  } else {
    gate_wrong(problems,
               "failed to parse %s: neither JSON nor benchmark text of Go or libtest "
               "(line 1)",
               path);
  }
  if (set) gate_read_finish(set, options, problems);
  return set;
}

gate_set *gate_read_file(const char *path, gate_read_options options, gate_problems *problems)
{
  char *text;
  size_t length;
  if (!gate_file_read(path, &text, &length, problems)) return NULL;
  return gate_read_text(path, text, length, options, problems);
}
