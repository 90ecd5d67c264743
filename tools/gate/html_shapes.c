/* How the results of both sides spread: densities, cumulative shares, and times by iterations. */
#include "html.h"

#include <math.h>

enum { DENSITY_POINTS = 160, SIDE_MARKS_MAX = HTML_MARKS_MAX / 2, CHART_HEIGHT = 190 };

/* What a side's shape is drawn from: samples of one process, or else rounds. */
gate_numbers html_shape_of(const gate_metric *metric)
{
  if (!metric) return (gate_numbers){0};
  return metric->samples.count >= 3 ? metric->samples : metric->rounds;
}

double html_main_of(const gate_metric *metric)
{
  return metric ? gate_metric_main(metric) : NAN;
}

const char *html_quantity(const html_page *page, const html_bench *bench, double value)
{
  return gate_quantity(page->arena, value, bench->unit);
}

void html_open_figure(const html_page *page, const char *title)
{
  html_add(page, "<figure>\n<figcaption>%s</figcaption>\n", title);
}

void html_close_figure(const html_page *page, const char *note)
{
  if (note) html_add(page, "<p class=\"muted small\">%s</p>\n", note);
  gate_text_add(page->out, "</figure>\n");
}

static void add_sides(const html_page *page, const html_bench *bench, size_t base, size_t now)
{
  gate_text_add(page->out, "<p class=\"legend\">");
  if (!isnan(html_main_of(bench->base)))
    html_add(page, "<span class=\"key base-key\">base %s%s</span>",
             html_quantity(page, bench, html_main_of(bench->base)),
             base > 0 ? gate_format(page->arena, ", n %zu", base) : "");
  if (!isnan(html_main_of(bench->now)))
    html_add(page, "<span class=\"key now-key\">now %s%s</span>",
             html_quantity(page, bench, html_main_of(bench->now)),
             now > 0 ? gate_format(page->arena, ", n %zu", now) : "");
  gate_text_add(page->out, "</p>\n");
}

/* ---- densities ---- */

/* Far outliers would press everything else into one line: the axis ends at the outer fences. */
static gate_interval shape_range(const gate_numbers *shape, double main)
{
  gate_interval range = svg_range(shape, NULL);
  if (shape->count == 0) return (gate_interval){main, main};
  const gate_fences fences = gate_tukey_fences(shape->values, shape->count);
  if (fences.low_severe < fences.high_severe) {
    range.low = fmax(range.low, fences.low_severe);
    range.high = fmin(range.high, fences.high_severe);
  }
  const double more = 2.5 * gate_bandwidth(shape->values, shape->count);
  const double width = range.high - range.low;
  range.low -= fmin(more, width);
  range.high += fmin(more, width);
  return (gate_interval){fmin(range.low, isnan(main) ? range.low : main),
                         fmax(range.high, isnan(main) ? range.high : main)};
}

static size_t outside(const gate_numbers *numbers, gate_interval range)
{
  size_t count = 0;
  for (size_t i = 0; i < numbers->count; i++)
    count += numbers->values[i] < range.low || numbers->values[i] > range.high;
  return count;
}

static gate_numbers inside(gate_arena *arena, const gate_numbers *numbers, gate_interval range)
{
  gate_numbers kept = {0};
  for (size_t i = 0; i < numbers->count; i++)
    if (numbers->values[i] >= range.low && numbers->values[i] <= range.high)
      gate_numbers_add(arena, &kept, numbers->values[i]);
  return kept;
}

static gate_density density_of(const html_page *page, const svg_plot *plot,
                               const gate_numbers *shape)
{
  if (shape->count < 2) return (gate_density){0};
  return gate_kernel_density(page->arena, shape->values, shape->count, plot->x, DENSITY_POINTS);
}

static void add_density(const html_page *page, const svg_plot *plot, const gate_density *density,
                        const char *side)
{
  gate_numbers x = {0};
  const gate_numbers y = {density->heights, density->count, density->count};
  const double step = (plot->x.high - plot->x.low) / (DENSITY_POINTS - 1);
  for (size_t i = 0; i < density->count; i++)
    gate_numbers_add(page->arena, &x, plot->x.low + step * (double)i);
  svg_path(plot, gate_format(page->arena, "area %s", side), &x, &y, true);
}

