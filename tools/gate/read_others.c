/* The forms of other tools: the bench_id record, Google Benchmark, hyperfine. */
#include "read.h"

#include "json.h"
#include "statistics.h"

#include <math.h>
#include <string.h>

/* ---- {"bench_id","metric","unit","p50","p95","n","timestamp","notes"?} ---- */

static bool is_like(const char *text, const char *pattern)
{
  for (; *pattern != '\0'; pattern++, text++) {
    const bool is_digit = *text >= '0' && *text <= '9';
    if (*pattern == '0' ? !is_digit : *text != *pattern) return false;
  }
  return true;
}

static int two_digits(const char *text)
{
  return (text[0] - '0') * 10 + text[1] - '0';
}

/* 2026-11-21T07:50:00Z, with a fraction or an offset if need be; also the date alone. */
static bool is_timestamp(const char *text)
{
  if (!is_like(text, "0000-00-00")) return false;
  const int month = two_digits(text + 5), day = two_digits(text + 8);
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (text[10] == '\0') return true;
  if ((text[10] != 'T' && text[10] != ' ') || !is_like(text + 11, "00:00:00")) return false;
  if (two_digits(text + 11) > 23 || two_digits(text + 14) > 59 || two_digits(text + 17) > 60)
    return false;
  const char *rest = text + 19;
  if (*rest == '.') rest += 1 + strspn(rest + 1, "0123456789");
  if (strcmp(rest, "") == 0 || strcmp(rest, "Z") == 0) return true;
  if (*rest != '+' && *rest != '-') return false;
  return (is_like(rest + 1, "00:00") && rest[6] == '\0') ||
         (is_like(rest + 1, "0000") && rest[5] == '\0');
}

static const char *wanted_text(gate_json *json, const char *key)
{
  const char *text = gate_json_text(json, json->root, key);
  if (!text && !json->is_wrong) gate_json_wrong(json, "missing field `%s`", key);
  return text ? text : "";
}

static double wanted_number(gate_json *json, const char *key, gate_range range)
{
  const bool was_wrong = json->is_wrong;
  json->is_wrong = false;
  const double number = gate_json_number(json, json->root, key, range);
  if (isnan(number) && !json->is_wrong) gate_json_wrong(json, "missing field `%s`", key);
  json->is_wrong = json->is_wrong || was_wrong;
  return number;
}

void gate_read_record(gate_set *set, gate_json *json)
{
  const char *id = wanted_text(json, "bench_id");
  const char *metric = wanted_text(json, "metric");
  const char *unit = wanted_text(json, "unit");
  const char *timestamp = wanted_text(json, "timestamp");
  const double p05 = gate_json_number(json, json->root, "p05", GATE_POSITIVE);
  const double p50 = wanted_number(json, "p50", GATE_POSITIVE);
  const double p95 = wanted_number(json, "p95", GATE_POSITIVE);
  const double count = wanted_number(json, "n", GATE_POSITIVE);
  (void)gate_json_text(json, json->root, "notes");
  if (json->is_wrong) return;
  const bool is_rate = strcmp(metric, "throughput_mbs") == 0;
  if (!is_rate && strcmp(metric, "duration_ms") != 0) {
    gate_json_wrong(json, "metric \"%s\" is neither duration_ms nor throughput_mbs", metric);
    return;
  }
  if (strcmp(unit, is_rate ? "MB/s" : "ms") != 0) {
    gate_json_wrong(json, "unit \"%s\" does not fit %s", unit, metric);
    return;
  }
  if (count > floor(count)) gate_json_wrong(json, "n is not a whole number");
  if (p95 < p50) gate_json_wrong(json, "p95 is below p50");
  if (!is_timestamp(timestamp)) gate_json_wrong(json, "timestamp is not ISO 8601");
  if (json->is_wrong) return;
  gate_bench *bench = gate_set_add(set, id);
  bench->timestamp = gate_copy_text(set->arena, timestamp);
  gate_metric *out = gate_bench_add(set, bench, is_rate ? "throughput" : "time",
                                    is_rate ? "B/s" : "ns", is_rate ? GATE_HIGHER : GATE_LOWER);
  out->figures[GATE_P05] = p05 * 1e6;
  out->figures[GATE_P50] = p50 * 1e6;
  out->figures[GATE_P95] = p95 * 1e6;
  out->sample_count = count;
}

/* ---- Google Benchmark ---- */

static bool is_aggregate(json_t *row)
{
  const char *type = json_string_value(json_object_get(row, "run_type"));
  return type && strcmp(type, "aggregate") == 0;
}

static gate_bench *bench_of(gate_set *set, const char *id)
{
  for (size_t i = set->count; i > 0; i--)
    if (strcmp(set->benches[i - 1].id, id) == 0) return &set->benches[i - 1];
  return gate_set_add(set, id);
}

static void add_round(gate_set *set, gate_bench *bench, const char *name, const char *unit,
                      double value)
{
  if (isnan(value)) return;
  gate_metric *metric = gate_bench_find_or_null(bench, name);
  if (!metric) metric = gate_bench_add(set, bench, name, unit, gate_unit_better(unit));
  gate_numbers_add(set->arena, &metric->rounds, value);
}

