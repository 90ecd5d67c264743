/* The forms of other tools. */
#include "write.h"

#include "json.h"
#include "statistics.h"

#include <math.h>
#include <string.h>

static double spread(const gate_metric *metric)
{
  const gate_numbers *values = metric->samples.count > 1 ? &metric->samples : &metric->rounds;
  return gate_deviation(values->values, values->count);
}

static const char *number(gate_arena *arena, double value)
{
  gate_text text = {.arena = arena};
  gate_number_add(&text, value);
  return gate_text_c(&text);
}

/* ---- Google Benchmark ---- */

static void google_row(gate_text *text, const gate_bench *bench, size_t index, size_t round,
                       size_t rounds, double time_ns)
{
  const gate_metric *rate = gate_bench_find(bench, "throughput");
  gate_text_printf(text, "%s    {\"name\": ", index + round > 0 ? ",\n" : "");
  gate_json_add_text(text, bench->full_id);
  gate_text_printf(
      text, ", \"family_index\": %zu, \"per_family_instance_index\": 0, \"run_name\": ", index);
  gate_json_add_text(text, bench->full_id);
  const char *time = number(text->arena, time_ns);
  gate_text_printf(
      text,
      ", \"run_type\": \"iteration\", \"repetitions\": %zu, \"repetition_index\": %zu, "
      "\"threads\": 1, \"iterations\": 1, \"real_time\": %s, \"cpu_time\": %s, "
      "\"time_unit\": \"ns\"",
      rounds, round, time, time);
  if (rate)
    gate_text_printf(text, ", \"%s\": %s",
                     strcmp(rate->unit, "B/s") == 0 ? "bytes_per_second" : "items_per_second",
                     number(text->arena, gate_metric_main(rate)));
  gate_text_add(text, "}");
}

static bool write_google(gate_text *text, const gate_set *set)
{
  const char *cores = gate_pairs_get(&set->machine, "cores");
  size_t index = 0;
  gate_text_add(text, "{\n  \"context\": {\n    \"date\": ");
  gate_json_add_text(text, set->started ? set->started : "");
  gate_text_add(text, ",\n    \"host_name\": \"\",\n    \"executable\": ");
  gate_json_add_text(text, set->path ? set->path : "");
  gate_text_printf(text,
                   ",\n    \"num_cpus\": %s,\n    \"mhz_per_cpu\": 0,\n    \"caches\": [],\n    "
                   "\"load_avg\": [],\n    \"library_build_type\": \"release\",\n    "
                   "\"json_schema_version\": 1\n  },\n  \"benchmarks\": [\n",
                   cores && strspn(cores, "0123456789") == strlen(cores) && *cores ? cores : "1");
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    if (!time) continue;
    const size_t rounds = time->rounds.count;
    for (size_t round = 0; round < rounds; round++)
      google_row(text, &set->benches[i], index, round, rounds, time->rounds.values[round]);
    if (rounds == 0) google_row(text, &set->benches[i], index, 0, 1, gate_metric_main(time));
    index++;
  }
  gate_text_add(text, "\n  ]\n}\n");
  return index > 0;
}

/* ---- github-action-benchmark ---- */

