/* What other programs read: JUnit, JSON. */
#include "command.h"

#include "forms/forms.h"

#include <math.h>
#include <string.h>

void gate_show_junit(gate_text *out, const gate_report *report)
{
  size_t failures = 0;
  for (int v = 0; v < GATE_VERDICTS; v++)
    if (gate_is_bad((gate_verdict)v)) failures += report->counts[v];
  const size_t skipped = report->counts[GATE_SKIPPED] + report->counts[GATE_IGNORED];
  gate_text_printf(out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<testsuites>\n  <testsuite name=\"accel-gate %s\" tests=\"%zu\" "
                   "failures=\"%zu\" skipped=\"%zu\">\n",
                   report->command, report->count, failures, skipped);
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    const char *sentence = gate_row_sentence(row);
    const char *name = gate_verdicts[row->verdict].name;
    gate_add_markup(out, "    <testcase classname=\"%s\" name=\"%s\">", row->full_id,
                    row->key[0] == '\0' ? "presence" : row->key);
    if (gate_is_bad(row->verdict))
      gate_add_markup(out, "<failure type=\"%s\" message=\"%s\"/>", name, sentence);
    else if (row->verdict == GATE_SKIPPED || row->verdict == GATE_IGNORED)
      gate_add_markup(out, "<skipped message=\"%s\"/>", row->note ? row->note : "");
    else
      gate_add_markup(out, "<system-out>%s %s</system-out>", name, sentence);
    gate_text_add(out, "</testcase>\n");
  }
  gate_text_add(out, "  </testsuite>\n</testsuites>\n");
}

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