static void read_google_row(gate_set *set, gate_json *json, json_t *row)
{
  json->where = NULL;
  json->is_wrong = false;
  const char *name = gate_json_text(json, row, "name");
  if (!name || gate_id_fault(name)) {
    gate_json_wrong(json, "a benchmark without a usable name");
    return;
  }
  json->where = name;
  if (is_aggregate(row)) return;
  if (json_is_true(json_object_get(row, "error_occurred"))) {
    const char *why = gate_json_text(json, row, "error_message");
    gate_pairs_set(set->arena, &set->failed, name, why ? why : "the file says that it failed");
    return;
  }
  if (json_is_true(json_object_get(row, "skipped"))) {
    const char *why = gate_json_text(json, row, "skip_message");
    gate_pairs_set(set->arena, &set->skipped, name,
                   why ? why : "the file says that it was skipped");
    return;
  }
  const char *unit = gate_json_text(json, row, "time_unit");
  double factor;
  if (strcmp(gate_unit_canonical(unit ? unit : "ns", &factor), "ns") != 0) {
    gate_json_wrong(json, "time_unit %s is not one of time", unit ? unit : "");
    return;
  }
  const double time = gate_json_number(json, row, "real_time", GATE_POSITIVE);
  const double bytes = gate_json_number(json, row, "bytes_per_second", GATE_POSITIVE);
  const double items = gate_json_number(json, row, "items_per_second", GATE_POSITIVE);
  const double allocs = gate_json_number(json, row, "allocs_per_iter", GATE_NOT_NEGATIVE);
  if (isnan(time) && !json->is_wrong) gate_json_wrong(json, "missing field `real_time`");
  if (json->is_wrong) return;
  gate_bench *bench = bench_of(set, name);
  add_round(set, bench, "time", "ns", time * factor);
  add_round(set, bench, "throughput", isnan(bytes) ? "elem/s" : "B/s",
            isnan(bytes) ? items : bytes);
  add_round(set, bench, "allocs", "1/op", allocs);
}

static void summarise_rounds(gate_set *set)
{
  for (size_t i = 0; i < set->count; i++) {
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      gate_metric *metric = &set->benches[i].metrics[m];
      gate_metric_summarise(set->arena, metric, &metric->rounds);
    }
  }
}

void gate_read_google(gate_set *set, gate_json *json)
{
  json_t *rows = gate_json_array(json, json->root, "benchmarks");
  size_t index;
  json_t *row;
  set->started = gate_copy_text(
      set->arena, gate_json_text(json, gate_json_object(json, json->root, "context"), "date"));
  json_array_foreach(rows, index, row) read_google_row(set, json, row);
  json->where = NULL;
  if (!rows) gate_json_wrong(json, "missing field `benchmarks`");
  summarise_rounds(set);
}

/* ---- hyperfine ---- */

/* Why the times of a command are worth nothing: some run of it did not succeed. */
static const char *exit_failure(gate_arena *arena, json_t *codes)
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
                        ? gate_format(arena, "exit code %.0f", json_number_value(last))
                        : "a signal";
  return gate_format(arena, "%zu of %s ended by %s", failed,
                     gate_some(arena, json_array_size(codes), "run", "runs"), how);
}

static void read_command(gate_set *set, gate_json *json, json_t *result)
{
  json->where = NULL;
  json->is_wrong = false;
  const char *command = gate_json_text(json, result, "command");
  if (!command || gate_id_fault(command)) {
    gate_json_wrong(json, "a result without a usable command");
    return;
  }
  json->where = command;
  const char *failure = exit_failure(set->arena, gate_json_array(json, result, "exit_codes"));
  if (failure) {
    gate_pairs_set(set->arena, &set->failed, command, failure);
    return;
  }
  gate_bench *bench = gate_set_add(set, command);
  gate_metric *time = gate_bench_add(set, bench, "time", "ns", GATE_LOWER);
  time->figures[GATE_MEAN] = gate_json_number(json, result, "mean", GATE_POSITIVE) * 1e9;
  time->figures[GATE_MEDIAN] = gate_json_number(json, result, "median", GATE_POSITIVE) * 1e9;
  time->rounds = gate_json_numbers(json, result, "times", GATE_POSITIVE);
  for (size_t i = 0; i < time->rounds.count; i++) time->rounds.values[i] *= 1e9;
  gate_metric_summarise(set->arena, time, &time->rounds);
  const gate_numbers memory =
      gate_json_numbers(json, result, "memory_usage_byte", GATE_NOT_NEGATIVE);
  if (!gate_has(time, GATE_MEAN) && !json->is_wrong) gate_json_wrong(json, "missing field `mean`");
  if (json->is_wrong) {
    set->count--;
    return;
  }
  if (memory.count == 0) return;
  gate_metric *bytes = gate_bench_add(set, bench, "peak_bytes", "B", GATE_LOWER);
  bytes->rounds = memory;
  gate_metric_summarise(set->arena, bytes, &memory);
}

void gate_read_hyperfine(gate_set *set, gate_json *json)
{
  json_t *results = gate_json_array(json, json->root, "results");
  size_t index;
  json_t *result;
  json_array_foreach(results, index, result) read_command(set, json, result);
  json->where = NULL;
}
