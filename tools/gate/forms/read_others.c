/* The JSON of other tools: bench_id records, Google Benchmark, hyperfine. */
#include "forms.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Sets the place for messages; false, with a problem, if `id` is none. */
static bool begin(gate_json *json, const char *id, const char *what)
{
  json->where = NULL;
  json->is_wrong = false;
  if (id && !gate_id_fault(id)) {
    json->where = id;
    return true;
  }
  return gate_json_wrong(json, "%s: its name %s", what, id ? gate_id_fault(id) : "is missing");
}

/* ---- {"bench_id","metric","unit","p50","p95","n","timestamp","notes"?} ---- */

/* 2026-11-21T07:50:00Z, with a fraction or an offset if need be; also the date alone. */
static bool is_timestamp(const char *text)
{
  struct tm parts;
  const char *rest = strptime(text, "%Y-%m-%d", &parts);
  if (!rest || rest - text != 10) return false;
  if (*rest == '\0') return true;
  if (*rest != 'T' && *rest != ' ') return false;
  rest = strptime(rest + 1, "%H:%M:%S", &parts);
  if (rest && *rest == '.') rest += 1 + strspn(rest + 1, "0123456789");
  if (rest && (*rest == '+' || *rest == '-')) rest = strptime(rest, "%z", &parts);
  return rest && (*rest == '\0' || strcmp(rest, "Z") == 0);
}

static const char *wanted_text(gate_json *json, json_t *object, const char *key)
{
  const char *text = gate_json_text(json, object, key);
  if (!json_object_get(object, key)) gate_json_wrong(json, "missing field `%s`", key);
  return text ? text : "";
}

static void read_record(gate_set *set, gate_json *json, json_t *object)
{
  const char *id = wanted_text(json, object, "bench_id");
  const char *metric = wanted_text(json, object, "metric");
  const char *unit = wanted_text(json, object, "unit");
  const char *timestamp = wanted_text(json, object, "timestamp");
  const double p05 = gate_json_number(json, object, "p05", GATE_POSITIVE);
  const double p50 = gate_json_wanted_number(json, object, "p50", GATE_POSITIVE);
  const double p95 = gate_json_wanted_number(json, object, "p95", GATE_POSITIVE);
  const double count = gate_json_wanted_number(json, object, "n", GATE_POSITIVE);
  const bool is_rate = strcmp(metric, "throughput_mbs") == 0;
  (void)gate_json_text(json, object, "notes");
  if (json->is_wrong) return;
  if (!is_rate && strcmp(metric, "duration_ms") != 0)
    gate_json_wrong(json, "metric \"%s\" is neither duration_ms nor throughput_mbs", metric);
  else if (strcmp(unit, is_rate ? "MB/s" : "ms") != 0)
    gate_json_wrong(json, "unit \"%s\" does not fit %s", unit, metric);
  if (count > floor(count)) gate_json_wrong(json, "n is not a whole number");
  if (p95 < p50) gate_json_wrong(json, "p95 is below p50");
  if (!is_timestamp(timestamp)) gate_json_wrong(json, "timestamp is not ISO 8601");
  if (json->is_wrong) return;
  gate_bench *bench = gate_set_add(set, id);
  gate_metric *out = gate_bench_add(bench, is_rate ? "throughput" : "time", is_rate ? "B/s" : "ns");
  out->figures[GATE_P05] = p05 * 1e6; /* ns, or bytes a second */
  out->figures[GATE_P50] = p50 * 1e6;
  out->figures[GATE_P95] = p95 * 1e6;
  out->sample_count = count;
}

void gate_read_records(gate_set *set, gate_json *json)
{
  size_t index;
  json_t *object;
  if (json_is_object(json->root)) read_record(set, json, json->root);
  json_array_foreach(json->root, index, object)
  {
    if (begin(json, gate_json_text(json, object, "bench_id"), "a record"))
      read_record(set, json, object);
  }
}

/* ---- Google Benchmark ---- */

/* Members of a row that are no counter of the user's. */
static const char googles[] =
    " family_index per_family_instance_index repetitions repetition_index threads iterations "
    "real_time cpu_time big_o cpu_coefficient real_coefficient rms ";

/* What Google Benchmark calls a metric of ours. */
typedef struct google_name {
  const char *theirs, *ours, *unit;
} google_name;

/* A counter that is not in the list is the user's, with a name of its own. */
static google_name name_google(const char *theirs)
{
  static const google_name names[] = {{"bytes_per_second", "throughput", "B/s"},
                                      {"items_per_second", "throughput", "elem/s"},
                                      {"allocs_per_iter", "allocs", "1/op"},
                                      {"max_bytes_used", "peak_bytes", "B"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i].theirs, theirs) == 0) return names[i];
  return (google_name){theirs, theirs, ""};
}

/* One number of a row: a round, or a figure of all rounds. */
static void take_google(gate_bench *bench, google_name name, double value, gate_figure figure)
{
  gate_metric *metric = gate_bench_get(bench, name.ours, name.unit);
  metric->is_exact = strcmp(name.ours, "allocs") == 0;
  if (figure == GATE_FIGURES)
    gate_add_round(bench, name.ours, name.unit, value);
  else
    metric->figures[figure] = value;
}

