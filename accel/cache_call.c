#include "cache_call.h"

#include "cache_observe.h"
#include "cache_report.h"

#include <stdio.h>
#include <string.h>

/* One call between its begin and its end. */
typedef struct call_seen {
  accel_core *core;
  accel_remote_operation operation;
  const accel_remote_item *items; /* NULL: of the whole area */
  size_t count;
  accel_remote_call *call;
  uint64_t begun_ns; /* where calls are timed */
  bool has_span;
  core_span span;
  accel_remote_note note;
} call_seen;

/* ---- the span ---- */

/* The name of a call to a backend that does not name its commands. */
static const char *call_usual_command(accel_remote_operation operation, size_t count)
{
  static const char *const one[] = {"GET", "SET", "SET", "SET", "DEL", "CLEAR"};
  static const char *const many[] = {"MGET", "MSET", "MSET", "MSET", "MDEL", "CLEAR"};
  return (count > 1 ? many : one)[operation];
}

/* Several commands, and not one command for several keys. */
static bool call_is_batch(const char *command)
{
  return strncmp(command, "PIPELINE", 8) == 0 || strncmp(command, "MULTI", 5) == 0;
}

static void call_begin_span(call_seen *seen, bool is_published)
{
  const accel_core *core = seen->core;
  const accel_remote_ops *ops = core->remote_ops;
  const char *command = ops->command == NULL ? call_usual_command(seen->operation, seen->count)
                                             : ops->command(core->link, seen->operation,
                                                            seen->items, seen->count, is_published);
  memset(&seen->note, 0, sizeof seen->note);
  seen->call->note_or_null = &seen->note;
  accel_core_span_begin(core, command, &seen->span);
  accel_core_span_note(core, &seen->span, "accel.area", core->area, 0);
  accel_core_span_note(core, &seen->span, "db.system.name", ops->name, 0);
  accel_core_span_note(core, &seen->span, "db.operation.name", command, 0);
  if (seen->count > 1 && call_is_batch(command))
    accel_core_span_note(core, &seen->span, "db.operation.batch.size", NULL, seen->count);
}

/* A call failed if one of its items did, or if the server refused one of its commands. */
static accel_status call_outcome(const call_seen *seen, accel_status status)
{
  for (size_t i = 0; i < seen->count && seen->items != NULL && !accel_failed(status); i++)
    status = seen->items[i].status;
  const bool is_refused =
      !accel_failed(status) && seen->has_span && seen->note.error_code[0] != '\0';
  return is_refused ? ACCEL_ERR_BACKEND : status;
}

static void call_end_span(const call_seen *seen, accel_status returned)
{
  const accel_core *core = seen->core;
  const accel_remote_note *note = &seen->note;
  const accel_status status = call_outcome(seen, returned);
  const bool has_code = note->error_code[0] != '\0';
  seen->call->note_or_null = NULL;
  if (note->server_address[0] != '\0')
    accel_core_span_note(core, &seen->span, "server.address", note->server_address, 0);
  if (note->server_port != 0)
    accel_core_span_note(core, &seen->span, "server.port", NULL, note->server_port);
  if (has_code)
    accel_core_span_note(core, &seen->span, "db.response.status_code", note->error_code, 0);
  if (accel_failed(status))
    accel_core_span_note(core, &seen->span, "error.type",
                         has_code ? note->error_code : accel_status_name(status), 0);
  accel_core_span_end(core, &seen->span, accel_failed(status) ? status : ACCEL_OK);
}

/* ---- time and bytes ---- */

ACCEL_STATIC_ASSERT((int)ACCEL_TIMED_clear - (int)ACCEL_TIMED_get == (int)ACCEL_REMOTE_CLEAR,
                    "the list of what is timed follows the order of the operations");

/* Counts only what L2 has stored or found. */
static void call_count_bytes(const call_seen *seen)
{
  const bool is_read = seen->operation == ACCEL_REMOTE_GET;
  if (seen->operation >= ACCEL_REMOTE_DEL) return;
  uint64_t bytes = 0;
  for (size_t i = 0; i < seen->count; i++)
    if (seen->items[i].status == ACCEL_OK) bytes += seen->items[i].size;
  if (bytes == 0) return;
  accel_stats_add(seen->core->stats,
                  is_read ? ACCEL_COUNT_remote_bytes_received : ACCEL_COUNT_remote_bytes_sent,
                  bytes);
}

