/* One page for people: a report as a file that needs nothing else, no network and no script.
 *
 *   html.c           gathers rows by bench; the header; puts the parts together
 *   html_overview.c  all benches on one axis
 *   html_bench.c     a bench: rounds in time order, figures
 *   html_shapes.c    a bench: densities, cumulative shares, times by iterations
 *   html_trend.c     history: the whole, and each bench
 *   html_tables.c    targets, and on what and how it was measured
 *   html_style.c     colours and layout, light and dark
 *   html_script.c    sorting, filtering, the switch of themes: the page is whole without
 *   svg.c            drawing
 *
 * The same input gives the same bytes. The page is well-formed XML and HTML at once. */
#ifndef ACCEL_GATE_HTML_H
#define ACCEL_GATE_HTML_H

#include "history.h"
#include "judge.h"
#include "svg.h"

/* Adds the page. The report is sorted; `history` may be NULL. */
void gate_show_html(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems);

/* ---- what the parts share ---- */

/* No chart draws more marks than this. */
enum { HTML_MARKS_MAX = 500 };

typedef struct html_bench {
  const char *id, *full_id;
  size_t number; /* of its anchor */
  const gate_row **rows;
  size_t count, capacity;
  const gate_row *main; /* the row that stands for it: of its verdict, the median if that is one */
  gate_verdict verdict; /* the worst that is more than a report */
  const gate_metric *base, *now; /* of the time if there is one; NULL if not given */
  const char *unit;
} html_bench;

typedef struct html_page {
  gate_text *out;
  gate_arena *arena;
  const gate_report *report;
  const gate_history *history; /* NULL, or with a line at least */
  html_bench *benches;
  size_t count;
  bool has_problems;
} html_page;

void html_overview(const html_page *page);
void html_bench_details(const html_page *page, const html_bench *bench);
void html_shapes(const html_page *page, const html_bench *bench);
void html_trend(const html_page *page);
/* Of one bench, as a figure; nothing if history does not know it. */
void html_bench_trend(const html_page *page, const html_bench *bench);
void html_targets(const html_page *page);
void html_environment(const html_page *page);

/* What a side's shape is drawn from: samples of one process, or else rounds. */
gate_numbers html_shape_of(const gate_metric *metric_or_null);
/* The figure that stands for it; NAN if there is none. */
double html_main_of(const gate_metric *metric_or_null);
const char *html_quantity(const html_page *page, const html_bench *bench, double value);
void html_open_figure(const html_page *page, const char *title);
/* `note` may be NULL. */
void html_close_figure(const html_page *page, const char *note);

/* A chart that is drawn once for each scale of its axis, of which one is shown: the page's buttons
 * choose. Very many benches have the first one only. */
int html_scales(const html_page *page);
void html_open_scales(const html_page *page);
void html_close_scales(const html_page *page);

/* Parts of the texts; NULL behind the last. */
extern const char *const html_style[];
extern const char *const html_script[];

/* printf whose arguments are escaped, of which all are texts: %s only. */
void html_add(const html_page *page, const char *format, ...);
/* What is drawn of a list: all of it, or evenly spaced numbers, in order. */
gate_numbers html_thinned(gate_arena *arena, const gate_numbers *numbers, size_t most);

#endif
