/* observer_page_table.c: the live page with its table for readers without JavaScript (layer 2). */
#include "observer_page.h"

/* ---- cells ---- */

static void page_table_text(accel_observer_text *out, const char *text)
{
  accel_observer_text_string(out, "<td>");
  accel_observer_text_html(out, text);
}

static void page_table_number(accel_observer_text *out, uint64_t number)
{
  accel_observer_text_string(out, "<td class=\"num\">");
  accel_observer_text_number(out, number);
}

/* A dash if the gauge means nothing for these caches. */
static void page_table_gauge(accel_observer_text *out, const accel_observed_cache *line,
                             accel_gauge gauge)
{
  if (accel_observed_has_gauge(line, gauge))
    page_table_number(out, line->gauges[gauge]);
  else
    accel_observer_text_string(out, "<td class=\"num\">\342\200\223");
}

static void page_table_percent(accel_observer_text *out, uint64_t part, uint64_t whole)
{
  accel_observer_text_string(out, "<td class=\"num\">");
  if (whole == 0) {
    accel_observer_text_string(out, "\342\200\223");
    return;
  }
  accel_observer_text_decimal(out, (uint64_t)((double)part * 1000 / (double)whole), 1);
  accel_observer_text_string(out, " %");
}

static void page_table_head(accel_observer_text *out, const char *const *names, size_t count)
{
  accel_observer_text_string(out, "<table><thead><tr>");
  for (size_t i = 0; i < count; i++) {
    accel_observer_text_string(out, "<th scope=\"col\">");
    accel_observer_text_string(out, names[i]);
  }
  accel_observer_text_string(out, "<tbody>");
}

static void page_table_row(accel_observer_text *out, const char *name)
{
  accel_observer_text_string(out, "<tr><th scope=\"row\">");
  accel_observer_text_html(out, name);
}

/* ---- caches ---- */

static void page_table_health(accel_observer_text *out, const accel_observed_cache *line)
{
  page_table_text(out, accel_health_name(line->health));
  for (size_t i = 0; i < line->reason_count; i++) {
    accel_observer_text_string(out, i == 0 ? ": " : "; ");
    accel_observer_text_html(out, line->reasons[i]);
  }
}

/* Since the cache was opened: a table of one moment knows no rates. */
static void page_table_cache(accel_observer_text *out, const accel_observed_cache *line)
{
  const uint64_t *counters = line->counters;
  const uint64_t local = counters[ACCEL_COUNT_local_hit];
  const uint64_t remote = counters[ACCEL_COUNT_remote_hit];
  const uint64_t reads = line->has_local ? local + counters[ACCEL_COUNT_local_miss]
                                         : remote + counters[ACCEL_COUNT_remote_miss];
  page_table_row(out, line->area);
  page_table_health(out, line);
  page_table_number(out, reads);
  page_table_percent(out, local, reads);
  page_table_percent(out, remote, reads);
  page_table_number(out, counters[ACCEL_COUNT_load_total]);
  page_table_number(out, counters[ACCEL_COUNT_load_error]);
  page_table_gauge(out, line, ACCEL_GAUGE_entries);
  page_table_gauge(out, line, ACCEL_GAUGE_capacity);
  page_table_gauge(out, line, ACCEL_GAUGE_repairs);
  const bool has_channel = accel_observed_has_gauge(line, ACCEL_GAUGE_channel_up);
  const bool is_up = line->gauges[ACCEL_GAUGE_channel_up] != 0;
  page_table_text(out, !has_channel ? "none" : is_up ? "up" : "down");
}

static void page_table_caches(accel_observer_text *out, const accel_observation *observation)
{
  static const char *const names[] = {"Cache",  "Health",  "Reads", "From L1", "From L2", "Loads",
                                      "Failed", "Entries", "Of",    "Repairs", "Channel"};
  page_table_head(out, names, sizeof names / sizeof names[0]);
  for (size_t i = 0; i < observation->cache_count; i++)
    page_table_cache(out, &observation->caches[i]);
  accel_observer_text_string(out, "</table>");
}

/* ---- servers, errors ---- */

static void page_table_endpoints(accel_observer_text *out, const accel_observation *observation)
{
  static const char *const names[] = {"Redis", "Breaker", "Ready", "Connecting", "Down"};
  if (observation->endpoint_count == 0) return;
  page_table_head(out, names, sizeof names / sizeof names[0]);
  for (size_t i = 0; i < observation->endpoint_count; i++) {
    const accel_observed_endpoint *endpoint = &observation->endpoints[i];
    page_table_row(out, endpoint->endpoint);
    page_table_text(out, endpoint->breaker);
    page_table_number(out, endpoint->ready);
    page_table_number(out, endpoint->connecting);
    page_table_number(out, endpoint->down);
  }
  accel_observer_text_string(out, "</table>");
}

static void page_table_errors(accel_observer_text *out, const accel_observation *observation)
{
  static const char *const names[] = {"Area", "Last errors, the newest first"};
  if (observation->error_count == 0) return;
  page_table_head(out, names, sizeof names / sizeof names[0]);
  for (size_t i = 0; i < observation->error_count; i++) {
    page_table_row(out, observation->errors[i].area);
    page_table_text(out, observation->errors[i].text);
  }
  accel_observer_text_string(out, "</table>");
}

static void page_table_pieces(accel_observer_text *out, const char *const *pieces)
{
  for (; *pieces != NULL; pieces++) accel_observer_text_string(out, *pieces);
}

void accel_observer_show_page(const accel_observation *observation, accel_observer_text *out)
{
  page_table_pieces(out, accel_observer_page_before);
  page_table_caches(out, observation);
  page_table_endpoints(out, observation);
  page_table_errors(out, observation);
  page_table_pieces(out, accel_observer_page_behind);
}
