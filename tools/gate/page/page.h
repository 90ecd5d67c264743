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
#include "svg.h"

/* Adds the page. The report is sorted; `history` may be NULL. */
void gate_show_page(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems);

/* ---- what the parts share ---- */

/* No chart draws more marks than this. */
enum { PAGE_MARKS_MAX = 500 };

typedef struct page_bench {
  const char *id, *full_id;
  size_t number; /* of its anchor */
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

#endif
