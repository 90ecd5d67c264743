#include "cache_report.h"

#include "codec.h"

#include <stdio.h>
#include <string.h>

#define REPORT_DEGRADED_MS 1000u

/* The cache whose log or spans the thread is in. Calls that these make are not reported: a log that
 * reads a missing key would be called for that read, and so on without an end. */
static ACCEL_THREAD_LOCAL const accel_core *report_core;

static bool report_enter(const accel_core *core)
{
  if (report_core != NULL) return false;
  report_core = core;
  return true;
}

static void report_leave(void)
{
  report_core = NULL;
}

bool accel_core_report_is_used_here(const accel_core *core)
{
  return report_core == core;
}

/* ---- spans ---- */

void accel_core_span_begin(const accel_core *core, const char *name, core_span *span)
{
  span->outer = accel_trace_current();
  span->handle = NULL;
  if (!report_enter(core)) return;
  span->handle = core->spans.begin(core->spans.ctx, name, core->area);
  report_leave();
}

void accel_core_span_note(const accel_core *core, const core_span *span, const char *key,
                          const char *text_or_null, uint64_t number)
{
  if (core->spans.note == NULL || !report_enter(core)) return;
  core->spans.note(core->spans.ctx, span->handle, key, text_or_null, number);
  report_leave();
}

void accel_core_span_end(const accel_core *core, const core_span *span, accel_status status)
{
  if (!report_enter(core)) return;
  core->spans.end(core->spans.ctx, span->handle, status);
  report_leave();
  accel_trace_enter(&span->outer);
}

static void report_end_span(const accel_core *core, const core_report *report, accel_status status)
{
  if (core->spans.end == NULL) return;
  const core_span *span = &report->span;
  if (report->keys > 0) accel_core_span_note(core, span, "accel.keys", NULL, report->keys);
  if (report->is_read) {
    accel_core_span_note(core, span, "accel.hits", NULL, report->hits);
    accel_core_span_note(core, span, "accel.source", accel_source_name(report->source), 0);
  }
  accel_core_span_end(core, span, status);
}

/* ---- operations ---- */

/* The names of spans. A log gets what follows the prefix. */
#define REPORT_SPAN_PREFIX "cache."
static const char *const report_spans[] = {
    [CORE_OPERATION_GET] = "cache.get",     [CORE_OPERATION_MGET] = "cache.mget",
    [CORE_OPERATION_SET] = "cache.set",     [CORE_OPERATION_MSET] = "cache.mset",
    [CORE_OPERATION_DEL] = "cache.del",     [CORE_OPERATION_MDEL] = "cache.mdel",
    [CORE_OPERATION_CLEAR] = "cache.clear", [CORE_OPERATION_WARMUP] = "cache.warmup",
    [CORE_OPERATION_LOAD] = "cache.load",   [CORE_OPERATION_CLOSE] = "cache.close",
};

static const struct {
  const char *text, *degraded;
} report_results[] = {
    [CORE_RESULT_OK] = {"ok", "degraded"},
    [CORE_RESULT_OK_SOME] = {"ok_some", "degraded_some"},
    [CORE_RESULT_OK_NONE] = {"ok_none", "degraded_none"},
    [CORE_RESULT_OK_EMPTY] = {"ok_empty", "degraded"},
    [CORE_RESULT_OK_ZERO] = {"ok_zero", "degraded"},
    [CORE_RESULT_OK_LOADED] = {"ok_loaded", "degraded"},
    [CORE_RESULT_DONE] = {"done", "degraded"},
};

void accel_core_report_start(const accel_core *core, core_report *report)
{
  if (report_core != NULL) return;
  report->started_ns = accel_clock_monotonic_ns();
  if (core->spans.begin == NULL) return;
  accel_core_span_begin(core, report_spans[report->operation], &report->span);
  accel_core_span_note(core, &report->span, "accel.area", core->area, 0);
}

/* The key's text for the log: cut, so that keys of any length cost little. NULL: there is none, or
 * no memory. */
