#include "connection_io.h"

#include "../../../accel/platform/atomic.h"
#include "../wire/signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A send buffer that has grown beyond this is given back once it is empty. */
#define REDIS_ROLES_KEPT_BYTES (256u << 10)
#define REDIS_ROLES_WRITES_AT_ONCE 4 /* then the others' commands wait for another writer */
/* Nearer than this to its deadline a thread waits in poll, which is exact. */
#define REDIS_ROLES_EXACT_MS (4u * (uint64_t)REDIS_SOCKET_SLICE_MS)
/* To let others go first took longer than this for each command that came meanwhile: they are not
 * threads that use this connection. */
#define REDIS_ROLES_COMPANY_NS UINT64_C(300000)
#define REDIS_ROLES_ALONE_NS UINT64_C(1000) /* it took less: there was nobody */
#define REDIS_ROLES_RESTS 12                /* so often others go first before a waiter sleeps */
/* So much of it in vain, then there is a pause (trial.h). */
#define REDIS_ROLES_REST_VAIN_NS UINT64_C(200000000) /* of all threads together */
#define REDIS_ROLES_SPIN_VAIN 4u                     /* times spin_us */
/* Who waited for another server meanwhile finds its replies by so many looks after the deadline. */
#define REDIS_ROLES_LATE_LOOKS 64

bool accel_redis_roles_has_unsent(const redis_connection *connection)
{
  return connection->queued.size > 0 || connection->written < connection->writing.size;
}

size_t accel_redis_roles_pending(const redis_connection *connection)
{
  return (size_t)(connection->submitted - connection->completed);
}

static redis_slot *redis_roles_slot(redis_connection *connection, uint64_t number)
{
  return &connection->slots[number % REDIS_CONNECTION_SLOTS];
}

void accel_redis_roles_ring(redis_connection *connection)
{
  accel_redis_signal_raise(connection->wake_fd);
}

void accel_redis_roles_break(redis_connection *connection, const char *why)
{
  if (connection->state != REDIS_CONNECTION_UP) return;
  accel_store_relaxed(&connection->state, REDIS_CONNECTION_BROKEN);
  snprintf(connection->error, sizeof connection->error, "%s", why);
  shutdown(connection->stream.fd, SHUT_RDWR); /* ends every wait on it */
  for (uint64_t i = connection->completed; i < connection->submitted; i++) {
    redis_slot *slot = redis_roles_slot(connection, i);
    redis_waiter *owner = slot->owner;
    slot->is_given_up = false;
    if (owner == NULL) continue;
    accel_store_relaxed(&slot->owner, NULL);
    owner->is_taken = true;
    owner->is_bystander = i != connection->completed;
    owner->is_unread = owner->is_bystander || !accel_load_relaxed(&connection->is_mid_reply);
    owner->status = ACCEL_ERR_BACKEND;
    accel_redis_wake_set(&owner->wake, REDIS_WAKE_DONE);
  }
  accel_store_release(&connection->given_up, 0u); /* what follows has another connection */
  accel_redis_roles_ring(connection);
}

static void redis_roles_hear_last_words(redis_connection *connection);

/* ---- writing ---- */

/* What the writer takes next; the two buffers change places. */
static void redis_roles_take_queued(redis_connection *connection)
{
  if (connection->written < connection->writing.size) return;
  if (connection->writing.capacity > REDIS_ROLES_KEPT_BYTES)
    accel_buffer_release(&connection->writing);
  const accel_buffer empty = connection->writing;
  connection->writing = connection->queued;
  connection->queued = empty;
  connection->queued.size = 0;
  connection->written = 0;
}

/* Lets the threads go first that are ready to run on this processor. False: there were none, or
 * lately they were not of this connection, and nobody was let go. Without the mutex. */
static bool redis_roles_let_others_go(redis_connection *connection)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  if (accel_redis_trial_pauses(&connection->company, began_ns)) return false;
  const uint64_t before = accel_load_relaxed(&connection->submitted);
  accel_redis_wake_yield();
  const uint64_t now_ns = accel_clock_monotonic_ns(), took_ns = now_ns - began_ns;
  const uint64_t came = accel_load_relaxed(&connection->submitted) - before;
  if (took_ns > (1 + came) * REDIS_ROLES_COMPANY_NS)
    accel_redis_trial_note_vain(&connection->company, now_ns, took_ns, 0);
  return took_ns > REDIS_ROLES_ALONE_NS;
}

/* Lets go of the mutex, so that threads that were just woken can add their commands to the same
 * write. */