/* Both on one scale, so that areas are equal. */
static void add_pair(const html_page *page, svg_plot *plot, const gate_numbers *base,
                     const gate_numbers *now)
{
  const gate_density a = density_of(page, plot, base), b = density_of(page, plot, now);
  const gate_numbers left = {a.heights, a.count, a.count}, right = {b.heights, b.count, b.count};
  plot->y = (gate_interval){0, svg_range(&left, &right).high * 1.06};
  add_density(page, plot, &a, "base");
  add_density(page, plot, &b, "now");
  plot->y = (gate_interval){0, 1};
}

/* Short strokes below the axis: where each result was. */
static void add_rugs(const html_page *page, const svg_plot *plot, const gate_numbers *base,
                     const gate_numbers *now)
{
  const gate_numbers a = inside(page->arena, base, plot->x), b = inside(page->arena, now, plot->x);
  const gate_numbers left = html_thinned(page->arena, &a, SIDE_MARKS_MAX);
  const gate_numbers right = html_thinned(page->arena, &b, SIDE_MARKS_MAX);
  svg_rug(plot, "rug base", &left, 3);
  svg_rug(plot, "rug now", &right, 9);
}

static void add_densities(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_numbers base = html_shape_of(bench->base), now = html_shape_of(bench->now);
  const double base_main = html_main_of(bench->base), now_main = html_main_of(bench->now);
  const gate_interval a = shape_range(&base, base_main), b = shape_range(&now, now_main);
  const double ends[] = {a.low, a.high, b.low, b.high};
  const gate_numbers all = {(double[]){ends[0], ends[1], ends[2], ends[3]}, 4, 4};
  svg_plot plot = {.out = page->out,
                   .kind = "chart density",
                   .height = CHART_HEIGHT,
                   .top = 6,
                   .bottom = 34,
                   .x = svg_widen(svg_range(&all, NULL), 0.02),
                   .y = {0, 1}};
  html_open_figure(page, "How results spread");
  add_sides(page, bench, base.count, now.count);
  svg_open(&plot, gate_format(arena, "densities of %s: base %s, now %s", bench->full_id,
                              html_quantity(page, bench, base_main),
                              html_quantity(page, bench, now_main)));
  svg_axis_x(&plot, arena, bench->unit);
  add_pair(page, &plot, &base, &now);
  if (!isnan(base_main)) svg_upright(&plot, "middle base", base_main);
  if (!isnan(now_main)) svg_upright(&plot, "middle now", now_main);
  add_rugs(page, &plot, &base, &now);
  svg_close(&plot);
  const size_t far = outside(&base, plot.x) + outside(&now, plot.x);
  const char *note = NULL;
  if (base.count < 2 || now.count < 2)
    note = "A side without samples or rounds is drawn as a line at its one number.";
  else if (far > 0)
    note = gate_format(arena, "%zu far outliers are beyond the axis.", far);
  html_close_figure(page, note);
}

/* ---- cumulative shares ---- */

/* A step at each result: up to y of all results take x or less. */
static void add_steps(const html_page *page, const svg_plot *plot, const gate_numbers *shape,
                      const char *side)
{
  gate_arena *arena = page->arena;
  const gate_numbers sorted = {gate_sorted(arena, shape->values, shape->count), shape->count, 0};
  const gate_numbers shown = html_thinned(arena, &sorted, SIDE_MARKS_MAX);
  if (shown.count < 2) return;
  svg_steps(plot, gate_format(arena, "steps %s", side), &shown);
}

