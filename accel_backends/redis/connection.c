#include "connection.h"

#include "../../accel/platform/atomic.h"
#include "../../accel/platform/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* The server hung up, also when nothing else is of interest. */
#ifdef POLLRDHUP
#define REDIS_CONNECTION_HANGUP POLLRDHUP
#else
#define REDIS_CONNECTION_HANGUP 0x2000 /* Linux has it, but shows it to _GNU_SOURCE only */
#endif

/* A send buffer that has grown beyond this is given back once it is empty. */
#define REDIS_CONNECTION_KEPT_BYTES (256u << 10)

/* ---- opening and closing ---- */

bool accel_redis_connection_open(redis_connection *connection, int wake_fd, bool is_used)
{
  const size_t size = REDIS_CONNECTION_SLOTS * sizeof *connection->slots;
  memset(connection, 0, sizeof *connection);
  connection->stream.fd = -1;
  connection->wake_fd = wake_fd;
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

static void redis_connection_forget(redis_connection *connection)
{
  for (; connection->pending > 0; connection->pending--) {
    redis_slot *slot = &connection->slots[connection->first];
    accel_redis_replies_release(&slot->replies);
    connection->first = (connection->first + 1) % REDIS_CONNECTION_SLOTS;
  }
  accel_buffer_release(&connection->queued);
  accel_buffer_release(&connection->writing);
  connection->written = 0;
  connection->is_clogged = false;
  accel_redis_stream_close(&connection->stream);
}

void accel_redis_connection_close(redis_connection *connection)
{
  redis_connection_forget(connection);
  ACCEL_FREE(connection->slots);
  accel_condition_close(&connection->changed);
  accel_mutex_close(&connection->mutex);
}

void accel_redis_connection_abandon(redis_connection *connection)
{
  const bool was_at_rest = accel_mutex_try_lock(&connection->mutex) && !connection->has_reader &&
                           !connection->has_writer;
  accel_redis_socket_close(connection->stream.fd);
  connection->stream.fd = -1;
  if (!was_at_rest) return; /* some thread of the parent's was changing it just then */
  redis_connection_forget(connection);
  ACCEL_FREE(connection->slots);
}

/* ---- state ---- */

bool accel_redis_connection_is_up(const redis_connection *connection)
{
  return accel_load_relaxed(&connection->state) == REDIS_CONNECTION_UP;
}

static void redis_connection_ring(redis_connection *connection)
{
  const uint64_t one = 1;
  /* Fails only if the bell is ringing already. */
  if (write(connection->wake_fd, &one, sizeof one) < 0) return;
}

static bool redis_connection_has_unsent(const redis_connection *connection)
{
  return connection->queued.size > 0 || connection->written < connection->writing.size;
}

/* With the mutex held. All that wait fail now; the slots stay, because the reader may be filling
 * one of them. */
static void redis_connection_break_locked(redis_connection *connection, const char *why)
{
  if (connection->state != REDIS_CONNECTION_UP) return;
  accel_store_relaxed(&connection->state, REDIS_CONNECTION_BROKEN);
  snprintf(connection->error, sizeof connection->error, "%s", why);
  shutdown(connection->stream.fd, SHUT_RDWR); /* ends every wait on it */
  for (size_t i = 0; i < connection->pending; i++) {
    redis_slot *slot = &connection->slots[(connection->first + i) % REDIS_CONNECTION_SLOTS];
    if (slot->owner == NULL) continue;
    slot->owner->is_done = true;
    slot->owner->status = ACCEL_ERR_BACKEND;
    accel_condition_signal(&slot->owner->wake);
    slot->owner = NULL;
  }
  redis_connection_ring(connection);
}

void accel_redis_connection_break(redis_connection *connection, const char *why)
{
  accel_mutex_lock(&connection->mutex);
  redis_connection_break_locked(connection, why);
  accel_mutex_unlock(&connection->mutex);
}

/* With the mutex held. */
static void redis_connection_break_at_socket(redis_connection *connection, int reason)
{
  char why[REDIS_SOCKET_TEXT];
  snprintf(why, sizeof why, "connection lost: %s", accel_redis_socket_reason(reason));
  redis_connection_break_locked(connection, why);
}

/* ---- writing ---- */

/* With the mutex held. What the writer takes next; the two buffers change places. */
static void redis_connection_take_queued(redis_connection *connection)
{
  if (connection->written < connection->writing.size) return;
  if (connection->writing.capacity > REDIS_CONNECTION_KEPT_BYTES)
    accel_buffer_release(&connection->writing);
  const accel_buffer empty = connection->writing;
  connection->writing = connection->queued;
  connection->queued = empty;
  connection->queued.size = 0;
  connection->written = 0;
}

/* With the mutex held, which it lets go while it sends. Writes what was queued by now, or as much
 * of it as the socket takes; what others queue meanwhile is for the next. */
static void redis_connection_write(redis_connection *connection)
{
  connection->has_writer = true;
  connection->is_clogged = false;
  redis_connection_take_queued(connection);
  while (connection->state == REDIS_CONNECTION_UP &&
         connection->written < connection->writing.size) {
    const unsigned char *next = connection->writing.data + connection->written;
    const size_t left = connection->writing.size - connection->written;
    accel_mutex_unlock(&connection->mutex);
    const ptrdiff_t sent = accel_redis_socket_send(connection->stream.fd, next, left);
    const int reason = errno;
    accel_mutex_lock(&connection->mutex);
    if (sent == REDIS_SOCKET_DEAD) {
      redis_connection_break_at_socket(connection, reason);
      break;
    }
    connection->is_clogged = sent == REDIS_SOCKET_LATER;
    if (connection->is_clogged) break;
    connection->written += (size_t)sent;
    connection->progress_ms = accel_clock_monotonic_ms();
  }
  connection->has_writer = false;
}

/* ---- reading: by who holds the reader's role, without the mutex ---- */

/* The first request's last reply has come. */
static void redis_connection_complete(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  redis_slot *slot = &connection->slots[connection->first];
  redis_waiter *owner = slot->owner;
  connection->first = (connection->first + 1) % REDIS_CONNECTION_SLOTS;
  connection->pending--;
  if (owner == NULL) {
    accel_redis_replies_release(&slot->replies);
  } else {
    owner->replies = slot->replies;
    owner->status = ACCEL_OK;
    owner->is_done = true;
    memset(&slot->replies, 0, sizeof slot->replies);
    slot->owner = NULL;
    accel_condition_signal(&owner->wake);
  }
  accel_mutex_unlock(&connection->mutex);
}

/* The request whose replies come next; NULL: none is due. */
static redis_slot *redis_connection_first(redis_connection *connection, bool *is_wanted)
{
  accel_mutex_lock(&connection->mutex);
  redis_slot *slot = connection->pending > 0 ? &connection->slots[connection->first] : NULL;
  *is_wanted = slot != NULL && slot->owner != NULL;
  accel_mutex_unlock(&connection->mutex);
  return slot;
}

static void redis_connection_distrust(redis_connection *connection, const char *why)
{
  char text[REDIS_SOCKET_TEXT];
  snprintf(text, sizeof text, "protocol error: %s", why);
  accel_redis_connection_break(connection, text);
}

/* Gives the replies that were fed to the requests, in order. */
static void redis_connection_deal_out(redis_connection *connection)
{
  redis_reader *reader = connection->stream.reader;
  bool is_wanted = false;
  for (redis_slot *slot = redis_connection_first(connection, &is_wanted); slot != NULL;
       slot = redis_connection_first(connection, &is_wanted)) {
    while (slot->replies_due > 0) {
      const redis_reader_result result =
          accel_redis_reader_next(reader, is_wanted ? &slot->replies : NULL);
      if (result == REDIS_READER_MORE) return;
      if (result == REDIS_READER_BROKEN) {
        redis_connection_distrust(connection, accel_redis_reader_error(reader));
        return;
      }
      slot->replies_due--;
    }
    redis_connection_complete(connection);
  }
  if (!accel_redis_reader_is_empty(reader))
    redis_connection_distrust(connection, "a reply that nobody asked for");
}

static void redis_connection_receive(redis_connection *connection)
{
  char why[REDIS_SOCKET_TEXT];
  if (!accel_redis_stream_feed(&connection->stream, why)) {
    accel_redis_connection_break(connection, why);
    return;
  }
  redis_connection_deal_out(connection);
}

/* ---- waiting ---- */

/* With the mutex held, which it lets go while it waits: takes the roles that are free, until the
 * socket is ready or the deadline has passed. */
static void redis_connection_wait(redis_connection *connection, uint64_t deadline_ms)
{
  const bool reads = !connection->has_reader;
  const bool writes = !connection->has_writer && connection->is_clogged;
  const int fd = connection->stream.fd;
  if (reads) connection->has_reader = true;
  if (writes) connection->has_writer = true;
  accel_mutex_unlock(&connection->mutex);
  const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
  const int ready = accel_redis_socket_wait(fd, events, -1, deadline_ms);
  if (reads && (ready & ~POLLOUT) != 0) redis_connection_receive(connection);
  accel_mutex_lock(&connection->mutex);
  if (reads && ready != 0) connection->progress_ms = accel_clock_monotonic_ms();
  if (reads) connection->has_reader = false;
  if (writes) connection->has_writer = false;
  if (writes && (ready & ~POLLIN) != 0) connection->is_clogged = false;
}

/* With the mutex held. True: nothing is left to do, or the first that sleeps was woken to do it. */
static bool redis_connection_wake_next(redis_connection *connection)
{
  const bool is_unread = connection->pending > 0 && !connection->has_reader;
  const bool is_unsent = redis_connection_has_unsent(connection) && !connection->has_writer;
  if (!is_unread && !is_unsent) return true;
  for (size_t i = 0; i < connection->pending; i++) {
    redis_waiter *owner = connection->slots[(connection->first + i) % REDIS_CONNECTION_SLOTS].owner;
    if (owner == NULL || !owner->is_asleep) continue;
    accel_condition_signal(&owner->wake);
    return true;
  }
  return false;
}

/* With the mutex held: a thread leaves. What it leaves behind another caller goes on with, or the
 * keeper. */
static void redis_connection_hand_over(redis_connection *connection)
{
  if (connection->state != REDIS_CONNECTION_UP || !redis_connection_wake_next(connection))
    redis_connection_ring(connection);
}

/* With the mutex held: does what there is to do until the waiter has its replies. False: the
 * deadline passed before. */
static bool redis_connection_await(redis_connection *connection, redis_waiter *waiter,
                                   uint64_t deadline_ms)
{
  while (!waiter->is_done) {
    if (accel_clock_monotonic_ms() >= deadline_ms) return false;
    const bool is_writable = redis_connection_has_unsent(connection) && !connection->has_writer;
    if (is_writable && !connection->is_clogged) {
      redis_connection_write(connection);
    } else if (is_writable || !connection->has_reader) {
      redis_connection_wait(connection, deadline_ms);
    } else {
      waiter->is_asleep = true;
      accel_condition_wait(&waiter->wake, &connection->mutex, deadline_ms);
      waiter->is_asleep = false;
    }
  }
  return true;
}

/* ---- requests ---- */

/* With the mutex held. */
static accel_status redis_connection_refuse(accel_status status, const char *why, char *error)
{
  snprintf(error, REDIS_SOCKET_TEXT, "%s", why);
  return status;
}

/* With the mutex held: queues the block under an owner, or NULL. */
static accel_status redis_connection_submit(redis_connection *connection, const redis_block *block,
                                            redis_waiter *owner_or_null, redis_slot **slot_out,
                                            char *error)
{
  const size_t unsent = connection->queued.size + connection->writing.size - connection->written;
  if (connection->pending == REDIS_CONNECTION_SLOTS || unsent > REDIS_CONNECTION_UNSENT_MAX)
    return redis_connection_refuse(ACCEL_ERR_BACKEND, "queue full: the server is too slow", error);
  const size_t before = connection->queued.size;
  const size_t replies_due = block->append(block->ctx, &connection->queued);
  if (replies_due == 0) {
    connection->queued.size = before;
    return redis_connection_refuse(ACCEL_ERR_NOMEM, "no memory for the commands", error);
  }
  if (connection->pending == 0) connection->progress_ms = accel_clock_monotonic_ms();
  redis_slot *slot =
      &connection->slots[(connection->first + connection->pending++) % REDIS_CONNECTION_SLOTS];
  slot->owner = owner_or_null;
  slot->replies_due = replies_due;
  *slot_out = slot;
  return ACCEL_OK;
}

/* With the mutex held. */
static accel_status redis_connection_await_first(redis_connection *connection, uint64_t deadline_ms,
                                                 char *error)
{
  if (connection->state == REDIS_CONNECTION_UNUSED) {
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_FIRST);
    redis_connection_ring(connection);
  }
  while (connection->state == REDIS_CONNECTION_FIRST)
    if (!accel_condition_wait(&connection->changed, &connection->mutex, deadline_ms))
      return redis_connection_refuse(ACCEL_ERR_TIMEOUT, "the first connection takes too long",
                                     error);
  if (connection->state == REDIS_CONNECTION_UP) return ACCEL_OK;
  snprintf(error, REDIS_SOCKET_TEXT, "not connected: %.140s", connection->error);
  return ACCEL_ERR_BACKEND;
}

