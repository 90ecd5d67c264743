#include "connection_wait.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "../wire/wire.h"

/* Nearer than this to its deadline a thread waits in poll, which is exact. */
#define REDIS_WAIT_EXACT_MS (4u * (uint64_t)REDIS_SOCKET_SLICE_MS)
#define REDIS_WAIT_YIELDS 12 /* how often others run before a caller sleeps */
/* A caller that waited for another server first looks so often for its replies after the deadline.
 */
#define REDIS_WAIT_LATE_LOOKS 64

/* Looks for a reply, letting others run between two looks. By the reader. True: something was
 * received, or the connection broke. */
static bool redis_wait_spin(redis_connection *connection, uint64_t deadline_ms)
{
  const uint64_t now_ms = accel_clock_monotonic_ms(), began_ns = accel_clock_monotonic_ns();
  if (now_ms >= deadline_ms || !accel_redis_spin_may_look(&connection->spin, began_ns))
    return false;
  const uint64_t within_ns = accel_redis_spin_look_ns(&connection->spin, deadline_ms - now_ms);
  const uint64_t before = accel_load_relaxed(&connection->submitted);
  const uint64_t received = connection->stream.received;
  uint64_t took_ns;
  bool is_there;
  for (;;) {
    accel_redis_io_receive(connection, false);
    is_there = connection->stream.received != received || !accel_redis_connection_is_up(connection);
    took_ns = accel_clock_monotonic_ns() - began_ns;
    if (is_there || took_ns >= within_ns) break;
    accel_redis_wake_yield();
  }
  const uint64_t came = accel_load_relaxed(&connection->submitted) - before;
  accel_redis_spin_note_look(&connection->spin, began_ns + took_ns, took_ns, came, is_there);
  return is_there;
}

/* Whether it may wait in the kernel without looking at the clock. */
static bool redis_wait_may_be_slow(const redis_connection *connection, uint64_t deadline_ms)
{
  return connection->stream.is_slow &&
         accel_clock_monotonic_ms() + REDIS_WAIT_EXACT_MS < deadline_ms;
}

/* Receives what comes before the deadline. By the reader. */
static void redis_wait_read(redis_connection *connection, uint64_t deadline_ms)
{
  if (connection->stream.has_more) {
    accel_redis_io_receive(connection, false);
    return;
  }
  if (redis_wait_spin(connection, deadline_ms)) return;
  const bool is_slow = redis_wait_may_be_slow(connection, deadline_ms);
  if (is_slow || accel_redis_signal_wait(connection->stream.fd, POLLIN, -1, deadline_ms) != 0)
    accel_redis_io_receive(connection, is_slow);
}

void accel_redis_wait_for_socket(redis_connection *connection, uint64_t deadline_ms)
{
  const bool reads = !connection->has_reader;
  const bool writes = !connection->has_writer && connection->is_clogged;
  if (reads) connection->has_reader = true;
  if (writes) connection->has_writer = true;
  accel_mutex_unlock(&connection->mutex);
  const uint64_t received = reads ? connection->stream.received : 0;
  const uint32_t answered = reads ? connection->answered : 0;
  int ready = 0;
  if (reads && (!writes || connection->stream.has_more)) {
    redis_wait_read(connection, deadline_ms);
  } else {
    const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
    ready = accel_redis_signal_wait(connection->stream.fd, events, -1, deadline_ms);
    if (reads && (ready & ~POLLOUT) != 0) accel_redis_io_receive(connection, false);
  }
  accel_mutex_lock(&connection->mutex);
  if (reads && connection->stream.received != received) {
    connection->progress_ms = accel_clock_monotonic_ms();
    connection->moved += connection->stream.received - received;
    connection->is_part_there = connection->answered == answered;
  }
  if (reads && connection->answered != answered) {
    connection->reply_ms = connection->progress_ms;
    connection->reply_moved = connection->moved;
  }
  ACCEL_ASSERT((!reads || connection->has_reader) && (!writes || connection->has_writer));
  if (reads) connection->has_reader = false;
  if (writes) connection->has_writer = false;
  if (writes && (ready & ~POLLIN) != 0) connection->is_clogged = false;
}

bool accel_redis_wait_wake_next(redis_connection *connection)
{
  const bool is_unread = accel_redis_io_pending(connection) > 0 && !connection->has_reader;
  const bool is_unsent = accel_redis_io_has_unsent(connection) && !connection->has_writer;
  if (!is_unread && !is_unsent) return true;
  for (uint64_t i = connection->submitted; i > connection->completed; i--) {
    redis_caller *caller = accel_redis_io_slot(connection, i - 1)->caller;
    if (caller == NULL || !caller->is_waiting) continue;
    /* If it is awake, it looks for a free role before it sleeps. */
    accel_redis_wake_set(&caller->wake, REDIS_WAKE_CALLED);
    return true;
  }
  return false;
}

