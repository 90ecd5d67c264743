/* Markdown for files, step summaries and comments; annotations of GitHub. */
#include "command.h"

#include <string.h>

/* A cell: no letter of it may end the cell or start markup. */
static void add_cell(gate_text *out, const char *text)
{
  for (; *text != '\0'; text++) {
    if (strchr("|`*_<>\\[]", *text)) gate_text_add(out, *text == '<' ? "&lt;" : "\\");
    if (*text != '<') gate_text_add_bytes(out, text, 1);
  }
}

static void add_row(gate_text *out, const gate_row *row)
{
  static const gate_column columns[] = {GATE_COLUMN_BENCH, GATE_COLUMN_METRIC, GATE_COLUMN_BASE,
                                        GATE_COLUMN_NOW, GATE_COLUMN_CHANGE};
  for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
    const char *cell = gate_cell(row, columns[c]);
    const bool is_gone = columns[c] == GATE_COLUMN_NOW && row->verdict == GATE_MISSING;
    gate_text_add(out, c == 0 ? "| " : " | ");
    add_cell(out, is_gone ? "Not found" : *cell != '\0' ? cell : "-");
  }
  const char *interval = gate_cell(row, GATE_COLUMN_INTERVAL);
  gate_text_printf(out, "%s%s | %s", *interval == '\0' ? "" : " ", interval,
                   gate_verdicts[row->verdict].icon);
  if (row->note) gate_text_add(out, ": ");
  add_cell(out, row->note ? row->note : "");
  gate_text_add(out, " |\n");
}

static const char *const table_head =
    "| Benchmark | Metric | Baseline | Current | Change | Status |\n"
    "|-----------|--------|----------|---------|--------|--------|\n";

static bool is_folded(const gate_row *row)
{
  return row->verdict == GATE_OK || row->verdict == GATE_REPORTED;
}

void gate_show_markdown(gate_text *out, const gate_report *report, bool has_problems)
{
  size_t folded = 0;
  gate_text_add(out, "<!-- accel-gate -->\n### Benchmarks\n\n");
  gate_text_printf(out, "%s.\n\n", gate_report_sentence(report, has_problems));
  for (size_t i = 0; i < report->count; i++) folded += is_folded(&report->rows[i]);
  if (folded < report->count) gate_text_add(out, table_head);
  for (size_t i = 0; i < report->count; i++)
    if (!is_folded(&report->rows[i])) add_row(out, &report->rows[i]);
  if (folded > 0) {
    gate_text_printf(out, "\n<details><summary>%s OK or only reported</summary>\n\n%s",
                     gate_some(folded, "figure is", "figures are"), table_head);
    for (size_t i = 0; i < report->count; i++)
      if (is_folded(&report->rows[i])) add_row(out, &report->rows[i]);
    gate_text_add(out, "\n</details>\n");
  }
  gate_text_printf(out, "\nProfile %s; baseline %s, current %s.\n", report->limits->profile,
                   report->base_name ? report->base_name : "-",
                   report->now_name ? report->now_name : "-");
}

/* ---- annotations ---- */

/* GitHub's escapes: of data, and two more letters in properties. */
static void add_command_text(gate_text *out, const char *text, bool is_property)
{
  for (; *text != '\0'; text++) {
    const bool is_special = *text == '%' || *text == '\r' || *text == '\n' ||
                            (is_property && (*text == ':' || *text == ','));
    if (is_special)
      gate_text_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    else
      gate_text_add_bytes(out, text, 1);
  }
}

static void add_annotation(gate_text *out, const gate_row *row, const char *kind)
{
  gate_text_printf(out, "::%s title=", kind);
  add_command_text(out, arena_format("%s %s", gate_verdicts[row->verdict].name, row->full_id),
                   true);
  gate_text_add(out, "::");
  add_command_text(out, arena_format("[%s] %s", row->full_id, gate_row_sentence(row)), false);
  gate_text_add(out, "\n");
}

static void add_annotations(gate_text *out, const gate_report *report, bool are_errors)
{
  enum { SHOWN_MAX = 9 }; /* GitHub shows 10 a step, and one is needed to tell of the rest */
  const char *kind = are_errors ? "error" : "warning";
  size_t count = 0;
  for (size_t i = 0; i < report->count; i++) {
    const gate_verdict verdict = report->rows[i].verdict;
    const bool is_error = gate_is_bad(verdict);
    const bool is_warning = verdict == GATE_WARN || verdict == GATE_NOT_PROVEN;
    if (are_errors ? !is_error : !is_warning) continue;
    if (++count <= SHOWN_MAX) add_annotation(out, &report->rows[i], kind);
  }
  if (count > SHOWN_MAX)
    gate_text_printf(out, "::%s title=more::%zu more, see the table\n", kind, count - SHOWN_MAX);
}

void gate_show_annotations(gate_text *out, const gate_report *report)
{
  add_annotations(out, report, true);
  add_annotations(out, report, false);
}
