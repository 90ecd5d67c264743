#include "outbox.h"

#include "../../accel/platform/system.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void outbox_count(otlp_outbox *outbox, otlp_count what, uint64_t number)
{
  accel_add_relaxed(&outbox->counts[what], number);
}

/* ---- log records ---- */

static void outbox_log(const otlp_exporter *exporter, const otlp_outbox *outbox,
                       accel_log_level level, const char *result, const char *message)
{
  const accel_log_record record = {
      .area = "otlp",
      .op = accel_otlp_signal_name(outbox->signal),
      .result = result,
      .error_kind = "",
      .message = message,
      .level = level,
      .wall_time_ms = accel_clock_wall_ms(),
  };
  if (level >= ACCEL_LOG_WARNING)
    accel_observer_note_error(&exporter->member, record.area, message);
  if (exporter->log != NULL) exporter->log(exporter->log_ctx, &record);
}

static const char *outbox_noun(const otlp_outbox *outbox)
{
  static const char *const nouns[OTLP_SIGNALS] = {"data points", "spans", "log records"};
  return nouns[outbox->signal];
}

/* Logs the first loss at once, and later ones as a sum, at most one record a minute. Logs a warning
 * of the receiver likewise. */
static void outbox_log_lost(const otlp_exporter *exporter, otlp_outbox *outbox, const char *why)
{
  char message[OTLP_ANSWER_TEXT + 100];
  const uint64_t lost = accel_load_relaxed(&outbox->counts[OTLP_DROPPED]) +
                        accel_load_relaxed(&outbox->counts[OTLP_REJECTED]);
  const uint64_t now_ms = accel_clock_monotonic_ms();
  const bool is_lost = lost != outbox->logged_lost;
  if (!is_lost && why[0] == '\0') return;
  if (outbox->logged_ms != 0 && now_ms - outbox->logged_ms < OTLP_LOST_PAUSE_MS) return;
  if (is_lost)
    snprintf(message, sizeof message, "%" PRIu64 " %s were lost: %s", lost - outbox->logged_lost,
             outbox_noun(outbox), why[0] == '\0' ? "the queue was full" : why);
  else
    snprintf(message, sizeof message, "the receiver warns: %s", why);
  outbox->logged_ms = now_ms;
  outbox->logged_lost = lost;
  outbox_log(exporter, outbox, ACCEL_LOG_WARNING, is_lost ? "lost" : "warned", message);
}

static void outbox_log_state(const otlp_exporter *exporter, otlp_outbox *outbox, bool is_failing,
                             const char *why)
{
  char message[OTLP_ANSWER_TEXT + 100];
  if (outbox->is_failing == is_failing) return;
  outbox->is_failing = is_failing;
  if (is_failing)
    snprintf(message, sizeof message, "the receiver does not take %s: %s", outbox_noun(outbox),
             why);
  else
    snprintf(message, sizeof message, "the receiver takes %s again", outbox_noun(outbox));
  outbox_log(exporter, outbox, is_failing ? ACCEL_LOG_WARNING : ACCEL_LOG_INFO,
             is_failing ? "down" : "up", message);
}

/* ---- making a request ---- */

/* Takes the message over from the writer. False: no memory. */
static bool outbox_take_body(otlp_exporter *exporter, otlp_outbox *outbox)
{
  otlp_writer *writer = &exporter->writer;
  const bool is_gzip = exporter->settings->targets[outbox->signal].is_gzip;
  if (writer->has_failed) return false;
  if (is_gzip) return accel_otlp_gzip(&exporter->gzip, &writer->out, &outbox->body);
  const accel_buffer body = writer->out;
  writer->out = outbox->body;
  outbox->body = body;
  return true;
}

