/* The page: rows gathered by bench, its header, its parts in their order. */
#include "html.h"

#include "show.h"

#include <math.h>
#include <string.h>

/* ---- what the parts share ---- */

void html_add(const html_page *page, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  for (const char *at = format; *at != '\0';) {
    const size_t plain = strcspn(at, "%");
    gate_text_add_bytes(page->out, at, plain);
    at += plain;
    if (*at == '\0') break;
    if (at[1] == 's')
      gate_add_escaped(page->out, va_arg(arguments, const char *));
    else
      gate_text_add(page->out, "%");
    at += 2;
  }
  va_end(arguments);
}

gate_numbers html_thinned(gate_arena *arena, const gate_numbers *numbers, size_t most)
{
  if (numbers->count <= most) return *numbers;
  gate_numbers thinned = {0};
  for (size_t i = 0; i < most; i++)
    gate_numbers_add(arena, &thinned, numbers->values[i * numbers->count / most]);
  return thinned;
}

/* ---- rows by bench ---- */

static html_bench *find_bench(html_page *page, const char *id)
{
  for (size_t i = 0; i < page->count; i++)
    if (strcmp(page->benches[i].id, id) == 0) return &page->benches[i];
  return NULL;
}

/* What was only reported says nothing of a bench that was judged as well. */
static gate_verdict worst_verdict(const html_bench *bench)
{
  gate_verdict worst = GATE_OK;
  bool is_judged = false;
  for (size_t i = 0; i < bench->count; i++) {
    const gate_verdict verdict = bench->rows[i]->verdict;
    if (verdict == GATE_REPORTED) continue;
    if (!is_judged || verdict > worst) worst = verdict;
    is_judged = true;
  }
  return is_judged ? worst : GATE_REPORTED;
}

static const gate_row *main_row(const html_bench *bench)
{
  static const char *const keys[] = {"median", "mean"};
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < bench->count; i++)
      if (bench->rows[i]->verdict == bench->verdict && strcmp(bench->rows[i]->key, keys[k]) == 0)
        return bench->rows[i];
  for (size_t i = 0; i < bench->count; i++)
    if (bench->rows[i]->verdict == bench->verdict) return bench->rows[i];
  return bench->rows[0];
}

static const gate_metric *metric_of(const gate_set *set, const char *id, const char *name)
{
  const gate_bench *bench = set ? gate_set_find(set, id) : NULL;
  return bench ? gate_bench_find(bench, name) : NULL;
}

static void choose_metrics(const html_page *page, html_bench *bench)
{
  const gate_row *chosen = bench->main;
  for (size_t i = 0; i < bench->count; i++) {
    const gate_row *row = bench->rows[i];
    if (row->now_metric && strcmp(row->now_metric->name, "time") == 0) chosen = row;
  }
  bench->base = chosen->base_metric;
  bench->now = chosen->now_metric;
  if (!bench->base) bench->base = metric_of(page->report->base, bench->id, "time");
  if (!bench->now) bench->now = metric_of(page->report->now, bench->id, "time");
  const gate_metric *metric = bench->now ? bench->now : bench->base;
  bench->unit = metric ? metric->unit : "";
  if (bench->base && strcmp(bench->base->unit, bench->unit) != 0) bench->base = NULL;
}

static void gather(html_page *page)
{
  const gate_report *report = page->report;
  page->benches = gate_take(page->arena, report->count, sizeof *page->benches);
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    html_bench *bench = find_bench(page, row->id);
    if (!bench) {
      bench = &page->benches[page->count];
      *bench = (html_bench){.id = row->id, .full_id = row->full_id, .number = ++page->count};
    }
    bench->rows =
        gate_grow(page->arena, bench->rows, bench->count, &bench->capacity, sizeof *bench->rows);
    bench->rows[bench->count++] = row;
  }
  for (size_t i = 0; i < page->count; i++) {
    page->benches[i].verdict = worst_verdict(&page->benches[i]);
    page->benches[i].main = main_row(&page->benches[i]);
    choose_metrics(page, &page->benches[i]);
  }
}

/* ---- header ---- */

