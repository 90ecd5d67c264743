#include "page.h"

#include <math.h>

static double limit(double value, double low, double high)
{
  if (isnan(value)) return low;
  return fmin(fmax(value, low), high);
}

static double share_of(stats_interval range, double value)
{
  return (value - range.low) / (range.high - range.low);
}

double svg_across(const svg_plot *plot, double x)
{
  return limit(share_of(plot->x, x) * 100, 0, 100);
}

static double down_of(const svg_plot *plot, double y)
{
  const double bottom = plot->height - plot->bottom;
  const double share = share_of(plot->y, y);
  return limit(bottom - share * (bottom - plot->top), plot->top, bottom);
}

void svg_open(const svg_plot *plot, const char *label)
{
  gate_text_printf(plot->out, "<svg class=\"%s\" height=\"%.0f\" role=\"img\" ", plot->kind,
                   plot->height);
  gate_add_markup(plot->out, "aria-label=\"%s\">", label);
}

void svg_close(const svg_plot *plot)
{
  gate_text_add(plot->out, "</svg>\n");
}

void svg_line(const svg_plot *plot, const char *kind, double x1, double y1, double x2, double y2)
{
  gate_text_printf(
      plot->out, "<line class=\"%s\" x1=\"%.2f%%\" y1=\"%.2f\" x2=\"%.2f%%\" y2=\"%.2f\"/>", kind,
      svg_across(plot, x1), down_of(plot, y1), svg_across(plot, x2), down_of(plot, y2));
}

void svg_upright(const svg_plot *plot, const char *kind, double x)
{
  svg_line(plot, kind, x, plot->y.low, x, plot->y.high);
}

void svg_band(const svg_plot *plot, const char *kind, double x1, double x2)
{
  const double left = svg_across(plot, x1), right = svg_across(plot, x2);
  gate_text_printf(
      plot->out, "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.2f\" width=\"%.2f%%\" height=\"%.2f\"/>",
      kind, left, plot->top, fmax(right - left, 0), plot->height - plot->bottom - plot->top);
}

void svg_dot(const svg_plot *plot, const char *kind, double x, double y, double radius,
             const char *title)
{
  gate_text_printf(plot->out, "<circle class=\"%s\" cx=\"%.2f%%\" cy=\"%.2f\" r=\"%.1f\">", kind,
                   svg_across(plot, x), down_of(plot, y), radius);
  gate_add_markup(plot->out, "<title>%s</title></circle>", title);
}

void svg_text(const svg_plot *plot, const char *kind, double x, double y, double lift,
              const char *text)
{
  const double across = svg_across(plot, x);
  const char *anchor = across < 7 ? "start" : across > 93 ? "end" : "middle";
  gate_text_printf(plot->out, "<text class=\"%s\" x=\"%.2f%%\" y=\"%.2f\" text-anchor=\"%s\">",
                   kind, across, down_of(plot, y) - lift, anchor);
  gate_add_markup(plot->out, "%s</text>", text);
}

/* ---- what is stretched ---- */

void svg_path(const svg_plot *plot, const char *kind, const gate_numbers *values)
{
  enum { STRETCH = 1000 };
  gate_text_printf(plot->out,
                   "<svg class=\"stretched\" width=\"100%%\" height=\"%.0f\" "
                   "viewBox=\"0 0 %d %.0f\" preserveAspectRatio=\"none\">"
                   "<path class=\"%s\" vector-effect=\"non-scaling-stroke\" d=\"",
                   plot->height, STRETCH, plot->height, kind);
  for (size_t i = 0; i < values->count; i++)
    gate_text_printf(plot->out, "%c%.1f %.1f", i == 0 ? 'M' : 'L',
                     svg_across(plot, (double)i) * STRETCH / 100, down_of(plot, values->values[i]));
  gate_text_add(plot->out, "\"/></svg>");
}

/* ---- axes ---- */

stats_interval svg_range(const gate_numbers *a, const gate_numbers *b)
{
  const gate_numbers *lists[] = {a, b};
  stats_interval range = {INFINITY, -INFINITY};
  for (size_t i = 0; i < 2; i++)
    for (size_t j = 0; j < lists[i]->count; j++) {
      range.low = fmin(range.low, lists[i]->values[j]);
      range.high = fmax(range.high, lists[i]->values[j]);
    }
  if (!(range.low <= range.high)) return (stats_interval){0, 1};
  const double width = range.high - range.low;
  const double apart = width > 0 ? width * 0.08 : range.low == 0 ? 1 : fabs(range.low) * 0.01;
  return (stats_interval){range.low - apart, range.high + apart};
}

gate_numbers svg_ticks(stats_interval range, size_t most)
{
  static const double steps[] = {1, 2, 5, 10};
  gate_numbers ticks = {0};
  const double width = range.high - range.low;
  if (!(width > 0) || !isfinite(width) || most < 2) return ticks;
  const double power = pow(10, floor(log10(width / (double)most)));
  double step = power * 10;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    step = steps[i] * power;
    if (floor(range.high / step) - ceil(range.low / step) + 1 <= (double)most) break;
  }
  const double first = ceil(range.low / step);
  for (size_t i = 0; i < most; i++) {
    const double tick = (first + (double)i) * step;
    if (tick > range.high) break;
    gate_numbers_add(&ticks, tick);
  }
  return ticks;
}

void svg_axis_y(const svg_plot *plot, const char *unit)
{
  const gate_numbers ticks = svg_ticks(plot->y, 4);
  double factor;
  const char *shown = gate_unit_shown(fmax(fabs(plot->y.low), fabs(plot->y.high)), unit, &factor);
  svg_line(plot, "axis", plot->x.low, plot->y.low, plot->x.high, plot->y.low);
  for (size_t i = 0; i < ticks.count; i++) {
    svg_line(plot, "grid", plot->x.low, ticks.values[i], plot->x.high, ticks.values[i]);
    svg_text(plot, "tick", plot->x.low, ticks.values[i], 3,
             arena_format("%.6g%s", ticks.values[i] / factor, shown));
  }
}
