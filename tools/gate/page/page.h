/* page/: one page for people, a report as a file that needs nothing else, no network and no script.
 *
 *   page.c           gathers rows by bench; the header; puts the parts together
 *   page_overview.c  all benches on one axis
 *   page_charts.c    a bench drawn: its rounds, its history
 *   page_tables.c    figures of a bench, targets, and on what and how it was measured
 *   page.css         colours and layout, light and dark
 *   svg.c            drawing
 *
 * The same input gives the same bytes. The page is well-formed XML and HTML at once. */
#ifndef ACCEL_GATE_PAGE_H
#define ACCEL_GATE_PAGE_H

#include "forms/forms.h"
#include "judge.h"

#include "harness/stats.h"

/* ---- page.c ---- */

/* Adds the page. The report is sorted; `history` may be NULL. */
void gate_show_page(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems);

/* ---- what the parts share ---- */

/* No chart draws more marks than this. */
enum { PAGE_MARKS_MAX = 500 };

typedef struct page_bench {
  const char *id, *full_id;
  const char *anchor;
  const gate_row **rows;
  size_t count, capacity;
  /* The row that stands for it: of the worst verdict that is more than a report, the median if that
   * is one. */
  const gate_row *main;
  const gate_metric *base, *now; /* of the time if there is one; NULL if not given */
  const char *unit;
} page_bench;

typedef struct page {
  gate_text *out;
  const gate_report *report;
  const gate_history *history; /* NULL, or with a line at least */
  const char *commits;         /* where commits are shown, a prefix of addresses; NULL: nowhere */
  page_bench *benches;
  size_t count;
  bool has_problems;
} page;

void page_overview(const page *self);
void page_charts(const page *self, const page_bench *bench);
void page_figures(const page *self, const page_bench *bench);
void page_targets(const page *self);
void page_environment(const page *self);

/* A line of a list of facts; nothing if `value` is NULL. */
void page_fact(const page *self, const char *name, const char *value);
/* Where a commit is shown; NULL if nowhere. */
const char *page_commit_address(const page *self, const char *commit_or_null);

/* ---- svg.c: inline SVG that is as wide as the place it stands in ----
 *
 * Places are given in the units of the data. Across they become percentages, so that a chart fits
 * a telephone and a wide screen with letters of one size; down they become pixels. Only what has
 * corners, a path, is stretched, and its strokes are not. Colours are the page's: everything drawn
 * has a class (`kind`) and nothing has a colour of its own. Numbers have two decimals, the same on
 * every machine. */

typedef struct svg_plot {
  gate_text *out;
  const char *kind;    /* a class, and what tests look for */
  double height;       /* pixels, of the whole */
  double top, bottom;  /* pixels that stay free above and below the data */
  stats_interval x, y; /* what the edges mean; without room for padding */
} svg_plot;

/* The share of the width that texts of an upright axis need at the left, of the data's. */
#define SVG_GUTTER 0.16

/* `label` says what is drawn to those who do not see it. */
void svg_open(const svg_plot *plot, const char *label);
void svg_close(const svg_plot *plot);
/* Percent from the left; what lies outside comes to the edge. */
double svg_across(const svg_plot *plot, double x);

void svg_line(const svg_plot *plot, const char *kind, double x1, double y1, double x2, double y2);
/* From the top of the data to its bottom. */
void svg_upright(const svg_plot *plot, const char *kind, double x);
void svg_band(const svg_plot *plot, const char *kind, double x1, double x2);
/* `title` appears under the pointer. */
void svg_dot(const svg_plot *plot, const char *kind, double x, double y, double radius,
             const char *title);
/* `lift` pixels above y, turned away from an edge that is near. */
void svg_text(const svg_plot *plot, const char *kind, double x, double y, double lift,
              const char *text);
/* A line through values, which stand at 0, 1, 2 … */
void svg_path(const svg_plot *plot, const char *kind, const gate_numbers *values);

/* Rules across the data, and their texts. */
void svg_axis_y(const svg_plot *plot, const char *unit);
/* Numbers that people would choose for an axis: at most `most`, in ascending order. */
gate_numbers svg_ticks(stats_interval range, size_t most);
/* The ends of all numbers in both lists, a little apart; 0 and 1 if there are none. Equal ends are
 * moved apart. */
stats_interval svg_range(const gate_numbers *a, const gate_numbers *b);

#endif
