/* open.c: accel_otlp_open and close, and what caches call. */
#include "../../accel/error.h"
#include "../../accel/hash.h"
#include "../../accel/platform/fork.h"
#include "../../accel/platform/system.h"
#include "exporter.h"

#include <stdlib.h>
#include <string.h>

typedef struct accel_otlp_state {
  accel_opened opened;
  uint64_t fork_generation;
  otlp_settings settings;
  otlp_exporter exporter;
  accel_span_ops spans;
  uint64_t id_seeds[2];
  uint64_t id_count; /* atomic: ids drawn so far */
} accel_otlp_state;

static const char open_kind; /* its address stands for an exporter */

/* NULL: it sends nothing: OTEL_SDK_DISABLED, or a parent process opened it. */
static otlp_exporter *open_exporter(accel_otlp_state *state)
{
  if (state == NULL || state->settings.is_disabled) return NULL;
  return state->fork_generation == accel_fork_generation() ? &state->exporter : NULL;
}

/* ---- spans ---- */

/* Not 0, which would be no id. */
static uint64_t open_draw(accel_otlp_state *state, size_t seed)
{
  const uint64_t number = accel_add_relaxed(&state->id_count, 1u);
  const uint64_t id = accel_hash_integer(number, state->id_seeds[seed]);
  return id == 0 ? 1 : id;
}

static void open_draw_ids(accel_otlp_state *state, const accel_trace *parent, accel_trace *own)
{
  *own = *parent;
  if (!accel_trace_is_set(parent)) {
    const uint64_t halves[2] = {open_draw(state, 0), open_draw(state, 1)};
    memcpy(own->trace_id, halves, sizeof own->trace_id);
    own->flags = ACCEL_TRACE_SAMPLED | ACCEL_TRACE_RANDOM;
  }
  const uint64_t id = open_draw(state, 0);
  memcpy(own->span_id, &id, sizeof own->span_id);
}

static void *open_span_begin(void *state_pointer, const char *name, const char *area)
{
  accel_otlp_state *state = (accel_otlp_state *)state_pointer;
  otlp_exporter *exporter = open_exporter(state);
  const accel_trace parent = accel_trace_current();
  const bool is_root = !accel_trace_is_set(&parent);
  (void)area; /* it comes as a note */
  if (exporter == NULL || (!is_root && (parent.flags & ACCEL_TRACE_SAMPLED) == 0)) return NULL;
  const size_t state_size = is_root ? 0 : accel_trace_get_state(NULL, 0);
  otlp_span *span = (otlp_span *)ACCEL_MALLOC(sizeof *span + state_size + 1);
  if (span == NULL) {
    accel_otlp_exporter_count_lost(exporter, OTLP_TRACES);
    return NULL;
  }
  memset(span, 0, offsetof(otlp_span, notes));
  span->state[0] = '\0';
  if (state_size > 0) accel_trace_get_state(span->state, state_size + 1);
  strncpy(span->name, name, sizeof span->name - 1);
  memcpy(span->parent_id, parent.span_id, sizeof span->parent_id);
  open_draw_ids(state, &parent, &span->own);
  span->begun_ns = accel_clock_monotonic_ns();
  span->wall_offset_ns = accel_otlp_exporter_wall_offset_ns(exporter);
  accel_trace_enter(&span->own);
  return span;
}

static void open_span_end(void *state_pointer, void *span_pointer, accel_status status)
{
  otlp_exporter *exporter = open_exporter((accel_otlp_state *)state_pointer);
  otlp_span *span = (otlp_span *)span_pointer;
  if (span == NULL) return;
  span->taken_ns = accel_clock_monotonic_ns() - span->begun_ns;
  span->status = status;
  if (exporter != NULL)
    accel_otlp_exporter_add(exporter, OTLP_TRACES, &span->item);
  else
    ACCEL_FREE(span); /* a fork came in between */
}

static void open_span_note(void *unused, void *span_pointer, const char *key,
                           const char *text_or_null, uint64_t number)
{
  (void)unused;
  if (span_pointer == NULL) return;
  accel_otlp_span_note((otlp_span *)span_pointer, key, text_or_null, number);
}

const accel_span_ops *accel_otlp_spans(accel_otlp *otlp)
{
  static const accel_span_ops none = {NULL, open_span_begin, open_span_end, open_span_note};
  return otlp == NULL || otlp->state == NULL ? &none : &otlp->state->spans;
}

/* ---- logs ---- */

