#include "stream.h"

#include "../../../accel/platform/clock.h"
#include "../../../accel/platform/wipe.h"
#include "command.h"
#include "signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_STREAM_REFUSAL 128 /* bytes of a refusal that are told */

void accel_redis_stream_explain(const redis_replies *replies, size_t i, const char *what,
                                char *error)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (reply.kind != REDIS_REPLY_IS_ERROR) {
    snprintf(error, REDIS_SOCKET_TEXT, "%s: a reply of an unexpected type", what);
    return;
  }
  char text[REDIS_SOCKET_TEXT - 60];
  const char *said = accel_redis_reply_text(replies, &reply);
  size_t size = 0;
  for (; size < reply.size && size + 1 < sizeof text; size++) {
    const unsigned char byte = (unsigned char)said[size];
    text[size] = said[size];
    if (byte < ' ' || byte >= 0x7F) text[size] = '?';
  }
  text[size] = '\0';
  const int left = (int)(REDIS_SOCKET_TEXT - sizeof ": the server replied: " - strnlen(what, 64));
  snprintf(error, REDIS_SOCKET_TEXT, "%.64s: the server replied: %.*s", what, left, text);
}

static bool redis_stream_take(redis_stream *stream, ptrdiff_t size, char *error)
{
  if (size == REDIS_SOCKET_LATER) return true;
  if (size > 0) stream->received += (uint64_t)size;
  if (size < 0)
    snprintf(error, REDIS_SOCKET_TEXT, "connection lost: %s", accel_redis_socket_reason(errno));
  else if (!accel_redis_reader_feed(stream->reader, stream->input, (size_t)size))
    snprintf(error, REDIS_SOCKET_TEXT, "no memory for a reply");
  else
    return true;
  return false;
}

/* As much as is there, of TLS one record at most. */
static ptrdiff_t redis_stream_read(redis_stream *stream, void *data, size_t size)
{
  if (stream->tls != NULL) return accel_redis_tls_read(stream->tls, data, size);
  return accel_redis_socket_receive(stream->fd, data, size);
}

/* One record at most; the next may lie decrypted where poll does not see it. */
static bool redis_stream_feed_encrypted(redis_stream *stream, char *error)
{
  const ptrdiff_t size = redis_stream_read(stream, stream->input, REDIS_STREAM_CHUNK);
  stream->has_more = size > 0;
  return redis_stream_take(stream, size, error);
}

bool accel_redis_stream_feed(redis_stream *stream, char *error)
{
  if (stream->tls != NULL) return redis_stream_feed_encrypted(stream, error);
  return redis_stream_take(stream, redis_stream_read(stream, stream->input, REDIS_STREAM_CHUNK),
                           error);
}

bool accel_redis_stream_feed_slowly(redis_stream *stream, char *error)
{
  return redis_stream_take(
      stream, accel_redis_socket_receive_slowly(stream->fd, stream->input, REDIS_STREAM_CHUNK),
      error);
}

ptrdiff_t accel_redis_stream_write(redis_stream *stream, const void *data, size_t size)
{
  if (stream->tls != NULL) return accel_redis_tls_write(stream->tls, data, size);
  return accel_redis_socket_send(stream->fd, data, size);
}

/* A server that hangs up at once says why in place of the first reply. */
static void redis_stream_note_said(const redis_replies *replies, redis_dial *dial)
{
  const redis_reply reply = accel_redis_reply_at(replies, 0);
  if (reply.kind != REDIS_REPLY_IS_ERROR || accel_redis_reply_fails(replies, &reply, "NOPERM") ||
      accel_redis_reply_fails(replies, &reply, "ERR unknown command"))
    return;
  accel_redis_stream_explain(replies, 0, "connection lost", dial->said);
}

/* After dial->error. Returns false. */
static bool redis_stream_lost(redis_dial *dial)
{
  if (dial->said[0] != '\0') memcpy(dial->error, dial->said, sizeof dial->error);
  return false;
}

/* Waits for the events. False: the time is over, whatever goes on arriving, or it was told to stop.
 * */