static void draw_shares(const html_page *page, const html_bench *bench, const gate_numbers *sides,
                        svg_scale scale)
{
  static const struct {
    double share;
    const char *name;
  } rules[] = {{0.05, "5 %"}, {0.5, "half"}, {0.95, "95 %"}};
  svg_plot plot = {.out = page->out,
                   .kind = gate_format(page->arena, "chart shares-by%s", svg_scale_kind(scale)),
                   .height = CHART_HEIGHT,
                   .top = 10,
                   .bottom = 24,
                   .y = {0, 1}};
  gate_interval range = svg_range(&sides[0], &sides[1]);
  svg_scale_x(&plot, scale, range, 0.04);
  svg_open(&plot, gate_format(page->arena, "shares of results of %s by time", bench->full_id));
  svg_axis_x(&plot, page->arena, bench->unit);
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    svg_line(&plot, "grid", plot.x.low, rules[i].share, plot.x.high, rules[i].share);
    svg_text(&plot, "tick", plot.x.low, rules[i].share, 2, rules[i].name);
  }
  add_steps(page, &plot, &sides[0], "base");
  add_steps(page, &plot, &sides[1], "now");
  svg_close(&plot);
}

static void add_shares(const html_page *page, const html_bench *bench)
{
  const gate_numbers sides[2] = {html_shape_of(bench->base), html_shape_of(bench->now)};
  if (sides[0].count < 3 && sides[1].count < 3) return;
  html_open_figure(page, "Share of results up to a time");
  html_open_scales(page);
  for (int scale = SVG_FITTED; scale < html_scales(page); scale++)
    draw_shares(page, bench, sides, (svg_scale)scale);
  html_close_scales(page);
  html_close_figure(page, NULL);
}

/* ---- times by iterations ---- */

/* Times of whole samples; empty unless iterations differ, without which there is no line. */
static gate_numbers totals_of(gate_arena *arena, const gate_metric *metric)
{
  gate_numbers totals = {0};
  if (!metric || metric->iterations.count < 3) return totals;
  if (metric->iterations.count != metric->samples.count) return totals;
  const gate_interval range = svg_range(&metric->iterations, NULL);
  if (!(range.high > range.low * 1.01)) return totals;
  for (size_t i = 0; i < metric->iterations.count; i++)
    gate_numbers_add(arena, &totals, metric->samples.values[i] * metric->iterations.values[i]);
  return totals;
}

static void add_fit(const html_page *page, const svg_plot *plot, const gate_metric *metric,
                    const gate_numbers *totals, const char *side)
{
  if (totals->count == 0) return;
  const double slope =
      gate_slope(metric->iterations.values, totals->values, metric->iterations.count);
  const gate_numbers x = html_thinned(page->arena, &metric->iterations, SIDE_MARKS_MAX);
  const gate_numbers y = html_thinned(page->arena, totals, SIDE_MARKS_MAX);
  svg_points(plot, gate_format(page->arena, "points %s", side), &x, &y);
  const double end = fmin(plot->x.high, plot->y.high / slope);
  svg_line(plot, gate_format(page->arena, "fit %s", side), 0, 0, end, slope * end);
}

/* The slope of the line is the time of one iteration; what lies off it was disturbed. */
static void add_regression(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_numbers base = totals_of(arena, bench->base), now = totals_of(arena, bench->now);
  if (base.count == 0 && now.count == 0) return;
  const gate_interval x = svg_range(base.count > 0 ? &bench->base->iterations : NULL,
                                    now.count > 0 ? &bench->now->iterations : NULL);
  const gate_interval y = svg_range(&base, &now);
  const svg_plot plot = {.out = page->out,
                         .kind = "chart regression",
                         .height = CHART_HEIGHT,
                         .top = 14,
                         .bottom = 24,
                         .x = {-x.high * SVG_GUTTER, x.high * 1.03},
                         .y = {0, y.high * 1.06}};
  html_open_figure(page, "Times of samples by their iterations");
  svg_open(&plot, gate_format(arena, "times of samples of %s by iterations", bench->full_id));
  svg_line(&plot, "axis", plot.x.low, 0, plot.x.high, 0);
  svg_axis_y(&plot, arena, "ns");
  add_fit(page, &plot, bench->base, &base, "base");
  add_fit(page, &plot, bench->now, &now, "now");
  svg_text(&plot, "tick", 0, 0, -16, "0");
  svg_text(&plot, "tick", plot.x.high, 0, -16, gate_format(arena, "%.0f iterations", x.high));
  svg_close(&plot);
  html_close_figure(page, "Lines by least squares through the origin.");
}

void html_shapes(const html_page *page, const html_bench *bench)
{
  add_densities(page, bench);
  add_shares(page, bench);
  add_regression(page, bench);
}
