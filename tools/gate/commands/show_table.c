/* The table of a terminal. */
#include "command.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = GATE_COLUMN_NOISE + 1 };

typedef struct table_line {
  const char *cells[COLUMNS];
  gate_verdict verdict;
} table_line;

static const char *color_of(gate_verdict verdict)
{
  static const char *const colors[][2] = {{"fail", "\x1B[31m"},
                                          {"warn", "\x1B[33m"},
                                          {"unclear", "\x1B[35m"},
                                          {"improved", "\x1B[32m"}};
  for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
    if (strcmp(gate_verdicts[verdict].kind, colors[i][0]) == 0) return colors[i][1];
  return "";
}

static void add_padded(gate_text *out, const char *text, size_t width, bool is_right)
{
  const size_t letters = gate_letters(text);
  const int gap = letters < width ? (int)(width - letters) : 0;
  if (is_right)
    gate_text_printf(out, "%*s%s", gap, "", text);
  else
    gate_text_printf(out, "%s%*s", text, gap, "");
}

static void add_line(gate_text *out, const table_line *line, const size_t *widths, gate_style style)
{
  gate_text plain = {0};
  for (size_t c = 0; c < COLUMNS; c++) {
    if (widths[c] == 0) continue;
    if (plain.length > 0) gate_text_add(&plain, "  ");
    add_padded(&plain, line->cells[c], widths[c], c >= GATE_COLUMN_BASE);
  }
  size_t end = plain.length;
  while (end > 0 && plain.bytes[end - 1] == ' ') end--;
  const char *color = style.has_color ? color_of(line->verdict) : "";
  gate_text_add(out, color);
  gate_text_add_bytes(out, gate_text_c(&plain), end);
  gate_text_add(out, *color == '\0' ? "\n" : "\x1B[0m\n");
}

static bool is_shown(const gate_row *row, gate_style style)
{
  const bool is_plain = row->verdict == GATE_OK || row->verdict == GATE_REPORTED;
  return !(style.is_quiet && is_plain);
}

static void add_notes(gate_text *out, const gate_report *report, gate_style style)
{
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    const bool is_told = row->verdict != GATE_NOT_COMPARABLE && row->verdict != GATE_REPORTED;
    if (!row->note || !is_told || !is_shown(row, style)) continue;
    gate_text_printf(out, "  %s%s%s: %s\n", row->full_id, row->key[0] == '\0' ? "" : " ", row->key,
                     row->note);
  }
  if (!style.is_quiet && report->now)
    for (size_t i = 0; i < report->now->stale.count; i++)
      gate_text_printf(out, "  %s: stale, %s\n", report->now->stale.items[i].key,
                       report->now->stale.items[i].value);
  for (size_t i = 0; i < report->notes.count; i++)
    gate_text_printf(out, "%s: %s\n", report->notes.items[i].key, report->notes.items[i].value);
}

static void add_footer(gate_text *out, const gate_report *report, gate_style style)
{
  if (report->is_paired)
    gate_text_add(out, "change: the median of the ratios of rounds that were run in turns, which "
                       "need not be now / base\n");
  const double geomean = gate_report_geomean(report);
  if (!isnan(geomean))
    gate_text_printf(out, "geometric mean of times: %s\n", gate_percent(geomean));
  if (style.is_quiet || !report->now) return;
  const gate_pairs *machine = &report->now->machine;
  const char *cpu = gate_pairs_get(machine, "cpu");
  const char *cores = gate_pairs_get(machine, "cores");
  if (cpu) gate_text_printf(out, "machine: %s, %s cores\n", cpu, cores ? cores : "?");
}

void gate_show_table(gate_text *out, const gate_report *report, gate_style style)
{
  size_t widths[COLUMNS] = {0}, count = 1; /* the first line is of headings */
  table_line *lines = arena_take(report->count + 1, sizeof *lines);
  memcpy(lines->cells, gate_headings, sizeof lines->cells);
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    if (!is_shown(row, style)) continue;
    lines[count].verdict = row->verdict;
    for (int c = 0; c < COLUMNS; c++) {
      lines[count].cells[c] = gate_cell(row, (gate_column)c);
      const size_t letters = gate_letters(lines[count].cells[c]);
      if (letters > widths[c]) widths[c] = letters;
    }
    count++;
  }
  for (size_t c = 0; c < COLUMNS; c++)
    if (widths[c] > 0 && strlen(gate_headings[c]) > widths[c]) widths[c] = strlen(gate_headings[c]);
  for (size_t i = 0; i < count && count > 1; i++) add_line(out, &lines[i], widths, style);
  add_notes(out, report, style);
  add_footer(out, report, style);
}
