#include "exporter.h"

#include "../../accel/error.h"
#include "outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- when an outbox is due ---- */

static bool exporter_is_urgent(const otlp_exporter *exporter)
{
  return exporter->has_to_end || exporter->flushes > 0;
}

static uint64_t exporter_later(uint64_t a_ms, uint64_t b_ms)
{
  return a_ms > b_ms ? a_ms : b_ms;
}

static uint64_t exporter_metrics_due_ms(const otlp_exporter *exporter, const otlp_outbox *outbox)
{
  if (exporter->observer == NULL) return ACCEL_NO_DEADLINE;
  uint64_t due_ms = exporter->has_to_end ? ACCEL_NO_DEADLINE : outbox->next_ms;
  const bool is_early = outbox->wanted > outbox->sent || outbox->tries > 0;
  if (is_early && outbox->paused_until_ms < due_ms) due_ms = outbox->paused_until_ms;
  return exporter_later(due_ms, outbox->throttled_until_ms);
}

/* With the mutex. ACCEL_NO_DEADLINE: there is nothing to send. */
static uint64_t exporter_due_ms(const otlp_exporter *exporter, const otlp_outbox *outbox)
{
  const otlp_settings *settings = exporter->settings;
  if (outbox->signal == OTLP_METRICS) return exporter_metrics_due_ms(exporter, outbox);
  if (outbox->body.size == 0 && outbox->queue.count == 0) return ACCEL_NO_DEADLINE;
  const bool is_ready = outbox->body.size > 0 || outbox->queue.count >= settings->batch_size ||
                        exporter_is_urgent(exporter);
  const uint64_t due_ms = is_ready ? 0 : outbox->since_ms + settings->batch_delay_ms;
  return exporter_later(due_ms,
                        exporter_later(outbox->paused_until_ms, outbox->throttled_until_ms));
}

/* ---- the clocks ---- */

#define EXPORTER_NS_PER_MS INT64_C(1000000)
#define EXPORTER_CLOCKS_APART_NS (10 * EXPORTER_NS_PER_MS)

int64_t accel_otlp_exporter_wall_offset_ns(const otlp_exporter *exporter)
{
  return accel_load_relaxed(&exporter->wall_offset_ns);
}

static void exporter_compare_clocks(otlp_exporter *exporter)
{
  const int64_t wall_ns = (int64_t)accel_clock_wall_ms() * EXPORTER_NS_PER_MS;
  const int64_t offset_ns = wall_ns - (int64_t)accel_clock_monotonic_ns();
  const int64_t apart_ns = offset_ns - exporter->wall_offset_ns;
  if (apart_ns >= -EXPORTER_CLOCKS_APART_NS && apart_ns <= EXPORTER_CLOCKS_APART_NS) return;
  accel_store_relaxed(&exporter->wall_offset_ns, offset_ns);
}

/* ---- the thread ---- */

/* With the mutex: the outbox that is due first, and when. */
static otlp_outbox *exporter_first(otlp_exporter *exporter, uint64_t *due_ms)
{
  otlp_outbox *first = &exporter->outboxes[0];
  *due_ms = exporter_due_ms(exporter, first);
  for (size_t i = 1; i < OTLP_SIGNALS; i++) {
    const uint64_t other_ms = exporter_due_ms(exporter, &exporter->outboxes[i]);
    if (other_ms >= *due_ms) continue;
    *due_ms = other_ms;
    first = &exporter->outboxes[i];
  }
  return first;
}

static void exporter_run(void *exporter_pointer)
{
  otlp_exporter *exporter = (otlp_exporter *)exporter_pointer;
  accel_mutex_lock(&exporter->mutex);
  for (;;) {
    uint64_t due_ms;
    otlp_outbox *outbox = exporter_first(exporter, &due_ms);
    const uint64_t now_ms = accel_clock_monotonic_ms();
    /* What is due after the end is never sent. */
    if (exporter->has_to_end && (due_ms > exporter->end_ms || now_ms >= exporter->end_ms)) break;
    exporter_compare_clocks(exporter);
    if (due_ms <= now_ms)
      accel_otlp_outbox_serve(exporter, outbox);
    else
      accel_condition_wait(&exporter->wake, &exporter->mutex, due_ms);
  }
  exporter->has_ended = true;
  accel_condition_broadcast(&exporter->changed);
  accel_mutex_unlock(&exporter->mutex);
}

/* The log left by pthread_exit: nothing is sent any more. */
static void exporter_leave(void *exporter_pointer)
{
  otlp_exporter *exporter = (otlp_exporter *)exporter_pointer;
  accel_mutex_lock(&exporter->mutex);
  exporter->has_ended = true;
  snprintf(exporter->last_text, sizeof exporter->last_text, "the log has ended its thread");
  accel_condition_broadcast(&exporter->changed);
  accel_mutex_unlock(&exporter->mutex);
}

