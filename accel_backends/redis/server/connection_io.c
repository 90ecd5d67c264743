#include "connection_io.h"

#include "../../../accel/platform/atomic.h"
#include "../wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A send buffer that has grown beyond this is given back once it is empty. */
#define REDIS_IO_KEPT_BYTES (256u << 10)
#define REDIS_IO_WRITES_AT_ONCE 4 /* then the others' commands wait for another writer */

bool accel_redis_connection_is_up(const redis_connection *connection)
{
  return accel_load_relaxed(&connection->state) == REDIS_CONNECTION_UP;
}

void accel_redis_io_check_text(uint64_t check, char text[REDIS_CONNECTION_CHECK_TEXT])
{
  snprintf(text, REDIS_CONNECTION_CHECK_TEXT, "%llu", (unsigned long long)check);
}

bool accel_redis_io_has_unsent(const redis_connection *connection)
{
  return connection->queued.size > 0 || connection->written < connection->writing.size;
}

size_t accel_redis_io_pending(const redis_connection *connection)
{
  return (size_t)(connection->submitted - connection->completed);
}

redis_slot *accel_redis_io_slot(redis_connection *connection, uint64_t number)
{
  return &connection->slots[number % REDIS_CONNECTION_SLOTS];
}

void accel_redis_io_wake_keeper(redis_connection *connection)
{
  accel_redis_signal_raise(connection->wake_fd);
}

void accel_redis_io_break(redis_connection *connection, const char *why)
{
  if (connection->state != REDIS_CONNECTION_UP) return;
  accel_store_relaxed(&connection->state, REDIS_CONNECTION_BROKEN);
  snprintf(connection->error, sizeof connection->error, "%s", why);
  shutdown(connection->stream.fd, SHUT_RDWR); /* ends every wait on it */
  for (uint64_t i = connection->completed; i < connection->submitted; i++) {
    redis_slot *slot = accel_redis_io_slot(connection, i);
    redis_caller *caller = slot->caller;
    slot->is_late_write = false;
    if (caller == NULL) continue;
    ACCEL_ASSERT(caller->slot == slot && !caller->is_taken);
    accel_store_relaxed(&slot->caller, NULL);
    caller->is_taken = true;
    caller->is_bystander = i != connection->completed;
    caller->is_unread = caller->is_bystander || !accel_load_relaxed(&connection->is_mid_reply);
    caller->status = ACCEL_ERR_BACKEND;
    accel_redis_wake_set(&caller->wake, REDIS_WAKE_DONE);
  }
  accel_store_release(&connection->late_writes, 0u); /* what follows has another connection */
  accel_redis_io_wake_keeper(connection);
}

void accel_redis_connection_break(redis_connection *connection, const char *why)
{
  accel_mutex_lock(&connection->mutex);
  accel_redis_io_break(connection, why);
  accel_mutex_unlock(&connection->mutex);
}

static void redis_io_hear_last_words(redis_connection *connection);

/* ---- writing ---- */

/* The writer takes what is queued; the two buffers change places. */
static void redis_io_take_queued(redis_connection *connection)
{
  ACCEL_ASSERT(connection->has_writer);
  ACCEL_ASSERT(connection->written <= connection->writing.size);
  if (connection->written < connection->writing.size) return;
  if (connection->writing.capacity > REDIS_IO_KEPT_BYTES)
    accel_buffer_release(&connection->writing);
  const accel_buffer empty = connection->writing;
  connection->writing = connection->queued;
  connection->queued = empty;
  connection->queued.size = 0;
  connection->written = 0;
}

bool accel_redis_io_let_others_run(redis_connection *connection)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  if (!accel_redis_spin_may_let_run(&connection->spin, began_ns)) return false;
  const uint64_t before = accel_load_relaxed(&connection->submitted);
  accel_redis_wake_yield();
  const uint64_t now_ns = accel_clock_monotonic_ns();
  const uint64_t came = accel_load_relaxed(&connection->submitted) - before;
  return accel_redis_spin_note_others(&connection->spin, now_ns, now_ns - began_ns, came);
}

/* Releases the mutex, so that threads that were just woken can add their commands to the same
 * write. */
static void redis_io_gather(redis_connection *connection)
{
  if (!accel_redis_spin_may_let_run(&connection->spin, accel_clock_monotonic_ns())) return;
  accel_mutex_unlock(&connection->mutex);
  (void)accel_redis_io_let_others_run(connection);
  accel_mutex_lock(&connection->mutex);
}

