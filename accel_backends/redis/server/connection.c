#include "connection.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/system.h"
#include "connection_wait.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server hung up, also when nothing else is of interest. */
#ifdef POLLRDHUP
#define REDIS_CONNECTION_HANGUP POLLRDHUP
#else
#define REDIS_CONNECTION_HANGUP 0x2000 /* Linux has it, but shows it to _GNU_SOURCE only */
#endif

/* ---- opening and closing ---- */

bool accel_redis_connection_open(redis_connection *connection, int wake_fd, uint32_t spin_us,
                                 bool is_used)
{
  const size_t size = REDIS_CONNECTION_SLOTS * sizeof *connection->slots;
  memset(connection, 0, sizeof *connection);
  connection->stream.fd = -1;
  connection->wake_fd = wake_fd;
  connection->spin.spin_us = spin_us;
  connection->state = is_used ? REDIS_CONNECTION_FIRST : REDIS_CONNECTION_UNUSED;
  connection->slots = (redis_slot *)ACCEL_MALLOC(size);
  if (connection->slots == NULL) return false;
  memset(connection->slots, 0, size);
  if (!accel_mutex_open(&connection->mutex)) goto fail_mutex;
  if (!accel_condition_open(&connection->changed)) goto fail_condition;
  return true;
fail_condition:
  accel_mutex_close(&connection->mutex);
fail_mutex:
  ACCEL_FREE(connection->slots);
  return false;
}

/* Drops all pending requests. An unanswered write must not arrive after a repair has removed its
 * key, so the socket is reset on close. */
static void redis_connection_discard(redis_connection *connection)
{
  bool has_writes = false;
  ACCEL_ASSERT(!connection->has_reader && !connection->has_writer);
  for (; connection->completed < connection->submitted; connection->completed++) {
    redis_slot *slot = accel_redis_io_slot(connection, connection->completed);
    has_writes |= slot->is_write;
    accel_redis_replies_release(&slot->replies);
  }
  if (has_writes) accel_redis_socket_reset_on_close(connection->stream.fd);
  accel_buffer_release(&connection->queued);
  accel_buffer_release(&connection->writing);
  connection->written = 0;
  ACCEL_ASSERT(connection->completed == connection->submitted);
  connection->is_clogged = connection->is_mid_reply = false;
  accel_redis_stream_close(&connection->stream);
}

void accel_redis_connection_close(redis_connection *connection)
{
  redis_connection_discard(connection);
  ACCEL_FREE(connection->slots);
  accel_condition_close(&connection->changed);
  accel_mutex_close(&connection->mutex);
}

void accel_redis_connection_abandon(redis_connection *connection)
{
  const bool was_idle = accel_mutex_try_lock(&connection->mutex) && !connection->has_reader &&
                        !connection->has_writer;
  accel_redis_socket_close(connection->stream.fd);
  connection->stream.fd = -1;
  if (!was_idle) return; /* a thread of the parent was changing it at the fork */
  redis_connection_discard(connection);
  ACCEL_FREE(connection->slots);
}

bool accel_redis_connection_has_late_writes(const redis_connection *connection)
{
  return accel_load_acquire(&connection->late_writes) > 0;
}

bool accel_redis_connection_was_busy(const redis_connection *connection, uint64_t since_ms)
{
  return accel_load_relaxed(&connection->large_ms) >= since_ms;
}

/* ---- requests ---- */

static accel_status redis_connection_refuse(accel_status status, const char *why, char *error)
{
  snprintf(error, REDIS_SOCKET_TEXT, "%s", why);
  return status;
}

static accel_status redis_connection_refuse_more(size_t pending, size_t unsent, char *error)
{
  snprintf(error, REDIS_SOCKET_TEXT,
           "the send queue is full: %zu requests wait for replies, and %zu bytes to be sent",
           pending, unsent);
  return ACCEL_ERR_BACKEND;
}

/* Returns how many replies are due; 0: no memory. */
static size_t redis_connection_append(const redis_request *request, accel_buffer *out)
{
  if (request->words == NULL) return request->append(request->ctx, out);
  return accel_redis_command_append_words(out, request->words) ? 1 : 0;
}