void accel_otlp_log(void *otlp_pointer, const accel_log_record *record)
{
  const accel_otlp *otlp = (const accel_otlp *)otlp_pointer;
  otlp_exporter *exporter = otlp == NULL ? NULL : open_exporter(otlp->state);
  if (exporter == NULL || record == NULL) return;
  const accel_trace trace = accel_trace_current();
  otlp_record *copy = accel_otlp_record_copy(record, &trace);
  if (copy == NULL)
    accel_otlp_exporter_count_lost(exporter, OTLP_LOGS);
  else
    accel_otlp_exporter_add(exporter, OTLP_LOGS, &copy->item);
}

/* ---- open and close ---- */

static accel_status open_state(accel_otlp *otlp, const accel_otlp_config *config,
                               accel_otlp_state *state)
{
  const accel_status status = accel_otlp_settings_open(&state->settings, otlp, config);
  if (accel_failed(status)) return status;
  state->fork_generation = accel_fork_generation();
  state->spans = (accel_span_ops){state, open_span_begin, open_span_end, open_span_note};
  (void)accel_random_bytes(state->id_seeds, sizeof state->id_seeds);
  state->exporter.settings = &state->settings;
  state->exporter.observer = config->observer;
  state->exporter.log = config->log;
  state->exporter.log_ctx = config->log_ctx;
  if (state->settings.is_disabled) return ACCEL_OK;
  const accel_status opened = accel_otlp_exporter_open(&state->exporter, otlp);
  if (accel_failed(opened)) accel_otlp_settings_close(&state->settings);
  return opened;
}

accel_status accel_otlp_open(accel_otlp *otlp, const accel_otlp_config *config)
{
  if (otlp == NULL) return accel_error_set(NULL, ACCEL_ERR_CONFIG, "otlp is NULL");
  if (accel_opened_find(otlp, &open_kind) == ACCEL_OPENED_BY_US)
    return accel_error_set(otlp, ACCEL_ERR_CONFIG,
                           "the accel_otlp is open already, and stays open; close it first");
  otlp->state = NULL;
  if (config == NULL) return accel_error_set(otlp, ACCEL_ERR_CONFIG, "config is NULL");
  accel_otlp_state *state = (accel_otlp_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) return accel_error_set(otlp, ACCEL_ERR_NOMEM, "no memory for OTLP");
  memset(state, 0, sizeof *state);
  accel_cancel_hold();
  const accel_status status = open_state(otlp, config, state);
  accel_cancel_release();
  if (accel_failed(status)) {
    ACCEL_FREE(state);
    return status;
  }
  accel_object_hold();
  accel_opened_add(&state->opened, otlp, &open_kind);
  otlp->state = state;
  return ACCEL_OK;
}

void accel_otlp_close(accel_otlp *otlp)
{
  if (otlp == NULL || otlp->state == NULL) return;
  accel_otlp_state *state = otlp->state;
  otlp_exporter *exporter = open_exporter(state);
  const bool is_foreign = exporter == NULL && !state->settings.is_disabled;
  otlp->state = NULL;
  accel_cancel_hold();
  accel_opened_remove(&state->opened);
  if (exporter != NULL) {
    accel_otlp_exporter_end(exporter, state->settings.targets[OTLP_METRICS].timeout_ms);
    accel_otlp_exporter_close(exporter);
  }
  if (is_foreign) accel_otlp_exporter_abandon(&state->exporter);
  accel_otlp_settings_close(&state->settings);
  ACCEL_FREE(state);
  accel_object_release();
  accel_cancel_release();
}

accel_status accel_otlp_flush(accel_otlp *otlp, uint32_t ms)
{
  if (otlp == NULL || otlp->state == NULL)
    return accel_error_set(otlp, ACCEL_ERR_CLOSED, "the accel_otlp is not open");
  accel_otlp_state *state = otlp->state;
  otlp_exporter *exporter = open_exporter(state);
  if (exporter == NULL && state->settings.is_disabled) return ACCEL_OK;
  if (exporter == NULL)
    return accel_error_set(otlp, ACCEL_ERR_CLOSED,
                           "the accel_otlp was opened before the fork; open one in the child");
  accel_cancel_enter();
  const accel_status status = accel_otlp_exporter_flush(exporter, otlp, ms);
  accel_cancel_release();
  return status;
}

const char *accel_otlp_last_error(const accel_otlp *otlp)
{
  return accel_error_text(otlp);
}
