/* connection_validate.c: the invariants of a connection, for tests. */
#include "connection.h"

#include "../../../accel/platform/atomic.h"

/* What holds of a place in the ring that waits for replies. */
static const char *redis_validate_pending(const redis_slot *slot, redis_connection_state state)
{
  const redis_caller *caller = slot->caller;
  if (slot->replies_asked == 0) return "a request asks for no reply";
  if (slot->is_late_write && !slot->is_write) return "a read counts as a late write";
  if (slot->is_late_write && caller != NULL) return "a late write has a caller";
  if (caller == NULL) return NULL;
  if (state != REDIS_CONNECTION_UP) return "a caller waits on a connection that is not up";
  if (caller->slot != slot) return "a caller waits for another request";
  if (caller->is_taken) return "a caller that was taken out of the ring is in it";
  if (accel_redis_wake_state(&caller->wake) == REDIS_WAKE_DONE)
    return "a caller in the ring is done";
  return NULL;
}

static const char *redis_validate_ring(redis_connection *connection)
{
  const redis_connection_state state = connection->state;
  uint32_t late_writes = 0;
  if (connection->completed > connection->submitted) return "more replies than requests";
  const size_t pending = accel_redis_io_pending(connection);
  if (pending > REDIS_CONNECTION_SLOTS) return "more requests than places in the ring";
  for (size_t i = 0; i < REDIS_CONNECTION_SLOTS; i++) {
    const redis_slot *slot = accel_redis_io_slot(connection, connection->completed + i);
    if (i >= pending) {
      if (slot->caller != NULL) return "a caller waits outside of the ring";
      if (slot->replies.list != NULL) return "replies lie outside of the ring";
      continue;
    }
    const char *why = redis_validate_pending(slot, state);
    if (why != NULL) return why;
    late_writes += slot->is_late_write;
  }
  return late_writes == connection->late_writes ? NULL : "late writes are miscounted";
}

static const char *redis_validate_buffers(const redis_connection *connection)
{
  const accel_buffer *queued = &connection->queued, *writing = &connection->writing;
  if (queued->size > queued->capacity || writing->size > writing->capacity)
    return "a buffer is larger than its memory";
  if (connection->written > writing->size) return "more was written than there was";
  const bool is_up = connection->state == REDIS_CONNECTION_UP;
  const bool has_unsent = accel_redis_io_has_unsent(connection);
  if (is_up && connection->is_clogged && !connection->has_writer && !has_unsent)
    return "the socket is full of nothing";
  return NULL;
}

/* One that is not up, and not broken with a thread still on it, holds nothing. */
static const char *redis_validate_state(const redis_connection *connection)
{
  switch (connection->state) {
    case REDIS_CONNECTION_UP:
      return connection->stream.fd >= 0 ? NULL : "it is up without a socket";
    case REDIS_CONNECTION_BROKEN: return NULL;
    case REDIS_CONNECTION_UNUSED:
    case REDIS_CONNECTION_FIRST:
    case REDIS_CONNECTION_DOWN: break;
  }
  if (connection->has_reader || connection->has_writer)
    return "a thread is on a socket that is gone";
  if (connection->stream.fd >= 0) return "it is down with a socket";
  if (accel_redis_io_pending(connection) != 0) return "it is down with requests";
  return accel_redis_io_has_unsent(connection) ? "it is down with unsent commands" : NULL;
}

static const char *redis_validate_times(const redis_connection *connection)
{
  if (connection->reply_ms > connection->progress_ms) return "a reply came before its bytes";
  if (connection->reply_moved > connection->moved) return "bytes were moved and are not counted";
  return connection->checked > connection->submitted ? "more was checked than was sent" : NULL;
}

const char *accel_redis_connection_validate(redis_connection *connection)
{
  accel_mutex_lock(&connection->mutex);
  const char *why = redis_validate_state(connection);
  if (why == NULL) why = redis_validate_ring(connection);
  if (why == NULL) why = redis_validate_buffers(connection);
  if (why == NULL) why = redis_validate_times(connection);
  accel_mutex_unlock(&connection->mutex);
  return why;
}