accel_status accel_redis_connection_begin(redis_connection *connection, const redis_block *block,
                                          uint64_t deadline_ms, redis_waiter *waiter, char *error)
{
  memset(waiter, 0, sizeof *waiter);
  waiter->began_ms = accel_clock_monotonic_ms();
  if (waiter->began_ms >= deadline_ms)
    return redis_connection_refuse(ACCEL_ERR_TIMEOUT, "the deadline had passed before", error);
  if (!accel_condition_open(&waiter->wake))
    return redis_connection_refuse(ACCEL_ERR_NOMEM, "no memory to wait", error);
  accel_mutex_lock(&connection->mutex);
  accel_status status = redis_connection_await_first(connection, deadline_ms, error);
  if (status == ACCEL_OK)
    status = redis_connection_submit(connection, block, waiter, &waiter->slot, error);
  if (status == ACCEL_OK && !connection->has_writer && !connection->is_clogged)
    redis_connection_write(connection);
  accel_mutex_unlock(&connection->mutex);
  if (status != ACCEL_OK) accel_condition_close(&waiter->wake);
  return status;
}

accel_status accel_redis_connection_finish(redis_connection *connection, redis_waiter *waiter,
                                           uint64_t deadline_ms, redis_replies *replies,
                                           char *error)
{
  accel_mutex_lock(&connection->mutex);
  if (redis_connection_await(connection, waiter, deadline_ms)) {
    if (waiter->status != ACCEL_OK) snprintf(error, REDIS_SOCKET_TEXT, "%s", connection->error);
  } else {
    waiter->slot->owner = NULL;
    waiter->status = ACCEL_ERR_TIMEOUT;
    snprintf(error, REDIS_SOCKET_TEXT, "no answer within %u ms",
             (unsigned)(deadline_ms - waiter->began_ms));
  }
  redis_connection_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
  accel_condition_close(&waiter->wake);
  *replies = waiter->replies;
  return waiter->status;
}

