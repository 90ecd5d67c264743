/* The page: one file, no network, readable in light and dark. The capacity's axis is logarithmic;
 * what is misses in percent goes down. Labels stand at the ends of their curves and are moved
 * apart where they would cover each other. */
#include "contest.h"

#include <math.h>
#include <string.h>

#define LEFT 70.0
#define TOP 20.0
#define WIDTH 640.0
#define HEIGHT 400.0
#define LABEL_HEIGHT 16.0

static const char style[] =
    ":root { color-scheme: light dark; --ink: #1c2733; --quiet: #66727f; --line: #d5dbe1;"
    " --back: #ffffff; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ed; --quiet: #98a4b0;"
    " --line: #38434e; --back: #14191f; } }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);"
    " max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }\n"
    "svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }\n"
    "svg .axis { stroke: var(--quiet); } svg .grid { stroke: var(--line); }\n"
    "svg .quiet { fill: var(--quiet); }\n"
    "svg polyline { fill: none; stroke-width: 1.6; } svg .reference { stroke-dasharray: 5 3; }\n"
    "svg .first { stroke-width: 3; }\n"
    "table { border-collapse: collapse; } td, th { padding: .2rem .6rem; text-align: right;"
    " border-bottom: 1px solid var(--line); }\n"
    "th { font-weight: 600; }\n";

/* Told apart in light and dark, and by most who see colours differently. */
static const char *const colours[SIM_CONTENDERS_MAX] = {
    "#8a8f96", "#c17a00", "#9a5bd0", "#c2549d", "#5f7f3f", "#4d8fae", "#7a86c8", "#b0702f",
    "#3f9b8a", "#d6402b", "#8a8f96", "#c17a00", "#9a5bd0", "#c2549d", "#5f7f3f", "#4d8fae",
};

static void html_text(FILE *to, const char *text)
{
  for (; *text != '\0'; text++) {
    const unsigned char byte = (unsigned char)*text;
    if (byte == '<' || byte == '>' || byte == '&' || byte == '"') {
      fprintf(to, "&#%u;", byte);
    } else {
      fputc(byte < ' ' || byte > '~' ? '?' : byte, to);
    }
  }
}

static double html_x(const sim_contest *contest, double capacity)
{
  const double first = log(contest->capacities[0]);
  const double last = log(contest->capacities[contest->capacity_count - 1]);
  if (last <= first) return LEFT + WIDTH / 2;
  return LEFT + WIDTH * (log(capacity) - first) / (last - first);
}

static double html_y(double miss_percent)
{
  return TOP + HEIGHT * (100.0 - miss_percent) / 100.0;
}

static double html_miss(const sim_contest *contest, unsigned capacity, unsigned contender)
{
  return 100.0 - sim_contest_ratio(contest, capacity, contender);
}

static void html_axes(const sim_contest *contest, FILE *to)
{
  for (unsigned percent = 0; percent <= 100; percent += 20) {
    const double y = html_y(percent);
    fprintf(to, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", LEFT, y,
            LEFT + WIDTH, y);
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%u %%</text>\n", LEFT - 8, y + 4,
            percent);
  }
  double used = -1000;
  for (unsigned i = 0; i < contest->capacity_count; i++) {
    const double x = html_x(contest, contest->capacities[i]);
    fprintf(to, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x,
            TOP + HEIGHT, x, TOP + HEIGHT + 5);
    if (x - used < 50) continue;
    used = x;
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%u</text>\n", x,
            TOP + HEIGHT + 20, contest->capacities[i]);
  }
  fprintf(to, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
          TOP + HEIGHT, LEFT + WIDTH, TOP + HEIGHT);
  fprintf(to,
          "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">capacity, entries "
          "(logarithmic)</text>\n",
          LEFT + WIDTH / 2, TOP + HEIGHT + 42);
}

