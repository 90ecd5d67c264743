/* History: how times moved from run to run, on the machine of the last run. */
#include "html.h"

#include "fingerprint.h"

#include <math.h>
#include <string.h>

/* What is drawn is the end of history: a longer line tells no more on a page this wide. */
enum { TREND_RUNS_MAX = 120, TREND_HEIGHT = 190, TREND_SEED = 42 };

typedef struct html_line {
  gate_numbers values;
  const gate_set **runs; /* one per value */
  const char *unit;      /* NULL: a ratio, shown as percent */
} html_line;

static const char *run_name(gate_arena *arena, const gate_set *run)
{
  if (run->tag) return run->tag;
  if (run->commit) return gate_format(arena, "%.8s", run->commit);
  return run->started ? gate_format(arena, "%.10s", run->started) : "";
}

static const char *value_text(gate_arena *arena, const html_line *trend, double value)
{
  if (trend->unit) return gate_quantity(arena, value, trend->unit);
  return gate_format(arena, "%.1f %%", value * 100);
}

static const char *point_title(gate_arena *arena, const html_line *trend, size_t at)
{
  const gate_set *run = trend->runs[at];
  return gate_format(arena, "%s%s%s%s%s: %s", run->tag ? run->tag : "", run->tag ? " " : "",
                     run->commit ? run->commit : "", run->commit ? " " : "",
                     run->started ? run->started : "",
                     value_text(arena, trend, trend->values.values[at]));
}

static gate_changes find_changes(gate_arena *arena, const html_line *trend)
{
  if (trend->values.count < GATE_HISTORY_POINTS_MIN) return (gate_changes){0};
  return gate_change_points(arena, trend->values.values, trend->values.count, TREND_SEED);
}

static void add_tags(const svg_plot *plot, const html_line *trend)
{
  double free_from = -1;
  for (size_t i = 0; i < trend->values.count; i++) {
    const char *tag = trend->runs[i]->tag;
    if (!tag) continue;
    svg_upright(plot, "release", (double)i);
    const double across = svg_across(plot, (double)i);
    if (across < free_from) continue; /* its text would lie on the one before */
    svg_text(plot, "release", (double)i, plot->y.high, 4, tag);
    free_from = across + 6 + 2.2 * (double)gate_letters(tag);
  }
}

/* The level of each segment as a line, and what it was a change of. */
static void add_changes(const html_page *page, const svg_plot *plot, const html_line *trend,
                        const gate_changes *changes)
{
  const double *values = trend->values.values;
  double before = NAN;
  for (size_t i = 0; i <= changes->count; i++) {
    const size_t from = i > 0 ? changes->items[i - 1] : 0;
    const size_t to = i < changes->count ? changes->items[i] : trend->values.count;
    const double level = gate_median(values + from, to - from);
    svg_line(plot, "level", (double)from - 0.5, level, (double)to - 0.5, level);
    if (i > 0) {
      const char *kind = level > before ? "changed fail" : "changed improved";
      svg_upright(plot, kind, (double)from - 0.5);
      svg_text(plot, kind, (double)from - 0.5, plot->y.low, 5,
               gate_percent(page->arena, level / before - 1));
    }
    before = level;
  }
}

static void draw_chart(const html_page *page, const html_line *trend, const gate_changes *changes,
                       const char *label, svg_scale scale)
{
  gate_arena *arena = page->arena;
  const size_t count = trend->values.count;
  svg_plot plot = {.out = page->out,
                   .kind = gate_format(arena, "chart trend%s", svg_scale_kind(scale)),
                   .height = TREND_HEIGHT,
                   .top = 18,
                   .bottom = 22,
                   .x = {-0.5 - (double)count * SVG_GUTTER, (double)count - 0.5}};
  gate_numbers x = {0};
  for (size_t i = 0; i < count; i++) gate_numbers_add(arena, &x, (double)i);
  svg_scale_y(&plot, scale, svg_range(&trend->values, NULL), 0.12);
  svg_open(&plot, label);
  svg_line(&plot, "axis", plot.x.low, plot.y.low, plot.x.high, plot.y.low);
  svg_plot percent = plot;
  if (!trend->unit) percent.y = (gate_interval){plot.y.low * 100, plot.y.high * 100};
  svg_axis_y(&percent, arena, trend->unit ? trend->unit : "%");
  add_tags(&plot, trend);
  svg_path(&plot, "thread now", &x, &trend->values, false);
  add_changes(page, &plot, trend, changes);
  for (size_t i = 0; i < count; i++)
    svg_dot(&plot, "mark now", (double)i, trend->values.values[i], count > 60 ? 2 : 3,
            scale == SVG_FITTED ? point_title(arena, trend, i) : NULL);
  svg_text(&plot, "tick", 0, plot.y.low, -16, run_name(arena, trend->runs[0]));
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, run_name(arena, trend->runs[count - 1]));
  svg_close(&plot);
}

