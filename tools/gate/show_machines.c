/* What other programs read: JUnit, OpenMetrics, JSON. */
#include "show.h"

#include "json.h"

#include <math.h>
#include <string.h>

void gate_add_escaped(gate_text *out, const char *text)
{
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '&': gate_text_add(out, "&amp;"); break;
      case '<': gate_text_add(out, "&lt;"); break;
      case '>': gate_text_add(out, "&gt;"); break;
      case '"': gate_text_add(out, "&quot;"); break;
      case '\'': gate_text_add(out, "&#39;"); break;
      default:
        if ((unsigned char)*text < 0x20 && !strchr("\t\n\r", *text))
          gate_text_add(out, "\xEF\xBF\xBD");
        else
          gate_text_add_bytes(out, text, 1);
    }
  }
}

static const char *row_sentence(gate_arena *arena, const gate_row *row)
{
  if (row->key[0] == '\0') return row->note ? row->note : "";
  return gate_format(arena, "%s: %s, now %s, worse by %s%s%s", row->key,
                     gate_quantity(arena, row->base, row->unit),
                     gate_quantity(arena, row->now, row->unit), gate_percent(arena, row->change),
                     row->note ? "; " : "", row->note ? row->note : "");
}

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
    gate_text_add(out, "    <testcase classname=\"");
    gate_add_escaped(out, row->full_id);
    gate_text_add(out, "\" name=\"");
    gate_add_escaped(out, row->key[0] == '\0' ? "presence" : row->key);
    gate_text_add(out, "\">");
    if (gate_is_bad(row->verdict)) {
      gate_text_printf(out, "<failure type=\"%s\" message=\"", gate_verdict_name(row->verdict));
      gate_add_escaped(out, row_sentence(out->arena, row));
      gate_text_add(out, "\"/>");
    } else if (row->verdict == GATE_SKIPPED || row->verdict == GATE_IGNORED) {
      gate_text_add(out, "<skipped message=\"");
      gate_add_escaped(out, row->note ? row->note : "");
      gate_text_add(out, "\"/>");
    } else {
      gate_text_printf(out, "<system-out>%s ", gate_verdict_name(row->verdict));
      gate_add_escaped(out, row_sentence(out->arena, row));
      gate_text_add(out, "</system-out>");
    }
    gate_text_add(out, "</testcase>\n");
  }
  gate_text_add(out, "  </testsuite>\n</testsuites>\n");
}

static void add_label(gate_text *out, const char *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\')
      gate_text_printf(out, "\\%c", *text);
    else if (*text == '\n')
      gate_text_add(out, "\\n");
    else
      gate_text_add_bytes(out, text, 1);
  }
}

static void add_point(gate_text *out, const char *family, const gate_row *row, double value)
{
  if (!isfinite(value)) return;
  gate_text_printf(out, "%s{bench=\"", family);
  add_label(out, row->id);
  gate_text_printf(out, "\",metric=\"");
  add_label(out, row->key);
  gate_text_printf(out, "\",unit=\"");
  add_label(out, row->unit);
  gate_text_add(out, "\"} ");
  gate_number_add(out, value);
  gate_text_add(out, "\n");
}

void gate_show_openmetrics(gate_text *out, const gate_report *report)
{
  gate_text_add(out, "# TYPE accel_bench gauge\n# HELP accel_bench what was measured now\n");
  for (size_t i = 0; i < report->count; i++)
    add_point(out, "accel_bench", &report->rows[i], report->rows[i].now);
  gate_text_add(out, "# TYPE accel_bench_change_ratio gauge\n"
                     "# HELP accel_bench_change_ratio how much worse than the baseline\n");
  for (size_t i = 0; i < report->count; i++)
    add_point(out, "accel_bench_change_ratio", &report->rows[i], report->rows[i].change);
  gate_text_add(out, "# EOF\n");
}

static void add_member(gate_text *out, const char *key, double value)
{
  gate_text_printf(out, ", \"%s\": ", key);
  gate_number_add(out, value);
}

static void add_numbers(gate_text *out, const char *key, const gate_metric *metric)
{
  if (!metric || metric->rounds.count == 0) return;
  gate_text_printf(out, ", \"%s\": [", key);
  for (size_t i = 0; i < metric->rounds.count; i++) {
    if (i > 0) gate_text_add(out, ", ");
    gate_number_add(out, metric->rounds.values[i]);
  }
  gate_text_add(out, "]");
}

static void add_text(gate_text *out, const char *key, const char *value)
{
  gate_text_printf(out, ", \"%s\": ", key);
  gate_json_add_text(out, value);
}

static void add_pairs(gate_text *out, const char *key, const gate_pairs *pairs)
{
  gate_text_printf(out, ",\n  \"%s\": {", key);
  for (size_t i = 0; i < pairs->count; i++) {
    gate_text_add(out, i > 0 ? ", " : "");
    gate_json_add_text(out, pairs->items[i].key);
    gate_text_add(out, ": ");
    gate_json_add_text(out, pairs->items[i].value);
  }
  gate_text_add(out, "}");
}

void gate_show_json(gate_text *out, const gate_report *report, bool has_problems)
{
  gate_text_printf(out, "{\n  \"accel_gate\": 1, \"command\": \"%s\", \"exit\": %d",
                   report->command, (int)gate_report_exit(report, has_problems));
  add_text(out, "sentence", gate_report_sentence(report, has_problems));
  add_text(out, "profile", report->limits->profile);
  add_text(out, "base", report->base_name ? report->base_name : "");
  add_text(out, "now", report->now_name ? report->now_name : "");
  if (report->now) add_pairs(out, "machine", &report->now->machine);
  add_pairs(out, "notes", &report->notes);
  gate_text_add(out, ",\n  \"rows\": [");
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    gate_text_add(out, i == 0 ? "\n    {\"id\": " : ",\n    {\"id\": ");
    gate_json_add_text(out, row->id);
    add_text(out, "full_id", row->full_id);
    add_text(out, "metric", row->key);
    add_text(out, "unit", row->unit);
    add_text(out, "better", row->better == GATE_LOWER ? "lower" : "higher");
    add_text(out, "verdict", gate_verdict_name(row->verdict));
    add_member(out, "base", row->base);
    add_member(out, "now", row->now);
    add_member(out, "worse", row->change);
    add_member(out, "low", row->bounds.low);
    add_member(out, "high", row->bounds.high);
    add_member(out, "noise", row->noise);
    add_member(out, "warn", row->warn);
    add_member(out, "fail", row->fail);
    add_numbers(out, "base_rounds", row->base_metric);
    add_numbers(out, "now_rounds", row->now_metric);
    if (row->note) add_text(out, "note", row->note);
    gate_text_add(out, "}");
  }
  gate_text_add(out, "\n  ]\n}\n");
}
