/* The JSON of other tools: bench_id records, Google Benchmark, hyperfine, Bencher's
 * metric format, github-action-benchmark. */
#include "forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
  int year, month, day, hour, minute, second, end = 0, hours, minutes, last = 0;
  char between;
  if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10) return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  text += end;
  if (*text == '\0') return true;
  if (sscanf(text, "%c%2d:%2d:%2d%n", &between, &hour, &minute, &second, &end) != 4 || end != 9)
    return false;
  if ((between != 'T' && between != ' ') || hour > 23 || minute > 59 || second > 60) return false;
  text += end;
  if (*text == '.') text += 1 + strspn(text + 1, "0123456789");
  if (strcmp(text, "") == 0 || strcmp(text, "Z") == 0) return true;
  if (*text != '+' && *text != '-') return false;
  const bool is_offset = sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &last) == 2 ||
                         sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &last) == 2;
  return is_offset && last >= 4 && text[1 + last] == '\0';
}

static const char *wanted_text(gate_json *json, json_t *object, const char *key)
{
  const char *text = gate_json_text(json, object, key);
  if (!json_object_get(object, key)) gate_json_wrong(json, "missing field `%s`", key);
  return text ? text : "";
}

/* The figure in ns or bytes a second; what "exact" says if that is the number that was rounded. */
static double scaled(gate_json *json, json_t *object, const char *key, double value)
{
  json_t *exact_values = gate_json_object(json, object, "exact");
  const double exact = gate_json_number(json, exact_values, key, GATE_POSITIVE);
  return fabs(exact / 1e6 - value) <= 1e-12 * value ? exact : value * 1e6;
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
  bench->timestamp = arena_copy(set->arena, timestamp);
  gate_metric *out = gate_bench_add(set, bench, is_rate ? "throughput" : "time",
                                    is_rate ? "B/s" : "ns", is_rate ? GATE_HIGHER : GATE_LOWER);
  out->figures[GATE_P05] = scaled(json, object, "p05", p05);
  out->figures[GATE_P50] = scaled(json, object, "p50", p50);
  out->figures[GATE_P95] = scaled(json, object, "p95", p95);
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
static bool is_googles(const char *key)
{
  static const char *const keys[] = {"family_index",
                                     "per_family_instance_index",
                                     "repetitions",
                                     "repetition_index",
                                     "threads",
                                     "iterations",
                                     "real_time",
                                     "cpu_time",
                                     "big_o",
                                     "cpu_coefficient",
                                     "real_coefficient",
                                     "rms"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(key, keys[i]) == 0) return true;
  return false;
}

typedef struct google_counter {
  const char *key, *name, *unit;
} google_counter;

static google_counter counter_of(const char *key)
{
  static const google_counter known[] = {{"bytes_per_second", "throughput", "B/s"},
                                         {"items_per_second", "throughput", "elem/s"},
                                         {"allocs_per_iter", "allocs", "1/op"},
                                         {"max_bytes_used", "peak_bytes", "B"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(key, known[i].key) == 0) return known[i];
  return (google_counter){key, key, ""};
}

/* One number of a row: a round, or a figure of all rounds. */
static void take_google(gate_set *set, gate_bench *bench, google_counter counter, double value,
                        gate_figure figure)
{
  if (figure == GATE_FIGURES) {
    gate_add_round(set, bench, counter.name, counter.unit, value);
    return;
  }
  gate_metric *metric =
      gate_bench_get(set, bench, counter.name, counter.unit, gate_unit_better(counter.unit));
  metric->figures[figure] = value;
}

static void read_google_numbers(gate_set *set, gate_json *json, json_t *row, gate_bench *bench,
                                gate_figure figure)
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
  take_google(set, bench, (google_counter){"", "time", "ns"}, time, figure);
  json_object_foreach(row, key, value)
  {
    const google_counter counter = counter_of(key);
    if (!json_is_number(value) || is_googles(key) || gate_id_fault(key)) continue;
    if (has_bytes && strcmp(key, "items_per_second") == 0) continue;
    const gate_range range = gate_unit_better(counter.unit) == GATE_HIGHER ? GATE_POSITIVE
                             : counter.unit[0] != '\0'                     ? GATE_NOT_NEGATIVE
                                                                           : GATE_ANY;
    take_google(set, bench, counter, gate_json_number(json, row, key, range), figure);
  }
  for (size_t i = 0; i < bench->metric_count; i++)
    bench->metrics[i].is_exact = strcmp(bench->metrics[i].name, "allocs") == 0;
}

/* Rows of a bench that did not run say so. */
static bool is_absent(gate_set *set, gate_json *json, json_t *row, const char *name)
{
  const bool is_failed = json_is_true(json_object_get(row, "error_occurred"));
  const bool is_skipped = !is_failed && json_is_true(json_object_get(row, "skipped"));
  const char *why = gate_json_text(json, row, is_failed ? "error_message" : "skip_message");
  if (is_failed)
    gate_pairs_set(set->arena, &set->failed, name, why ? why : "the file says that it failed");
  if (is_skipped)
    gate_pairs_set(set->arena, &set->skipped, name, why ? why : "the file says it was skipped");
  return is_failed || is_skipped;
}

static void read_google_row(gate_set *set, gate_json *json, json_t *row)
{
  if (!begin(json, gate_json_text(json, row, "name"), "a benchmark")) return;
  const char *type = json_string_value(json_object_get(row, "run_type"));
  if (type && strcmp(type, "aggregate") == 0) return;
  if (is_absent(set, json, row, json->where)) return;
  const size_t before = set->count;
  read_google_numbers(set, json, row, gate_set_get(set, json->where), GATE_FIGURES);
  if (json->is_wrong && set->count > before) set->count--;
}

/* With --benchmark_report_aggregates_only there are no rounds, only what sums them up. */
static void read_google_aggregate(gate_set *set, gate_json *json, json_t *row)
{
  static const struct {
    const char *name;
    gate_figure figure;
  } kinds[] = {{"mean", GATE_MEAN}, {"median", GATE_MEDIAN}, {"stddev", GATE_DEVIATION}};
  const char *kind = json_string_value(json_object_get(row, "aggregate_name"));
  const char *run = json_string_value(json_object_get(row, "run_name"));
  if (!kind || !run || !begin(json, run, "an aggregate")) return;
  gate_bench *bench = gate_set_get(set, run);
  for (size_t i = 0; i < bench->metric_count; i++)
    if (bench->metrics[i].rounds.count > 0) return;
  if (is_absent(set, json, row, run)) return;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kind, kinds[i].name) == 0)
      read_google_numbers(set, json, row, bench, kinds[i].figure);
  if (bench->metric_count == 0) {
    set->count--; /* BigO and others of no figure; it is the last */
    return;
  }
  const double count = gate_json_number(json, row, "repetitions", GATE_NOT_NEGATIVE);
  if (count >= 1) bench->metrics[0].sample_count = count;
}

