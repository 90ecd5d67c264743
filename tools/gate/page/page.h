/* page/: one page for people, a report as a file that needs nothing else, no network and no script.
 *
 *   page_common.c    what the parts share
 *   page.c           gathers rows by bench; the header; puts the parts together
 *   page_overview.c  all benches on one axis
 *   page_charts.c    a bench: how results spread, their rounds in the order of time
 *   page_trend.c     history: the whole, and each bench
 *   page_tables.c    figures of a bench, targets, and on what and how it was measured
 *   page.css         colours and layout, light and dark
 *   page.js          sorting and filtering: the page is whole without
 *   svg.c            drawing
 *
 * The same input gives the same bytes. The page is well-formed XML and HTML at once. */
#ifndef ACCEL_GATE_PAGE_H
#define ACCEL_GATE_PAGE_H

#include "forms/history.h"
#include "judge.h"
#include "svg.h"

/* Adds the page. The report is sorted; `history` may be NULL. */
void gate_show_page(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems);

/* ---- what the parts share ---- */

/* No chart draws more marks than this. */
enum { PAGE_MARKS_MAX = 500, PAGE_SIDE_MARKS_MAX = PAGE_MARKS_MAX / 2, PAGE_CHART_HEIGHT = 190 };

typedef struct page_bench {
  const char *id, *full_id;
  size_t number; /* of its anchor */
  const gate_row **rows;
  size_t count, capacity;
  const gate_row *main; /* the row that stands for it: of its verdict, the median if that is one */
  gate_verdict verdict; /* the worst that is more than a report */
  const gate_metric *base, *now; /* of the time if there is one; NULL if not given */
  const char *unit;
} page_bench;

typedef struct page {
  gate_text *out;
  bench_arena *arena;
  const gate_report *report;
  const gate_history *history; /* NULL, or with a line at least */
  const char *commits;         /* where commits are shown, a prefix of addresses; NULL: nowhere */
  page_bench *benches;
  size_t count;
  bool has_problems;
} page;

void page_overview(const page *self);
void page_charts(const page *self, const page_bench *bench);
void page_trend(const page *self);
/* Of one bench, as figures; nothing if history does not know it. */
void page_bench_trend(const page *self, const page_bench *bench);
void page_figures(const page *self, const page_bench *bench);
void page_targets(const page *self);
void page_environment(const page *self);

void page_open_figure(const page *self, const char *title);
/* `note` may be NULL. */
void page_close_figure(const page *self, const char *note);
/* What a side's shape is drawn from: samples of one process, or else rounds. */
gate_numbers page_shape_of(const gate_metric *metric_or_null);
/* What is drawn of a list: all of it, or evenly spaced numbers, in order. */
gate_numbers page_thinned(bench_arena *arena, const gate_numbers *numbers, size_t most);

#endif
