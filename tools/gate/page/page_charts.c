/* One bench drawn: its rounds in the order of time, and its history. */
#include "page.h"

#include <math.h>
#include <string.h>

/* What is drawn of history is its end: a longer line tells no more on a page this wide. */
enum { CHART_HEIGHT = 190, TREND_RUNS_MAX = 120 };

const char *page_commit_address(const page *self, const char *commit)
{
  const bool is_hash = commit && strlen(commit) >= 7 && strspn(commit, "0123456789abcdef") >= 7;
  return self->commits && is_hash ? arena_format("%s%s", self->commits, commit) : NULL;
}

static const char end_of_figure[] = "<p class=\"muted small\">%s</p>\n</figure>\n";

/* All of it, or evenly spaced numbers in order. */
static gate_numbers thinned(const gate_numbers *numbers)
{
  enum { MOST = PAGE_MARKS_MAX / 2 }; /* there are two sides */
  if (numbers->count <= MOST) return *numbers;
  gate_numbers found = {0};
  for (size_t i = 0; i < MOST; i++)
    gate_numbers_add(&found, numbers->values[i * numbers->count / MOST]);
  return found;
}

/* ---- lines in the order of time ---- */

typedef struct line {
  const char *side; /* base or now */
  gate_numbers values;
  const gate_set **runs; /* of history, one per value; or NULL */
} line;

static const char *point_title(const line *of, size_t at, const char *unit)
{
  const char *value = gate_quantity(of->values.values[at], unit);
  const gate_set *run = of->runs ? of->runs[at] : NULL;
  if (!run) return arena_format("%s %zu: %s", of->side, at + 1, value);
  return arena_format("%s %s %s: %s", run->tag ? run->tag : "", run->commit ? run->commit : "",
                      run->started ? run->started : "", value);
}

/* Releases, where their texts do not lie on each other. */
static void add_tags(const svg_plot *plot, const line *of)
{
  double free_from = -1;
  for (size_t i = 0; of->runs && i < of->values.count; i++) {
    const char *tag = of->runs[i]->tag;
    const double across = svg_across(plot, (double)i);
    if (!tag) continue;
    svg_upright(plot, "release", (double)i);
    if (across < free_from) continue;
    svg_text(plot, "release", (double)i, plot->y.high, 4, tag);
    free_from = across + 6 + 2.2 * (double)gate_letters(tag);
  }
}

static void draw_line(const page *self, const svg_plot *plot, const line *of, const char *unit)
{
  const size_t count = of->values.count;
  if (count == 0) return;
  const double middle = stats_median(of->values.values, count);
  add_tags(plot, of);
  if (!of->runs)
    svg_line(plot, arena_format("middle %s", of->side), -0.5, middle, plot->x.high, middle);
  svg_path(plot, arena_format("thread %s", of->side), &of->values);
  for (size_t i = 0; i < count; i++) {
    const char *address = of->runs ? page_commit_address(self, of->runs[i]->commit) : NULL;
    if (address) gate_add_markup(self->out, "<a href=\"%s\">", address);
    svg_dot(plot, arena_format("mark %s", of->side), (double)i, of->values.values[i],
            count > 60 ? 1.8 : 3.2, point_title(of, i, unit));
    if (address) gate_text_add(self->out, "</a>");
  }
}

/* `first` and `last` stand below the ends. */
static void add_lines(const page *self, const char *kind, const char *title, const char *label,
                      const char *unit, const line *base, const line *now, const char *first,
                      const char *last)
{
  const gate_numbers *left = &base->values, *right = &now->values;
  const size_t most = left->count > right->count ? left->count : right->count;
  const svg_plot plot = {self->out,
                         kind,
                         CHART_HEIGHT,
                         18,
                         24,
                         {-0.5 - (double)most * SVG_GUTTER, (double)most - 0.5},
                         svg_range(left, right)};
  gate_add_markup(self->out, "<figure>\n<figcaption>%s</figcaption>\n", title);
  svg_open(&plot, label);
  svg_axis_y(&plot, unit);
  draw_line(self, &plot, base, unit);
  draw_line(self, &plot, now, unit);
  svg_text(&plot, "tick", 0, plot.y.low, -16, first);
  svg_text(&plot, "tick", plot.x.high, plot.y.low, -16, last);
  svg_close(&plot);
}

static void add_rounds(const page *self, const page_bench *bench)
{
  const gate_metric *metrics[] = {bench->base, bench->now};
  line lines[] = {{.side = "base"}, {.side = "now"}};
  size_t most = 0;
  bool has_rounds = false;
  for (int s = 0; s < 2; s++)
    has_rounds = has_rounds || (metrics[s] && metrics[s]->rounds.count > 1);
  for (int s = 0; s < 2 && (bench->base || bench->now); s++) {
    if (!metrics[s]) continue;
    const gate_numbers *all = has_rounds ? &metrics[s]->rounds : &metrics[s]->samples;
    lines[s].values = thinned(all);
    most = all->count > most ? all->count : most;
  }
  if (most < 2) return;
  const char *what = has_rounds ? "round" : "sample";
  add_lines(self, "chart rounds",
            has_rounds ? "Rounds in the order of time" : "Samples in the order of time",
            arena_format("%ss of %s in the order of time", what, bench->full_id), bench->unit,
            &lines[0], &lines[1], arena_format("%s 1", what), arena_format("%zu", most));
  gate_text_add(self->out, "<p class=\"legend\"><span class=\"key base-key\">base</span>"
                           "<span class=\"key now-key\">now</span></p>\n");
  gate_add_markup(self->out, end_of_figure, most > PAGE_MARKS_MAX / 2 ? "Evenly thinned." : "");
}

/* ---- history ---- */

static const char *run_name(const gate_set *run)
{
  if (run->tag) return run->tag;
  if (run->commit) return arena_format("%.8s", run->commit);
  return run->started ? arena_format("%.10s", run->started) : "";
}

static void add_trend(const page *self, const page_bench *bench, const gate_metric *metric)
{
  const line none = {.side = "base"};
  line found = {.side = "now"};
  const bool is_time = strcmp(metric->name, "time") == 0;
  found.values = gate_history_series(self->history, bench->id, metric->name, &found.runs);
  const size_t skipped =
      found.values.count > TREND_RUNS_MAX ? found.values.count - TREND_RUNS_MAX : 0;
  found.values.values += skipped;
  found.values.count -= skipped;
  found.runs += skipped;
  const size_t count = found.values.count;
  if (count < 2) return;
  add_lines(self, "chart trend", is_time ? "History" : arena_format("History of %s", metric->name),
            arena_format("history of %s of %s", metric->name, bench->full_id), metric->unit, &none,
            &found, run_name(found.runs[0]), run_name(found.runs[count - 1]));
  gate_add_markup(self->out, end_of_figure, gate_some(count, "run", "runs"));
}

void page_charts(const page *self, const page_bench *bench)
{
  const gate_bench *now = self->report->now ? gate_set_find(self->report->now, bench->id) : NULL;
  const bool has_main = (bench->base && !isnan(gate_metric_main(bench->base))) ||
                        (bench->now && !isnan(gate_metric_main(bench->now)));
  if (has_main) add_rounds(self, bench);
  for (size_t i = 0; self->history && now && i < now->metric_count; i++)
    add_trend(self, bench, &now->metrics[i]);
}
