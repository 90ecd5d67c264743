/* The overview: a line for each bench, with its change and interval, all on one axis. Lines are a
 * table's, so that sorting and filtering move what is drawn as well. */
#include "html.h"

#include <math.h>
#include <string.h>

enum { LINE_HEIGHT = 26, AXIS_HEIGHT = 34 };

/* Wide enough for every limit and most changes; what is further out is drawn at the edge. */
static double reach_of(const html_page *page)
{
  double reach = 0.05;
  for (size_t i = 0; i < page->count; i++) {
    const gate_row *row = page->benches[i].main;
    const double ends[] = {row->change, row->bounds.low, row->bounds.high, row->warn, row->fail};
    for (size_t j = 0; j < sizeof ends / sizeof *ends; j++)
      if (isfinite(ends[j])) reach = fmax(reach, fabs(ends[j]) * 1.1);
  }
  return fmin(reach, 0.6);
}

static svg_plot plot_of(const html_page *page, double reach, const char *kind, double height)
{
  return (svg_plot){
      .out = page->out, .kind = kind, .height = height, .x = {-reach, reach}, .y = {0, 1}};
}

static void add_axis(const html_page *page, double reach)
{
  svg_plot plot = plot_of(page, reach, "overview-axis", AXIS_HEIGHT);
  plot.bottom = 16;
  plot.top = 14;
  const gate_numbers ticks = svg_ticks(page->arena, plot.x, 5);
  svg_open(&plot, "axis of changes: better on the left, worse on the right");
  svg_line(&plot, "axis", -reach, 0, reach, 0);
  for (size_t i = 0; i < ticks.count; i++)
    svg_text(&plot, "tick", ticks.values[i], 0, -13,
             gate_format(page->arena, "%+.0f %%", ticks.values[i] * 100 + 0.0));
  svg_text(&plot, "tick better", -reach, 1, 4, "\xE2\x97\x80 better");
  svg_text(&plot, "tick worse", reach, 1, 4, "worse \xE2\x96\xB6");
  svg_close(&plot);
}

static const char *change_text(const html_page *page, const gate_row *row)
{
  const char *percent = gate_percent(page->arena, row->change);
  if (isnan(row->bounds.low) || isnan(row->bounds.high)) return percent;
  return gate_format(page->arena, "%s [%+.1f, %+.1f]", percent, row->bounds.low * 100,
                     row->bounds.high * 100);
}

static void add_mark(const html_page *page, const gate_row *row, double reach)
{
  const svg_plot plot = plot_of(page, reach, "change", LINE_HEIGHT);
  const double middle = 0.5;
  const char *kind = gate_verdict_kind(row->verdict);
  svg_open(&plot, gate_format(page->arena, "change %s", change_text(page, row)));
  if (isfinite(row->noise)) svg_band(&plot, "noise", -row->noise, row->noise);
  svg_upright(&plot, "zero", 0);
  if (isfinite(row->warn)) svg_upright(&plot, "limit warn", row->warn);
  if (isfinite(row->fail)) svg_upright(&plot, "limit fail", row->fail);
  const bool has_interval = !isnan(row->bounds.low) && !isnan(row->bounds.high);
  if (has_interval) {
    svg_line(&plot, gate_format(page->arena, "whisker %s", kind), row->bounds.low, middle,
             row->bounds.high, middle);
  }
  svg_dot(&plot, gate_format(page->arena, "%s %s", has_interval ? "dot" : "dot hollow", kind),
          row->change, middle, 4.5, change_text(page, row));
  if (fabs(row->change) > reach)
    svg_text(&plot, "beyond", row->change, 0.5, -4,
             row->change > 0 ? "\xE2\x96\xB6" : "\xE2\x97\x80");
  svg_close(&plot);
}

static void add_number(const html_page *page, const char *name, double value)
{
  gate_text_printf(page->out, " data-%s=\"", name);
  if (isfinite(value)) gate_number_add(page->out, value);
  gate_text_add(page->out, "\"");
}