/* With the mutex held: queues the request for a caller, or NULL. */
static accel_status redis_connection_submit(redis_connection *connection,
                                            const redis_request *request,
                                            redis_caller *caller_or_null, uint64_t check,
                                            char *error)
{
  const size_t unsent = connection->queued.size + connection->writing.size - connection->written;
  const size_t pending = accel_redis_io_pending(connection);
  if (pending == REDIS_CONNECTION_SLOTS || unsent > REDIS_CONNECTION_UNSENT_MAX)
    return redis_connection_refuse_more(pending, unsent, error);
  ACCEL_ASSERT(connection->state == REDIS_CONNECTION_UP);
  const size_t before = connection->queued.size;
  const size_t replies_due = redis_connection_append(request, &connection->queued);
  if (replies_due == 0) {
    connection->queued.size = before;
    return redis_connection_refuse(ACCEL_ERR_NOMEM, "no memory for the commands", error);
  }
  ACCEL_ASSERT(connection->queued.size > before);
  if (pending == 0) {
    connection->progress_ms = connection->reply_ms = accel_clock_monotonic_ms();
    connection->reply_moved = connection->moved;
  }
  redis_slot *slot = accel_redis_io_slot(connection, connection->submitted);
  ACCEL_ASSERT(slot->caller == NULL && slot->replies.list == NULL);
  accel_store_relaxed(&slot->caller, caller_or_null);
  slot->check = check;
  slot->replies_due = slot->replies_asked = replies_due;
  slot->has_begun = slot->is_late_write = false;
  slot->is_write = request->is_write;
  if (caller_or_null != NULL) caller_or_null->slot = slot;
  accel_store_release(&connection->submitted, connection->submitted + 1);
  return ACCEL_OK;
}

/* With the mutex held. */
static accel_status redis_connection_await_first(redis_connection *connection, uint64_t deadline_ms,
                                                 char *error)
{
  if (connection->state == REDIS_CONNECTION_UP) return ACCEL_OK;
  if (connection->state == REDIS_CONNECTION_UNUSED) {
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_FIRST);
    accel_redis_io_wake_keeper(connection);
  }
  while (connection->state == REDIS_CONNECTION_FIRST)
    if (!accel_condition_wait(&connection->changed, &connection->mutex, deadline_ms))
      return redis_connection_refuse(ACCEL_ERR_TIMEOUT,
                                     "the first attempt to connect has not ended in time", error);
  if (connection->state == REDIS_CONNECTION_UP) return ACCEL_OK;
  snprintf(error, REDIS_SOCKET_TEXT, "not connected: %.140s", connection->error);
  return ACCEL_ERR_BACKEND;
}

bool accel_redis_connection_await_up(redis_connection *connection, uint64_t deadline_ms)
{
  bool is_in_time = true;
  accel_mutex_lock(&connection->mutex);
  while (connection->state != REDIS_CONNECTION_UP && is_in_time)
    is_in_time = accel_condition_wait(&connection->changed, &connection->mutex, deadline_ms);
  const bool is_up = connection->state == REDIS_CONNECTION_UP;
  accel_mutex_unlock(&connection->mutex);
  return is_up;
}

accel_status accel_redis_connection_begin(redis_connection *connection,
                                          const redis_request *request, uint64_t deadline_ms,
                                          redis_caller *caller, char *error)
{
  ACCEL_ASSERT((request->words == NULL) != (request->append == NULL));
  memset(caller, 0, sizeof *caller);
  caller->began_ms = accel_clock_monotonic_ms();
  caller->patience_ms = request->patience_ms;
  if (caller->began_ms >= deadline_ms)
    return redis_connection_refuse(ACCEL_ERR_TIMEOUT,
                                   "the deadline passed before the command was sent", error);
  accel_mutex_lock(&connection->mutex);
  accel_status status = redis_connection_await_first(connection, deadline_ms, error);
  if (status == ACCEL_OK) status = redis_connection_submit(connection, request, caller, 0, error);
  if (status == ACCEL_OK && !connection->has_writer && !connection->is_clogged)
    accel_redis_io_write(connection, accel_redis_io_pending(connection) > 1);
  accel_mutex_unlock(&connection->mutex);
  return status;
}

accel_status accel_redis_connection_finish(redis_connection *connection, redis_caller *caller,
                                           uint64_t deadline_ms, redis_replies *replies,
                                           char *error)
{
  accel_mutex_lock(&connection->mutex);
  if (!accel_redis_wait_for_replies(connection, caller, deadline_ms)) {
    snprintf(error, REDIS_SOCKET_TEXT, "no reply within %u ms",
             (unsigned)(accel_clock_monotonic_ms() - caller->began_ms));
    caller->status = ACCEL_ERR_TIMEOUT;
  } else if (caller->status != ACCEL_OK) {
    accel_mutex_lock(&connection->mutex);
    snprintf(error, REDIS_SOCKET_TEXT, "%s", connection->error);
    accel_mutex_unlock(&connection->mutex);
  }
  ACCEL_ASSERT(caller->status == ACCEL_OK || caller->replies.list == NULL);
  *replies = caller->replies;
  return caller->status;
}