static bool write_action(gate_text *text, const gate_set *set, gate_better better)
{
  size_t count = 0;
  gate_text_add(text, "[");
  for (size_t i = 0; i < set->count; i++) {
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      const gate_metric *metric = &set->benches[i].metrics[m];
      if (metric->better != better || isnan(gate_metric_main(metric))) continue;
      const bool is_time = strcmp(metric->name, "time") == 0;
      gate_text_add(text, count++ > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ");
      gate_json_add_text(
          text, is_time ? set->benches[i].full_id
                        : gate_format(text->arena, "%s %s", set->benches[i].full_id, metric->name));
      gate_text_add(text, ", \"unit\": ");
      gate_json_add_text(text, metric->unit);
      gate_text_printf(text, ", \"value\": %s", number(text->arena, gate_metric_main(metric)));
      if (isfinite(spread(metric)))
        gate_text_printf(text, ", \"range\": \"\xC2\xB1 %s\"", number(text->arena, spread(metric)));
      gate_text_add(text, "}");
    }
  }
  gate_text_add(text, "\n]\n");
  return count > 0;
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

static bool write_bmf(gate_text *text, const gate_set *set)
{
  size_t count = 0;
  gate_text_add(text, "{");
  for (size_t i = 0; i < set->count; i++) {
    gate_text_add(text, count++ > 0 ? ",\n  " : "\n  ");
    gate_json_add_text(text, set->benches[i].full_id);
    gate_text_add(text, ": {");
    bool is_first = true;
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      const gate_metric *metric = &set->benches[i].metrics[m];
      const bool is_time = strcmp(metric->name, "time") == 0;
      const double value = gate_metric_main(metric);
      if (isnan(value)) continue;
      gate_text_add(text, is_first ? "" : ", ");
      is_first = false;
      gate_json_add_text(text, is_time ? "latency" : metric->name);
      gate_text_printf(text, ": {\"value\": %s", number(text->arena, value));
      if (metric->figures[GATE_LOW] <= value && metric->figures[GATE_HIGH] >= value)
        gate_text_printf(text, ", \"lower_value\": %s, \"upper_value\": %s",
                         number(text->arena, metric->figures[GATE_LOW]),
                         number(text->arena, metric->figures[GATE_HIGH]));
      gate_text_add(text, "}");
    }
    gate_text_add(text, "}");
  }
  gate_text_add(text, "\n}\n");
  return count > 0;
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
    double value =
        round < metric->rounds.count ? metric->rounds.values[round] : gate_metric_main(metric);
    if (isnan(value) || strchr(unit, ' ')) continue;
    if (strcmp(unit, "ns") == 0) unit = "ns/op";
    if (strcmp(unit, "1/op") == 0) unit = gate_format(text->arena, "%s/op", metric->name);
    if (strcmp(unit, "B/s") == 0) {
      unit = "MB/s";
      value /= 1e6;
    }
    gate_text_printf(text, "\t%s %s", gate_number_plain(text->arena, value), unit);
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

/* ---- bencher text ---- */

static const char *with_commas(gate_arena *arena, double value)
{
  const char *digits = gate_format(arena, "%.0f", value);
  gate_text out = {.arena = arena};
  const size_t length = strlen(digits);
  for (size_t i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) gate_text_add(&out, ",");
    gate_text_add_bytes(&out, digits + i, 1);
  }
  return gate_text_c(&out);
}

static bool write_bencher(gate_text *text, const gate_set *set)
{
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    if (!time) continue;
    const double deviation = isfinite(spread(time)) ? spread(time) : 0;
    gate_text_printf(text, "test %s ... bench: %11s ns/iter (+/- %s)\n", set->benches[i].full_id,
                     with_commas(text->arena, gate_metric_main(time)),
                     with_commas(text->arena, deviation));
    count++;
  }
  return count > 0;
}

/* ---- records ---- */

static bool write_record(gate_text *text, const gate_set *set)
{
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    const gate_metric *rate = gate_bench_find(bench, "throughput");
    const bool is_rate = rate && gate_has(rate, GATE_P95) && strcmp(rate->unit, "B/s") == 0;
    const gate_metric *metric = is_rate ? rate : time;
    if (!metric || !gate_has(metric, GATE_P95)) continue;
    const double p95 = metric->figures[GATE_P95];
    const double p50 = gate_has(metric, GATE_P50) ? metric->figures[GATE_P50] : p95;
    const char *when = bench->timestamp ? bench->timestamp : set->started;
    gate_text_add(text, "{\"bench_id\": ");
    gate_json_add_text(text, bench->id);
    gate_text_printf(
        text, ", \"metric\": \"%s\", \"unit\": \"%s\", \"p50\": %.15g, \"p95\": %.15g, ",
        is_rate ? "throughput_mbs" : "duration_ms", is_rate ? "MB/s" : "ms", p50 / 1e6, p95 / 1e6);
    gate_text_printf(text, "\"n\": %.0f, \"timestamp\": ", fmax(metric->sample_count, 1));
    gate_json_add_text(text, when ? when : "1970-01-01T00:00:00Z");
    gate_text_add(text, "}\n");
    count++;
  }
  return count > 0;
}

static bool write_own_form(gate_text *text, const gate_set *set)
{
  gate_write_own(text, set);
  return true;
}

static bool write_seed_form(gate_text *text, const gate_set *set)
{
  gate_write_seed(text, set);
  return true;
}

const gate_writer gate_writers[] = {
    {"google", write_google, "Google Benchmark's JSON"},
    {"gab-smaller", write_action_smaller, "github-action-benchmark, what is better small"},
    {"gab-bigger", write_action_bigger, "github-action-benchmark, what is better big"},
    {"bmf", write_bmf, "Bencher's metric format"},
    {"go", write_go, "Go's benchmark text, for benchstat"},
    {"bencher", write_bencher, "the text of Rust's libtest"},
    {"004", write_record, "a bench_id record a line"},
    {"own", write_own_form, "our own form, schema 2"},
    {"seed", write_seed_form, "the founding baseline"},
    {NULL, NULL, NULL},
};