static accel_status outbox_make_metrics(otlp_exporter *exporter, otlp_outbox *outbox)
{
  accel_observation observation;
  const accel_status status = accel_observer_observe(exporter->observer, &observation);
  outbox->items = 0;
  if (status != ACCEL_OK) return status;
  outbox->items =
      accel_otlp_write_metrics(&exporter->writer, &exporter->settings->resource, &observation);
  accel_observation_release(&observation);
  return outbox_take_body(exporter, outbox) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status outbox_make_batch(otlp_exporter *exporter, otlp_outbox *outbox,
                                      otlp_queue *batch)
{
  const otlp_pairs *resource = &exporter->settings->resource;
  outbox->items = batch->count;
  if (outbox->signal == OTLP_TRACES)
    accel_otlp_write_spans(&exporter->writer, resource, batch);
  else
    accel_otlp_write_logs(&exporter->writer, resource, batch);
  accel_otlp_queue_clear(batch);
  return outbox_take_body(exporter, outbox) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* Makes the request, unless there is one. OK; NOMEM; CLOSED: the observer is. */
static accel_status outbox_make(otlp_exporter *exporter, otlp_outbox *outbox, otlp_queue *batch)
{
  if (outbox->body.size > 0) return ACCEL_OK;
  accel_otlp_writer_reset(&exporter->writer, exporter->settings->targets[outbox->signal].form);
  const accel_status status = outbox->signal == OTLP_METRICS
                                  ? outbox_make_metrics(exporter, outbox)
                                  : outbox_make_batch(exporter, outbox, batch);
  if (status != ACCEL_OK) outbox->body.size = 0;
  return status;
}

/* ---- what follows from an answer ---- */

uint32_t accel_otlp_backoff_ms(uint32_t tries, uint32_t random)
{
  uint32_t most_ms = OTLP_BACKOFF_FIRST_MS;
  for (uint32_t i = 1; i < tries && most_ms < OTLP_BACKOFF_MAX_MS; i++) most_ms *= 2;
  if (most_ms > OTLP_BACKOFF_MAX_MS) most_ms = OTLP_BACKOFF_MAX_MS;
  return 1 + random % most_ms;
}

static void outbox_pause(otlp_outbox *outbox, const otlp_answer *answer)
{
  uint32_t random = 0;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  (void)accel_random_bytes(&random, sizeof random);
  if (outbox->tries < UINT32_MAX) outbox->tries++;
  if (answer->retry_after_ms > 0)
    outbox->throttled_until_ms = now_ms + answer->retry_after_ms;
  else
    outbox->paused_until_ms = now_ms + accel_otlp_backoff_ms(outbox->tries, random);
}

/* With the mutex. The request is over, one way or the other. */
static void outbox_forget(otlp_outbox *outbox)
{
  outbox->body.size = 0;
  outbox->tries = 0;
  if (outbox->signal == OTLP_METRICS)
    outbox->sent = outbox->serves;
  else
    outbox->settled += outbox->items;
}

/* With the mutex. */
static void outbox_fail(otlp_exporter *exporter, const char *text)
{
  exporter->failures++;
  snprintf(exporter->last_text, sizeof exporter->last_text, "%s", text);
}

static void outbox_accepted(otlp_exporter *exporter, otlp_outbox *outbox, const otlp_answer *answer)
{
  const uint64_t rejected = answer->rejected < outbox->items ? answer->rejected : outbox->items;
  outbox_count(outbox, OTLP_EXPORTED, outbox->items - rejected);
  outbox_count(outbox, OTLP_REJECTED, rejected);
  if (rejected > 0) outbox_fail(exporter, answer->text);
  outbox_forget(outbox);
}

static void outbox_dropped(otlp_exporter *exporter, otlp_outbox *outbox, const char *text)
{
  outbox_count(outbox, OTLP_DROPPED, outbox->items);
  outbox_fail(exporter, text);
  outbox_forget(outbox);
}

/* Sends the batch again later. The sums of metrics are in the next request anyway, so nothing is
 * lost. True: the batch was given up. */
static bool outbox_later(otlp_exporter *exporter, otlp_outbox *outbox, const otlp_answer *answer)
{
  bool gives_up = false;
  snprintf(exporter->last_text, sizeof exporter->last_text, "%s", answer->text);
  outbox_pause(outbox, answer);
  if (outbox->signal == OTLP_METRICS)
    outbox->body.size = 0;
  else
    gives_up = accel_clock_monotonic_ms() - outbox->first_ms >= OTLP_GIVE_UP_MS;
  if (gives_up) outbox_dropped(exporter, outbox, answer->text);
  return gives_up;
}

static void outbox_settle(otlp_exporter *exporter, otlp_outbox *outbox, const otlp_answer *answer)
{
  bool is_over = true;
  accel_mutex_lock(&exporter->mutex);
  switch (answer->outcome) {
    case OTLP_ACCEPTED: outbox_accepted(exporter, outbox, answer); break;
    case OTLP_LATER: is_over = outbox_later(exporter, outbox, answer); break;
    case OTLP_REFUSED: outbox_dropped(exporter, outbox, answer->text); break;
  }
  accel_mutex_unlock(&exporter->mutex);
  outbox_log_state(exporter, outbox, answer->outcome != OTLP_ACCEPTED, answer->text);
  outbox_log_lost(exporter, outbox, is_over ? answer->text : "");
}

/* ---- an attempt ---- */

static uint32_t outbox_timeout_ms(const otlp_exporter *exporter, const otlp_outbox *outbox,
                                  uint64_t end_ms)
{
  const uint32_t timeout_ms = exporter->settings->targets[outbox->signal].timeout_ms;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (end_ms == ACCEL_NO_DEADLINE) return timeout_ms;
  if (end_ms <= now_ms) return 1;
  return end_ms - now_ms < timeout_ms ? (uint32_t)(end_ms - now_ms) : timeout_ms;
}

static void outbox_attempt(otlp_exporter *exporter, otlp_outbox *outbox, otlp_queue *batch,
                           uint64_t end_ms)
{
  otlp_answer answer = {.outcome = OTLP_REFUSED, .text = "there was no memory for the request"};
  if (outbox->tries == 0) outbox->first_ms = accel_clock_monotonic_ms();
  const accel_status status = outbox_make(exporter, outbox, batch);
  if (status == ACCEL_ERR_CLOSED)
    snprintf(answer.text, sizeof answer.text, "the observer was closed before the exporter");
  else if (status != ACCEL_OK && outbox->signal == OTLP_METRICS)
    answer.outcome = OTLP_LATER;
  if (status == ACCEL_OK) {
    if (outbox->tries > 0) outbox_count(outbox, OTLP_RETRIED, 1);
    accel_otlp_transport_send(&exporter->transport, outbox->signal, &outbox->body,
                              outbox_timeout_ms(exporter, outbox, end_ms), &answer);
  }
  outbox_settle(exporter, outbox, &answer);
}

/* Moves on when metrics are due, in steps of the interval: a request that a flush asked for changes
 * nothing about that. */
static void outbox_advance(const otlp_exporter *exporter, otlp_outbox *outbox)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  const uint32_t interval_ms = exporter->settings->interval_ms;
  if (outbox->next_ms > now_ms) return;
  outbox->next_ms += interval_ms;
  if (outbox->next_ms <= now_ms) outbox->next_ms = now_ms + interval_ms;
}

void accel_otlp_outbox_serve(otlp_exporter *exporter, otlp_outbox *outbox)
{
  otlp_queue batch = {NULL, NULL, 0};
  outbox->serves = outbox->wanted;
  if (outbox->signal == OTLP_METRICS)
    outbox_advance(exporter, outbox);
  else if (outbox->body.size == 0)
    batch = accel_otlp_queue_take(&outbox->queue, exporter->settings->batch_size);
  if (batch.count > 0) outbox->since_ms = accel_clock_monotonic_ms();
  const uint64_t end_ms = exporter->has_to_end ? exporter->end_ms : ACCEL_NO_DEADLINE;
  accel_mutex_unlock(&exporter->mutex);
  outbox_attempt(exporter, outbox, &batch, end_ms);
  accel_mutex_lock(&exporter->mutex);
  accel_condition_broadcast(&exporter->changed); /* the log knows already */
}