accel_status accel_redis_connection_call(redis_connection *connection, const redis_request *request,
                                         uint64_t deadline_ms, redis_replies *replies, char *error)
{
  redis_caller caller;
  memset(replies, 0, sizeof *replies);
  const accel_status status =
      accel_redis_connection_begin(connection, request, deadline_ms, &caller, error);
  if (status != ACCEL_OK) return status;
  return accel_redis_connection_finish(connection, &caller, deadline_ms, replies, error);
}

/* With the mutex held. */
static void redis_connection_post_locked(redis_connection *connection, const redis_request *request,
                                         uint64_t check)
{
  char error[REDIS_SOCKET_TEXT];
  if (connection->state != REDIS_CONNECTION_UP) return;
  if (redis_connection_submit(connection, request, NULL, check, error) == ACCEL_OK)
    accel_redis_wait_hand_over(connection);
}

void accel_redis_connection_post(redis_connection *connection, const redis_request *request)
{
  accel_mutex_lock(&connection->mutex);
  redis_connection_post_locked(connection, request, 0);
  accel_mutex_unlock(&connection->mutex);
}

/* ---- the keeper's part ---- */

void accel_redis_connection_hang_up(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  connection->has_hung_up = true;
  if (connection->state == REDIS_CONNECTION_UP)
    accel_redis_io_hang_up(connection, "connection lost: closed by the server");
  accel_mutex_unlock(&connection->mutex);
}

void accel_redis_connection_adopt(redis_connection *connection, redis_stream *stream_or_null,
                                  const char *why)
{
  accel_mutex_lock(&connection->mutex);
  ACCEL_ASSERT(connection->state != REDIS_CONNECTION_UP);
  ACCEL_ASSERT(!connection->has_reader && !connection->has_writer);
  if (stream_or_null == NULL) {
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_DOWN);
    snprintf(connection->error, sizeof connection->error, "%s", why);
  } else {
    ACCEL_ASSERT(stream_or_null->fd >= 0 && connection->stream.fd < 0);
    connection->stream = *stream_or_null;
    memset(stream_or_null, 0, sizeof *stream_or_null);
    stream_or_null->fd = -1;
    connection->checked = connection->submitted;
    connection->sent = connection->acknowledged = 0;
    connection->unacknowledged = 0;
    connection->is_part_there = connection->has_hung_up = false;
    connection->check_ms = accel_clock_deadline(REDIS_CONNECTION_CHECK_MS);
    accel_add_acq_rel(&connection->made, 1u);
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_UP);
  }
  accel_condition_broadcast(&connection->changed);
  accel_mutex_unlock(&connection->mutex);
}

void accel_redis_connection_explain(redis_connection *connection, char *text)
{
  accel_mutex_lock(&connection->mutex);
  memcpy(text, connection->error, sizeof connection->error);
  accel_mutex_unlock(&connection->mutex);
}

void accel_redis_connection_figures(redis_connection *connection, redis_connection_figures *out)
{
  accel_mutex_lock(&connection->mutex);
  out->state = connection->state;
  out->pending = accel_redis_io_pending(connection);
  out->made = accel_load_relaxed(&connection->made);
  accel_mutex_unlock(&connection->mutex);
}

void accel_redis_connection_expect(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_DOWN)
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_FIRST);
  accel_mutex_unlock(&connection->mutex);
}

bool accel_redis_connection_repair(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_BROKEN && !connection->has_reader &&
      !connection->has_writer) {
    redis_connection_discard(connection);
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_DOWN);
  }
  const bool is_down =
      connection->state == REDIS_CONNECTION_DOWN || connection->state == REDIS_CONNECTION_FIRST;
  accel_mutex_unlock(&connection->mutex);
  return is_down;
}

/* With the mutex held. A reply that was lost on the way would shift all that follow, unnoticed,
 * since each is a valid reply. So PING carries a random number, which must come back. */