static void add_line(const html_page *page, const html_bench *bench, double reach, bool is_drawn)
{
  const gate_row *row = bench->main;
  const char *kind = gate_verdict_kind(bench->verdict), *name = gate_verdict_name(bench->verdict);
  gate_text_printf(page->out, "<tr id=\"line-%zu\" data-bench=\"%zu\" data-severity=\"%d\"",
                   bench->number, bench->number, (int)bench->verdict);
  html_add(page, " data-name=\"%s\" data-verdict=\"%s\"", bench->full_id, name);
  add_number(page, "change", row->change);
  add_number(page, "base", row->base);
  add_number(page, "now", row->now);
  gate_text_printf(page->out,
                   "><td class=\"c-verdict\"><span class=\"pill %s\">%s</span></td>"
                   "<td class=\"c-name\"><a href=\"#bench-%zu\">",
                   kind, name, bench->number);
  html_add(page, "%s</a>", bench->full_id);
  if (row->key[0] != '\0') html_add(page, " <span class=\"muted\">%s</span>", row->key);
  if (row->note) html_add(page, "<span class=\"note\">%s</span>", row->note);
  html_add(page, "</td><td class=\"c-base num\">%s</td><td class=\"c-now num\">%s</td>",
           row->key[0] == '\0' ? "" : gate_quantity(page->arena, row->base, row->unit),
           row->key[0] == '\0' ? "" : gate_quantity(page->arena, row->now, row->unit));
  gate_text_printf(page->out, "<td class=\"c-change num\"><b class=\"text %s\">", kind);
  html_add(page, "%s</b></td><td class=\"c-plot\">",
           row->key[0] == '\0' ? "" : gate_percent(page->arena, row->change));
  if (is_drawn) add_mark(page, row, reach);
  gate_text_add(page->out, "</td></tr>\n");
}

static void add_heading(const html_page *page, const char *key, const char *kind, const char *text)
{
  gate_text_printf(page->out,
                   "<th class=\"%s\" scope=\"col\" aria-sort=\"none\"><button type=\"button\" "
                   "class=\"sort\" data-sort=\"%s\">%s</button></th>",
                   kind, key, text);
}

static void add_controls(const html_page *page)
{
  gate_text_printf(
      page->out,
      "<div class=\"controls\"><input id=\"filter\" type=\"search\" placeholder=\"filter by name\" "
      "aria-label=\"filter by name\"/> <span id=\"shown\" class=\"muted\" role=\"status\">%zu of "
      "%zu</span> <button type=\"button\" class=\"plain\" id=\"open-all\">open all</button> "
      "<button type=\"button\" class=\"plain\" id=\"close-all\">close all</button></div>\n",
      page->count, page->count);
}

void html_overview(const html_page *page)
{
  if (page->count == 0) {
    gate_text_add(page->out, "<section id=\"overview\"><h2>Overview</h2>"
                             "<p>There is nothing to compare.</p></section>\n");
    return;
  }
  const double reach = reach_of(page);
  size_t drawn = 0;
  gate_text_add(page->out, "<section id=\"overview\">\n<h2>Overview</h2>\n");
  add_controls(page);
  gate_text_add(page->out, "<table class=\"overview\">\n<thead><tr>");
  add_heading(page, "severity", "c-verdict", "verdict");
  add_heading(page, "name", "c-name", "bench");
  add_heading(page, "base", "c-base num", "base");
  add_heading(page, "now", "c-now num", "now");
  add_heading(page, "change", "c-change num", "worse by");
  gate_text_add(page->out, "<th class=\"c-plot\" scope=\"col\">");
  add_axis(page, reach);
  gate_text_add(page->out, "</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < page->count; i++) {
    const html_bench *bench = &page->benches[i];
    const bool is_drawn = drawn < HTML_MARKS_MAX && isfinite(bench->main->change);
    drawn += is_drawn;
    add_line(page, bench, reach, is_drawn);
  }
  gate_text_add(
      page->out,
      "</tbody>\n</table>\n<p class=\"legend\"><span class=\"key dot-key\">change</span>"
      "<span class=\"key whisker-key\">interval</span><span class=\"key hollow-key\">no interval: "
      "too few rounds</span><span class=\"key noise-key\">noise</span><span class=\"key warn-key\">"
      "warns</span><span class=\"key fail-key\">fails</span></p>\n");
  if (page->count > HTML_MARKS_MAX)
    gate_text_printf(page->out, "<p class=\"muted\">Drawn are the worst %d of %zu.</p>\n",
                     HTML_MARKS_MAX, page->count);
  gate_text_add(page->out, "</section>\n");
}
