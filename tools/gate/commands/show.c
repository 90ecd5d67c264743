/* A report as a table for a terminal, as Markdown, and as JSON; and where all of it goes. */
#include "command.h"

#include "page/page.h"

#include <stdio.h>
#include <string.h>

/* ---- a terminal ---- */

enum { COLUMNS = GATE_COLUMN_NOISE + 1 };

static void add_padded(gate_text *out, const char *text, size_t width, bool is_right)
{
  const size_t letters = gate_letters(text);
  const int gap = letters < width ? (int)(width - letters) : 0;
  if (is_right)
    gate_text_printf(out, "%*s%s", gap, "", text);
  else
    gate_text_printf(out, "%s%*s", text, gap, "");
}

static void add_line(gate_text *out, const char *const *cells, const size_t *widths)
{
  gate_text plain = {0};
  for (size_t c = 0; c < COLUMNS; c++) {
    if (widths[c] == 0) continue;
    if (plain.length > 0) gate_text_add(&plain, "  ");
    add_padded(&plain, cells[c], widths[c], c >= GATE_COLUMN_BASE);
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
  const char *(*lines)[COLUMNS] = arena_take(report->count + 1, sizeof *lines);
  memcpy(lines[0], gate_headings, sizeof lines[0]);
  for (size_t i = 0; i < report->count; i++)
    for (int c = 0; c < COLUMNS; c++) {
      const char *cell = gate_cell(&report->rows[i], (gate_column)c);
      lines[i + 1][c] = cell;
      if (gate_letters(cell) > widths[c]) widths[c] = gate_letters(cell);
    }
  for (size_t c = 0; c < COLUMNS; c++)
    if (widths[c] > 0 && strlen(gate_headings[c]) > widths[c]) widths[c] = strlen(gate_headings[c]);
  for (size_t i = 0; i <= report->count && report->count > 0; i++) add_line(out, lines[i], widths);
  add_notes(out, report);
  add_footer(out, report);
}

/* ---- Markdown ---- */

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

/* Rows that are OK are folded away. The first line is <!-- accel-gate -->, by which a comment can
 * be found and replaced. */
static void show_markdown(gate_text *out, const gate_report *report, bool has_problems)
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

/* ---- JSON ---- */

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

static void show_json(gate_text *out, const gate_report *report, bool has_problems)
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

/* ---- where it goes ---- */

void gate_print_problems(const gate_problems *problems)
{
  for (size_t i = 0; i < problems->count; i++) fprintf(stderr, "error: %s\n", problems->texts[i]);
}

/* Reports a history that cannot be read, and writes the page without it. On a fresh clone there is
 * none yet. */
static void write_page(const gate_report *report, const gate_choices *choices,
                       gate_problems *problems, gate_problems *unwritten)
{
  gate_text text = {0};
  gate_history history = {0};
  if (choices->history && gate_exists(choices->history))
    history = gate_history_read(choices->history, problems);
  else if (choices->history)
    printf("no history yet: %s\n", choices->history);
  gate_show_page(&text, report, &history, problems->count > 0);
  (void)gate_file_write(choices->html, &text, unwritten);
}

static void write_files(const gate_report *report, const gate_choices *choices,
                        gate_problems *problems, gate_problems *unwritten)
{
  const bool has_problems = problems->count > 0;
  gate_text markdown = {0}, json = {0};
  if (choices->html) write_page(report, choices, problems, unwritten);
  show_markdown(&markdown, report, has_problems);
  show_json(&json, report, has_problems);
  if (choices->markdown) (void)gate_file_write(choices->markdown, &markdown, unwritten);
  if (choices->json) (void)gate_file_write(choices->json, &json, unwritten);
}

gate_exit gate_report_finish(gate_report *report, const gate_choices *choices,
                             gate_problems *problems)
{
  gate_text out = {0};
  gate_note_unused(report);
  gate_report_sort(report);
  gate_show_table(&out, report);
  fputs(gate_text_c(&out), stdout);
  fflush(stdout);
  gate_problems unwritten = {0};
  write_files(report, choices, problems, &unwritten);
  gate_print_problems(problems);
  gate_print_problems(&unwritten);
  const bool has_problems = problems->count + unwritten.count > 0;
  const gate_exit code = gate_report_exit(report, has_problems);
  printf("%s: %s\n", gate_report_word(report, has_problems),
         unwritten.count > 0 ? "a report could not be written"
                             : gate_report_sentence(report, has_problems));
  return code;
}