void accel_redis_io_hang_up(redis_connection *connection, const char *why)
{
  if (connection->has_reader) return;
  connection->has_reader = true;
  accel_mutex_unlock(&connection->mutex);
  redis_io_hear_last_words(connection);
  accel_mutex_lock(&connection->mutex);
  connection->has_reader = false;
  accel_redis_io_break(connection, why); /* if it is not broken yet */
}

/* With the mutex held, which it releases meanwhile. */
static void redis_io_write_failed(redis_connection *connection, int reason)
{
  char why[REDIS_SOCKET_TEXT];
  connection->is_clogged = true;
  snprintf(why, sizeof why, "connection lost: %s", accel_redis_socket_reason(reason));
  accel_redis_io_hang_up(connection, why);
}

/* False: nothing can be written now. */
static bool redis_io_write_once(redis_connection *connection)
{
  const unsigned char *next = connection->writing.data + connection->written;
  const size_t left = connection->writing.size - connection->written;
  ACCEL_ASSERT(connection->has_writer && left > 0);
  accel_mutex_unlock(&connection->mutex);
  const ptrdiff_t sent = accel_redis_stream_write(&connection->stream, next, left);
  const int reason = errno;
  accel_mutex_lock(&connection->mutex);
  connection->is_clogged = sent == REDIS_SOCKET_LATER;
  if (sent == REDIS_SOCKET_DEAD) redis_io_write_failed(connection, reason);
  if (sent <= 0) return false;
  ACCEL_ASSERT((size_t)sent <= left);
  connection->written += (size_t)sent;
  connection->moved += (uint64_t)sent;
  connection->sent += (uint64_t)sent;
  connection->progress_ms = accel_clock_monotonic_ms();
  if (left > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, connection->progress_ms);
  return true;
}

void accel_redis_io_write(redis_connection *connection, bool gathers)
{
  ACCEL_ASSERT(!connection->has_writer);
  connection->has_writer = true;
  connection->is_clogged = false;
  if (gathers) redis_io_gather(connection);
  for (int i = 0; i < REDIS_IO_WRITES_AT_ONCE; i++) {
    redis_io_take_queued(connection);
    if (connection->written == connection->writing.size) break;
    while (connection->state == REDIS_CONNECTION_UP &&
           connection->written < connection->writing.size)
      if (!redis_io_write_once(connection)) break;
    if (connection->state != REDIS_CONNECTION_UP || connection->is_clogged) break;
  }
  ACCEL_ASSERT(connection->has_writer);
  connection->has_writer = false;
}

/* ---- reading: by the holder of the reader's role, without the mutex ---- */

/* The replies of the requests [from, from + count) are complete: removes the requests from the
 * ring. Returns the callers to wake. */
static redis_caller *redis_io_complete(redis_connection *connection, uint64_t from, size_t count)
{
  redis_caller *first = NULL, **last = &first;
  accel_mutex_lock(&connection->mutex);
  ACCEL_ASSERT(connection->has_reader && connection->completed == from);
  ACCEL_ASSERT(count <= accel_redis_io_pending(connection));
  for (uint64_t i = from; i < from + count; i++) {
    redis_slot *slot = accel_redis_io_slot(connection, i);
    redis_caller *caller = slot->caller;
    ACCEL_ASSERT(slot->replies_due == 0);
    if (caller == NULL) {
      if (slot->is_late_write) accel_sub_acq_rel(&connection->late_writes, 1u);
      accel_redis_replies_release(&slot->replies);
      continue;
    }
    caller->replies = slot->replies;
    caller->status = ACCEL_OK;
    caller->is_taken = true;
    caller->next = NULL;
    *last = caller;
    last = &caller->next;
    memset(&slot->replies, 0, sizeof slot->replies);
    accel_store_relaxed(&slot->caller, NULL);
  }
  connection->completed = from + count;
  accel_mutex_unlock(&connection->mutex);
  return first;
}

static void redis_io_protocol_error(redis_connection *connection, const char *why)
{
  char text[REDIS_SOCKET_TEXT];
  snprintf(text, sizeof text, "protocol error: %s", why);
  accel_redis_connection_break(connection, text);
}

static bool redis_io_is_checked(const redis_slot *slot)
{
  char expected[REDIS_CONNECTION_CHECK_TEXT];
  if (slot->check == 0) return true;
  accel_redis_io_check_text(slot->check, expected);
  const redis_reply reply = accel_redis_reply_at(&slot->replies, 0);
  return accel_redis_reply_says(&slot->replies, &reply, expected);
}