static bool redis_stream_wait(const redis_stream *stream, const redis_dial *dial, int events)
{
  if (accel_clock_monotonic_ms() >= dial->deadline_ms) return false;
  if (events == POLLIN && stream->has_more)
    return accel_redis_signal_wait(dial->stop_fd, POLLIN, -1, 0) == 0;
  return accel_redis_signal_wait(stream->fd, events, dial->stop_fd, dial->deadline_ms) != 0;
}

bool accel_redis_stream_send(redis_stream *stream, redis_dial *dial, const accel_buffer *commands)
{
  for (size_t sent = 0; sent < commands->size;) {
    const ptrdiff_t size =
        accel_redis_stream_write(stream, commands->data + sent, commands->size - sent);
    if (size == REDIS_SOCKET_DEAD) {
      snprintf(dial->error, sizeof dial->error, "connection lost: %s",
               accel_redis_socket_reason(errno));
      return redis_stream_lost(dial);
    }
    sent += (size_t)size;
    if (size > 0) continue;
    if (!redis_stream_wait(stream, dial, POLLOUT)) {
      snprintf(dial->error, sizeof dial->error, "sending timed out: the server does not read");
      return false;
    }
  }
  return true;
}

static bool redis_stream_receive(redis_stream *stream, redis_dial *dial, redis_replies *replies)
{
  for (;;) {
    switch (accel_redis_reader_next(stream->reader, replies)) {
      case REDIS_READER_REPLY: return true;
      case REDIS_READER_BROKEN:
        snprintf(dial->error, sizeof dial->error, "protocol error: %s",
                 accel_redis_reader_error(stream->reader));
        return false;
      case REDIS_READER_MORE: break;
    }
    if (!redis_stream_wait(stream, dial, POLLIN)) {
      snprintf(dial->error, sizeof dial->error, "no reply within the time limit");
      return false;
    }
    if (!accel_redis_stream_feed(stream, dial->error)) return redis_stream_lost(dial);
  }
}

/* ---- signing in: no copy of a password remains in memory ---- */

/* A line, and nothing behind it, to the start of stream->input: not by way of the reader, because
 * some servers repeat the words of a command that they do not know. Returns its size; 0: none came,
 * dial->error says why. */
static size_t redis_stream_receive_line(redis_stream *stream, redis_dial *dial)
{
  size_t filled = 0;
  while (filled == 0 || stream->input[filled - 1] != '\n') {
    const ptrdiff_t size =
        redis_stream_read(stream, stream->input + filled, REDIS_STREAM_CHUNK - filled);
    if (size > 0) {
      filled += (size_t)size;
      stream->received += (uint64_t)size;
      if (filled < REDIS_STREAM_CHUNK) continue;
      snprintf(dial->error, sizeof dial->error, "protocol error: a reply that is too large");
      return 0;
    }
    if (size == REDIS_SOCKET_DEAD) {
      snprintf(dial->error, sizeof dial->error, "connection lost: %s",
               accel_redis_socket_reason(errno));
      return 0;
    }
    if (!redis_stream_wait(stream, dial, POLLIN)) {
      snprintf(dial->error, sizeof dial->error, "no reply within the time limit");
      return 0;
    }
  }
  return filled;
}

/* What the server says, made printable; of a text that repeats something of the password only the
 * code. */
static void redis_stream_tell_refusal(const redis_sign_in *sign_in, const char *line, size_t size,
                                      redis_dial *dial)
{
  char text[REDIS_STREAM_REFUSAL];
  size_t told = 1, code = 1;
  while (code < size && line[code] >= 'A' && line[code] <= 'Z') code++;
  while (told < size && told < sizeof text && line[told] != '\r' && line[told] != '\n') told++;
  if (accel_redis_sign_in_is_quoted(sign_in, line, told)) told = code < 40 ? code : 1;
  for (size_t i = 1; i < told; i++) {
    const unsigned char byte = (unsigned char)line[i];
    text[i - 1] = line[i];
    if (byte < ' ' || byte >= 0x7F) text[i - 1] = '?';
  }
  text[told - 1] = '\0';
  snprintf(dial->error, sizeof dial->error, "AUTH: the server replied: %s", text);
}

