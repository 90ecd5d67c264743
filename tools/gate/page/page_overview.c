/* The overview: a line for each bench, with its change and interval, all on one axis. */
#include "page.h"

#include <math.h>

enum { LINE_HEIGHT = 26, AXIS_HEIGHT = 34 };

static const char legend[] = "</tbody>\n</table>\n<p class=\"muted small\">A dot is the change, "
                             "with its interval; hollow: no "
                             "interval, of too few rounds; ringed: counted, exact. Within the grey "
                             "band is noise; the dashed "
                             "lines are where it warns and fails.</p>\n";

/* Wide enough for every limit and most changes; what is further out is drawn at the edge. */
static double reach_of(const page *self)
{
  double reach = 0.05;
  for (size_t i = 0; i < self->count; i++) {
    const gate_row *row = self->benches[i].main;
    const double ends[] = {row->worse_by, row->bounds.low, row->bounds.high, row->warn, row->fail};
    for (size_t j = 0; j < sizeof ends / sizeof *ends; j++)
      if (isfinite(ends[j])) reach = fmax(reach, fabs(ends[j]) * 1.1);
  }
  return fmin(reach, 0.6);
}

static svg_plot plot_of(const page *self, double reach, const char *kind, double height)
{
  return (svg_plot){
      .out = self->out, .kind = kind, .height = height, .x = {-reach, reach}, .y = {0, 1}};
}

static void add_axis(const page *self, double reach)
{
  svg_plot plot = plot_of(self, reach, "overview-axis", AXIS_HEIGHT);
  plot.bottom = 16;
  plot.top = 14;
  const gate_numbers ticks = svg_ticks(plot.x, 5);
  svg_open(&plot, "axis of changes: better on the left, worse on the right");
  svg_line(&plot, "axis", -reach, 0, reach, 0);
  for (size_t i = 0; i < ticks.count; i++)
    svg_text(&plot, "tick", ticks.values[i], 0, -13,
             arena_format("%.0f %%", fabs(ticks.values[i]) * 100));
  svg_text(&plot, "tick better", -reach, 1, 4, "\xE2\x97\x80 better");
  svg_text(&plot, "tick worse", reach, 1, 4, "worse \xE2\x96\xB6");
  svg_close(&plot);
}

static const char *change_text(const gate_row *row)
{
  return arena_format("%s %s", gate_cell(row, GATE_COLUMN_CHANGE),
                      gate_cell(row, GATE_COLUMN_INTERVAL));
}

static void add_mark(const page *self, const gate_row *row, double reach)
{
  const svg_plot plot = plot_of(self, reach, "change", LINE_HEIGHT);
  const double middle = 0.5;
  const char *kind = gate_verdicts[row->verdict].kind;
  const bool has_interval = !isnan(row->bounds.low) && !isnan(row->bounds.high);
  const char *form = has_interval ? "dot" : gate_is_count(row) ? "dot counted" : "dot hollow";
  svg_open(&plot, arena_format("change %s", change_text(row)));
  if (isfinite(row->noise)) svg_band(&plot, "noise", -row->noise, row->noise);
  svg_upright(&plot, "zero", 0);
  if (isfinite(row->warn)) svg_upright(&plot, "limit warn", row->warn);
  if (isfinite(row->fail)) svg_upright(&plot, "limit fail", row->fail);
  if (has_interval)
    svg_line(&plot, arena_format("whisker %s", kind), row->bounds.low, middle, row->bounds.high,
             middle);
  svg_dot(&plot, arena_format("%s %s", form, kind), row->worse_by, middle, 4.5, change_text(row));
  if (fabs(row->worse_by) > reach)
    svg_text(&plot, "beyond", row->worse_by, middle, -4,
             row->worse_by > 0 ? "\xE2\x96\xB6" : "\xE2\x97\x80");
  svg_close(&plot);
}

static void add_line(const page *self, const page_bench *bench, double reach, bool is_drawn)
{
  const gate_row *row = bench->main;
  const char *kind = gate_verdicts[row->verdict].kind, *name = gate_verdicts[row->verdict].name;
  gate_add_markup(self->out,
                  "<tr><td class=\"c-verdict\"><span class=\"pill %s\">%s</span></td>"
                  "<td class=\"c-name\"><a href=\"#%s\">%s</a> <span class=\"muted\">%s</span>",
                  kind, name, bench->anchor, bench->full_id, row->key);
  if (row->note) gate_add_markup(self->out, "<span class=\"note\">%s</span>", row->note);
  gate_add_markup(self->out, "</td><td class=\"c-base num\">%s</td><td class=\"c-now num\">%s</td>",
                  gate_cell(row, GATE_COLUMN_BASE), gate_cell(row, GATE_COLUMN_NOW));
  gate_add_markup(
      self->out, "<td class=\"c-change num\"><b class=\"text %s\">%s</b></td><td class=\"c-plot\">",
      kind, gate_cell(row, GATE_COLUMN_CHANGE));
  if (is_drawn) add_mark(self, row, reach);
  gate_text_add(self->out, "</td></tr>\n");
}

void page_overview(const page *self)
{
  gate_text_add(self->out, "<section id=\"overview\">\n<h2>Overview</h2>\n");
  if (self->count == 0) {
    gate_text_add(self->out, "<p>There is nothing to compare.</p></section>\n");
    return;
  }
  const double reach = reach_of(self);
  size_t drawn = 0;
  gate_text_add(self->out,
                "<table class=\"overview\">\n<thead><tr><th class=\"c-verdict\">verdict</th>"
                "<th class=\"c-name\">bench</th><th class=\"c-base num\">base</th>"
                "<th class=\"c-now num\">now</th><th class=\"c-change num\">change</th>"
                "<th class=\"c-plot\">");
  add_axis(self, reach);
  gate_text_add(self->out, "</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < self->count; i++) {
    const page_bench *bench = &self->benches[i];
    const bool is_drawn = drawn < PAGE_MARKS_MAX && !isnan(bench->main->worse_by);
    drawn += is_drawn;
    add_line(self, bench, reach, is_drawn);
  }
  gate_text_add(self->out, legend);
  if (self->report->is_paired)
    gate_text_add(self->out, "<p class=\"muted small\">The change is the median of the ratios of "
                             "rounds that were run in turns, which need not be now / base.</p>\n");
  if (self->count > PAGE_MARKS_MAX)
    gate_text_printf(self->out, "<p class=\"muted\">Drawn are the worst %d of %zu.</p>\n",
                     PAGE_MARKS_MAX, self->count);
  gate_text_add(self->out, "</section>\n");
}