static void redis_roles_gather(redis_connection *connection)
{
  if (accel_redis_trial_pauses(&connection->company, accel_clock_monotonic_ns())) return;
  accel_mutex_unlock(&connection->mutex);
  (void)redis_roles_let_others_go(connection);
  accel_mutex_lock(&connection->mutex);
}

void accel_redis_roles_hang_up(redis_connection *connection, const char *why)
{
  if (connection->has_reader) return;
  connection->has_reader = true;
  accel_mutex_unlock(&connection->mutex);
  redis_roles_hear_last_words(connection);
  accel_mutex_lock(&connection->mutex);
  connection->has_reader = false;
  accel_redis_roles_break(connection, why); /* if it is not broken yet */
}

/* With the mutex held, which it lets go. */
static void redis_roles_write_failed(redis_connection *connection, int reason)
{
  char why[REDIS_SOCKET_TEXT];
  connection->is_clogged = true;
  snprintf(why, sizeof why, "connection lost: %s", accel_redis_socket_reason(reason));
  accel_redis_roles_hang_up(connection, why);
}

/* False: it can go on later only, or never. */
static bool redis_roles_write_once(redis_connection *connection)
{
  const unsigned char *next = connection->writing.data + connection->written;
  const size_t left = connection->writing.size - connection->written;
  accel_mutex_unlock(&connection->mutex);
  const ptrdiff_t sent = accel_redis_stream_write(&connection->stream, next, left);
  const int reason = errno;
  accel_mutex_lock(&connection->mutex);
  connection->is_clogged = sent == REDIS_SOCKET_LATER;
  if (sent == REDIS_SOCKET_DEAD) redis_roles_write_failed(connection, reason);
  if (sent <= 0) return false;
  connection->written += (size_t)sent;
  connection->moved += (uint64_t)sent;
  connection->sent += (uint64_t)sent;
  connection->progress_ms = accel_clock_monotonic_ms();
  if (left > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, connection->progress_ms);
  return true;
}

void accel_redis_roles_write(redis_connection *connection, bool gathers)
{
  connection->has_writer = true;
  connection->is_clogged = false;
  if (gathers) redis_roles_gather(connection);
  for (int i = 0; i < REDIS_ROLES_WRITES_AT_ONCE; i++) {
    redis_roles_take_queued(connection);
    if (connection->written == connection->writing.size) break;
    while (connection->state == REDIS_CONNECTION_UP &&
           connection->written < connection->writing.size)
      if (!redis_roles_write_once(connection)) break;
    if (connection->state != REDIS_CONNECTION_UP || connection->is_clogged) break;
  }
  connection->has_writer = false;
}

/* ---- reading: by who holds the reader's role, without the mutex ---- */

/* The replies of the requests [from, from + count) are all there: they leave the ring. Returns
 * those to be woken. */
static redis_waiter *redis_roles_complete(redis_connection *connection, uint64_t from, size_t count)
{
  redis_waiter *first = NULL, **last = &first;
  accel_mutex_lock(&connection->mutex);
  for (uint64_t i = from; i < from + count; i++) {
    redis_slot *slot = redis_roles_slot(connection, i);
    redis_waiter *owner = slot->owner;
    if (owner == NULL) {
      if (slot->is_given_up) accel_sub_acq_rel(&connection->given_up, 1u);
      accel_redis_replies_release(&slot->replies);
      continue;
    }
    owner->replies = slot->replies;
    owner->status = ACCEL_OK;
    owner->is_taken = true;
    owner->next = NULL;
    *last = owner;
    last = &owner->next;
    memset(&slot->replies, 0, sizeof slot->replies);
    accel_store_relaxed(&slot->owner, NULL);
  }
  connection->completed = from + count;
  accel_mutex_unlock(&connection->mutex);
  return first;
}

static void redis_roles_distrust(redis_connection *connection, const char *why)
{
  char text[REDIS_SOCKET_TEXT];
  snprintf(text, sizeof text, "protocol error: %s", why);
  accel_redis_connection_break(connection, text);
}

static bool redis_roles_is_checked(const redis_slot *slot)
{
  char expected[24];
  if (slot->check == 0) return true;
  snprintf(expected, sizeof expected, "%llu", (unsigned long long)slot->check);
  const redis_reply reply = accel_redis_reply_at(&slot->replies, 0);
  return accel_redis_reply_says(&slot->replies, &reply, expected);
}

