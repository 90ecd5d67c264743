/* The walk over a connection's invariants finds each one that is broken, and none where all hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/server/connection.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static redis_connection connection;
static int far_end;

static int open_connection(void **state)
{
  int ends[2];
  redis_stream stream = {.fd = -1};
  (void)state;
  if (!accel_redis_connection_open(&connection, -1, 0, true)) return -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  far_end = ends[1];
  stream.fd = ends[0];
  stream.reader = accel_redis_reader_open(4096);
  stream.input = (unsigned char *)malloc(REDIS_STREAM_CHUNK);
  if (stream.reader == NULL || stream.input == NULL) return -1;
  accel_redis_connection_adopt(&connection, &stream, "");
  return 0;
}

static int close_connection(void **state)
{
  (void)state;
  accel_redis_connection_close(&connection);
  close(far_end);
  return 0;
}

static void expect(const char *what)
{
  const char *why = accel_redis_connection_validate(&connection);
  if (what == NULL) {
    assert_null(why);
    return;
  }
  assert_non_null(why);
  assert_string_equal(why, what);
}

/* A request, its reply, one that is given up, and a break. */
static void all_hold_in_the_life_of_a_connection(void **state)
{
  const redis_request ping = {.words = REDIS_WORDS("PING"), .is_write = true};
  redis_replies replies;
  redis_caller caller;
  char error[REDIS_SOCKET_TEXT];
  (void)state;
  expect(NULL);
  assert_int_equal(
      accel_redis_connection_begin(&connection, &ping, accel_clock_deadline(10000), &caller, error),
      ACCEL_OK);
  expect(NULL);
  assert_int_equal(write(far_end, "+PONG\r\n", 7), 7);
  assert_int_equal(accel_redis_connection_finish(&connection, &caller, accel_clock_deadline(10000),
                                                 &replies, error),
                   ACCEL_OK);
  accel_redis_replies_release(&replies);
  expect(NULL);
  assert_int_equal(
      accel_redis_connection_call(&connection, &ping, accel_clock_deadline(10), &replies, error),
      ACCEL_ERR_TIMEOUT);
  assert_true(accel_redis_connection_has_late_writes(&connection));
  expect(NULL);
  accel_redis_connection_break(&connection, "the test says so");
  expect(NULL);
  assert_true(accel_redis_connection_repair(&connection));
  expect(NULL);
}

/* Breaks each invariant in turn, and mends it. */
static void each_invariant_is_looked_at(void **state)
{
  const redis_request ping = {.words = REDIS_WORDS("PING")};
  redis_caller caller;
  char error[REDIS_SOCKET_TEXT];
  (void)state;
  assert_int_equal(
      accel_redis_connection_begin(&connection, &ping, accel_clock_deadline(10000), &caller, error),
      ACCEL_OK);
  expect(NULL);
  redis_slot *slot = caller.slot;
#define BROKEN(field_, value_, what_) \
  do { \
    const __typeof__(field_) before_ = field_; \
    field_ = value_; \
    expect(what_); \
    field_ = before_; \
    expect(NULL); \
  } while (0)
  BROKEN(connection.completed, connection.submitted + 1, "more replies than requests");
  BROKEN(connection.submitted, connection.completed + REDIS_CONNECTION_SLOTS + 1,
         "more requests than places in the ring");
  BROKEN(slot->replies_asked, 0, "a request asks for no reply");
  BROKEN(slot->is_late_write, true, "a read counts as a late write");
  BROKEN(caller.slot, slot + 1, "a caller waits for another request");
  BROKEN(caller.is_taken, true, "a caller that was taken out of the ring is in it");
  BROKEN(caller.wake.word, REDIS_WAKE_DONE, "a caller in the ring is done");
  BROKEN(slot[1].caller, &caller, "a caller waits outside of the ring");
  BROKEN(slot[1].replies.list, (redis_reply *)&caller, "replies lie outside of the ring");
  BROKEN(connection.late_writes, 1, "late writes are miscounted");
  BROKEN(connection.queued.size, connection.queued.capacity + 1,
         "a buffer is larger than its memory");
  BROKEN(connection.written, connection.writing.size + 1, "more was written than there was");
  BROKEN(connection.is_clogged, true, "the socket is full of nothing");
  BROKEN(connection.stream.fd, -1, "it is up without a socket");
  BROKEN(connection.state, REDIS_CONNECTION_DOWN, "it is down with a socket");
  BROKEN(connection.state, REDIS_CONNECTION_BROKEN,
         "a caller waits on a connection that is not up");
  BROKEN(connection.reply_ms, connection.progress_ms + 1, "a reply came before its bytes");
  BROKEN(connection.reply_moved, connection.moved + 1, "bytes were moved and are not counted");
  BROKEN(connection.checked, connection.submitted + 1, "more was checked than was sent");
#undef BROKEN
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(all_hold_in_the_life_of_a_connection, open_connection,
                                      close_connection),
      cmocka_unit_test_setup_teardown(each_invariant_is_looked_at, open_connection,
                                      close_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
