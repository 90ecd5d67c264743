/* One bench drawn: how the results of both sides spread, and its rounds in the order of time. */
#include "page.h"

#include <math.h>

enum { DENSITY_POINTS = 160, SHAPE_MIN = 15 };

typedef struct charts {
  const page *page;
  const page_bench *bench;
  gate_numbers base, now; /* what is drawn */
  const char *what;       /* round or sample */
} charts;

static const char *quantity(const charts *self, double value)
{
  return gate_quantity(self->page->arena, value, self->bench->unit);
}

static double main_of(const gate_metric *metric)
{
  return metric ? gate_metric_main(metric) : NAN;
}

static svg_plot new_plot(const charts *self, const char *kind)
{
  return (svg_plot){.out = self->page->out,
                    .kind = kind,
                    .height = PAGE_CHART_HEIGHT,
                    .top = 14,
                    .bottom = 24,
                    .y = {0, 1}};
}

static void add_side(const charts *self, const char *side, const gate_metric *metric, size_t count)
{
  bench_arena *arena = self->page->arena;
  if (isnan(main_of(metric))) return;
  gate_add_markup(self->page->out, "<span class=\"key %s-key\">%s %s%s</span>", side, side,
                  quantity(self, main_of(metric)),
                  count > 0 ? arena_format(arena, ", n %zu", count) : "");
}

/* ---- how results spread ---- */

/* Far outliers would press everything else into one line: the axis ends at the outer fences. */
static gate_interval fenced(bench_arena *arena, const gate_numbers *shape, double main)
{
  const size_t count = isnan(main) ? 0u : 1u;
  const gate_numbers alone = {&main, count, count};
  gate_interval range = svg_range(shape, &alone);
  if (shape->count < SHAPE_MIN) return range;
  const stats_fences fences =
      stats_tukey(gate_sorted(arena, shape->values, shape->count), shape->count);
  const double more = 2.5 * gate_bandwidth(shape->values, shape->count);
  const double low = fmax(range.low, fences.low_severe),
               high = fmin(range.high, fences.high_severe);
  /* Nothing takes less than no time. */
  return (gate_interval){fmax(fmin(low - fmin(more, high - low), main), fmin(range.low, 0)),
                         fmax(high + fmin(more, high - low), main)};
}

static gate_numbers inside(bench_arena *arena, const gate_numbers *numbers, gate_interval range)
{
  gate_numbers kept = {0};
  for (size_t i = 0; i < numbers->count; i++)
    if (numbers->values[i] >= range.low && numbers->values[i] <= range.high)
      gate_numbers_add(arena, &kept, numbers->values[i]);
  return kept;
}

/* Both on one scale, so that areas are equal. Of few results a curve would be made up. */
static void add_densities(const charts *self, svg_plot *plot)
{
  bench_arena *arena = self->page->arena;
  const gate_numbers *shapes[] = {&self->base, &self->now};
  gate_numbers heights[2] = {{0}}, x = {0};
  for (int side = 0; side < 2; side++) {
    const char *mark = side == 0 ? "mark base" : "mark now";
    for (size_t i = 0; i < shapes[side]->count && shapes[side]->count < SHAPE_MIN; i++)
      svg_dot(plot, mark, shapes[side]->values[i], side == 0 ? 0.62 : 0.3, 4,
              quantity(self, shapes[side]->values[i]));
    if (shapes[side]->count < SHAPE_MIN) continue;
    heights[side] = gate_kernel_density(arena, shapes[side]->values, shapes[side]->count, plot->x,
                                        DENSITY_POINTS);
  }
  for (size_t i = 0; i < DENSITY_POINTS; i++)
    gate_numbers_add(arena, &x,
                     plot->x.low + (plot->x.high - plot->x.low) * (double)i / (DENSITY_POINTS - 1));
  plot->y = (gate_interval){0, svg_range(&heights[0], &heights[1]).high * 1.06};
  if (heights[0].count > 0) svg_path(plot, SVG_AREA, "area base", &x, &heights[0], 0);
  if (heights[1].count > 0) svg_path(plot, SVG_AREA, "area now", &x, &heights[1], 0);
  plot->y = (gate_interval){0, 1};
}