static void read_google_numbers(gate_json *json, json_t *row, gate_bench *bench, gate_figure figure)
{
  const char *key;
  json_t *value;
  double factor;
  const bool has_bytes = json_object_get(row, "bytes_per_second") != NULL;
  const char *unit = gate_json_text(json, row, "time_unit");
  const bool is_time = strcmp(gate_unit_canonical(unit ? unit : "ns", &factor), "ns") == 0;
  const double time = gate_json_wanted_number(json, row, "real_time", GATE_POSITIVE) * factor;
  if (!is_time) gate_json_wrong(json, "time_unit %s is not one of time", unit);
  if (json->is_wrong) return;
  take_google(bench, (google_name){"", "time", "ns"}, time, figure);
  json_object_foreach(row, key, value)
  {
    const google_name name = name_google(key);
    if (!json_is_number(value) || gate_id_fault(key)) continue;
    if (strstr(googles, arena_format(" %s ", key))) continue;
    if (has_bytes && strcmp(key, "items_per_second") == 0) continue;
    const gate_range range = gate_unit_better(name.unit) == GATE_HIGHER ? GATE_POSITIVE
                             : name.unit[0] != '\0'                     ? GATE_NOT_NEGATIVE
                                                                        : GATE_ANY;
    take_google(bench, name, gate_json_number(json, row, key, range), figure);
  }
}

/* What a row is: a round (GATE_FIGURES), a figure that sums up all of them, or nothing (-1), such
 * as BigO. */
static int google_figure(json_t *row)
{
  static const char *const names[] = {"mean", "median", "stddev"};
  static const gate_figure figures[] = {GATE_MEAN, GATE_MEDIAN, GATE_DEVIATION};
  const char *type = json_string_value(json_object_get(row, "run_type"));
  const char *kind = json_string_value(json_object_get(row, "aggregate_name"));
  if (!type || strcmp(type, "aggregate") != 0) return GATE_FIGURES;
  for (int i = 0; kind && i < 3; i++)
    if (strcmp(kind, names[i]) == 0) return (int)figures[i];
  return -1;
}

static void read_google_row(gate_set *set, gate_json *json, json_t *row, int figure)
{
  const char *name = gate_json_text(json, row, figure == GATE_FIGURES ? "name" : "run_name");
  if (!begin(json, name, "a benchmark")) return;
  const bool is_failed = json_is_true(json_object_get(row, "error_occurred"));
  const char *why = gate_json_text(json, row, is_failed ? "error_message" : "skip_message");
  if (is_failed || json_is_true(json_object_get(row, "skipped"))) {
    gate_pairs_set(is_failed ? &set->failed : &set->skipped, name,
                   why ? why : "the file does not say why");
    return;
  }
  const size_t before = set->count;
  gate_bench *bench = gate_set_get(set, name);
  /* With --benchmark_report_aggregates_only there are no rounds, only what sums them up. */
  const bool has_rounds = bench->metric_count > 0 && bench->metrics[0].rounds.count > 0;
  if (figure != GATE_FIGURES && has_rounds) return;
  read_google_numbers(json, row, bench, (gate_figure)figure);
  if (json->is_wrong && set->count > before) set->count--;
  const double count = gate_json_number(json, row, "repetitions", GATE_NOT_NEGATIVE);
  if (figure != GATE_FIGURES && count >= 1 && !json->is_wrong)
    bench->metrics[0].sample_count = count;
}

void gate_read_google(gate_set *set, gate_json *json)
{
  json_t *context = gate_json_object(json, json->root, "context");
  json_t *rows = gate_json_array(json, json->root, "benchmarks");
  set->started = arena_copy(gate_json_text(json, context, "date"));
  size_t index;
  json_t *row;
  json_array_foreach(rows, index, row)
  {
    const int figure = google_figure(row);
    if (figure >= 0) read_google_row(set, json, row, figure);
  }
  json->where = NULL;
  if (!rows) gate_json_wrong(json, "missing field `benchmarks`");
}

/* ---- hyperfine ---- */

/* Why the times of a command are worth nothing: some run of it did not succeed. */
static const char *exit_failure(json_t *codes)
{
  size_t index, failed = 0;
  json_t *code;
  const char *how = "";
  json_array_foreach(codes, index, code)
  {
    if (json_is_number(code) && json_number_value(code) == 0) continue;
    failed++;
    how =
        json_is_number(code) ? arena_format("exit code %.0f", json_number_value(code)) : "a signal";
  }
  if (failed == 0) return NULL;
  return arena_format("%zu of %s ended by %s", failed,
                      gate_some(json_array_size(codes), "run", "runs"), how);
}

static void read_command(gate_set *set, gate_json *json, json_t *result)
{
  if (!begin(json, gate_json_text(json, result, "command"), "a result")) return;
  const char *failure = exit_failure(gate_json_array(json, result, "exit_codes"));
  if (failure) {
    gate_pairs_set(&set->failed, json->where, failure);
    return;
  }
  gate_bench *bench = gate_set_add(set, json->where);
  gate_metric *time = gate_bench_add(bench, "time", "ns");
  time->figures[GATE_MEAN] = gate_json_wanted_number(json, result, "mean", GATE_POSITIVE) * 1e9;
  time->figures[GATE_MEDIAN] = gate_json_number(json, result, "median", GATE_POSITIVE) * 1e9;
  time->rounds = gate_json_numbers(json, result, "times", GATE_POSITIVE);
  for (size_t i = 0; i < time->rounds.count; i++) time->rounds.values[i] *= 1e9;
  const gate_numbers memory =
      gate_json_numbers(json, result, "memory_usage_byte", GATE_NOT_NEGATIVE);
  if (memory.count > 0) gate_bench_add(bench, "peak_bytes", "B")->rounds = memory;
  if (json->is_wrong) set->count--;
}

void gate_read_hyperfine(gate_set *set, gate_json *json)
{
  size_t index;
  json_t *result;
  json_array_foreach(gate_json_array(json, json->root, "results"), index, result)
      read_command(set, json, result);
}