static const char *call_operation_name(accel_remote_operation operation)
{
  static const char *const names[] = {"get", "lease", "fill", "put", "del", "clear"};
  return names[operation];
}

static void call_note_error(const call_seen *seen, accel_status returned)
{
  const accel_status status = call_outcome(seen, returned);
  if (!accel_failed(status)) return;
  char text[ACCEL_OBSERVED_ERROR_TEXT];
  const char *reason = seen->call->error;
  snprintf(text, sizeof text, "a %s of L2 failed: %s", call_operation_name(seen->operation),
           reason[0] == '\0' ? accel_status_text(status) : reason);
  accel_core_note_error(seen->core, text);
}

/* ---- the calls ---- */

static void call_begin(call_seen *seen, bool is_published)
{
  if (seen->has_span) call_begin_span(seen, is_published);
  seen->begun_ns = accel_latencies_begin(seen->core->latencies);
}

static accel_status call_end(const call_seen *seen, accel_status status)
{
  const accel_timed timed = (accel_timed)((int)ACCEL_TIMED_get + (int)seen->operation);
  const uint64_t taken_ns = accel_latencies_end(seen->core->latencies, timed, seen->begun_ns);
  accel_probe_remote(seen->core->area, call_operation_name(seen->operation), seen->count, taken_ns,
                     (int)status);
  call_count_bytes(seen);
  call_note_error(seen, status);
  if (seen->has_span) call_end_span(seen, status);
  return status;
}

static call_seen call_open(accel_core *core, accel_remote_operation operation, core_batch *batch)
{
  const call_seen seen = {
      .core = core,
      .operation = operation,
      .items = batch->items,
      .count = batch->count,
      .call = &batch->call,
      .has_span = core->spans.begin != NULL && !batch->is_background,
  };
  return seen;
}

accel_status accel_core_call_get(accel_core *core, core_batch *batch)
{
  call_seen seen = call_open(core, ACCEL_REMOTE_GET, batch);
  call_begin(&seen, false);
  return call_end(&seen,
                  core->remote_ops->get(core->link, batch->items, batch->count, &batch->call));
}

accel_status accel_core_call_lease(accel_core *core, core_batch *batch, uint32_t lease_ms)
{
  call_seen seen = call_open(core, ACCEL_REMOTE_LEASE, batch);
  call_begin(&seen, false);
  return call_end(&seen, core->remote_ops->lease(core->link, batch->items, batch->count, lease_ms,
                                                 &batch->call));
}

accel_status accel_core_call_fill(accel_core *core, core_batch *batch)
{
  call_seen seen = call_open(core, ACCEL_REMOTE_FILL, batch);
  call_begin(&seen, false);
  return call_end(&seen,
                  core->remote_ops->fill(core->link, batch->items, batch->count, &batch->call));
}

accel_status accel_core_call_put(accel_core *core, core_batch *batch,
                                 const accel_remote_publisher *publisher_or_null)
{
  call_seen seen = call_open(core, ACCEL_REMOTE_PUT, batch);
  call_begin(&seen, publisher_or_null != NULL);
  return call_end(&seen, core->remote_ops->put(core->link, batch->items, batch->count,
                                               publisher_or_null, &batch->call));
}

accel_status accel_core_call_del(accel_core *core, core_batch *batch,
                                 const accel_remote_publisher *publisher_or_null)
{
  call_seen seen = call_open(core, ACCEL_REMOTE_DEL, batch);
  call_begin(&seen, publisher_or_null != NULL);
  return call_end(&seen, core->remote_ops->del(core->link, batch->items, batch->count,
                                               publisher_or_null, &batch->call));
}

accel_status accel_core_call_clear(accel_core *core,
                                   const accel_remote_publisher *publisher_or_null,
                                   accel_remote_call *call)
{
  call_seen seen = {
      .core = core,
      .operation = ACCEL_REMOTE_CLEAR,
      .call = call,
      .has_span = core->spans.begin != NULL,
  };
  call_begin(&seen, publisher_or_null != NULL);
  return call_end(&seen, core->remote_ops->clear(core->link, publisher_or_null, call));
}