static bool redis_stream_accepts(const redis_sign_in *sign_in, const char *line, size_t size,
                                 redis_dial *dial)
{
  if (size == 5 && memcmp(line, "+OK\r\n", 5) == 0) return true;
  dial->is_refused = line[0] == '-';
  if (dial->is_refused)
    redis_stream_tell_refusal(sign_in, line, size, dial);
  else
    snprintf(dial->error, sizeof dial->error, "AUTH: a reply of an unexpected type");
  return false;
}

static ACCEL_NOINLINE bool redis_stream_authenticate(redis_stream *stream, redis_dial *dial)
{
  redis_sign_in sign_in;
  if (!accel_redis_sign_in_make(&sign_in, dial->credentials)) {
    snprintf(dial->error, sizeof dial->error, "no memory to sign in");
    return false;
  }
  bool accepted = sign_in.command.size == 0;
  if (!accepted && accel_redis_stream_send(stream, dial, &sign_in.command)) {
    const size_t size = redis_stream_receive_line(stream, dial);
    accepted = size > 0 && redis_stream_accepts(&sign_in, (const char *)stream->input, size, dial);
    explicit_bzero(stream->input, REDIS_STREAM_CHUNK);
  }
  accel_redis_sign_in_release(&sign_in);
  return accepted;
}

static bool redis_stream_sign_in(redis_stream *stream, redis_dial *dial)
{
  if (dial->credentials == NULL) return true;
  const bool accepted = redis_stream_authenticate(stream, dial);
  accel_wipe_traces();
  return accepted;
}

bool accel_redis_stream_exchange(redis_stream *stream, redis_dial *dial,
                                 const accel_buffer *commands, size_t count, redis_replies *replies)
{
  if (!accel_redis_stream_send(stream, dial, commands)) return false;
  for (size_t i = 0; i < count; i++)
    if (!redis_stream_receive(stream, dial, replies)) return false;
  return true;
}

bool accel_redis_stream_open(redis_stream *stream, redis_dial *dial, size_t text_max,
                             const char *name)
{
  accel_buffer command = {0};
  redis_replies replies = {0};
  memset(stream, 0, sizeof *stream);
  stream->fd = accel_redis_socket_open(dial);
  if (stream->fd < 0) return false;
  if (dial->tls != NULL) {
    stream->tls = accel_redis_tls_begin(dial->tls, dial, stream->fd);
    if (stream->tls == NULL) {
      accel_redis_stream_close(stream);
      return false;
    }
  }
  stream->reader = accel_redis_reader_open(text_max);
  stream->input = (unsigned char *)ACCEL_MALLOC(REDIS_STREAM_CHUNK);
  bool opened = stream->reader != NULL && stream->input != NULL &&
                accel_redis_command_append_words(&command, REDIS_WORDS("CLIENT", "SETNAME", name));
  if (!opened) snprintf(dial->error, sizeof dial->error, "no memory to connect");
  /* The name is for people who look at CLIENT LIST; a user who may not set one does without. */
  opened = opened && redis_stream_sign_in(stream, dial) &&
           accel_redis_stream_exchange(stream, dial, &command, 1, &replies);
  if (opened) redis_stream_note_said(&replies, dial);
  accel_buffer_release(&command);
  accel_redis_replies_release(&replies);
  if (!opened) accel_redis_stream_close(stream);
  return opened;
}

void accel_redis_stream_close(redis_stream *stream)
{
  accel_redis_tls_end(stream->tls);
  accel_redis_socket_close(stream->fd);
  accel_redis_reader_close(stream->reader);
  ACCEL_FREE(stream->input);
  memset(stream, 0, sizeof *stream);
  stream->fd = -1;
}