accel_status accel_redis_connection_call(redis_connection *connection, const redis_block *block,
                                         uint64_t deadline_ms, redis_replies *replies, char *error)
{
  redis_waiter waiter;
  memset(replies, 0, sizeof *replies);
  const accel_status status =
      accel_redis_connection_begin(connection, block, deadline_ms, &waiter, error);
  if (status != ACCEL_OK) return status;
  return accel_redis_connection_finish(connection, &waiter, deadline_ms, replies, error);
}

void accel_redis_connection_post(redis_connection *connection, const redis_block *block)
{
  char error[REDIS_SOCKET_TEXT];
  redis_slot *slot = NULL;
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_UP &&
      redis_connection_submit(connection, block, NULL, &slot, error) == ACCEL_OK)
    redis_connection_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
}

/* ---- the keeper's part ---- */

void accel_redis_connection_adopt(redis_connection *connection, redis_stream *stream_or_null,
                                  const char *why)
{
  accel_mutex_lock(&connection->mutex);
  if (stream_or_null == NULL) {
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_DOWN);
    snprintf(connection->error, sizeof connection->error, "%s", why);
  } else {
    connection->stream = *stream_or_null;
    memset(stream_or_null, 0, sizeof *stream_or_null);
    stream_or_null->fd = -1;
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_UP);
  }
  accel_condition_broadcast(&connection->changed);
  accel_mutex_unlock(&connection->mutex);
}