void accel_redis_wait_hand_over(redis_connection *connection)
{
  if (connection->state != REDIS_CONNECTION_UP || !accel_redis_wait_wake_next(connection))
    accel_redis_io_wake_keeper(connection);
}

/* Lets others run while another thread reads: where many threads share a processor, that costs a
 * fraction of falling asleep and being woken, and the reader is often among them. Without the
 * mutex. True: the caller was woken, or is done. */
static bool redis_wait_yield(redis_connection *connection, redis_caller *caller,
                             uint64_t deadline_ms)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  if (!accel_redis_spin_may_yield(&connection->spin, began_ns)) return false;
  bool is_called = false;
  for (int i = 0; i < REDIS_WAIT_YIELDS && !is_called; i++) {
    if (accel_clock_monotonic_ms() + REDIS_WAIT_EXACT_MS >= deadline_ms) return false;
    const bool has_others = accel_redis_io_let_others_run(connection);
    is_called = accel_redis_wake_state(&caller->wake) != REDIS_WAKE_NOTHING;
    if (!is_called && !has_others) return false;
  }
  const uint64_t now_ns = accel_clock_monotonic_ns();
  accel_redis_spin_note_yield(&connection->spin, now_ns, now_ns - began_ns, is_called);
  return is_called;
}

/* With the mutex held: notes whether something large may still be on its way. */
static void redis_wait_note_unsent(redis_connection *connection)
{
  if (accel_redis_socket_unsent(connection->stream.fd) > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, accel_clock_monotonic_ms());
}

/* The deadline has passed, but a reader may have taken the replies already. With the mutex, which
 * it releases. True: a reader had them. */
static bool redis_wait_give_up(redis_connection *connection, redis_caller *caller)
{
  const bool is_taken = caller->is_taken;
  ACCEL_ASSERT(is_taken == (caller->slot->caller != caller));
  if (!is_taken) {
    redis_wait_note_unsent(connection);
    accel_store_relaxed(&caller->slot->caller, NULL);
    caller->slot->is_late_write = caller->slot->is_write;
    if (caller->slot->is_write) accel_add_acq_rel(&connection->late_writes, 1u);
  }
  accel_redis_wait_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
  while (is_taken && accel_redis_wake_state(&caller->wake) != REDIS_WAKE_DONE) {
    accel_redis_wake_clear(&caller->wake);
    accel_redis_wake_sleep(&caller->wake, ACCEL_NO_DEADLINE);
  }
  return is_taken;
}

/* With the mutex held: when the caller gives up, which is earlier if it has patience only while
 * bytes arrive. */
static uint64_t redis_wait_gives_up_ms(const redis_connection *connection,
                                       const redis_caller *caller, uint64_t latest_ms)
{
  if (caller->patience_ms == 0) return latest_ms;
  const uint64_t since_ms =
      connection->progress_ms > caller->began_ms ? connection->progress_ms : caller->began_ms;
  const uint64_t silent_ms = since_ms + caller->patience_ms;
  return silent_ms < latest_ms ? silent_ms : latest_ms;
}

bool accel_redis_wait_for_replies(redis_connection *connection, redis_caller *caller,
                                  uint64_t deadline_ms)
{
  const uint64_t latest_ms = deadline_ms;
  uint64_t moved = UINT64_MAX; /* bytes at the last look after the deadline */
  int looks = REDIS_WAIT_LATE_LOOKS;
  ACCEL_ASSERT(caller->slot != NULL && !caller->is_waiting);
  caller->is_waiting = true;
  while (accel_redis_wake_state(&caller->wake) != REDIS_WAKE_DONE) {
    deadline_ms = redis_wait_gives_up_ms(connection, caller, latest_ms);
    const bool is_over = accel_clock_monotonic_ms() >= deadline_ms;
    const bool is_vain = looks == 0 || moved == connection->moved || connection->has_reader;
    if (caller->is_taken || (is_over && is_vain)) {
      caller->is_silent = deadline_ms < latest_ms || caller->patience_ms == 0;
      return redis_wait_give_up(connection, caller);
    }
    if (is_over) {
      looks--;
      moved = connection->moved;
    }
    accel_redis_wake_clear(&caller->wake);
    const bool is_writable = accel_redis_io_has_unsent(connection) && !connection->has_writer;
    if (is_writable && !connection->is_clogged) {
      accel_redis_io_write(connection, false);
    } else if (is_writable || !connection->has_reader) {
      accel_redis_wait_for_socket(connection, deadline_ms);
    } else {
      accel_mutex_unlock(&connection->mutex);
      if (!redis_wait_yield(connection, caller, deadline_ms))
        accel_redis_wake_sleep(&caller->wake, deadline_ms);
      if (accel_redis_wake_state(&caller->wake) == REDIS_WAKE_DONE) return true; /* no role held */
      accel_mutex_lock(&connection->mutex);
    }
  }
  accel_redis_wait_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
  return true;
}