/* Each reply has limits of its own; these are for all replies of one request. */
static bool redis_io_is_too_much(const redis_slot *slot)
{
  const size_t spare = REDIS_CONNECTION_ELEMENTS_SPARE;
  if (slot->replies.count > REDIS_REPLY_TOTAL_MAX + slot->replies_asked * spare) return true;
  return slot->is_write &&
         slot->replies.text.size > REDIS_CONNECTION_WRITE_TEXTS + slot->replies_asked * spare;
}

/* Reads the replies of the n-th request. REPLY: they are complete. */
static redis_reader_result redis_io_read_one(redis_connection *connection, uint64_t number,
                                             const char **why_out)
{
  redis_slot *slot = accel_redis_io_slot(connection, number);
  redis_reader *reader = connection->stream.reader;
  const bool is_wanted = slot->check != 0 || accel_load_relaxed(&slot->caller) != NULL;
  while (slot->replies_due > 0) {
    const redis_reader_result result =
        accel_redis_reader_next(reader, is_wanted ? &slot->replies : NULL);
    if (result == REDIS_READER_BROKEN) *why_out = accel_redis_reader_error(reader);
    if (result != REDIS_READER_REPLY) return result;
    slot->replies_due--;
    slot->has_begun = true;
    connection->answered++;
    if (!redis_io_is_too_much(slot)) continue;
    *why_out = "a reply that is larger than the command allows";
    return REDIS_READER_BROKEN;
  }
  if (redis_io_is_checked(slot)) return REDIS_READER_REPLY;
  *why_out = "PING did not return its own number";
  return REDIS_READER_BROKEN;
}

/* Gives the replies that have arrived to their requests, in order. */
static void redis_io_deal_out(redis_connection *connection)
{
  const uint64_t from = connection->completed; /* only a reader changes it */
  const uint64_t submitted = accel_load_acquire(&connection->submitted);
  const char *why = NULL;
  uint64_t next = from;
  redis_reader_result result = REDIS_READER_REPLY;
  bool is_empty = accel_redis_reader_is_empty(connection->stream.reader);
  while (next < submitted && result == REDIS_READER_REPLY && !is_empty) {
    result = redis_io_read_one(connection, next, &why);
    if (result == REDIS_READER_REPLY) next++;
    is_empty = accel_redis_reader_is_empty(connection->stream.reader);
  }
  const bool is_begun = next < submitted && accel_redis_io_slot(connection, next)->has_begun;
  accel_store_relaxed(&connection->is_mid_reply, !is_empty || is_begun);
  if (accel_redis_reader_expects(connection->stream.reader) > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, accel_clock_monotonic_ms());
  if (result == REDIS_READER_REPLY && !is_empty) why = "a reply without a command";
  if (next > from) {
    redis_caller *woken = redis_io_complete(connection, from, (size_t)(next - from));
    while (woken != NULL) {
      redis_caller *each = woken;
      woken = each->next; /* once it is woken, it may */
      accel_redis_wake_set(&each->wake, REDIS_WAKE_DONE);
    }
  }
  if (why != NULL) redis_io_protocol_error(connection, why);
}

/* An error reply in the middle of the oldest request's replies is why the server hung up. */
static void redis_io_prefer_last_words(redis_connection *connection, char *why)
{
  const uint64_t oldest = connection->completed; /* only a reader changes it */
  if (oldest == accel_load_acquire(&connection->submitted)) return;
  const redis_replies *replies = &accel_redis_io_slot(connection, oldest)->replies;
  if (replies->count == 0) return;
  if (replies->list[replies->count - 1].kind != REDIS_REPLY_IS_ERROR) return;
  accel_redis_stream_explain(replies, replies->count - 1, "connection lost", why);
}

void accel_redis_io_receive(redis_connection *connection, bool is_slow)
{
  char why[REDIS_SOCKET_TEXT];
  redis_stream *stream = &connection->stream;
  const uint64_t received = stream->received;
  const bool is_fed =
      is_slow ? accel_redis_stream_feed_slowly(stream, why) : accel_redis_stream_feed(stream, why);
  if (is_fed) {
    if (stream->received != received) redis_io_deal_out(connection);
    return;
  }
  redis_io_prefer_last_words(connection, why);
  accel_redis_connection_break(connection, why);
}

static void redis_io_hear_last_words(redis_connection *connection)
{
  uint64_t received;
  do {
    received = connection->stream.received;
    accel_redis_io_receive(connection, false);
  } while (connection->stream.received != received && accel_redis_connection_is_up(connection));
}
