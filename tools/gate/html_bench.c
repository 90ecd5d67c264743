/* One bench: its shapes, rounds in the order of time, figures. */
#include "html.h"

#include <math.h>
#include <string.h>

enum { SIDE_MARKS_MAX = HTML_MARKS_MAX / 2, CHART_HEIGHT = 190 };

/* ---- rounds ---- */

static void add_series(const html_page *page, const html_bench *bench, const svg_plot *plot,
                       const gate_numbers *series, const char *side, const char *what,
                       svg_scale scale)
{
  gate_numbers x = {0};
  for (size_t i = 0; i < series->count; i++) gate_numbers_add(page->arena, &x, (double)i);
  svg_path(plot, gate_format(page->arena, "thread %s", side), &x, series, false);
  for (size_t i = 0; i < series->count; i++)
    svg_dot(plot, gate_format(page->arena, "mark %s", side), (double)i, series->values[i],
            series->count > 60 ? 1.6 : 3.2,
            series->count > 60 || scale != SVG_FITTED
                ? NULL
                : gate_format(page->arena, "%s, %s %zu: %s", side, what, i + 1,
                              html_quantity(page, bench, series->values[i])));
}

static void draw_rounds(const html_page *page, const html_bench *bench, const gate_numbers *sides,
                        const char *what, svg_scale scale)
{
  gate_arena *arena = page->arena;
  const size_t most = sides[0].count > sides[1].count ? sides[0].count : sides[1].count;
  svg_plot plot = {.out = page->out,
                   .kind = gate_format(arena, "chart rounds%s", svg_scale_kind(scale)),
                   .height = CHART_HEIGHT,
                   .top = 14,
                   .bottom = 22,
                   .x = {-0.5 - (double)most * SVG_GUTTER, (double)most - 0.5}};
  svg_scale_y(&plot, scale, svg_range(&sides[0], &sides[1]), 0.06);
  svg_open(&plot, gate_format(arena, "%ss of %s in the order of time", what, bench->full_id));
  svg_line(&plot, "axis", plot.x.low, plot.y.low, plot.x.high, plot.y.low);
  svg_axis_y(&plot, arena, bench->unit);
  for (int side = 0; side < 2; side++) {
    if (sides[side].count == 0) continue;
    const double middle = gate_median(sides[side].values, sides[side].count);
    svg_line(&plot, side == 0 ? "middle base" : "middle now", -0.5, middle, plot.x.high, middle);
  }
  add_series(page, bench, &plot, &sides[0], "base", what, scale);
  add_series(page, bench, &plot, &sides[1], "now", what, scale);
  svg_text(&plot, "tick", 0, plot.y.low, -16, gate_format(arena, "%s 1", what));
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, gate_format(arena, "%zu", most));
  svg_close(&plot);
}

static void add_rounds(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_metric *base = bench->base, *now = bench->now;
  const bool has_rounds = (base && base->rounds.count > 1) || (now && now->rounds.count > 1);
  gate_numbers sides[2] = {{0}};
  if (base)
    sides[0] = html_thinned(arena, has_rounds ? &base->rounds : &base->samples, SIDE_MARKS_MAX);
  if (now)
    sides[1] = html_thinned(arena, has_rounds ? &now->rounds : &now->samples, SIDE_MARKS_MAX);
  const size_t most = sides[0].count > sides[1].count ? sides[0].count : sides[1].count;
  if (most < 2) return;
  const char *what = has_rounds ? "round" : "sample";
  html_open_figure(page,
                   has_rounds ? "Rounds in the order of time" : "Samples in the order of time");
  html_open_scales(page);
  for (int scale = SVG_FITTED; scale < html_scales(page); scale++)
    draw_rounds(page, bench, sides, what, (svg_scale)scale);
  html_close_scales(page);
  html_close_figure(page, most == SIDE_MARKS_MAX ? "Evenly thinned." : NULL);
}

/* ---- figures ---- */

static const char *limits_text(gate_arena *arena, const gate_row *row)
{
  if (!isfinite(row->warn) && !isfinite(row->fail)) return "";
  if (!isfinite(row->fail)) return gate_format(arena, "%.4g %% / \xE2\x80\x93", row->warn * 100);
  if (!isfinite(row->warn)) return gate_format(arena, "\xE2\x80\x93 / %.4g %%", row->fail * 100);
  return gate_format(arena, "%.4g / %.4g %%", row->warn * 100, row->fail * 100);
}

static const char *interval_text(gate_arena *arena, gate_interval bounds)
{
  if (isnan(bounds.low) || isnan(bounds.high)) return "";
  return gate_format(arena, "%+.1f \xE2\x80\xA6 %+.1f %%", bounds.low * 100, bounds.high * 100);
}

static void add_cell(const html_page *page, const char *label, const char *text)
{
  html_add(page, "<td class=\"num\" data-label=\"%s\">%s</td>", label, text);
}