static const char *report_key(const accel_core *core, const void *key, accel_buffer *text)
{
  char cut[ACCEL_LOG_KEY_BYTES + 1];
  const char *start = cut;
  const void *shown = key;
  if (key == NULL) return NULL;
  if (core->type->key_kind == ACCEL_KEY_STRING) {
    const char *whole = *(const char *const *)key;
    if (whole == NULL) return NULL;
    snprintf(cut, sizeof cut, "%s", whole);
    shown = &start;
  }
  if (accel_key_append_name(core->type, shown, text) != ACCEL_OK) return NULL;
  if (!accel_buffer_append(text, "", 1)) return NULL;
  if (text->size > ACCEL_LOG_KEY_BYTES)
    memcpy(text->data + ACCEL_LOG_KEY_BYTES - 3, "...", sizeof "...");
  return (const char *)text->data;
}

/* An outage has records of its own. So only one degraded read a second is a warning, which is
 * enough to show an L2 that fails now and then. */
static accel_log_level report_degraded_level(accel_core *core)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  uint64_t last_ms = accel_load_relaxed(&core->degraded_warned_ms);
  const bool is_due = last_ms == 0 || now_ms - last_ms >= REPORT_DEGRADED_MS;
  return is_due && accel_compare_exchange(&core->degraded_warned_ms, &last_ms, now_ms)
             ? ACCEL_LOG_WARNING
             : ACCEL_LOG_DEBUG;
}

static void report_log(accel_core *core, const core_report *report, accel_status status,
                       core_result result)
{
  const bool has_failed = accel_failed(status);
  const bool is_degraded = !has_failed && report->degraded != NULL;
  const uint64_t taken_ns = accel_clock_monotonic_ns() - report->started_ns;
  accel_buffer key = {0};
  accel_log_record record = {
      .area = core->area,
      .op = report_spans[report->operation] + sizeof REPORT_SPAN_PREFIX - 1,
      .result = report_results[result].text,
      .latency_ms = (double)taken_ns / 1e6,
      .error_kind = "",
      .message = "",
      .wall_time_ms = accel_clock_wall_ms(),
  };
  if (has_failed) {
    /* A failed load is a warning: the reads that waited for it say whether they failed. */
    const bool is_load = report->operation == CORE_OPERATION_LOAD;
    record.level = is_load ? ACCEL_LOG_WARNING : ACCEL_LOG_ERROR;
    record.result = "error";
    record.error_kind = accel_status_name(status);
    record.message = accel_error_text(core->cache);
  } else if (is_degraded) {
    record.level = report_degraded_level(core);
    record.result = report_results[result].degraded;
    record.error_kind = accel_status_name(ACCEL_ERR_BACKEND);
    record.message = report->degraded->error;
  }
  if (has_failed || is_degraded) record.key = report_key(core, report->key, &key);
  core->config.log(core->config.log_ctx, &record);
  accel_buffer_release(&key);
}

accel_status accel_core_report_write(accel_core *core, const core_report *report,
                                     accel_status status, core_result result)
{
  if (report_core != NULL) return status;
  report_end_span(core, report, status);
  if (core->config.log == NULL || !report_enter(core)) return status;
  report_log(core, report, status, result);
  report_leave();
  return status;
}

void accel_core_report_leave(const accel_core *core, const core_report *report)
{
  report_end_span(core, report, ACCEL_ERR_LOADER);
}

void accel_core_report_note_degraded(accel_core *core, core_report *report, accel_flight *flight)
{
  if (core->config.log == NULL || report->degraded != NULL) return;
  if (!accel_singleflight_is_done(flight) || !core_note_of(flight)->has_remote_failed) return;
  accel_singleflight_retain(flight);
  report->degraded = flight;
}

void accel_core_report_close(accel_core *core, core_report *report)
{
  if (report->degraded != NULL) accel_singleflight_release(&core->flights, report->degraded);
  report->degraded = NULL;
}

core_result accel_core_read_result(accel_status status)
{
  return status == ACCEL_OK ? CORE_RESULT_OK_SOME : CORE_RESULT_OK_NONE;
}
