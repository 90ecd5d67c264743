/* History: how times and counts moved from run to run, on the machine of the last run. */
#include "page.h"

#include "fingerprint.h"

#include <math.h>
#include <string.h>

/* What is drawn is the end of history: a longer line tells no more on a page this wide. */
enum { TREND_RUNS_MAX = 120 };

typedef struct trend {
  const page *page;
  gate_numbers values;
  const gate_set **runs; /* one per value */
  const char *unit;      /* NULL: a ratio, shown as percent */
  const char *label;
} trend;

static const char *run_name(bench_arena *arena, const gate_set *run)
{
  if (run->tag) return run->tag;
  if (run->commit) return arena_format(arena, "%.8s", run->commit);
  return run->started ? arena_format(arena, "%.10s", run->started) : "";
}

static const char *point_title(bench_arena *arena, const trend *self, size_t at)
{
  const gate_set *run = self->runs[at];
  const double value = self->values.values[at];
  return arena_format(arena, "%s%s%s%s%s: %s", run->tag ? run->tag : "", run->tag ? " " : "",
                      run->commit ? run->commit : "", run->commit ? " " : "",
                      run->started ? run->started : "",
                      self->unit ? gate_quantity(arena, value, self->unit)
                                 : arena_format(arena, "%.1f %%", value * 100));
}

static void add_tags(const svg_plot *plot, const trend *self)
{
  double free_from = -1;
  for (size_t i = 0; i < self->values.count; i++) {
    const char *tag = self->runs[i]->tag;
    if (!tag) continue;
    svg_upright(plot, "release", (double)i);
    const double across = svg_across(plot, (double)i);
    if (across < free_from) continue; /* its text would lie on the one before */
    svg_text(plot, "release", (double)i, plot->y.high, 4, tag);
    free_from = across + 6 + 2.2 * (double)gate_letters(tag);
  }
}

static void draw_trend(const trend *self)
{
  bench_arena *arena = self->page->arena;
  const size_t count = self->values.count;
  svg_plot plot = {.out = self->page->out,
                   .kind = "chart trend",
                   .height = PAGE_CHART_HEIGHT,
                   .top = 18,
                   .bottom = 22,
                   .x = {-0.5 - (double)count * SVG_GUTTER, (double)count - 0.5}};
  gate_numbers x = {0};
  for (size_t i = 0; i < count; i++) gate_numbers_add(arena, &x, (double)i);
  svg_fit_y(&plot, svg_range(&self->values, NULL), 0.12);
  svg_open(&plot, self->label);
  svg_plot percent = plot;
  if (!self->unit) percent.y = (gate_interval){plot.y.low * 100, plot.y.high * 100};
  svg_axis_y(&percent, arena, self->unit ? self->unit : "%");
  add_tags(&plot, self);
  svg_path(&plot, SVG_LINE, "thread now", &x, &self->values, 0);
  for (size_t i = 0; i < count; i++) {
    const char *commit = self->runs[i]->commit;
    const bool is_linked = self->page->commits && commit;
    if (is_linked)
      gate_add_markup(self->page->out, "<a href=\"%s%s\">", self->page->commits, commit);
    svg_dot(&plot, "mark now", (double)i, self->values.values[i], count > 60 ? 2 : 3,
            point_title(arena, self, i));
    if (is_linked) gate_text_add(self->page->out, "</a>");
  }
  svg_text(&plot, "tick", 0, plot.y.low, -16, run_name(arena, self->runs[0]));
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, run_name(arena, self->runs[count - 1]));
  svg_close(&plot);
  gate_add_markup(self->page->out, "<p class=\"muted small\">%s</p>\n",
                  gate_some(arena, count, "run", "runs"));
}

/* ---- a bench ---- */

static void add_metric_trend(const page *self, const page_bench *bench, const gate_metric *metric)
{
  size_t *places;
  const gate_numbers series =
      gate_history_series(self->arena, self->history, bench->id, metric->name, &places);
  const size_t skipped = series.count > TREND_RUNS_MAX ? series.count - TREND_RUNS_MAX : 0;
  const bool is_time = strcmp(metric->name, "time") == 0;
  trend found = {.page = self, .unit = metric->unit};
  if (series.count < 2) return;
  found.label = arena_format(self->arena, "history of %s of %s", metric->name, bench->full_id);
  found.runs = arena_take(self->arena, series.count, sizeof *found.runs);
  for (size_t i = skipped; i < series.count; i++) {
    found.runs[found.values.count] = self->history->sets[places[i]];
    gate_numbers_add(self->arena, &found.values, series.values[i]);
  }
  page_open_figure(self,
                   is_time ? "History" : arena_format(self->arena, "History of %s", metric->name));
  draw_trend(&found);
  page_close_figure(self, NULL);
}

/* Of all that was judged, not of the time alone. */
void page_bench_trend(const page *self, const page_bench *bench)
{
  const gate_bench *now = self->report->now ? gate_set_find(self->report->now, bench->id) : NULL;
  for (size_t i = 0; self->history && now && i < now->metric_count; i++)
    add_metric_trend(self, bench, &now->metrics[i]);
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

void page_trend(const page *self)
{
  const gate_history *history = self->history;
  if (!history) return;
  const gate_set *last = history->sets[history->count - 1], *first = NULL;
  trend whole = {.page = self, .label = "history of the geometric mean of all times"};
  whole.runs = arena_take(self->arena, history->count, sizeof *whole.runs);
  const size_t skipped = history->count > TREND_RUNS_MAX ? history->count - TREND_RUNS_MAX : 0;
  for (size_t i = skipped; i < history->count; i++) {
    const gate_set *run = history->sets[i];
    if (gate_machine_difference(self->arena, run, last)) continue;
    if (!first) first = run;
    const double value = index_of(run, first);
    if (isnan(value)) continue;
    whole.runs[whole.values.count] = run;
    gate_numbers_add(self->arena, &whole.values, value);
  }
  if (whole.values.count < 2) return;
  gate_text_add(self->out, "<section id=\"history\">\n<h2>History</h2>\n"
                           "<p class=\"muted\">All times, geometric mean; the first run drawn is "
                           "100 %. Only runs on the machine of the last one.</p>\n");
  draw_trend(&whole);
  gate_text_add(self->out, "</section>\n");
}