/* The contenders, worst at the largest capacity first. */
static void html_order(const sim_contest *contest, unsigned order[SIM_CONTENDERS_MAX])
{
  const unsigned last = contest->capacity_count - 1;
  for (unsigned i = 0; i < contest->contender_count; i++) {
    unsigned at = i;
    const double miss = html_miss(contest, last, i);
    for (; at > 0 && html_miss(contest, last, order[at - 1]) < miss; at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
}

static void html_curve(const sim_contest *contest, unsigned contender, double label_y, FILE *to)
{
  const sim_contender *who = contest->contenders[contender];
  const bool is_first = strcmp(who->name, "accel_adaptive") == 0;
  fprintf(to, "<polyline class=\"%s%s\" stroke=\"%s\" points=\"",
          who->is_engine ? "engine" : "reference", is_first ? " first" : "", colours[contender]);
  for (unsigned i = 0; i < contest->capacity_count; i++)
    fprintf(to, "%s%.1f,%.1f", i == 0 ? "" : " ", html_x(contest, contest->capacities[i]),
            html_y(html_miss(contest, i, contender)));
  fputs("\"><title>", to);
  html_text(to, who->title);
  fputs("</title></polyline>\n", to);
  const unsigned last = contest->capacity_count - 1;
  const double x = html_x(contest, contest->capacities[last]);
  fprintf(to, "<line stroke=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
          colours[contender], x, html_y(html_miss(contest, last, contender)), LEFT + WIDTH + 14,
          label_y - 4);
  fprintf(to, "<text x=\"%.1f\" y=\"%.1f\">", LEFT + WIDTH + 18, label_y);
  html_text(to, who->title);
  fputs("</text>\n", to);
}

static void html_curves(const sim_contest *contest, FILE *to)
{
  unsigned order[SIM_CONTENDERS_MAX];
  html_order(contest, order);
  const unsigned last = contest->capacity_count - 1;
  const double lowest = TOP + HEIGHT;
  double next = TOP;
  for (unsigned i = 0; i < contest->contender_count; i++) {
    const double wanted = html_y(html_miss(contest, last, order[i])) + 4;
    const double room = lowest - LABEL_HEIGHT * (contest->contender_count - 1 - i);
    double y = wanted > next ? wanted : next;
    if (y > room) y = room;
    html_curve(contest, order[i], y, to);
    next = y + LABEL_HEIGHT;
  }
}

static void html_numbers(const sim_contest *contest, FILE *to)
{
  fputs("<h2>Misses, in percent</h2>\n<table>\n<tr><th>capacity</th>", to);
  for (unsigned j = 0; j < contest->contender_count; j++) {
    fputs("<th>", to);
    html_text(to, contest->contenders[j]->title);
    fputs("</th>", to);
  }
  fputs("</tr>\n", to);
  for (unsigned i = 0; i < contest->capacity_count; i++) {
    fprintf(to, "<tr><td>%u</td>", contest->capacities[i]);
    for (unsigned j = 0; j < contest->contender_count; j++)
      fprintf(to, "<td>%.2f</td>", html_miss(contest, i, j));
    fputs("</tr>\n", to);
  }
  fputs("</table>\n", to);
}

bool sim_report_html(const sim_contest *contest, FILE *to)
{
  fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
        "<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
        to);
  html_text(to, contest->trace_name);
  fprintf(to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", style);
  html_text(to, contest->trace_name);
  fprintf(to,
          "</h1>\n<p>%zu requests of %u keys. Misses by capacity; dashed: references with one "
          "queue, and the optimum; drawn through: the engine with each of its policies.</p>\n",
          contest->length, contest->distinct);
  fprintf(to,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
          "aria-label=\"miss ratio curves\">\n",
          LEFT + WIDTH + 150, TOP + HEIGHT + 60);
  html_axes(contest, to);
  html_curves(contest, to);
  fputs("</svg>\n", to);
  html_numbers(contest, to);
  fputs("</body>\n</html>\n", to);
  return fflush(to) == 0 && !ferror(to);
}