static void exporter_start(void *exporter)
{
  accel_thread_guard(exporter_run, exporter_leave, exporter);
}

/* ---- its own figures ---- */

static const accel_family exporter_families[OTLP_COUNTS] = {
    {"accelerator_otlp_exported_total", "Data points, spans or log records that were accepted.",
     "{item}", ACCEL_FAMILY_COUNTER, false},
    {"accelerator_otlp_dropped_total",
     "Data points, spans or log records that were refused, or for which there was no room.",
     "{item}", ACCEL_FAMILY_COUNTER, false},
    {"accelerator_otlp_retried_total", "Requests that were sent again.", "{request}",
     ACCEL_FAMILY_COUNTER, false},
    {"accelerator_otlp_rejected_total",
     "Data points, spans or log records that were not taken of an accepted request.", "{item}",
     ACCEL_FAMILY_COUNTER, false},
};
static const accel_label exporter_labels[OTLP_SIGNALS] = {
    {"signal", "metrics"}, {"signal", "traces"}, {"signal", "logs"}};

static bool exporter_observe(void *exporter_pointer, accel_observation *observation,
                             accel_observed_cache *unused)
{
  const otlp_exporter *exporter = (const otlp_exporter *)exporter_pointer;
  bool is_added = true;
  (void)unused;
  for (size_t what = 0; what < OTLP_COUNTS; what++)
    for (size_t i = 0; i < OTLP_SIGNALS && is_added; i++)
      is_added = accel_observation_add(observation, &exporter_families[what], &exporter_labels[i],
                                       exporter->started_ms,
                                       accel_load_relaxed(&exporter->outboxes[i].counts[what]));
  return is_added;
}

/* ---- open and close ---- */

static accel_status exporter_no_memory(const void *owner)
{
  return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory or thread for OTLP");
}

static bool exporter_open_locks(otlp_exporter *exporter)
{
  if (!accel_mutex_open(&exporter->mutex)) return false;
  if (!accel_condition_open(&exporter->wake)) goto fail_wake;
  if (accel_condition_open(&exporter->changed)) return true;
  accel_condition_close(&exporter->wake);
fail_wake:
  accel_mutex_close(&exporter->mutex);
  return false;
}

static void exporter_close_locks(otlp_exporter *exporter)
{
  accel_condition_close(&exporter->changed);
  accel_condition_close(&exporter->wake);
  accel_mutex_close(&exporter->mutex);
}

static accel_status exporter_join(otlp_exporter *exporter, const void *owner)
{
  exporter->member.observe = exporter_observe;
  exporter->member.ctx = exporter;
  if (exporter->observer == NULL) return ACCEL_OK;
  return accel_observer_join(exporter->observer, &exporter->member, NULL, owner);
}

/* Once the thread has ended, or before it starts: it notes errors. */
static void exporter_leave_observer(otlp_exporter *exporter)
{
  accel_observer_leave(&exporter->member, NULL);
  accel_observer_release(&exporter->member);
}

accel_status accel_otlp_exporter_open(otlp_exporter *exporter, const void *owner)
{
  for (size_t i = 0; i < OTLP_SIGNALS; i++) exporter->outboxes[i].signal = (otlp_signal)i;
  exporter->started_ms = accel_clock_wall_ms();
  exporter_compare_clocks(exporter);
  exporter->outboxes[OTLP_METRICS].next_ms =
      accel_clock_monotonic_ms() + exporter->settings->interval_ms;
  if (!exporter_open_locks(exporter)) return exporter_no_memory(owner);
  accel_status status = ACCEL_ERR_NOMEM;
  if (!accel_otlp_transport_open(&exporter->transport, exporter->settings)) goto fail_transport;
  status = exporter_join(exporter, owner);
  if (accel_failed(status)) goto fail_join;
  if (accel_thread_start(&exporter->thread, exporter_start, exporter)) return ACCEL_OK;
  status = ACCEL_ERR_NOMEM;
  exporter_leave_observer(exporter);
fail_join:
  accel_otlp_transport_close(&exporter->transport);
fail_transport:
  exporter_close_locks(exporter);
  return status == ACCEL_ERR_NOMEM ? exporter_no_memory(owner) : status;
}

void accel_otlp_exporter_end(otlp_exporter *exporter, uint32_t timeout_ms)
{
  accel_mutex_lock(&exporter->mutex);
  exporter->has_to_end = true;
  exporter->end_ms = accel_clock_deadline(timeout_ms);
  for (size_t i = 0; i < OTLP_SIGNALS; i++) exporter->outboxes[i].paused_until_ms = 0;
  exporter->outboxes[OTLP_METRICS].wanted++;
  accel_condition_signal(&exporter->wake);
  accel_mutex_unlock(&exporter->mutex);
  accel_thread_join(exporter->thread);
}

