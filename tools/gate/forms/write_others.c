/* The forms of other tools. */
#include "forms.h"

#include "statistics.h"

#include "harness/host.h"

#include <math.h>
#include <string.h>

static double spread(const gate_metric *metric)
{
  const gate_numbers *values = metric->samples.count > 1 ? &metric->samples : &metric->rounds;
  if (gate_has(metric, GATE_DEVIATION)) return metric->figures[GATE_DEVIATION];
  return gate_deviation(values->values, values->count);
}

static bool is_time(const gate_metric *metric)
{
  return strcmp(metric->name, "time") == 0;
}

/* ---- Google Benchmark ---- */

/* How Google Benchmark calls a metric; other counters have their own names. */
static const char *google_key(const gate_metric *metric)
{
  for (const gate_name *name = gate_google_names; name->theirs; name++)
    if (strcmp(metric->name, name->ours) == 0 && strcmp(metric->unit, name->unit) == 0)
      return name->theirs;
  return metric->name;
}

/* A row of a round, or of a figure that sums up all rounds. */
static json_t *google_row(const gate_bench *bench, size_t index, size_t round, size_t rounds,
                          const char *aggregate, gate_figure figure)
{
  const gate_metric *time = gate_bench_find(bench, "time");
  const double ns = round < time->rounds.count ? time->rounds.values[round] : time->figures[figure];
  json_t *row = json_pack(
      "{s:s, s:I, s:i, s:s, s:s, s:s*, s:I, s:I, s:i, s:i, s:o, s:o, s:s}", "name", bench->full_id,
      "family_index", (json_int_t)index, "per_family_instance_index", 0, "run_name", bench->full_id,
      "run_type", aggregate ? "aggregate" : "iteration", "aggregate_name", aggregate, "repetitions",
      (json_int_t)rounds, "repetition_index", (json_int_t)round, "threads", 1, "iterations", 1,
      "real_time", json_figure(ns), "cpu_time", json_figure(ns), "time_unit", "ns");
  for (size_t m = 0; m < bench->metric_count; m++) {
    const gate_metric *metric = &bench->metrics[m];
    const double value =
        round < metric->rounds.count ? metric->rounds.values[round] : gate_metric_main(metric);
    if (!is_time(metric) && isfinite(value))
      json_object_set_new(row, google_key(metric), json_real(value));
  }
  return row;
}

/* A row for each round; without rounds, one for each figure that sums them up. */
static void add_google_rows(json_t *rows, const gate_bench *bench, size_t index)
{
  const gate_metric *time = gate_bench_find(bench, "time");
  const size_t rounds = time->rounds.count, count = (size_t)fmax(time->sample_count, 1);
  for (size_t round = 0; round < rounds; round++)
    json_array_append_new(rows, google_row(bench, index, round, rounds, NULL, GATE_MEDIAN));
  for (int figure = GATE_MEAN; figure <= GATE_MEDIAN && rounds == 0; figure++)
    if (gate_has(time, (gate_figure)figure))
      json_array_append_new(
          rows, google_row(bench, index, 0, count, gate_figure_names[figure], (gate_figure)figure));
}

static bool write_google(gate_text *text, const gate_set *set)
{
  const char *cores = gate_pairs_get(&set->machine, "cores");
  size_t count, index = 0;
  json_t *rows = json_array();
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    if (time && (gate_has(time, GATE_MEAN) || gate_has(time, GATE_MEDIAN)))
      add_google_rows(rows, &set->benches[i], index++);
  }
  json_t *context = json_pack(
      "{s:s, s:s, s:s, s:I, s:i, s:[], s:[], s:s, s:i}", "date", set->started ? set->started : "",
      "host_name", "", "executable", "accel-gate", "num_cpus",
      (json_int_t)(cores && gate_count_parse(cores, 4096, &count) ? count : 1), "mhz_per_cpu", 0,
      "caches", "load_avg", "library_build_type", "release", "json_schema_version", 1);
  gate_add_json(text, json_pack("{s:o, s:o}", "context", context, "benchmarks", rows), true);
  return index > 0;
}

