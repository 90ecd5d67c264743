/* The report as JSON, for other programs. */
#include "command.h"

#include "forms/forms.h"

static json_t *rounds_of(const gate_metric *metric)
{
  const bool has_rounds = metric && metric->rounds.count > 0;
  return has_rounds ? json_figures(metric->rounds.values, metric->rounds.count) : NULL;
}

static json_t *row_json(const gate_row *row)
{
  return json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o*, s:o*, s:s*}",
      "id", row->id, "full_id", row->full_id, "metric", row->key, "unit", row->unit, "better",
      row->better == GATE_LOWER ? "lower" : "higher", "verdict", gate_verdicts[row->verdict].name,
      "base", json_figure(row->base), "now", json_figure(row->now), "worse",
      json_figure(row->worse_by), "low", json_figure(row->bounds.low), "high",
      json_figure(row->bounds.high), "noise", json_figure(row->noise), "warn",
      json_figure(row->warn), "fail", json_figure(row->fail), "base_rounds",
      rounds_of(row->base_metric), "now_rounds", rounds_of(row->now_metric), "note", row->note);
}

void gate_show_json(gate_text *out, const gate_report *report, bool has_problems)
{
  json_t *rows = json_array();
  for (size_t i = 0; i < report->count; i++)
    json_array_append_new(rows, row_json(&report->rows[i]));
  gate_add_json(
      out,
      json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o*, s:o, s:o}", "accel_gate", 1,
                "command", report->command, "exit", (int)gate_report_exit(report, has_problems),
                "word", gate_report_word(report, has_problems), "sentence",
                gate_report_sentence(report, has_problems), "profile", report->limits->profile,
                "base", report->base_name ? report->base_name : "", "now",
                report->now_name ? report->now_name : "", "machine",
                report->now ? gate_pairs_json(&report->now->machine) : NULL, "notes",
                gate_pairs_json(&report->notes), "rows", rows),
      true);
}