void gate_read_google(gate_set *set, gate_json *json)
{
  json_t *context = gate_json_object(json, json->root, "context");
  json_t *rows = gate_json_array(json, json->root, "benchmarks");
  size_t index;
  json_t *row;
  set->started = arena_copy(set->arena, gate_json_text(json, context, "date"));
  json_array_foreach(rows, index, row) read_google_row(set, json, row);
  json_array_foreach(rows, index, row) read_google_aggregate(set, json, row);
  json->where = NULL;
  if (!rows) gate_json_wrong(json, "missing field `benchmarks`");
}

/* ---- hyperfine ---- */

/* Why the times of a command are worth nothing: some run of it did not succeed. */
static const char *exit_failure(bench_arena *arena, json_t *codes)
{
  size_t index, failed = 0;
  json_t *code, *last = NULL;
  json_array_foreach(codes, index, code)
  {
    if (json_is_number(code) && json_number_value(code) == 0) continue;
    failed++;
    last = code;
  }
  if (failed == 0) return NULL;
  const char *how = json_is_number(last)
                        ? arena_format(arena, "exit code %.0f", json_number_value(last))
                        : "a signal";
  return arena_format(arena, "%zu of %s ended by %s", failed,
                      gate_some(arena, json_array_size(codes), "run", "runs"), how);
}

static void read_command(gate_set *set, gate_json *json, json_t *result)
{
  if (!begin(json, gate_json_text(json, result, "command"), "a result")) return;
  const char *failure = exit_failure(set->arena, gate_json_array(json, result, "exit_codes"));
  if (failure) {
    gate_pairs_set(set->arena, &set->failed, json->where, failure);
    return;
  }
  gate_bench *bench = gate_set_add(set, json->where);
  gate_metric *time = gate_bench_add(set, bench, "time", "ns", GATE_LOWER);
  time->figures[GATE_MEAN] = gate_json_wanted_number(json, result, "mean", GATE_POSITIVE) * 1e9;
  time->figures[GATE_MEDIAN] = gate_json_number(json, result, "median", GATE_POSITIVE) * 1e9;
  time->rounds = gate_json_numbers(json, result, "times", GATE_POSITIVE);
  for (size_t i = 0; i < time->rounds.count; i++) time->rounds.values[i] *= 1e9;
  const gate_numbers memory =
      gate_json_numbers(json, result, "memory_usage_byte", GATE_NOT_NEGATIVE);
  if (memory.count > 0) gate_bench_add(set, bench, "peak_bytes", "B", GATE_LOWER)->rounds = memory;
  if (json->is_wrong) set->count--;
}