static bool redis_stream_number(const redis_replies *replies, size_t i, uint64_t *out)
{
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (reply.kind != REDIS_REPLY_IS_TEXT || reply.size == 0 || reply.size > 18) return false;
  const char *text = accel_redis_reply_text(replies, &reply);
  for (*out = 0; text < accel_redis_reply_text(replies, &reply) + reply.size; text++) {
    if (*text < '0' || *text > '9') return false;
    *out = *out * 10 + (uint64_t)(*text - '0');
  }
  return true;
}

bool accel_redis_stream_read_clock(const redis_replies *replies, size_t i, uint64_t asked_ms,
                                   uint64_t answered_ms, redis_stream_clock *clock)
{
  uint64_t seconds = 0, microseconds = 0;
  const redis_reply pair = accel_redis_reply_at(replies, i);
  if (pair.kind != REDIS_REPLY_IS_ARRAY || pair.size != 2) return false;
  if (!redis_stream_number(replies, i + 1, &seconds)) return false;
  if (!redis_stream_number(replies, i + 2, &microseconds)) return false;
  clock->is_known = true;
  clock->ahead_ms =
      seconds * 1000 + microseconds / 1000 - (asked_ms + (answered_ms - asked_ms) / 2);
  return true;
}

bool accel_redis_stream_greet(redis_stream *stream, redis_dial *dial, redis_stream_clock *clock)
{
  accel_buffer commands = {0};
  redis_replies replies = {0};
  char database[12];
  snprintf(database, sizeof database, "%u", (unsigned)dial->database);
  bool greeted = accel_redis_command_append_words(&commands, REDIS_WORDS("SELECT", database)) &&
                 accel_redis_command_append_words(&commands, REDIS_WORDS("PING")) &&
                 accel_redis_command_append_words(&commands, REDIS_WORDS("TIME"));
  if (!greeted) snprintf(dial->error, sizeof dial->error, "no memory to connect");
  const uint64_t asked_ms = accel_clock_monotonic_ms();
  greeted = greeted && accel_redis_stream_exchange(stream, dial, &commands, 3, &replies);
  const uint64_t answered_ms = accel_clock_monotonic_ms();
  const redis_reply selected = accel_redis_reply_at(&replies, 0);
  const redis_reply alive = accel_redis_reply_at(&replies, 1);
  const bool is_default = dial->database == 0; /* where SELECT need not be allowed */
  if (greeted && !is_default && !accel_redis_reply_says(&replies, &selected, "OK")) {
    accel_redis_stream_explain(&replies, 0, "SELECT", dial->error);
    greeted = false;
  } else if (greeted && !accel_redis_reply_says(&replies, &alive, "PONG")) {
    accel_redis_stream_explain(&replies, 1, "PING", dial->error);
    greeted = false;
  }
  if (greeted && !accel_redis_reader_is_empty(stream->reader)) {
    snprintf(dial->error, sizeof dial->error, "protocol error: more replies than commands");
    greeted = false;
  }
  /* Without permission for TIME the wall clock is used. */
  if (greeted) accel_redis_stream_read_clock(&replies, 2, asked_ms, answered_ms, clock);
  accel_buffer_release(&commands);
  accel_redis_replies_release(&replies);
  return greeted;
}

bool accel_redis_stream_is_master(redis_stream *stream, redis_dial *dial)
{
  accel_buffer command = {0};
  redis_replies replies = {0};
  bool is_master = accel_redis_command_append_words(&command, REDIS_WORDS("ROLE"));
  if (!is_master) snprintf(dial->error, sizeof dial->error, "no memory to ask for the role");
  is_master = is_master && accel_redis_stream_exchange(stream, dial, &command, 1, &replies);
  const redis_reply role = accel_redis_reply_at(&replies, 1);
  if (is_master && !accel_redis_reply_says(&replies, &role, "master")) {
    const redis_reply whole = accel_redis_reply_at(&replies, 0);
    if (whole.kind == REDIS_REPLY_IS_ERROR)
      accel_redis_stream_explain(&replies, 0, "ROLE", dial->error);
    else
      snprintf(dial->error, sizeof dial->error, "ROLE: the server is not a master");
    is_master = false;
  }
  accel_buffer_release(&command);
  accel_redis_replies_release(&replies);
  return is_master;
}