static void add_fact(const html_page *page, const char *name, const char *value)
{
  if (!value || *value == '\0') return;
  html_add(page, "<div class=\"fact\"><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static const char *build_text(const html_page *page, const gate_set *set)
{
  const char *compiler = gate_pairs_get(&set->build, "compiler");
  const char *version = gate_pairs_get(&set->build, "compiler_version");
  const char *flags = gate_pairs_get(&set->build, "flags");
  if (!compiler) return NULL;
  return gate_format(page->arena, "%s%s%s%s%s", compiler, version ? " " : "",
                     version ? version : "", flags ? " " : "", flags ? flags : "");
}

static void add_facts(const html_page *page)
{
  const gate_report *report = page->report;
  const gate_set *now = report->now;
  const double geomean = gate_report_geomean(report);
  gate_text_add(page->out, "<dl class=\"facts\">\n");
  add_fact(page, "base", report->base_name);
  add_fact(page, "now", report->now_name);
  if (now) {
    const char *cpu = gate_pairs_get(&now->machine, "cpu");
    const char *cores = gate_pairs_get(&now->machine, "cores");
    add_fact(page, "commit", now->commit);
    if (cpu)
      add_fact(page, "machine", gate_format(page->arena, "%s, %s cores", cpu, cores ? cores : "?"));
    add_fact(page, "compiler", build_text(page, now));
    add_fact(page, "measured", now->started);
  }
  add_fact(page, "rounds", gate_pairs_get(&report->notes, "rounds"));
  if (!isnan(geomean))
    add_fact(page, "all times, geometric mean", gate_percent(page->arena, geomean));
  add_fact(page, "limits", gate_format(page->arena, "profile %s", report->limits->profile));
  gate_text_add(page->out, "</dl>\n");
}

/* How many benches came to each verdict, as one bar and as the buttons that filter. */
static void add_verdicts(const html_page *page)
{
  size_t counts[GATE_VERDICTS] = {0};
  for (size_t i = 0; i < page->count; i++) counts[page->benches[i].verdict]++;
  if (page->count == 0) return;
  gate_text_add(page->out, "<svg class=\"shares\" height=\"10\" role=\"img\" "
                           "aria-label=\"share of each verdict\">");
  double from = 0;
  for (size_t v = GATE_VERDICTS; v-- > 0;) {
    if (counts[v] == 0) continue;
    const double width = (double)counts[v] / (double)page->count * 100;
    gate_text_printf(page->out,
                     "<rect class=\"fill %s\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"10\">"
                     "<title>%zu %s</title></rect>",
                     gate_verdict_kind((gate_verdict)v), from, width, counts[v],
                     gate_verdict_name((gate_verdict)v));
    from += width;
  }
  gate_text_add(page->out, "</svg>\n<div class=\"verdicts\" role=\"group\" "
                           "aria-label=\"verdicts shown\">\n");
  for (size_t v = GATE_VERDICTS; v-- > 0;) {
    if (counts[v] == 0) continue;
    const char *name = gate_verdict_name((gate_verdict)v);
    gate_text_printf(page->out,
                     "<button type=\"button\" class=\"chip %s\" data-verdict=\"%s\" "
                     "aria-pressed=\"true\"><b>%zu</b> %s</button>\n",
                     gate_verdict_kind((gate_verdict)v), name, counts[v], name);
  }
  gate_text_add(page->out, "</div>\n");
}

static void add_header(const html_page *page)
{
  const gate_report *report = page->report;
  const char *word = gate_report_word(report, page->has_problems);
  const char *kind = strcmp(word, "FAIL") == 0 || strcmp(word, "ERROR") == 0 ? "fail"
                     : strcmp(word, "PASS") == 0                             ? "ok"
                                                                             : "warn";
  gate_text_printf(page->out,
                   "<header class=\"top %s\">\n<div class=\"title\"><h1><span class=\"answer "
                   "%s\">%s</span> <span class=\"what\">accel-gate %s</span></h1>\n"
                   "<button type=\"button\" id=\"theme\" class=\"plain\" "
                   "title=\"light or dark\">\xE2\x97\x90<span class=\"hidden\"> theme</span>"
                   "</button></div>\n",
                   kind, kind, word, report->command);
  html_add(page, "<p class=\"sentence\">%s</p>\n",
           gate_report_sentence(report, page->has_problems));
  add_verdicts(page);
  add_facts(page);
  gate_text_add(page->out, "</header>\n");
}

/* ---- scales ---- */

int html_scales(const html_page *page)
{
  enum { BENCHES_MAX = 100 }; /* each of them is that much larger */
  return page->count <= BENCHES_MAX ? SVG_SCALES : SVG_FITTED + 1;
}

void html_open_scales(const html_page *page)
{
  gate_text_add(page->out, "<div class=\"scales\">\n");
}

void html_close_scales(const html_page *page)
{
  gate_text_add(page->out, "</div>\n");
}

static void add_scale_buttons(const html_page *page)
{
  static const char *const buttons[][2] = {
      {"fitted", "fitted"}, {"from-zero", "from zero"}, {"log", "logarithmic"}};
  if (html_scales(page) != SVG_SCALES) return;
  gate_text_add(page->out, "<p class=\"controls\" role=\"group\" aria-label=\"axes\">"
                           "<span class=\"muted\">axes</span>\n");
  for (size_t i = 0; i < SVG_SCALES; i++)
    gate_text_printf(page->out,
                     "<button type=\"button\" class=\"plain\" data-axes=\"%s\" "
                     "aria-pressed=\"%s\">%s</button>\n",
                     buttons[i][0], i == 0 ? "true" : "false", buttons[i][1]);
  gate_text_add(page->out, "</p>\n");
}

/* ---- the whole ---- */

static void add_parts(gate_text *out, const char *const *parts)
{
  for (; *parts; parts++) gate_text_add(out, *parts);
}

static void add_head(const html_page *page)
{
  gate_text_add(page->out,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n");
  html_add(page, "<title>accel-gate %s: %s</title>\n<style>\n", page->report->command,
           gate_report_sentence(page->report, page->has_problems));
  add_parts(page->out, html_style);
  gate_text_add(page->out, "</style>\n</head>\n<body>\n");
}

void gate_show_html(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems)
{
  html_page page = {.out = out,
                    .arena = out->arena,
                    .report = report,
                    .history = history && history->count > 0 ? history : NULL,
                    .has_problems = has_problems};
  gather(&page);
  add_head(&page);
  add_header(&page);
  gate_text_add(out, "<main>\n");
  html_overview(&page);
  html_trend(&page);
  html_targets(&page);
  gate_text_add(out, "<section id=\"benches\">\n<h2>Benches</h2>\n");
  add_scale_buttons(&page);
  gate_text_add(out, "<div class=\"list\">\n");
  for (size_t i = 0; i < page.count; i++) html_bench_details(&page, &page.benches[i]);
  gate_text_add(out, "</div>\n</section>\n");
  html_environment(&page);
  gate_text_add(out, "</main>\n<script>/*<![CDATA[*/\n");
  add_parts(out, html_script);
  gate_text_add(out, "/*]]>*/</script>\n</body>\n</html>\n");
}