static void add_chart(const html_page *page, const html_line *trend, const char *label)
{
  gate_arena *arena = page->arena;
  const size_t count = trend->values.count;
  const gate_changes changes = find_changes(arena, trend);
  html_open_scales(page);
  for (int scale = SVG_FITTED; scale < html_scales(page); scale++)
    draw_chart(page, trend, &changes, label, (svg_scale)scale);
  html_close_scales(page);
  if (count < GATE_HISTORY_POINTS_MIN)
    gate_text_printf(
        page->out, "<p class=\"muted small\">%s; changes of level are looked for from %d on.</p>\n",
        gate_some(arena, count, "run", "runs"), GATE_HISTORY_POINTS_MIN);
  else
    gate_text_printf(page->out, "<p class=\"muted small\">%s, %s of level.</p>\n",
                     gate_some(arena, count, "run", "runs"),
                     gate_some(arena, changes.count, "change", "changes"));
}

/* ---- a bench ---- */

static html_line bench_trend(const html_page *page, const char *id)
{
  size_t *places;
  gate_numbers series = gate_history_series(page->arena, page->history, id, &places);
  const size_t skipped = series.count > TREND_RUNS_MAX ? series.count - TREND_RUNS_MAX : 0;
  html_line found = {.unit = "ns"};
  found.runs = gate_take(page->arena, series.count, sizeof *found.runs);
  for (size_t i = skipped; i < series.count; i++) {
    found.runs[found.values.count] = page->history->sets[places[i]];
    gate_numbers_add(page->arena, &found.values, series.values[i]);
  }
  return found;
}

void html_bench_trend(const html_page *page, const html_bench *bench)
{
  if (!page->history) return;
  const html_line found = bench_trend(page, bench->id);
  if (found.values.count < 2) return;
  gate_text_add(page->out, "<figure>\n<figcaption>History</figcaption>\n");
  add_chart(page, &found, gate_format(page->arena, "history of %s", bench->full_id));
  gate_text_add(page->out, "</figure>\n");
}

/* ---- the whole ---- */

static double time_of(const gate_set *set, const char *id)
{
  const gate_bench *bench = gate_set_find(set, id);
  const gate_metric *time = bench ? gate_bench_find(bench, "time") : NULL;
  return time ? gate_metric_main(time) : NAN;
}

/* The geometric mean of a run's times over those of the first, of benches that both have. */
static double index_of(const gate_set *run, const gate_set *first)
{
  double sum = 0;
  size_t count = 0;
  for (size_t i = 0; i < first->count; i++) {
    const double ratio = time_of(run, first->benches[i].id) / time_of(first, first->benches[i].id);
    if (!(ratio > 0) || !isfinite(ratio)) continue;
    sum += log(ratio);
    count++;
  }
  return count > 0 ? exp(sum / (double)count) : NAN;
}

void html_trend(const html_page *page)
{
  const gate_history *history = page->history;
  if (!history) return;
  gate_arena *arena = page->arena;
  const gate_set *last = history->sets[history->count - 1], *first = NULL;
  html_line whole = {0};
  whole.runs = gate_take(arena, history->count, sizeof *whole.runs);
  const size_t skipped = history->count > TREND_RUNS_MAX ? history->count - TREND_RUNS_MAX : 0;
  for (size_t i = skipped; i < history->count; i++) {
    const gate_set *run = history->sets[i];
    if (gate_machine_difference(arena, run, last)) continue;
    if (!first) first = run;
    const double value = index_of(run, first);
    if (isnan(value)) continue;
    whole.runs[whole.values.count] = run;
    gate_numbers_add(arena, &whole.values, value);
  }
  if (whole.values.count < 2) return;
  gate_text_add(page->out, "<section id=\"history\">\n<h2>History</h2>\n"
                           "<p class=\"muted\">All times, geometric mean; the first run drawn is "
                           "100 %. Only runs on the machine of the last one.</p>\n");
  add_chart(page, &whole, "history of the geometric mean of all times");
  gate_text_add(page->out, "</section>\n");
}
