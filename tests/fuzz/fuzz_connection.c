/* A connection whose server sends any bytes: accel_redis_connection_validate walks its invariants
 * after each step, and no reply is given to another request than its own.
 *
 * The server is the far end of a pair of sockets. As long as it sent honest answers only, the n-th
 * request is answered by the number n; once it sent anything else, any answer may be. Each step is
 * a byte, and a byte or more for what it needs. Nothing waits: a request that is not answered yet
 * is given up.
 */
#include "fuzz.h"

#include "accel_backends/redis/server/connection.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLERS = 4, TEXT_MAX = 4096, REPLIES_MAX = 3 };

typedef struct pending_call {
  bool is_used;
  redis_caller caller;
  unsigned stream; /* the number of the connection's stream then */
  uint64_t first;  /* the number of its first reply */
  size_t replies;
} pending_call;

typedef struct world {
  redis_connection connection;
  int far_end;
  unsigned stream;
  bool is_honest;           /* the server of this stream */
  uint64_t asked, answered; /* replies, on this stream */
  pending_call calls[CALLERS];
  const uint8_t *next, *end;
} world;

static unsigned take_byte(world *self)
{
  return self->next == self->end ? 0 : *self->next++;
}

static size_t append_pings(void *replies_pointer, accel_buffer *out)
{
  const size_t replies = *(const size_t *)replies_pointer;
  for (size_t i = 0; i < replies; i++)
    if (!accel_redis_command_append_words(out, REDIS_WORDS("PING"))) return 0;
  return replies;
}

/* ---- steps ---- */

static void do_connect(world *self)
{
  int ends[2];
  redis_stream stream = {.fd = -1};
  if (accel_redis_connection_is_up(&self->connection)) return;
  if (!accel_redis_connection_repair(&self->connection)) return;
  fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
               "a pair of sockets");
  if (self->far_end >= 0) close(self->far_end);
  self->far_end = ends[1];
  stream.fd = ends[0];
  stream.reader = accel_redis_reader_open(TEXT_MAX);
  stream.input = (unsigned char *)ACCEL_MALLOC(REDIS_STREAM_CHUNK);
  fuzz_require(stream.reader != NULL && stream.input != NULL, "memory");
  accel_redis_connection_adopt(&self->connection, &stream, "");
  self->stream++;
  self->is_honest = true;
  self->asked = self->answered = 0;
}

static void do_begin(world *self)
{
  const unsigned wanted = take_byte(self);
  pending_call *call = &self->calls[wanted % CALLERS];
  size_t replies = 1 + wanted / CALLERS % REPLIES_MAX;
  const redis_request request = {
      .append = append_pings, .ctx = &replies, .is_write = wanted >= 128};
  char error[REDIS_SOCKET_TEXT];
  if (call->is_used) return;
  const accel_status status = accel_redis_connection_begin(
      &self->connection, &request, accel_clock_deadline(60000), &call->caller, error);
  call->is_used = status == ACCEL_OK;
  call->stream = self->stream;
  call->first = self->asked;
  call->replies = replies;
  if (call->is_used) self->asked += replies;
}

/* With a deadline that has passed: what has come is taken, and nothing is waited for. */
static void do_finish(world *self, pending_call *call)
{
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  if (!call->is_used) return;
  call->is_used = false;
  const accel_status status =
      accel_redis_connection_finish(&self->connection, &call->caller, 1, &replies, error);
  if (status != ACCEL_OK) {
    fuzz_require(replies.count == 0, "a failure has no replies");
    return;
  }
  fuzz_require(replies.count >= call->replies, "all of its replies");
  const bool is_honest = self->is_honest && call->stream == self->stream;
  for (size_t i = 0; i < call->replies && is_honest; i++) {
    const redis_reply reply = accel_redis_reply_at(&replies, i);
    fuzz_require(reply.kind == REDIS_REPLY_IS_INTEGER && (uint64_t)reply.integer == call->first + i,
                 "its own reply");
  }
  accel_redis_replies_release(&replies);
}

static void do_post(world *self)
{
  size_t replies = 1;
  const redis_request request = {.append = append_pings, .ctx = &replies};
  if (!accel_redis_connection_is_up(&self->connection)) return;
  const uint64_t before = self->connection.submitted;
  accel_redis_connection_post(&self->connection, &request);
  self->asked += self->connection.submitted - before;
}

static void send_bytes(const world *self, const void *bytes, size_t size)
{
  if (self->far_end >= 0) (void)send(self->far_end, bytes, size, MSG_NOSIGNAL);
}

/* Answers what was asked, in order. */
static void do_answer(world *self)
{
  char text[32];
  for (unsigned count = 1 + take_byte(self) % 4; count > 0; count--) {
    if (self->answered == self->asked) return;
    const int size = snprintf(text, sizeof text, ":%llu\r\n", (unsigned long long)self->answered++);
    send_bytes(self, text, (size_t)size);
  }
}

static void do_lie(world *self)
{
  const size_t left = (size_t)(self->end - self->next);
  size_t size = 1 + take_byte(self) % 64;
  if (left == 0) return;
  if (size > left - 1) size = left - 1;
  self->is_honest = false;
  send_bytes(self, self->next, size);
  self->next += size;
}

/* As the keeper does; a check of the connection is due sooner or later. */
static void do_tend(world *self)
{
  uint64_t until_ms = ACCEL_NO_DEADLINE;
  int fd;
  if (take_byte(self) % 4 == 0) self->connection.check_ms = 0;
  const uint64_t before = self->connection.submitted;
  (void)accel_redis_connection_tend(&self->connection, &fd, &until_ms);
  if (self->connection.submitted == before) return;
  self->is_honest = false; /* it wants a number back that is drawn */
  self->asked++;
}

static void do_hang_up(world *self)
{
  if (self->far_end < 0) return;
  shutdown(self->far_end, SHUT_RDWR);
  accel_redis_connection_hang_up(&self->connection);
}

static void do_step(world *self)
{
  switch (take_byte(self) % 10) {
    case 0:
    case 1: do_begin(self); break;
    case 2: do_finish(self, &self->calls[take_byte(self) % CALLERS]); break;
    case 3:
    case 4: do_answer(self); break;
    case 5: do_lie(self); break;
    case 6: do_post(self); break;
    case 7: do_tend(self); break;
    case 8:
      if (take_byte(self) % 2 == 0)
        do_hang_up(self);
      else
        accel_redis_connection_break(&self->connection, "the fuzzer says so");
      break;
    default: do_connect(self);
  }
}

static void check(world *self)
{
  const char *fault = accel_redis_connection_validate(&self->connection);
  fuzz_require(fault == NULL, fault);
}

void fuzz_connection(const uint8_t *data, size_t size)
{
  static world self;
  memset(&self, 0, sizeof self);
  self.far_end = -1;
  self.next = data;
  self.end = data + size;
  fuzz_require(accel_redis_connection_open(&self.connection, -1, 0, true), "it opens");
  accel_redis_connection_adopt(&self.connection, NULL, "not yet"); /* down: nobody waits for it */
  do_connect(&self);
  while (self.next < self.end) {
    do_step(&self);
    check(&self);
  }
  for (size_t i = 0; i < CALLERS; i++) {
    do_finish(&self, &self.calls[i]);
    check(&self);
  }
  accel_redis_connection_close(&self.connection);
  if (self.far_end >= 0) close(self.far_end);
}
