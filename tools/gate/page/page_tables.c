/* Figures of a bench, targets, and on what and how it was measured. */
#include "page.h"

#include <math.h>
#include <string.h>

/* The first and the last column are texts, the others numbers. */
static void open_table(const page *self, const char *kind, const char *const *heads, size_t count)
{
  gate_add_markup(self->out, "<table class=\"%s\"><thead><tr>", kind);
  for (size_t i = 0; i < count; i++)
    gate_add_markup(self->out, i > 0 && i + 1 < count ? "<th class=\"num\">%s</th>" : "<th>%s</th>",
                    heads[i]);
  gate_text_add(self->out, "</tr></thead>\n<tbody>\n");
}

static void add_cell(const page *self, const char *label, const char *text)
{
  gate_add_markup(self->out, "<td class=\"num\" data-label=\"%s\">%s</td>", label, text);
}

/* ---- figures of a bench ---- */

static void add_judged(const page *self, const gate_row *row)
{
  gate_add_markup(self->out, "<tr><th scope=\"row\">%s</th>", row->key);
  for (int c = GATE_COLUMN_BASE; c < GATE_COLUMNS; c++)
    add_cell(self, gate_headings[c], gate_cell(row, (gate_column)c));
  gate_add_markup(self->out,
                  "<td data-label=\"verdict\"><span class=\"pill %s\">%s</span></td></tr>\n",
                  gate_verdicts[row->verdict].kind, gate_verdicts[row->verdict].name);
  /* Beneath, as wide as the table. */
  if (row->note)
    gate_add_markup(
        self->out,
        "<tr class=\"beneath\"><td colspan=\"8\"><span class=\"note\">%s</span></td></tr>\n",
        row->note);
}

static void add_told(const page *self, const char *name, const char *base, const char *now)
{
  gate_add_markup(self->out, "<tr class=\"told\"><th scope=\"row\">%s</th>", name);
  add_cell(self, "base", base);
  add_cell(self, "now", now);
  gate_text_add(self->out, "<td colspan=\"5\"></td></tr>\n");
}

static bool is_judged(const page_bench *bench, const char *key)
{
  for (size_t i = 0; i < bench->count; i++)
    if (strcmp(bench->rows[i]->key, key) == 0) return true;
  return false;
}

/* Samples of one process, or else rounds. */
static const gate_numbers *results_of(const gate_metric *metric)
{
  static const gate_numbers none;
  if (!metric) return &none;
  return metric->samples.count >= 3 ? &metric->samples : &metric->rounds;
}

static const char *outliers_text(const gate_metric *metric)
{
  const gate_numbers *results = results_of(metric);
  if (results->count < 4) return "-";
  const stats_fences fences =
      stats_tukey(stats_sorted(results->values, results->count), results->count);
  const stats_outliers found = stats_count_outliers(results->values, results->count, fences);
  return arena_format("%zu of %zu", found.sum, results->count);
}

static const char *size_text(const gate_metric *metric)
{
  if (!metric) return "-";
  return arena_format("%.0f / %zu", fmax(metric->sample_count, (double)metric->samples.count),
                      metric->rounds.count);
}

static double figure_of(const gate_metric *metric, int figure)
{
  const gate_numbers *results = results_of(metric);
  if (!metric) return NAN;
  if (figure == GATE_DEVIATION && isnan(metric->figures[figure]))
    return results->count < 2
               ? NAN
               : stats_standard_deviation(results->values, results->count,
                                          stats_mean(results->values, results->count));
  return metric->figures[figure];
}

/* What the rows that were judged do not say already. */
static void add_others(const page *self, const page_bench *bench)
{
  for (int f = 0; f < GATE_FIGURES; f++) {
    const double base = figure_of(bench->base, f), now = figure_of(bench->now, f);
    const char *name = gate_figure_names[f];
    if (f == GATE_P50 || f == GATE_VALUE || is_judged(bench, name)) continue;
    if (!isnan(base) || !isnan(now))
      add_told(self, name, gate_quantity(base, bench->unit), gate_quantity(now, bench->unit));
  }
  add_told(self, "outliers", outliers_text(bench->base), outliers_text(bench->now));
  add_told(self, "samples / rounds", size_text(bench->base), size_text(bench->now));
}