/* Each reply has its limits; all of one request's have these. */
static bool redis_roles_is_too_much(const redis_slot *slot)
{
  const size_t spare = REDIS_CONNECTION_ELEMENTS_SPARE;
  if (slot->replies.count > REDIS_REPLY_TOTAL_MAX + slot->replies_asked * spare) return true;
  return slot->is_write &&
         slot->replies.text.size > REDIS_CONNECTION_WRITE_TEXTS + slot->replies_asked * spare;
}

/* Reads the replies of the n-th request. REPLY: all of them are there. */
static redis_reader_result redis_roles_read_one(redis_connection *connection, uint64_t number,
                                                const char **why_out)
{
  redis_slot *slot = redis_roles_slot(connection, number);
  redis_reader *reader = connection->stream.reader;
  const bool is_wanted = slot->check != 0 || accel_load_relaxed(&slot->owner) != NULL;
  while (slot->replies_due > 0) {
    const redis_reader_result result =
        accel_redis_reader_next(reader, is_wanted ? &slot->replies : NULL);
    if (result == REDIS_READER_BROKEN) *why_out = accel_redis_reader_error(reader);
    if (result != REDIS_READER_REPLY) return result;
    slot->replies_due--;
    slot->has_begun = true;
    connection->answered++;
    if (!redis_roles_is_too_much(slot)) continue;
    *why_out = "more than was asked for";
    return REDIS_READER_BROKEN;
  }
  if (redis_roles_is_checked(slot)) return REDIS_READER_REPLY;
  *why_out = "an answer to another question";
  return REDIS_READER_BROKEN;
}

/* Gives the replies that were fed to the requests, in order. */
static void redis_roles_deal_out(redis_connection *connection)
{
  const uint64_t from = connection->completed; /* only a reader changes it */
  const uint64_t submitted = accel_load_acquire(&connection->submitted);
  const char *why = NULL;
  uint64_t next = from;
  redis_reader_result result = REDIS_READER_REPLY;
  bool is_empty = accel_redis_reader_is_empty(connection->stream.reader);
  while (next < submitted && result == REDIS_READER_REPLY && !is_empty) {
    result = redis_roles_read_one(connection, next, &why);
    if (result == REDIS_READER_REPLY) next++;
    is_empty = accel_redis_reader_is_empty(connection->stream.reader);
  }
  const bool is_begun = next < submitted && redis_roles_slot(connection, next)->has_begun;
  accel_store_relaxed(&connection->is_mid_reply, !is_empty || is_begun);
  if (accel_redis_reader_expects(connection->stream.reader) > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, accel_clock_monotonic_ms());
  if (result == REDIS_READER_REPLY && !is_empty) why = "a reply that nobody asked for";
  if (next > from) {
    redis_waiter *woken = redis_roles_complete(connection, from, (size_t)(next - from));
    while (woken != NULL) {
      redis_waiter *each = woken;
      woken = each->next; /* once it is done, it may be gone */
      accel_redis_wake_set(&each->wake, REDIS_WAKE_DONE);
    }
  }
  if (why != NULL) redis_roles_distrust(connection, why);
}

/* What the server said last, in the middle of the oldest request's replies, is why it hung up. */
static void redis_roles_prefer_last_words(const redis_connection *connection, char *why)
{
  const uint64_t oldest = connection->completed; /* only a reader changes it */
  if (oldest == accel_load_acquire(&connection->submitted)) return;
  const redis_replies *replies = &connection->slots[oldest % REDIS_CONNECTION_SLOTS].replies;
  if (replies->count == 0) return;
  if (replies->list[replies->count - 1].kind != REDIS_REPLY_IS_ERROR) return;
  accel_redis_stream_explain(replies, replies->count - 1, "connection lost", why);
}

static void redis_roles_receive(redis_connection *connection, bool is_slow)
{
  char why[REDIS_SOCKET_TEXT];
  redis_stream *stream = &connection->stream;
  const uint64_t received = stream->received;
  const bool is_fed =
      is_slow ? accel_redis_stream_feed_slowly(stream, why) : accel_redis_stream_feed(stream, why);
  if (is_fed) {
    if (stream->received != received) redis_roles_deal_out(connection);
    return;
  }
  redis_roles_prefer_last_words(connection, why);
  accel_redis_connection_break(connection, why);
}

static void redis_roles_hear_last_words(redis_connection *connection)
{
  uint64_t received;
  do {
    received = connection->stream.received;
    redis_roles_receive(connection, false);
  } while (connection->stream.received != received && accel_redis_connection_is_up(connection));
}

/* ---- waiting ---- */