/* ---- github-action-benchmark ---- */

static json_t *action_row(const gate_bench *bench, const gate_metric *metric)
{
  char digits[JSON_DIGITS];
  const bool is_alone = is_time(metric) || strcmp(metric->name, "value") == 0;
  const char *range = NULL;
  if (isfinite(spread(metric))) {
    json_format(spread(metric), digits);
    range = gate_format("\xC2\xB1 %s", digits);
  }
  return json_pack("{s:s, s:s, s:o, s:s*}", "name",
                   is_alone ? bench->full_id : gate_format("%s %s", bench->full_id, metric->name),
                   "unit", metric->unit, "value", json_figure(gate_metric_main(metric)), "range",
                   range);
}

static bool write_action(gate_text *text, const gate_set *set, gate_better better)
{
  json_t *rows = json_array();
  for (size_t i = 0; i < set->count; i++)
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      const gate_metric *metric = &set->benches[i].metrics[m];
      if (metric->better == better && !isnan(gate_metric_main(metric)))
        json_array_append_new(rows, action_row(&set->benches[i], metric));
    }
  const bool is_told = json_array_size(rows) > 0;
  gate_add_json(text, rows, true);
  return is_told;
}

static bool write_action_smaller(gate_text *text, const gate_set *set)
{
  return write_action(text, set, GATE_LOWER);
}

static bool write_action_bigger(gate_text *text, const gate_set *set)
{
  return write_action(text, set, GATE_HIGHER);
}

/* ---- Bencher ---- */

static json_t *measure_of(const gate_metric *metric)
{
  const double value = gate_metric_main(metric);
  const double low = metric->figures[GATE_LOW], high = metric->figures[GATE_HIGH];
  const bool has_bounds = low <= value && high >= value;
  return json_pack("{s:o, s:o*, s:o*}", "value", json_figure(value), "lower_value",
                   has_bounds ? json_figure(low) : NULL, "upper_value",
                   has_bounds ? json_figure(high) : NULL);
}

static bool write_bmf(gate_text *text, const gate_set *set)
{
  json_t *benches = json_object();
  for (size_t i = 0; i < set->count; i++) {
    json_t *measures = json_object();
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      const gate_metric *metric = &set->benches[i].metrics[m];
      if (!isnan(gate_metric_main(metric)))
        json_object_set_new(measures, is_time(metric) ? "latency" : metric->name,
                            measure_of(metric));
    }
    json_object_set_new(benches, set->benches[i].full_id, measures);
  }
  gate_add_json(text, benches, true);
  return set->count > 0;
}

/* ---- Go ---- */

static void go_name(gate_text *text, const char *id)
{
  const bool has_prefix = strncmp(id, "Benchmark", 9) == 0;
  if (!has_prefix) gate_text_add(text, "Benchmark");
  /* Without the prefix Go wants what follows it not to start with a small letter. */
  if (!has_prefix && id[0] >= 'a' && id[0] <= 'z') {
    gate_text_printf(text, "%c", id[0] - 'a' + 'A');
    id++;
  }
  for (; *id != '\0'; id++) gate_text_add_bytes(text, *id == ' ' || *id == '\t' ? "_" : id, 1);
}

static void go_values(gate_text *text, const gate_bench *bench, size_t round)
{
  for (size_t m = 0; m < bench->metric_count; m++) {
    const gate_metric *metric = &bench->metrics[m];
    const char *unit = metric->unit;
    const double value =
        round < metric->rounds.count ? metric->rounds.values[round] : gate_metric_main(metric);
    if (isnan(value) || value < 0 || strchr(unit, ' ')) continue;
    if (strcmp(unit, "ns") == 0) unit = "ns/op";
    if (strcmp(unit, "1/op") == 0) unit = gate_format("%s/op", metric->name);
    if (*unit == '\0') unit = metric->name;
    if (strchr(unit, ' ')) continue;
    gate_text_printf(text, "\t%s %s", gate_number_plain(value), unit);
  }
  gate_text_add(text, "\n");
}