void page_figures(const page *self, const page_bench *bench)
{
  const char *heads[GATE_COLUMNS - 1];
  memcpy(heads, gate_headings + GATE_COLUMN_METRIC, sizeof heads - sizeof *heads);
  heads[GATE_COLUMN_LIMITS - GATE_COLUMN_METRIC + 1] = gate_headings[GATE_COLUMN_VERDICT];
  open_table(self, "figures", heads, GATE_COLUMN_LIMITS - GATE_COLUMN_METRIC + 2);
  for (size_t i = 0; i < bench->count; i++)
    if (bench->rows[i]->key[0] != '\0') add_judged(self, bench->rows[i]);
  add_others(self, bench);
  gate_text_add(self->out, "</tbody></table>\n");
}

/* ---- targets ---- */

static void add_target(const page *self, const gate_bench *bench, double now)
{
  const double acceptable = isnan(bench->acceptable) ? bench->target : bench->acceptable;
  const char *kind = "ok", *status = "met";
  if (now > bench->target) kind = "warn", status = "acceptable";
  if (now > acceptable) kind = "fail", status = "missed";
  gate_add_markup(self->out, "<tr><th scope=\"row\">%s</th>", bench->full_id);
  add_cell(self, "target", gate_quantity(bench->target, "ns"));
  add_cell(self, "acceptable", gate_quantity(acceptable, "ns"));
  add_cell(self, "now", gate_quantity(now, "ns"));
  gate_add_markup(self->out,
                  "<td data-label=\"status\"><span class=\"pill %s\">%s</span></td></tr>\n", kind,
                  status);
}

void page_targets(const page *self)
{
  static const char *const heads[] = {"bench", "target", "acceptable", "now", "status"};
  const gate_set *now = self->report->now;
  size_t count = 0;
  for (size_t i = 0; now && i < now->count; i++) {
    const gate_bench *bench = &now->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    if (isnan(bench->target) || !time || isnan(gate_metric_main(time))) continue;
    if (count++ == 0) {
      gate_text_add(self->out, "<section id=\"targets\">\n<h2>Targets</h2>\n");
      open_table(self, "figures targets", heads, sizeof heads / sizeof *heads);
    }
    add_target(self, bench, gate_metric_main(time));
  }
  if (count > 0) gate_text_add(self->out, "</tbody></table>\n</section>\n");
}

/* ---- environment ---- */

void page_fact(const page *self, const char *name, const char *value)
{
  const char *address = strcmp(name, "commit") == 0 ? page_commit_address(self, value) : NULL;
  if (!value) return;
  gate_add_markup(self->out, "<dt>%s</dt><dd>", name);
  if (address) gate_add_markup(self->out, "<a href=\"%s\">", address);
  gate_add_markup(self->out, "%s", value);
  gate_text_add(self->out, address ? "</a></dd>\n" : "</dd>\n");
}

static void add_facts(const page *self, const gate_pairs *pairs)
{
  for (size_t i = 0; i < pairs->count; i++)
    page_fact(self, pairs->items[i].key, pairs->items[i].value);
}

static void add_list(const page *self, const char *heading, const gate_pairs *pairs)
{
  if (pairs->count == 0) return;
  gate_add_markup(self->out, "<h3>%s</h3>\n<dl>\n", heading);
  add_facts(self, pairs);
  gate_text_add(self->out, "</dl>\n");
}

/* What is known of a side, besides its benches. */
static void add_side(const page *self, const char *heading, const gate_set *set)
{
  if (!set) return;
  gate_add_markup(self->out, "<h3>%s</h3>\n<dl>\n", heading);
  page_fact(self, "commit", set->commit);
  page_fact(self, "release", set->tag);
  page_fact(self, "measured", set->started);
  page_fact(self, "run", set->run_id);
  page_fact(self, "written because", set->reason);
  add_facts(self, &set->machine);
  add_facts(self, &set->build);
  gate_text_add(self->out, "</dl>\n");
}

void page_environment(const page *self)
{
  const gate_report *report = self->report;
  const char *difference = gate_report_difference(report);
  gate_text_add(self->out, "<section id=\"environment\">\n<h2>Environment</h2>\n");
  if (difference)
    gate_add_markup(self->out, "<p class=\"note\">Not comparable: %s</p>\n", difference);
  gate_text_add(self->out, "<div class=\"charts\">\n<div>\n");
  add_side(self, "Base", report->base);
  gate_text_add(self->out, "</div>\n<div>\n");
  add_side(self, "Now", report->now);
  gate_text_add(self->out, "</div>\n</div>\n");
  if (report->now) add_list(self, "Stale, not judged", &report->now->stale);
  add_list(self, "Notes", &report->notes);
  gate_text_add(self->out, "</section>\n");
}
