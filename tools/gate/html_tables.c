/* Targets, and on what and how it was measured. */
#include "html.h"

#include <math.h>
#include <string.h>

/* ---- targets ---- */

static void add_target_bar(const html_page *page, double now, double target, double acceptable,
                           const char *kind)
{
  const double end = fmax(acceptable, now) * 1.08;
  const svg_plot plot = {
      .out = page->out, .kind = "target", .height = 22, .x = {0, end}, .y = {0, 1}};
  svg_open(&plot, "time, target and what is acceptable");
  gate_text_printf(page->out, "<rect class=\"track\" y=\"6\" width=\"100%%\" height=\"10\"/>");
  gate_text_printf(page->out, "<rect class=\"fill %s\" y=\"6\" width=\"%.2f%%\" height=\"10\"/>",
                   kind, svg_across(&plot, now));
  svg_upright(&plot, "goal", target);
  svg_upright(&plot, "goal dashed", acceptable);
  svg_close(&plot);
}

static void add_target(const html_page *page, const gate_bench *bench, double now)
{
  const double acceptable = isnan(bench->acceptable) ? bench->target : bench->acceptable;
  const char *kind = "ok", *status = "met";
  if (now > bench->target) kind = "warn", status = "acceptable";
  if (now > acceptable) kind = "fail", status = "missed";
  html_add(page,
           "<tr><th scope=\"row\">%s</th><td class=\"num\" data-label=\"target\">&lt; %s</td>"
           "<td class=\"num\" data-label=\"acceptable\">&lt; %s</td>"
           "<td class=\"num\" data-label=\"now\">%s</td>"
           "<td data-label=\"status\"><span class=\"pill %s\">%s</span></td>"
           "<td class=\"c-plot\">",
           bench->full_id, gate_quantity(page->arena, bench->target, "ns"),
           gate_quantity(page->arena, acceptable, "ns"), gate_quantity(page->arena, now, "ns"),
           kind, status);
  add_target_bar(page, now, bench->target, acceptable, kind);
  gate_text_add(page->out, "</td></tr>\n");
}

void html_targets(const html_page *page)
{
  const gate_set *now = page->report->now;
  size_t count = 0;
  for (size_t i = 0; now && i < now->count; i++) {
    const gate_bench *bench = &now->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    if (isnan(bench->target) || !time || isnan(gate_metric_main(time))) continue;
    if (count++ == 0)
      gate_text_add(page->out,
                    "<section id=\"targets\">\n<h2>Targets</h2>\n<table class=\"figures targets\">"
                    "<thead><tr><th>bench</th><th class=\"num\">target</th>"
                    "<th class=\"num\">acceptable</th><th class=\"num\">now</th><th>status</th>"
                    "<th></th></tr></thead>\n<tbody>\n");
    add_target(page, bench, gate_metric_main(time));
  }
  if (count > 0) gate_text_add(page->out, "</tbody></table>\n</section>\n");
}

/* ---- environment ---- */

/* Facts of the run differ by nature; those of machine and build should not. */
static void add_fact(const html_page *page, const char *key, const char *base, const char *now,
                     bool should_agree)
{
  if (!base && !now) return;
  const bool differs = should_agree && base && now && strcmp(base, now) != 0;
  html_add(page,
           "<tr class=\"%s\"><th scope=\"row\">%s</th><td data-label=\"base\">%s</td>"
           "<td data-label=\"now\">%s</td></tr>\n",
           differs ? "differs" : "same", key, base ? base : "\xE2\x80\x93",
           now ? now : "\xE2\x80\x93");
}

/* Keys of both sides: those of the current one first, in their order. */
static void add_pairs(const html_page *page, const gate_pairs *base, const gate_pairs *now)
{
  for (size_t i = 0; now && i < now->count; i++)
    add_fact(page, now->items[i].key, base ? gate_pairs_get(base, now->items[i].key) : NULL,
             now->items[i].value, true);
  for (size_t i = 0; base && i < base->count; i++)
    if (!now || !gate_pairs_get(now, base->items[i].key))
      add_fact(page, base->items[i].key, base->items[i].value, NULL, true);
}

static void add_list(const html_page *page, const char *heading, const gate_pairs *pairs)
{
  if (pairs->count == 0) return;
  html_add(page, "<h3>%s</h3>\n<dl class=\"notes\">\n", heading);
  for (size_t i = 0; i < pairs->count; i++)
    html_add(page, "<dt>%s</dt><dd>%s</dd>\n", pairs->items[i].key, pairs->items[i].value);
  gate_text_add(page->out, "</dl>\n");
}

void html_environment(const html_page *page)
{
  const gate_report *report = page->report;
  const gate_set *base = report->base, *now = report->now;
  gate_text_add(page->out, "<section id=\"environment\">\n<h2>Environment</h2>\n");
  const char *difference = gate_report_difference(report);
  if (difference) html_add(page, "<p class=\"note\">Not comparable: %s</p>\n", difference);
  gate_text_add(page->out, "<table class=\"figures environment\"><thead><tr><th></th><th>base</th>"
                           "<th>now</th></tr></thead>\n<tbody>\n");
  add_fact(page, "results", report->base_name, report->now_name, false);
  if (base || now) {
    add_fact(page, "commit", base ? base->commit : NULL, now ? now->commit : NULL, false);
    add_fact(page, "release", base ? base->tag : NULL, now ? now->tag : NULL, false);
    add_fact(page, "measured", base ? base->started : NULL, now ? now->started : NULL, false);
    add_fact(page, "run", base ? base->run_id : NULL, now ? now->run_id : NULL, false);
  }
  add_pairs(page, base ? &base->machine : NULL, now ? &now->machine : NULL);
  add_pairs(page, base ? &base->build : NULL, now ? &now->build : NULL);
  gate_text_add(page->out, "</tbody></table>\n");
  if (base && base->reason) html_add(page, "<p>The baseline was written: %s</p>\n", base->reason);
  if (now) {
    add_list(page, "Failed", &now->failed);
    add_list(page, "Skipped", &now->skipped);
    add_list(page, "Stale, not judged", &now->stale);
  }
  add_list(page, "Notes", &report->notes);
  gate_text_add(page->out, "</section>\n");
}
