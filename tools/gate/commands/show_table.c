/* The table of a terminal. */
#include "command.h"

#include <string.h>

enum { COLUMNS = GATE_COLUMN_NOISE + 1 };

typedef struct table_line {
  const char *cells[COLUMNS];
} table_line;

static void add_padded(gate_text *out, const char *text, size_t width, bool is_right)
{
  const size_t letters = gate_letters(text);
  const int gap = letters < width ? (int)(width - letters) : 0;
  if (is_right)
    gate_text_printf(out, "%*s%s", gap, "", text);
  else
    gate_text_printf(out, "%s%*s", text, gap, "");
}

static void add_line(gate_text *out, const table_line *line, const size_t *widths)
{
  gate_text plain = {0};
  for (size_t c = 0; c < COLUMNS; c++) {
    if (widths[c] == 0) continue;
    if (plain.length > 0) gate_text_add(&plain, "  ");
    add_padded(&plain, line->cells[c], widths[c], c >= GATE_COLUMN_BASE);
  }
  size_t end = plain.length;
  while (end > 0 && plain.bytes[end - 1] == ' ') end--;
  gate_text_add_bytes(out, gate_text_c(&plain), end);
  gate_text_add(out, "\n");
}

static void add_notes(gate_text *out, const gate_report *report)
{
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    if (!row->note || row->verdict == GATE_NOT_COMPARABLE || row->verdict == GATE_REPORTED)
      continue;
    gate_text_printf(out, "  %s%s%s: %s\n", row->full_id, row->key[0] == '\0' ? "" : " ", row->key,
                     row->note);
  }
  if (report->now)
    for (size_t i = 0; i < report->now->stale.count; i++)
      gate_text_printf(out, "  %s: stale, %s\n", report->now->stale.items[i].key,
                       report->now->stale.items[i].value);
  for (size_t i = 0; i < report->notes.count; i++)
    gate_text_printf(out, "%s: %s\n", report->notes.items[i].key, report->notes.items[i].value);
}

static void add_footer(gate_text *out, const gate_report *report)
{
  if (report->is_paired)
    gate_text_add(out, "change: the median of the ratios of rounds that were run in turns, which "
                       "need not be now / base\n");
  const char *cpu = report->now ? gate_pairs_get(&report->now->machine, "cpu") : NULL;
  const char *cores = report->now ? gate_pairs_get(&report->now->machine, "cores") : NULL;
  if (cpu) gate_text_printf(out, "machine: %s, %s cores\n", cpu, cores ? cores : "?");
}

void gate_show_table(gate_text *out, const gate_report *report)
{
  size_t widths[COLUMNS] = {0};
  table_line *lines = arena_take(report->count + 1, sizeof *lines);
  memcpy(lines->cells, gate_headings, sizeof lines->cells);
  for (size_t i = 0; i < report->count; i++)
    for (int c = 0; c < COLUMNS; c++) {
      const char *cell = gate_cell(&report->rows[i], (gate_column)c);
      lines[i + 1].cells[c] = cell;
      if (gate_letters(cell) > widths[c]) widths[c] = gate_letters(cell);
    }
  for (size_t c = 0; c < COLUMNS; c++)
    if (widths[c] > 0 && strlen(gate_headings[c]) > widths[c]) widths[c] = strlen(gate_headings[c]);
  for (size_t i = 0; i <= report->count && report->count > 0; i++) add_line(out, &lines[i], widths);
  add_notes(out, report);
  add_footer(out, report);
}