/* Looks for a reply, letting others go between two looks: where replies come at once, to sleep and
 * be woken takes longer than the server does. Each command that came meanwhile excuses spin_us
 * more; what comes later still was waited for in vain. By the reader. True: something was received,
 * or the connection broke. */
static bool redis_roles_spin(redis_connection *connection, uint64_t deadline_ms)
{
  if (connection->spin_us == 0) return false;
  const uint64_t now_ms = accel_clock_monotonic_ms(), began_ns = accel_clock_monotonic_ns();
  if (now_ms >= deadline_ms || accel_redis_trial_pauses(&connection->spins, began_ns)) return false;
  const uint64_t limit_ns = UINT64_C(1000) * connection->spin_us;
  const uint64_t left_ms = deadline_ms - now_ms;
  const uint64_t within_ns = left_ms < limit_ns / 1000000 ? left_ms * 1000000 : limit_ns;
  const uint64_t before = accel_load_relaxed(&connection->submitted);
  const uint64_t received = connection->stream.received;
  uint64_t took_ns;
  bool is_there;
  for (;;) {
    redis_roles_receive(connection, false);
    is_there = connection->stream.received != received || !accel_redis_connection_is_up(connection);
    took_ns = accel_clock_monotonic_ns() - began_ns;
    if (is_there || took_ns >= within_ns) break;
    accel_redis_wake_yield();
  }
  const uint64_t came = accel_load_relaxed(&connection->submitted) - before;
  if (is_there && took_ns <= (1 + came) * limit_ns)
    accel_redis_trial_note_success(&connection->spins);
  else
    accel_redis_trial_note_vain(&connection->spins, began_ns + took_ns, took_ns,
                                REDIS_ROLES_SPIN_VAIN * limit_ns);
  return is_there;
}

/* Whether it may wait in the kernel without looking at the clock. */
static bool redis_roles_may_be_slow(const redis_connection *connection, uint64_t deadline_ms)
{
  return connection->stream.is_slow &&
         accel_clock_monotonic_ms() + REDIS_ROLES_EXACT_MS < deadline_ms;
}

/* Receives what comes before the deadline. By the reader. */
static void redis_roles_read(redis_connection *connection, uint64_t deadline_ms)
{
  if (connection->stream.has_more) {
    redis_roles_receive(connection, false);
    return;
  }
  if (redis_roles_spin(connection, deadline_ms)) return;
  const bool is_slow = redis_roles_may_be_slow(connection, deadline_ms);
  if (is_slow || accel_redis_signal_wait(connection->stream.fd, POLLIN, -1, deadline_ms) != 0)
    redis_roles_receive(connection, is_slow);
}

void accel_redis_roles_wait(redis_connection *connection, uint64_t deadline_ms)
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
    redis_roles_read(connection, deadline_ms);
  } else {
    const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
    ready = accel_redis_signal_wait(connection->stream.fd, events, -1, deadline_ms);
    if (reads && (ready & ~POLLOUT) != 0) redis_roles_receive(connection, false);
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
  if (reads) connection->has_reader = false;
  if (writes) connection->has_writer = false;
  if (writes && (ready & ~POLLIN) != 0) connection->is_clogged = false;
}

bool accel_redis_roles_wake_next(redis_connection *connection)
{
  const bool is_unread = accel_redis_roles_pending(connection) > 0 && !connection->has_reader;
  const bool is_unsent = accel_redis_roles_has_unsent(connection) && !connection->has_writer;
  if (!is_unread && !is_unsent) return true;
  for (uint64_t i = connection->submitted; i > connection->completed; i--) {
    redis_waiter *owner = redis_roles_slot(connection, i - 1)->owner;
    if (owner == NULL || !owner->is_waiting) continue;
    /* If it is awake, it looks at the roles before it sleeps. */
    accel_redis_wake_set(&owner->wake, REDIS_WAKE_CALLED);
    return true;
  }
  return false;
}

void accel_redis_roles_hand_over(redis_connection *connection)
{
  if (connection->state != REDIS_CONNECTION_UP || !accel_redis_roles_wake_next(connection))
    accel_redis_roles_ring(connection);
}

/* Lets others go first while another thread reads: where many threads share a processor, that costs
 * a fraction of falling asleep and being woken, and often the reader is among them. Without the
 * mutex. True: the waiter was called, or is done. */