static void add_spread(const charts *self)
{
  bench_arena *arena = self->page->arena;
  const page_bench *bench = self->bench;
  const double base_main = main_of(bench->base), now_main = main_of(bench->now);
  const gate_interval a = fenced(arena, &self->base, base_main),
                      b = fenced(arena, &self->now, now_main);
  const bool has_base = bench->base != NULL, has_now = bench->now != NULL;
  svg_plot plot = new_plot(self, "chart density");
  plot.bottom = 34;
  plot.x.low = has_base && has_now ? fmin(a.low, b.low) : has_base ? a.low : b.low;
  plot.x.high = has_base && has_now ? fmax(a.high, b.high) : has_base ? a.high : b.high;
  const double more = (plot.x.high - plot.x.low) * 0.03;
  plot.x = (gate_interval){plot.x.low > more ? plot.x.low - more : plot.x.low, plot.x.high + more};
  const gate_numbers left = inside(arena, &self->base, plot.x);
  const gate_numbers right = inside(arena, &self->now, plot.x);
  page_open_figure(self->page, "How results spread");
  gate_text_add(self->page->out, "<p class=\"legend\">");
  add_side(self, "base", bench->base, self->base.count);
  add_side(self, "now", bench->now, self->now.count);
  gate_text_add(self->page->out, "</p>\n");
  svg_open(&plot, arena_format(arena, "spread of %s: base %s, now %s", bench->full_id,
                               quantity(self, base_main), quantity(self, now_main)));
  svg_axis_x(&plot, arena, bench->unit);
  add_densities(self, &plot);
  if (!isnan(base_main)) svg_upright(&plot, "middle base", base_main);
  if (!isnan(now_main)) svg_upright(&plot, "middle now", now_main);
  const gate_numbers shown[] = {page_thinned(arena, &left, PAGE_SIDE_MARKS_MAX),
                                page_thinned(arena, &right, PAGE_SIDE_MARKS_MAX)};
  svg_path(&plot, SVG_RUG, "rug base", &shown[0], NULL, 3);
  svg_path(&plot, SVG_RUG, "rug now", &shown[1], NULL, 9);
  svg_close(&plot);
  const size_t far = self->base.count - left.count + self->now.count - right.count;
  const size_t most = self->base.count > self->now.count ? self->base.count : self->now.count;
  page_close_figure(self->page,
                    far > 0 ? arena_format(arena, "%zu far outliers are beyond the axis.", far)
                    : most < SHAPE_MIN ? "Too few results for a curve: each is a dot."
                                       : NULL);
}

/* ---- rounds ---- */

static void add_series(const charts *self, const svg_plot *plot, const gate_numbers *series,
                       const char *side, bool has_titles)
{
  bench_arena *arena = self->page->arena;
  gate_numbers x = {0};
  if (series->count == 0) return;
  const double middle = stats_median(series->values, series->count);
  for (size_t i = 0; i < series->count; i++) gate_numbers_add(arena, &x, (double)i);
  svg_line(plot, arena_format(arena, "middle %s", side), -0.5, middle, plot->x.high, middle);
  svg_path(plot, SVG_LINE, arena_format(arena, "thread %s", side), &x, series, 0);
  for (size_t i = 0; i < series->count; i++)
    svg_dot(plot, arena_format(arena, "mark %s", side), (double)i, series->values[i],
            series->count > 60 ? 1.6 : 3.2,
            has_titles ? arena_format(arena, "%s, %s %zu: %s", side, self->what, i + 1,
                                      quantity(self, series->values[i]))
                       : NULL);
}

static void draw_rounds(const charts *self)
{
  bench_arena *arena = self->page->arena;
  const size_t most = self->base.count > self->now.count ? self->base.count : self->now.count;
  const bool has_titles = most <= 60;
  svg_plot plot = new_plot(self, "chart rounds");
  plot.x = (gate_interval){-0.5 - (double)most * SVG_GUTTER, (double)most - 0.5};
  svg_fit_y(&plot, svg_range(&self->base, &self->now), 0.06);
  svg_open(&plot,
           arena_format(arena, "%ss of %s in the order of time", self->what, self->bench->full_id));
  svg_axis_y(&plot, arena, self->bench->unit);
  add_series(self, &plot, &self->base, "base", has_titles);
  add_series(self, &plot, &self->now, "now", has_titles);
  svg_text(&plot, "tick", 0, plot.y.low, -16, arena_format(arena, "%s 1", self->what));
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, arena_format(arena, "%zu", most));
  svg_close(&plot);
}

static void add_rounds(charts self)
{
  bench_arena *arena = self.page->arena;
  const gate_metric *base = self.bench->base, *now = self.bench->now;
  const bool has_rounds = (base && base->rounds.count > 1) || (now && now->rounds.count > 1);
  const gate_numbers none = {0};
  const gate_numbers *left = !base ? &none : has_rounds ? &base->rounds : &base->samples;
  const gate_numbers *right = !now ? &none : has_rounds ? &now->rounds : &now->samples;
  const size_t most = left->count > right->count ? left->count : right->count;
  if (most < 2) return;
  self.what = has_rounds ? "round" : "sample";
  self.base = page_thinned(arena, left, PAGE_SIDE_MARKS_MAX);
  self.now = page_thinned(arena, right, PAGE_SIDE_MARKS_MAX);
  page_open_figure(self.page,
                   has_rounds ? "Rounds in the order of time" : "Samples in the order of time");
  draw_rounds(&self);
  page_close_figure(self.page, most > PAGE_SIDE_MARKS_MAX ? "Evenly thinned." : NULL);
}

void page_charts(const page *self, const page_bench *bench)
{
  charts all = {.page = self, .bench = bench};
  all.base = page_shape_of(bench->base);
  all.now = page_shape_of(bench->now);
  if (isnan(main_of(bench->base)) && isnan(main_of(bench->now))) return;
  /* One exact number a side is in the table. */
  if (all.base.count + all.now.count > 0) add_spread(&all);
  add_rounds(all);
}