void gate_read_hyperfine(gate_set *set, gate_json *json)
{
  size_t index;
  json_t *result;
  json_array_foreach(gate_json_array(json, json->root, "results"), index, result)
      read_command(set, json, result);
}

/* ---- Bencher's metric format: {"bench": {"measure": {"value", "lower_value"?}}} ---- */

static const google_counter measures[] = {
    {"latency", "time", "ns"},         {"throughput", "throughput", "elem/s"},
    {"allocs", "allocs", "1/op"},      {"alloc_bytes", "alloc_bytes", "B/op"},
    {"peak_bytes", "peak_bytes", "B"}, {"instructions", "instructions", "1/op"}};

static void read_measure(gate_set *set, gate_json *json, gate_bench *bench, const char *key,
                         json_t *value)
{
  google_counter found = {key, key, ""};
  for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
    if (strcmp(measures[i].key, key) == 0) found = measures[i];
  if (gate_id_fault(key)) gate_json_wrong(json, "a measure's name %s", gate_id_fault(key));
  gate_metric *metric =
      gate_bench_add(set, bench, found.name, found.unit, gate_unit_better(found.unit));
  metric->figures[GATE_MEDIAN] = gate_json_wanted_number(json, value, "value", GATE_ANY);
  metric->figures[GATE_LOW] = gate_json_number(json, value, "lower_value", GATE_ANY);
  metric->figures[GATE_HIGH] = gate_json_number(json, value, "upper_value", GATE_ANY);
}

void gate_read_bmf(gate_set *set, gate_json *json)
{
  const char *id, *key;
  json_t *object, *value;
  json_object_foreach(json->root, id, object)
  {
    if (!begin(json, id, "a benchmark")) continue;
    gate_bench *bench = gate_set_add(set, id);
    if (!json_is_object(object)) gate_json_wrong(json, "is not an object");
    json_object_foreach(object, key, value) read_measure(set, json, bench, key, value);
    if (json->is_wrong) set->count--;
  }
}

/* ---- github-action-benchmark: [{"name", "unit", "value", "range"?}] ---- */

/* "encode allocs" in 1/op is the metric allocs of encode; what is not told by its name is by its
 * unit, or a value. */
static void read_action_row(gate_set *set, gate_json *json, json_t *row)
{
  double factor, deviation;
  if (!begin(json, gate_json_text(json, row, "name"), "a benchmark")) return;
  const char *unit = gate_unit_canonical(wanted_text(json, row, "unit"), &factor);
  const double value = gate_json_wanted_number(json, row, "value", GATE_ANY) * factor;
  const char *range = gate_json_text(json, row, "range");
  if (*unit != '\0' && gate_id_fault(unit)) gate_json_wrong(json, "a unit %s", gate_id_fault(unit));
  if (json->is_wrong) return;
  char *id = arena_copy(set->arena, json->where);
  const char *name = gate_unit_metric(unit);
  char *blank = strrchr(id, ' ');
  const bool is_time = name && strcmp(name, "time") == 0;
  if (!is_time && blank && blank > id && blank[1] != '\0') {
    *blank = '\0';
    name = blank + 1;
  }
  gate_bench *bench = gate_set_get(set, id);
  gate_metric *metric =
      gate_bench_add(set, bench, name ? name : "value", unit, gate_unit_better(unit));
  metric->figures[GATE_MEDIAN] = value;
  metric->is_exact = strcmp(metric->name, "allocs") == 0;
  const bool has_range = range && strncmp(range, "\xC2\xB1 ", 3) == 0;
  if (has_range && gate_number_parse(range + 3, &deviation))
    metric->figures[GATE_DEVIATION] = deviation * factor;
}

void gate_read_action(gate_set *set, gate_json *json)
{
  size_t index;
  json_t *row;
  json_array_foreach(json->root, index, row) read_action_row(set, json, row);
}