static bool redis_roles_rest(redis_connection *connection, redis_waiter *waiter,
                             uint64_t deadline_ms)
{
  if (connection->spin_us == 0) return false;
  const uint64_t began_ns = accel_clock_monotonic_ns();
  if (accel_redis_trial_pauses(&connection->rests, began_ns)) return false;
  for (int i = 0; i < REDIS_ROLES_RESTS; i++) {
    if (accel_clock_monotonic_ms() + REDIS_ROLES_EXACT_MS >= deadline_ms) return false;
    const bool has_others = redis_roles_let_others_go(connection);
    if (accel_redis_wake_state(&waiter->wake) != REDIS_WAKE_NOTHING) {
      accel_redis_trial_note_success(&connection->rests);
      return true;
    }
    if (!has_others) return false;
  }
  const uint64_t now_ns = accel_clock_monotonic_ns();
  accel_redis_trial_note_vain(&connection->rests, now_ns, now_ns - began_ns,
                              REDIS_ROLES_REST_VAIN_NS);
  return false;
}

/* With the mutex held: what was sent may still be on its way, and large. */
static void redis_roles_note_unsent(redis_connection *connection)
{
  if (accel_redis_socket_unsent(connection->stream.fd) > REDIS_CONNECTION_LARGE_BYTES)
    accel_store_relaxed(&connection->large_ms, accel_clock_monotonic_ms());
}

/* With the mutex, which it lets go. The deadline has passed, but the replies may be in a reader's
 * hands already. True: so they were. */
static bool redis_roles_give_up(redis_connection *connection, redis_waiter *waiter)
{
  const bool is_taken = waiter->is_taken;
  if (!is_taken) {
    redis_roles_note_unsent(connection);
    accel_store_relaxed(&waiter->slot->owner, NULL);
    waiter->slot->is_given_up = waiter->slot->is_write;
    if (waiter->slot->is_write) accel_add_acq_rel(&connection->given_up, 1u);
  }
  accel_redis_roles_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
  while (is_taken && accel_redis_wake_state(&waiter->wake) != REDIS_WAKE_DONE) {
    accel_redis_wake_clear(&waiter->wake);
    accel_redis_wake_sleep(&waiter->wake, ACCEL_NO_DEADLINE);
  }
  return is_taken;
}

/* With the mutex held: who has patience only while something arrives gives up before the latest. */
static uint64_t redis_roles_gives_up_ms(const redis_connection *connection,
                                        const redis_waiter *waiter, uint64_t latest_ms)
{
  if (waiter->patience_ms == 0) return latest_ms;
  const uint64_t since_ms =
      connection->progress_ms > waiter->began_ms ? connection->progress_ms : waiter->began_ms;
  const uint64_t silent_ms = since_ms + waiter->patience_ms;
  return silent_ms < latest_ms ? silent_ms : latest_ms;
}

bool accel_redis_roles_await(redis_connection *connection, redis_waiter *waiter,
                             uint64_t deadline_ms)
{
  const uint64_t latest_ms = deadline_ms;
  uint64_t moved = UINT64_MAX; /* by the last look after the deadline */
  int looks = REDIS_ROLES_LATE_LOOKS;
  waiter->is_waiting = true;
  while (accel_redis_wake_state(&waiter->wake) != REDIS_WAKE_DONE) {
    deadline_ms = redis_roles_gives_up_ms(connection, waiter, latest_ms);
    const bool is_over = accel_clock_monotonic_ms() >= deadline_ms;
    const bool is_vain = looks == 0 || moved == connection->moved || connection->has_reader;
    if (waiter->is_taken || (is_over && is_vain)) {
      waiter->is_silent = deadline_ms < latest_ms || waiter->patience_ms == 0;
      return redis_roles_give_up(connection, waiter);
    }
    if (is_over) {
      looks--;
      moved = connection->moved;
    }
    accel_redis_wake_clear(&waiter->wake);
    const bool is_writable = accel_redis_roles_has_unsent(connection) && !connection->has_writer;
    if (is_writable && !connection->is_clogged) {
      accel_redis_roles_write(connection, false);
    } else if (is_writable || !connection->has_reader) {
      accel_redis_roles_wait(connection, deadline_ms);
    } else {
      accel_mutex_unlock(&connection->mutex);
      if (!redis_roles_rest(connection, waiter, deadline_ms))
        accel_redis_wake_sleep(&waiter->wake, deadline_ms);
      if (accel_redis_wake_state(&waiter->wake) == REDIS_WAKE_DONE) return true; /* no role held */
      accel_mutex_lock(&connection->mutex);
    }
  }
  accel_redis_roles_hand_over(connection);
  accel_mutex_unlock(&connection->mutex);
  return true;
}
