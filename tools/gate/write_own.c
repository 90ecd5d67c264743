#include "write.h"

#include "json.h"

#include <math.h>
#include <string.h>

void gate_write_seed(gate_text *text, const gate_set *set)
{
  gate_text_add(text, "{\n  \"version\": 1,\n  \"benchmarks\": {");
  for (size_t i = 0; i < set->count; i++) {
    const gate_metric *time = gate_bench_find(&set->benches[i], "time");
    gate_text_add(text, i == 0 ? "\n    " : ",\n    ");
    gate_json_add_text(text, set->benches[i].id);
    gate_text_add(text, ": {\n      \"mean_ns\": ");
    gate_number_add(text, time ? time->figures[GATE_MEAN] : NAN);
    gate_text_add(text, ",\n      \"median_ns\": ");
    gate_number_add(text, time ? time->figures[GATE_MEDIAN] : NAN);
    gate_text_add(text, "\n    }");
  }
  gate_text_add(text, set->count > 0 ? "\n  }\n}\n" : "}\n}\n");
}

/* A document being written: with line ends and blanks for people, or without for a line. */
typedef struct own_writer {
  gate_text *text;
  bool is_line;
  size_t depth;
  bool is_first; /* nothing written yet at this depth */
} own_writer;

static void new_line(own_writer *writer)
{
  if (writer->is_line) return;
  gate_text_add(writer->text, "\n");
  for (size_t i = 0; i < writer->depth; i++) gate_text_add(writer->text, "  ");
}

static void key(own_writer *writer, const char *name)
{
  if (!writer->is_first) gate_text_add(writer->text, ",");
  writer->is_first = false;
  new_line(writer);
  gate_json_add_text(writer->text, name);
  gate_text_add(writer->text, writer->is_line ? ":" : ": ");
}

static void open_object(own_writer *writer)
{
  gate_text_add(writer->text, "{");
  writer->depth++;
  writer->is_first = true;
}

static void close_object(own_writer *writer)
{
  writer->depth--;
  if (!writer->is_first) new_line(writer);
  gate_text_add(writer->text, "}");
  writer->is_first = false;
}

static void text_member(own_writer *writer, const char *name, const char *value)
{
  if (!value) return;
  key(writer, name);
  gate_json_add_text(writer->text, value);
}

static void number_member(own_writer *writer, const char *name, double value)
{
  if (!isfinite(value)) return;
  key(writer, name);
  gate_number_add(writer->text, value);
}

static void numbers_member(own_writer *writer, const char *name, const gate_numbers *numbers)
{
  if (numbers->count == 0) return;
  key(writer, name);
  gate_text_add(writer->text, "[");
  for (size_t i = 0; i < numbers->count; i++) {
    if (i > 0) gate_text_add(writer->text, writer->is_line ? "," : ", ");
    gate_number_add(writer->text, numbers->values[i]);
  }
  gate_text_add(writer->text, "]");
}

static void pairs_member(own_writer *writer, const char *name, const gate_pairs *pairs)
{
  if (pairs->count == 0) return;
  key(writer, name);
  open_object(writer);
  for (size_t i = 0; i < pairs->count; i++)
    text_member(writer, pairs->items[i].key, pairs->items[i].value);
  close_object(writer);
}

static void write_metric(own_writer *writer, const gate_metric *metric)
{
  key(writer, metric->name);
  open_object(writer);
  text_member(writer, "unit", metric->unit);
  text_member(writer, "better", metric->better == GATE_LOWER ? "lower" : "higher");
  if (metric->is_exact) {
    key(writer, "exact");
    gate_text_add(writer->text, "true");
  }
  for (int i = 0; i < GATE_FIGURES; i++)
    number_member(writer, gate_figure_name((gate_figure)i), metric->figures[i]);
  if (metric->sample_count > 0) number_member(writer, "n", metric->sample_count);
  if (metric->has_operation_percentiles) text_member(writer, "percentiles", "op");
  numbers_member(writer, "rounds", &metric->rounds);
  numbers_member(writer, "mean_rounds", &metric->mean_rounds);
  numbers_member(writer, "p95_rounds", &metric->p95_rounds);
  if (!writer->is_line) numbers_member(writer, "samples", &metric->samples);
  if (!writer->is_line) numbers_member(writer, "iterations", &metric->iterations);
  close_object(writer);
}

static void write_bench(own_writer *writer, const gate_bench *bench)
{
  const gate_metric *time = gate_bench_find(bench, "time");
  key(writer, bench->id);
  open_object(writer);
  if (time) number_member(writer, "mean_ns", time->figures[GATE_MEAN]);
  if (time) number_member(writer, "median_ns", time->figures[GATE_MEDIAN]);
  text_member(writer, "full_id", bench->full_id);
  text_member(writer, "bench_hash", bench->definition_hash);
  if (bench->params) {
    key(writer, "params");
    gate_text_add(writer->text, bench->params);
  }
  if (isfinite(bench->target)) {
    key(writer, "targets");
    open_object(writer);
    key(writer, "time");
    open_object(writer);
    number_member(writer, "target", bench->target);
    number_member(writer, "acceptable", bench->acceptable);
    close_object(writer);
    close_object(writer);
  }
  key(writer, "metrics");
  open_object(writer);
  for (size_t i = 0; i < bench->metric_count; i++) write_metric(writer, &bench->metrics[i]);
  close_object(writer);
  close_object(writer);
}

static void write_set(own_writer *writer, const gate_set *set)
{
  open_object(writer);
  key(writer, "version");
  gate_text_add(writer->text, "1");
  key(writer, "schema");
  gate_text_add(writer->text, "2");
  text_member(writer, "run_id", set->run_id);
  text_member(writer, "started", set->started);
  text_member(writer, "commit", set->commit);
  text_member(writer, "tag", set->tag);
  text_member(writer, "reason", set->reason);
  pairs_member(writer, "machine", &set->machine);
  pairs_member(writer, "build", &set->build);
  pairs_member(writer, "skipped", &set->skipped);
  pairs_member(writer, "failed", &set->failed);
  key(writer, "benchmarks");
  open_object(writer);
  for (size_t i = 0; i < set->count; i++) write_bench(writer, &set->benches[i]);
  close_object(writer);
  close_object(writer);
  gate_text_add(writer->text, "\n");
}

void gate_write_own(gate_text *text, const gate_set *set)
{
  own_writer writer = {.text = text};
  write_set(&writer, set);
}

void gate_write_line(gate_text *text, const gate_set *set)
{
  own_writer writer = {.text = text, .is_line = true};
  write_set(&writer, set);
}
