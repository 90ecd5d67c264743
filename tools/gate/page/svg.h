/* Drawing: inline SVG that is as wide as the place it stands in.
 *
 * Places are given in the units of the data. Across they become percentages, so that a chart fits
 * a telephone and a wide screen with letters of one size; down they become pixels. Only what has
 * corners, a path, is stretched, and its strokes are not. Colours are the page's: everything drawn
 * has a class (`kind`) and nothing has a colour of its own. Numbers have two decimals, the same on
 * every machine. */
#ifndef ACCEL_GATE_SVG_H
#define ACCEL_GATE_SVG_H

#include "base.h"

#include "harness/stats.h"

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
