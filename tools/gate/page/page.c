#include "page.h"

#include "page_assets.h"

#include <stdlib.h>
#include <string.h>

/* ---- rows by bench ---- */

/* Benches that were skipped for one reason are one entry: eight lines would say no more. */
static page_bench *find_bench(page *self, const gate_row *row)
{
  for (size_t i = 0; i < self->count; i++) {
    page_bench *bench = &self->benches[i];
    const gate_row *first = bench->rows[0];
    if (strcmp(bench->id, row->id) == 0) return bench;
    if (row->verdict == GATE_SKIPPED && first->verdict == GATE_SKIPPED &&
        strcmp(row->note, first->note) == 0)
      return bench;
  }
  return NULL;
}

/* Rows are sorted, the worst first. What was only reported says nothing of a bench that was judged
 * as well. */
static const gate_row *main_row(const page_bench *bench)
{
  static const char *const keys[] = {"median", "mean"};
  size_t first = 0;
  while (first < bench->count && bench->rows[first]->verdict == GATE_REPORTED) first++;
  const gate_row *worst = bench->rows[first < bench->count ? first : 0];
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 0; i < bench->count; i++)
      if (bench->rows[i]->verdict == worst->verdict && strcmp(bench->rows[i]->key, keys[k]) == 0)
        return bench->rows[i];
  return worst;
}

static void choose_metrics(const page *self, page_bench *bench)
{
  const gate_row *chosen = bench->main;
  for (size_t i = 0; i < bench->count; i++) {
    const gate_row *row = bench->rows[i];
    if (row->now_metric && strcmp(row->now_metric->name, "time") == 0) chosen = row;
  }
  bench->base = chosen->base_metric;
  bench->now = chosen->now_metric;
  if (!bench->base) bench->base = gate_set_metric(self->report->base, bench->id, "time");
  if (!bench->now) bench->now = gate_set_metric(self->report->now, bench->id, "time");
  const gate_metric *metric = bench->now ? bench->now : bench->base;
  bench->unit = metric ? metric->unit : "";
  if (bench->base && strcmp(bench->base->unit, bench->unit) != 0) bench->base = NULL;
}

static int compare_benches(const void *a, const void *b)
{
  const page_bench *left = a, *right = b;
  return gate_row_compare(left->main, right->main);
}

static void gather(page *self)
{
  const gate_report *report = self->report;
  self->benches = arena_take(report->count + 1, sizeof *self->benches);
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    page_bench *bench = find_bench(self, row);
    if (!bench) {
      bench = &self->benches[self->count++];
      *bench = (page_bench){.id = row->id, .full_id = row->full_id};
    }
    bench->rows = arena_grow(bench->rows, bench->count, &bench->capacity, sizeof *bench->rows);
    bench->rows[bench->count++] = row;
  }
  for (size_t i = 0; i < self->count; i++) {
    page_bench *bench = &self->benches[i];
    bench->main = main_row(bench);
    choose_metrics(self, bench);
    if (bench->main->verdict == GATE_SKIPPED && bench->count > 1)
      bench->full_id =
          arena_format("%s and %s", bench->id, gate_some(bench->count - 1, "other", "others"));
  }
  if (self->count > 1) qsort(self->benches, self->count, sizeof *self->benches, compare_benches);
  for (size_t i = 0; i < self->count; i++)
    self->benches[i].anchor = arena_format("bench-%zu", i + 1);
}

/* ---- header ---- */

/* How many benches came to each verdict. */
static void add_verdicts(const page *self)
{
  size_t counts[GATE_VERDICTS] = {0};
  for (size_t i = 0; i < self->count; i++) counts[self->benches[i].main->verdict]++;
  gate_text_add(self->out, "<p class=\"verdicts\">\n");
  for (size_t v = GATE_VERDICTS; v-- > 0;)
    if (counts[v] > 0)
      gate_text_printf(self->out, "<span class=\"pill %s\"><b>%zu</b> %s</span>\n",
                       gate_verdicts[v].kind, counts[v], gate_verdicts[v].name);
  gate_text_add(self->out, "</p>\n");
}