static void redis_connection_check(redis_connection *connection, uint64_t now_ms)
{
  ACCEL_ASSERT(connection->checked <= connection->submitted);
  uint64_t check = 0;
  char text[REDIS_CONNECTION_CHECK_TEXT];
  connection->check_ms = now_ms + REDIS_CONNECTION_CHECK_MS;
  if (connection->submitted == connection->checked) return;
  if (accel_random_bytes(&check, sizeof check) && check != 0) {
    accel_redis_io_check_text(check, text);
    const redis_request request = {.words = REDIS_WORDS("PING", text)};
    redis_connection_post_locked(connection, &request, check);
  }
  connection->checked = connection->submitted;
}

/* With the mutex held: when the connection counts as dead, if nothing moves until then. */
static uint64_t redis_connection_patience_ends_ms(const redis_connection *connection)
{
  const uint64_t moved = connection->moved - connection->reply_moved;
  const uint64_t silent_ms = connection->progress_ms + REDIS_CONNECTION_SILENCE_MS;
  const uint64_t endless_ms =
      connection->reply_ms + REDIS_CONNECTION_SILENCE_MS + moved / REDIS_CONNECTION_SLOWEST_BYTES;
  return silent_ms < endless_ms ? silent_ms : endless_ms;
}

/* With the mutex held. True: the peer acknowledged some of what was sent since the last look.
 * While commands are being written the system holds as much as before, so acknowledged bytes are
 * compared. */
static bool redis_connection_drains(redis_connection *connection)
{
  const size_t left = accel_redis_socket_unsent(connection->stream.fd);
  const size_t left_before = connection->unacknowledged;
  const uint64_t taken = connection->sent - left;
  const uint64_t taken_before = connection->acknowledged;
  connection->unacknowledged = left;
  connection->acknowledged = taken;
  const bool is_first_look = left_before == 0 && left <= REDIS_CONNECTION_LARGE_BYTES;
  if (taken == taken_before || left == 0 || is_first_look) return false;
  connection->moved += left < left_before ? left_before - left : 0;
  return true;
}

/* With the mutex held: breaks it when the oldest reply has been waited for too long. */
static void redis_connection_judge(redis_connection *connection)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (accel_redis_io_pending(connection) == 0) return;
  if (now_ms < redis_connection_patience_ends_ms(connection)) return;
  const bool is_silent = now_ms >= connection->progress_ms + REDIS_CONNECTION_SILENCE_MS;
  const bool may_drain = is_silent || !connection->is_part_there;
  if (may_drain && redis_connection_drains(connection)) {
    connection->progress_ms = connection->reply_ms = now_ms;
    return;
  }
  accel_redis_io_break(
      connection, is_silent ? "connection lost: no byte came for a second while replies were due"
                            : "connection lost: a reply was not complete in time");
}

/* With the mutex held, while it is up: does what a caller would do, without waiting. */
static void redis_connection_tend_locked(redis_connection *connection)
{
  ACCEL_ASSERT(connection->state == REDIS_CONNECTION_UP && connection->stream.fd >= 0);
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (now_ms >= connection->check_ms) redis_connection_check(connection, now_ms);
  if (accel_redis_io_has_unsent(connection) && !connection->has_writer)
    accel_redis_io_write(connection, false);
  if (accel_redis_io_pending(connection) > 0 && !connection->has_reader)
    accel_redis_wait_for_socket(connection, now_ms);
  redis_connection_judge(connection);
  /* A caller that came meanwhile found a role taken. What is left without one waits for poll. */
  (void)accel_redis_wait_wake_next(connection);
}

int accel_redis_connection_tend(redis_connection *connection, int *fd_out, uint64_t *until_ms)
{
  int events = 0;
  *fd_out = -1;
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_UP) redis_connection_tend_locked(connection);
  if (connection->state == REDIS_CONNECTION_UP) {
    const uint64_t silent_ms = redis_connection_patience_ends_ms(connection);
    const bool is_pending = accel_redis_io_pending(connection) > 0;
    const bool is_left = connection->has_hung_up && connection->has_reader;
    *fd_out = is_left ? -1 : connection->stream.fd;
    const uint64_t soon_ms = accel_clock_deadline(REDIS_CONNECTION_HUNG_UP_MS);
    if (is_left && soon_ms < *until_ms) *until_ms = soon_ms;
    events = REDIS_CONNECTION_HANGUP;
    if (is_pending && !connection->has_reader) events |= POLLIN;
    if (connection->is_clogged && !connection->has_writer) events |= POLLOUT;
    if (is_pending && silent_ms < *until_ms) *until_ms = silent_ms;
    if (connection->check_ms < *until_ms) *until_ms = connection->check_ms;
  }
  accel_mutex_unlock(&connection->mutex);
  return events;
}