static bool write_go(gate_text *text, const gate_set *set)
{
  const char *cpu = gate_pairs_get(&set->machine, "cpu");
  if (cpu) gate_text_printf(text, "cpu: %s\n", cpu);
  if (set->commit) gate_text_printf(text, "commit: %s\n", set->commit);
  gate_text_add(text, "Unit elem/s better=higher\n");
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    const size_t rounds = time && time->rounds.count > 0 ? time->rounds.count : 1;
    for (size_t round = 0; round < rounds && bench->metric_count > 0; round++) {
      go_name(text, bench->full_id);
      gate_text_add(text, "\t1");
      go_values(text, bench, round);
    }
  }
  return set->count > 0;
}

/* ---- libtest ---- */

static bool write_libtest(gate_text *text, const gate_set *set)
{
  char time[JSON_THOUSANDS], deviation[JSON_THOUSANDS];
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *metric = gate_bench_find(&set->benches[i], "time");
    if (!metric || isnan(gate_metric_main(metric))) continue;
    json_thousands(gate_metric_main(metric), -1, time);
    json_thousands(isfinite(spread(metric)) ? spread(metric) : 0, -1, deviation);
    gate_text_printf(text, "test %s ... bench: %11s ns/iter (+/- %s)\n", set->benches[i].full_id,
                     time, deviation);
    count++;
  }
  return count > 0;
}

/* ---- records ---- */

/* In ms or MB/s, and in "exact" as it is where that is another number: scaling rounds. */
static json_t *record_of(const gate_set *set, const gate_bench *bench, const gate_metric *metric)
{
  static const gate_figure figures[] = {GATE_P05, GATE_P50, GATE_P95};
  const bool is_rate = metric->better == GATE_HIGHER;
  const char *when = bench->timestamp ? bench->timestamp : set->started;
  json_t *record =
      json_pack("{s:s, s:s, s:s}", "bench_id", bench->id, "metric",
                is_rate ? "throughput_mbs" : "duration_ms", "unit", is_rate ? "MB/s" : "ms");
  json_t *exact = json_object();
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    const bool is_given = gate_has(metric, figures[i]);
    const double value = metric->figures[is_given ? figures[i] : GATE_P95];
    const char *name = gate_figure_names[figures[i]];
    if (!is_given && figures[i] == GATE_P05) continue;
    json_object_set_new(record, name, json_figure(value / 1e6));
    if (value / 1e6 * 1e6 != value) json_object_set_new(exact, name, json_figure(value));
  }
  json_object_set_new(record, "n", json_integer((json_int_t)fmax(metric->sample_count, 1)));
  json_object_set_new(record, "timestamp", json_string(when ? when : "1970-01-01T00:00:00Z"));
  if (json_object_size(exact) > 0)
    json_object_set_new(record, "exact", exact);
  else
    json_decref(exact);
  return record;
}

/* A record a line. */
static bool write_records(gate_text *text, const gate_set *set)
{
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    const gate_metric *rate = gate_bench_find(bench, "throughput");
    const bool is_rate = rate && gate_has(rate, GATE_P95) && strcmp(rate->unit, "B/s") == 0;
    const gate_metric *metric = is_rate ? rate : time;
    if (!metric || !gate_has(metric, GATE_P95)) continue;
    gate_add_json(text, record_of(set, bench, metric), false);
    gate_text_add(text, "\n");
    count++;
  }
  return count > 0;
}

static bool write_own_form(gate_text *text, const gate_set *set)
{
  gate_write_own(text, set);
  return true;
}

const gate_writer gate_writers[] = {
    {"google", write_google},
    {"gab-smaller", write_action_smaller},
    {"gab-bigger", write_action_bigger},
    {"bmf", write_bmf},
    {"go", write_go},
    {"bencher", write_libtest},
    {"004", write_records},
    {"own", write_own_form},
    {"seed", gate_write_compat},
    {NULL, NULL},
};