static void add_header(const page *self)
{
  const gate_report *report = self->report;
  const char *word = gate_report_word(report, self->has_problems);
  const bool is_bad = strcmp(word, "FAIL") == 0 || strcmp(word, "ERROR") == 0;
  const char *kind = is_bad ? "fail" : strcmp(word, "PASS") == 0 ? "ok" : "warn";
  gate_add_markup(self->out,
                  "<header class=\"top %s\">\n<h1><span class=\"text\">%s</span> "
                  "<span class=\"muted\">accel-gate %s</span></h1>\n<p>%s</p>\n",
                  kind, word, report->command, gate_report_sentence(report, self->has_problems));
  add_verdicts(self);
  gate_text_add(self->out, "<dl>\n");
  page_fact(self, "base", report->base_name);
  page_fact(self, "now", report->now_name);
  page_fact(self, "rounds", gate_pairs_get(&report->notes, "rounds"));
  page_fact(self, "limits", arena_format("profile %s", report->limits->profile));
  gate_text_add(self->out, "</dl>\n</header>\n");
}

/* ---- benches ---- */

static void add_bench(const page *self, const page_bench *bench, bool may_be_open)
{
  const gate_row *row = bench->main;
  const char *kind = gate_verdicts[row->verdict].kind;
  gate_text_add(self->out, may_be_open && row->verdict >= GATE_MISSING
                               ? "<details class=\"bench\" open=\"open\">\n"
                               : "<details class=\"bench\">\n");
  gate_add_markup(self->out,
                  "<summary><span class=\"pill %s\">%s</span> <span class=\"name\">%s</span>", kind,
                  gate_verdicts[row->verdict].name, bench->full_id);
  if (row->key[0] != '\0')
    gate_add_markup(self->out, " <span class=\"text %s num\">%s</span>", kind,
                    gate_percent(gate_row_change(row)));
  /* Browsers open what holds the place that a link leads to. */
  gate_add_markup(self->out, "</summary>\n<div id=\"%s\">\n", bench->anchor);
  if (row->note && row->key[0] == '\0')
    gate_add_markup(self->out, "<p class=\"note\">%s</p>\n", row->note);
  if (row->verdict == GATE_SKIPPED && bench->count > 1)
    for (size_t i = 0; i < bench->count; i++)
      gate_add_markup(self->out, "<p class=\"muted\">%s</p>\n", bench->rows[i]->full_id);
  if (bench->base || bench->now) {
    gate_text_add(self->out, "<div class=\"charts\">\n");
    page_charts(self, bench);
    gate_text_add(self->out, "</div>\n");
    page_figures(self, bench);
  }
  gate_text_add(self->out, "</div>\n</details>\n");
}

/* ---- the whole ---- */

static void add_head(const page *self)
{
  gate_text_add(self->out,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'\"/>\n");
  gate_add_markup(self->out, "<title>accel-gate %s: %s</title>\n<style>\n", self->report->command,
                  gate_report_sentence(self->report, self->has_problems));
  gate_text_add(self->out, page_css);
  gate_text_add(self->out, "</style>\n</head>\n<body>\n");
}

/* GitHub tells its actions where they run; elsewhere commits are not linked. */
static const char *commit_address(void)
{
  const char *server = getenv("GITHUB_SERVER_URL"), *name = getenv("GITHUB_REPOSITORY");
  const bool is_told = server && strncmp(server, "https://", 8) == 0 && name && *name != '\0';
  return is_told ? arena_format("%s/%s/commit/", server, name) : NULL;
}

void gate_show_page(gate_text *out, const gate_report *report, const gate_history *history,
                    bool has_problems)
{
  page self = {.out = out,
               .report = report,
               .history = history && history->count > 0 ? history : NULL,
               .commits = commit_address(),
               .has_problems = has_problems};
  gather(&self);
  add_head(&self);
  add_header(&self);
  gate_text_add(out, "<main>\n");
  page_overview(&self);
  page_targets(&self);
  gate_text_add(out, "<section id=\"benches\">\n<h2>Benches</h2>\n");
  gate_text_add(out, "<div class=\"list\">\n");
  for (size_t i = 0; i < self.count; i++) add_bench(&self, &self.benches[i], i < 8);
  gate_text_add(out, "</div>\n</section>\n");
  page_environment(&self);
  gate_text_add(out, "</main>\n</body>\n</html>\n");
}