static void exporter_release(otlp_exporter *exporter)
{
  for (size_t i = 0; i < OTLP_SIGNALS; i++) {
    accel_otlp_queue_clear(&exporter->outboxes[i].queue);
    accel_buffer_release(&exporter->outboxes[i].body);
  }
  accel_otlp_writer_release(&exporter->writer);
  accel_otlp_gzip_release(&exporter->gzip);
}

void accel_otlp_exporter_close(otlp_exporter *exporter)
{
  exporter_leave_observer(exporter);
  accel_otlp_transport_close(&exporter->transport);
  exporter_release(exporter);
  exporter_close_locks(exporter);
}

/* The parent's thread may have been anywhere at the fork, so what it works with is left as it is.
 * */
void accel_otlp_exporter_abandon(otlp_exporter *exporter)
{
  exporter_leave_observer(exporter);
  if (!accel_mutex_try_lock(&exporter->mutex)) return;
  for (size_t i = 0; i < OTLP_SIGNALS; i++) accel_otlp_queue_clear(&exporter->outboxes[i].queue);
}

/* ---- from the caches ---- */

void accel_otlp_exporter_count_lost(otlp_exporter *exporter, otlp_signal signal)
{
  accel_add_relaxed(&exporter->outboxes[signal].counts[OTLP_DROPPED], 1u);
}

void accel_otlp_exporter_add(otlp_exporter *exporter, otlp_signal signal, otlp_item *item)
{
  otlp_outbox *outbox = &exporter->outboxes[signal];
  const otlp_settings *settings = exporter->settings;
  accel_mutex_lock(&exporter->mutex);
  const bool has_room = outbox->queue.count < settings->queue_size && !exporter->has_ended;
  if (has_room) {
    accel_otlp_queue_add(&outbox->queue, item);
    outbox->added++;
    if (outbox->queue.count == 1) outbox->since_ms = accel_clock_monotonic_ms();
    if (outbox->queue.count == 1 || outbox->queue.count == settings->batch_size)
      accel_condition_signal(&exporter->wake);
  }
  accel_mutex_unlock(&exporter->mutex);
  if (has_room) return;
  ACCEL_FREE(item);
  accel_otlp_exporter_count_lost(exporter, signal);
}

/* ---- flush ---- */

/* With the mutex. */
static bool exporter_is_flushed(const otlp_exporter *exporter, uint64_t wanted,
                                const uint64_t *added)
{
  const otlp_outbox *outboxes = exporter->outboxes;
  if (exporter->observer != NULL && outboxes[OTLP_METRICS].sent < wanted) return false;
  return outboxes[OTLP_TRACES].settled >= added[OTLP_TRACES] &&
         outboxes[OTLP_LOGS].settled >= added[OTLP_LOGS];
}

/* With the mutex. */
static bool exporter_await(otlp_exporter *exporter, uint64_t deadline_ms)
{
  uint64_t added[OTLP_SIGNALS];
  const uint64_t wanted = ++exporter->outboxes[OTLP_METRICS].wanted;
  for (size_t i = 0; i < OTLP_SIGNALS; i++) {
    added[i] = exporter->outboxes[i].added;
    exporter->outboxes[i].paused_until_ms = 0;
  }
  exporter->flushes++;
  accel_condition_signal(&exporter->wake);
  bool in_time = true;
  while (in_time && !exporter->has_ended && !exporter_is_flushed(exporter, wanted, added))
    in_time = accel_condition_wait(&exporter->changed, &exporter->mutex, deadline_ms);
  exporter->flushes--;
  return exporter_is_flushed(exporter, wanted, added);
}

accel_status accel_otlp_exporter_flush(otlp_exporter *exporter, const void *owner, uint32_t ms)
{
  char text[OTLP_ANSWER_TEXT];
  accel_mutex_lock(&exporter->mutex);
  const uint64_t failures = exporter->failures;
  const bool is_flushed = exporter_await(exporter, accel_clock_deadline(ms));
  const bool has_failed = exporter->failures != failures || exporter->has_ended;
  memcpy(text, exporter->last_text, sizeof text);
  accel_mutex_unlock(&exporter->mutex);
  if (has_failed)
    return accel_error_set(owner, ACCEL_ERR_BACKEND, "the receiver did not take all: %s", text);
  if (is_flushed) return ACCEL_OK;
  return accel_error_set(owner, ACCEL_ERR_TIMEOUT, "not all was sent within %u ms%s%s", ms,
                         text[0] == '\0' ? "" : ": ", text);
}