bool accel_redis_connection_repair(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_BROKEN && !connection->has_reader &&
      !connection->has_writer) {
    redis_connection_forget(connection);
    accel_store_relaxed(&connection->state, REDIS_CONNECTION_DOWN);
  }
  const bool is_down =
      connection->state == REDIS_CONNECTION_DOWN || connection->state == REDIS_CONNECTION_FIRST;
  accel_mutex_unlock(&connection->mutex);
  return is_down;
}

/* With the mutex held, while it is up: what a caller would do, without waiting. */
static void redis_connection_tend_locked(redis_connection *connection)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (redis_connection_has_unsent(connection) && !connection->has_writer)
    redis_connection_write(connection);
  if (connection->pending > 0 && !connection->has_reader) redis_connection_wait(connection, now_ms);
  if (connection->pending > 0 && now_ms >= connection->progress_ms + REDIS_CONNECTION_SILENCE_MS)
    redis_connection_break_locked(connection, "connection lost: the server is silent");
  /* Callers that came meanwhile found the roles taken. What is left without one waits for poll. */
  (void)redis_connection_wake_next(connection);
}

int accel_redis_connection_tend(redis_connection *connection, int *fd_out, uint64_t *until_ms)
{
  int events = 0;
  *fd_out = -1;
  accel_mutex_lock(&connection->mutex);
  if (connection->state == REDIS_CONNECTION_UP) redis_connection_tend_locked(connection);
  if (connection->state == REDIS_CONNECTION_UP) {
    const uint64_t silent_ms = connection->progress_ms + REDIS_CONNECTION_SILENCE_MS;
    *fd_out = connection->stream.fd;
    events = REDIS_CONNECTION_HANGUP;
    if (connection->pending > 0 && !connection->has_reader) events |= POLLIN;
    if (connection->is_clogged && !connection->has_writer) events |= POLLOUT;
    if (connection->pending > 0 && silent_ms < *until_ms) *until_ms = silent_ms;
  }
  accel_mutex_unlock(&connection->mutex);
  return events;
}