static void add_rows(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  gate_text_add(page->out,
                "<table class=\"figures\"><thead><tr><th>metric</th><th class=\"num\">base</th>"
                "<th class=\"num\">now</th><th class=\"num\">worse by</th>"
                "<th class=\"num\">interval</th><th class=\"num\">noise</th>"
                "<th class=\"num\">warn / fail</th><th>verdict</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < bench->count; i++) {
    const gate_row *row = bench->rows[i];
    if (row->key[0] == '\0') continue;
    html_add(page, "<tr><th scope=\"row\">%s</th>", row->key);
    add_cell(page, "base", gate_quantity(arena, row->base, row->unit));
    add_cell(page, "now", gate_quantity(arena, row->now, row->unit));
    add_cell(page, "worse by", gate_percent(arena, row->change));
    add_cell(page, "interval", interval_text(arena, row->bounds));
    add_cell(page, "noise",
             isnan(row->noise) ? "" : gate_format(arena, "\xC2\xB1%.1f %%", row->noise * 100));
    add_cell(page, "warn / fail", limits_text(arena, row));
    html_add(page, "<td data-label=\"verdict\"><span class=\"pill %s\">%s</span>",
             gate_verdict_kind(row->verdict), gate_verdict_name(row->verdict));
    if (row->note) html_add(page, "<span class=\"note\">%s</span>", row->note);
    gate_text_add(page->out, "</td></tr>\n");
  }
  gate_text_add(page->out, "</tbody></table>\n");
}

typedef struct statistic {
  const char *name;
  double base, now;
} statistic;

static double figure(const gate_metric *metric, gate_figure which)
{
  return metric ? metric->figures[which] : NAN;
}

static double spread(const gate_numbers *shape)
{
  return shape->count > 1 ? gate_deviation(shape->values, shape->count) : NAN;
}

static const char *size_text(gate_arena *arena, const gate_metric *metric)
{
  if (!metric) return "-";
  const double samples =
      metric->sample_count > 0 ? metric->sample_count : (double)metric->samples.count;
  return gate_format(arena, "%.0f / %zu", samples, metric->rounds.count);
}

static const char *outliers_text(gate_arena *arena, const gate_numbers *shape)
{
  if (shape->count < 4) return "-";
  return gate_format(arena, "%zu of %zu", gate_outliers(shape->values, shape->count), shape->count);
}

static void add_statistics(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_metric *base = bench->base, *now = bench->now;
  const gate_numbers a = html_shape_of(base), b = html_shape_of(now);
  const statistic list[] = {
      {"mean", figure(base, GATE_MEAN), figure(now, GATE_MEAN)},
      {"median", figure(base, GATE_MEDIAN), figure(now, GATE_MEDIAN)},
      {"5th percentile", figure(base, GATE_P05), figure(now, GATE_P05)},
      {"95th percentile", figure(base, GATE_P95), figure(now, GATE_P95)},
      {"99th percentile", figure(base, GATE_P99), figure(now, GATE_P99)},
      {"interval, low", figure(base, GATE_LOW), figure(now, GATE_LOW)},
      {"interval, high", figure(base, GATE_HIGH), figure(now, GATE_HIGH)},
      {"deviation", spread(&a), spread(&b)},
  };
  html_add(page,
           "<table class=\"statistics\"><thead><tr><th>%s</th><th class=\"num\">base</th>"
           "<th class=\"num\">now</th></tr></thead>\n<tbody>\n",
           now ? now->name : base->name);
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    if (isnan(list[i].base) && isnan(list[i].now)) continue;
    html_add(page,
             "<tr><th scope=\"row\">%s</th><td class=\"num\">%s</td>"
             "<td class=\"num\">%s</td></tr>\n",
             list[i].name, html_quantity(page, bench, list[i].base),
             html_quantity(page, bench, list[i].now));
  }
  const char *const counts[][3] = {
      {"outliers", outliers_text(arena, &a), outliers_text(arena, &b)},
      {"samples / rounds", size_text(arena, base), size_text(arena, now)},
  };
  for (size_t i = 0; i < 2; i++)
    html_add(page,
             "<tr><th scope=\"row\">%s</th><td class=\"num\">%s</td>"
             "<td class=\"num\">%s</td></tr>\n",
             counts[i][0], counts[i][1], counts[i][2]);
  gate_text_add(page->out, "</tbody></table>\n");
}

void html_bench_details(const html_page *page, const html_bench *bench)
{
  const char *kind = gate_verdict_kind(bench->verdict);
  const bool is_open = bench->verdict == GATE_FAIL && bench->number <= 8;
  gate_text_printf(page->out,
                   "<details id=\"bench-%zu\" class=\"bench\" data-bench=\"%zu\"%s>\n<summary>"
                   "<span class=\"pill %s\">%s</span> <span class=\"name\">",
                   bench->number, bench->number, is_open ? " open=\"open\"" : "", kind,
                   gate_verdict_name(bench->verdict));
  html_add(page, "%s</span>", bench->full_id);
  if (bench->main->key[0] != '\0')
    html_add(page, " <span class=\"text %s num\">%s</span>", kind,
             gate_percent(page->arena, bench->main->change));
  gate_text_add(page->out, "</summary>\n<div class=\"inside\">\n");
  if (bench->main->note) html_add(page, "<p class=\"note\">%s</p>\n", bench->main->note);
  const bool is_measured = !isnan(html_main_of(bench->base)) || !isnan(html_main_of(bench->now));
  if (is_measured) {
    gate_text_add(page->out, "<div class=\"charts\">\n");
    html_shapes(page, bench);
    add_rounds(page, bench);
    html_bench_trend(page, bench);
    gate_text_add(page->out, "</div>\n");
  }
  gate_text_add(page->out, "<div class=\"tables\">\n");
  if (bench->main->key[0] != '\0') add_rows(page, bench);
  if (is_measured) add_statistics(page, bench);
  gate_text_add(page->out, "</div>\n</div>\n</details>\n");
}
