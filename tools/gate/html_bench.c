/* One bench: densities of both sides, rounds in the order of time, figures. */
#include "html.h"

#include <math.h>
#include <string.h>

enum { DENSITY_POINTS = 160, RUG_MAX = HTML_MARKS_MAX / 2, CHART_HEIGHT = 190 };

/* What a side's shape is drawn from: samples of one process, or else rounds. */
static gate_numbers shape_of(const gate_metric *metric)
{
  if (!metric) return (gate_numbers){0};
  return metric->samples.count >= 3 ? metric->samples : metric->rounds;
}

static double main_of(const gate_metric *metric)
{
  return metric ? gate_metric_main(metric) : NAN;
}

static const char *quantity(const html_page *page, const html_bench *bench, double value)
{
  return gate_quantity(page->arena, value, bench->unit);
}

static void open_figure(const html_page *page, const char *title)
{
  html_add(page, "<figure>\n<figcaption>%s</figcaption>\n", title);
}

static void close_figure(const html_page *page, const char *note)
{
  if (note) html_add(page, "<p class=\"muted small\">%s</p>\n", note);
  gate_text_add(page->out, "</figure>\n");
}

static void add_sides(const html_page *page, const html_bench *bench, size_t base, size_t now)
{
  gate_text_add(page->out, "<p class=\"legend\">");
  if (!isnan(main_of(bench->base)))
    html_add(page, "<span class=\"key base-key\">base %s%s</span>",
             quantity(page, bench, main_of(bench->base)),
             base > 0 ? gate_format(page->arena, ", n %zu", base) : "");
  if (!isnan(main_of(bench->now)))
    html_add(page, "<span class=\"key now-key\">now %s%s</span>",
             quantity(page, bench, main_of(bench->now)),
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
  const gate_numbers left = html_thinned(page->arena, &a, RUG_MAX);
  const gate_numbers right = html_thinned(page->arena, &b, RUG_MAX);
  svg_rug(plot, "rug base", &left, 3);
  svg_rug(plot, "rug now", &right, 9);
}

static void add_densities(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_numbers base = shape_of(bench->base), now = shape_of(bench->now);
  const double base_main = main_of(bench->base), now_main = main_of(bench->now);
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
  open_figure(page, "How results spread");
  add_sides(page, bench, base.count, now.count);
  svg_open(&plot, gate_format(arena, "densities of %s: base %s, now %s", bench->full_id,
                              quantity(page, bench, base_main), quantity(page, bench, now_main)));
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
  close_figure(page, note);
}

/* ---- rounds ---- */

static void add_series(const html_page *page, const html_bench *bench, const svg_plot *plot,
                       const gate_numbers *series, const char *side, const char *what)
{
  gate_numbers x = {0};
  for (size_t i = 0; i < series->count; i++) gate_numbers_add(page->arena, &x, (double)i);
  svg_path(plot, gate_format(page->arena, "thread %s", side), &x, series, false);
  for (size_t i = 0; i < series->count; i++)
    svg_dot(plot, gate_format(page->arena, "mark %s", side), (double)i, series->values[i],
            series->count > 60 ? 1.6 : 3.2,
            series->count > 60 ? NULL
                               : gate_format(page->arena, "%s, %s %zu: %s", side, what, i + 1,
                                             quantity(page, bench, series->values[i])));
}

static void add_rounds(const html_page *page, const html_bench *bench)
{
  gate_arena *arena = page->arena;
  const gate_metric *base = bench->base, *now = bench->now;
  const bool has_rounds = (base && base->rounds.count > 1) || (now && now->rounds.count > 1);
  gate_numbers a = {0}, b = {0};
  if (base) a = html_thinned(arena, has_rounds ? &base->rounds : &base->samples, RUG_MAX);
  if (now) b = html_thinned(arena, has_rounds ? &now->rounds : &now->samples, RUG_MAX);
  const size_t most = a.count > b.count ? a.count : b.count;
  if (most < 2) return;
  const char *what = has_rounds ? "round" : "sample";
  const svg_plot plot = {.out = page->out,
                         .kind = "chart rounds",
                         .height = CHART_HEIGHT,
                         .top = 14,
                         .bottom = 22,
                         .x = {-0.5 - (double)most * SVG_GUTTER, (double)most - 0.5},
                         .y = svg_widen(svg_range(&a, &b), 0.06)};
  open_figure(page, has_rounds ? "Rounds in the order of time" : "Samples in the order of time");
  svg_open(&plot, gate_format(arena, "%ss of %s in the order of time", what, bench->full_id));
  svg_line(&plot, "axis", plot.x.low, plot.y.low, plot.x.high, plot.y.low);
  svg_axis_y(&plot, arena, bench->unit);
  if (a.count > 0) {
    const double middle = gate_median(a.values, a.count);
    svg_line(&plot, "middle base", -0.5, middle, plot.x.high, middle);
  }
  if (b.count > 0) {
    const double middle = gate_median(b.values, b.count);
    svg_line(&plot, "middle now", -0.5, middle, plot.x.high, middle);
  }
  add_series(page, bench, &plot, &a, "base", what);
  add_series(page, bench, &plot, &b, "now", what);
  svg_text(&plot, "tick", 0, plot.y.low, -16, gate_format(arena, "%s 1", what));
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, gate_format(arena, "%zu", most));
  svg_close(&plot);
  close_figure(page, most == RUG_MAX ? "Evenly thinned." : NULL);
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
             html_kind(row->verdict), gate_verdict_name(row->verdict));
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
  const gate_numbers a = shape_of(base), b = shape_of(now);
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
             list[i].name, quantity(page, bench, list[i].base), quantity(page, bench, list[i].now));
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
  const char *kind = html_kind(bench->verdict);
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
  const bool is_measured = !isnan(main_of(bench->base)) || !isnan(main_of(bench->now));
  if (is_measured) {
    gate_text_add(page->out, "<div class=\"charts\">\n");
    add_densities(page, bench);
    add_rounds(page, bench);
    html_bench_trend(page, bench);
    gate_text_add(page->out, "</div>\n");
  }
  gate_text_add(page->out, "<div class=\"tables\">\n");
  if (bench->main->key[0] != '\0') add_rows(page, bench);
  if (is_measured) add_statistics(page, bench);
  gate_text_add(page->out, "</div>\n</div>\n</details>\n");
}
