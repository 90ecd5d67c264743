#include "reply.h"

#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define REDIS_REPLY_ALIGNMENT 8u                    /* and the size of a pointer, at most */
#define REDIS_REPLY_SKIPPED_MAX (UINT64_C(1) << 30) /* bytes; no server holds more in one text */
#define REDIS_REPLY_BUFFER_KEPT (256u << 10)        /* of hiredis' buffer, while it is empty */

struct redis_reader {
  redisReader *native;
  size_t text_max;
  redis_replies *out;     /* of the call under way; NULL: dropped */
  size_t elements, texts; /* of the reply under way: elements of its arrays, bytes of its texts */
  uint64_t announced;     /* bytes of the text that waits to be complete; 0: none does */
  uint64_t skipped_of;    /* the same of a text that is skipped, or was; 0: none */
  uint64_t left_to_skip;  /* of it and its line end */
  const char *why;        /* a refusal of our own */
};

/* ---- the functions hiredis calls: they return what stands for the object; NULL breaks ---- */

static void *redis_reply_refuse(redis_reader *reader, const char *why)
{
  reader->why = why;
  return NULL;
}

static void *redis_reply_append(redis_reader *reader, const redis_reply *reply)
{
  redis_replies *out = reader->out;
  if (out == NULL) return reader;
  if (out->count == out->capacity) {
    const size_t capacity = out->capacity == 0 ? 4 : out->capacity * 2;
    redis_reply *list = (redis_reply *)ACCEL_REALLOC(out->list, capacity * sizeof *list);
    if (list == NULL) return redis_reply_refuse(reader, "no memory for a reply");
    out->list = list;
    out->capacity = capacity;
  }
  out->list[out->count++] = *reply;
  return reader;
}

static void *redis_reply_append_oversized(redis_reader *reader, uint64_t size)
{
  const redis_reply reply = {.kind = REDIS_REPLY_IS_OVERSIZED, .size = (size_t)size};
  return redis_reply_append(reader, &reply);
}

static bool redis_reply_is_oversized(const redis_reader *reader, uint64_t size)
{
  const bool is_one_too_many = reader->texts > 0 && size > REDIS_REPLY_TEXTS_MAX - reader->texts;
  return size > reader->text_max || is_one_too_many;
}

static void *redis_reply_create_text(const redisReadTask *task, char *text, size_t size)
{
  redis_reader *reader = (redis_reader *)task->privdata;
  redis_reply reply = {.kind = REDIS_REPLY_IS_TEXT, .size = size};
  if (task->type == REDIS_REPLY_STATUS)
    reply.kind = REDIS_REPLY_IS_STATUS;
  else if (task->type == REDIS_REPLY_ERROR)
    reply.kind = REDIS_REPLY_IS_ERROR;
  else if (task->type != REDIS_REPLY_STRING) /* GCOVR_EXCL_BR_LINE: hiredis 0.14 refuses */
    return redis_reply_refuse(reader, "a reply of a type that RESP2 does not have");
  /* hiredis counts a text's two last bytes without looking at them. */
  if (reply.kind == REDIS_REPLY_IS_TEXT && memcmp(text + size, "\r\n", 2) != 0)
    return redis_reply_refuse(reader, "a bulk string that is longer than its head says");
  if (redis_reply_is_oversized(reader, size))
    return reply.kind == REDIS_REPLY_IS_TEXT
               ? redis_reply_append_oversized(reader, size)
               : redis_reply_refuse(reader, "a reply that is too large");
  reader->texts += size;
  if (reader->out == NULL) return reader;
  accel_buffer *texts = &reader->out->text;
  static const char padding[REDIS_REPLY_ALIGNMENT];
  const bool is_first = texts->size == 0; /* before it lies the chain of kept texts */
  const size_t gap = is_first ? sizeof padding : (0u - texts->size) % REDIS_REPLY_ALIGNMENT;
  if (!accel_buffer_append(texts, padding, gap) || !accel_buffer_append(texts, text, size))
    return redis_reply_refuse(reader, "no memory for a reply");
  reply.offset = texts->size - size;
  return redis_reply_append(reader, &reply);
}

#if HIREDIS_MAJOR >= 1
typedef size_t redis_reply_elements;
#else
typedef int redis_reply_elements;
#endif

static void *redis_reply_create_array(const redisReadTask *task, redis_reply_elements elements)
{
  redis_reader *reader = (redis_reader *)task->privdata;
  const redis_reply reply = {.kind = REDIS_REPLY_IS_ARRAY, .size = (size_t)elements};
  int nesting = 1;
  for (const redisReadTask *each = task->parent; each != NULL; each = each->parent) nesting++;
  if (task->type != REDIS_REPLY_ARRAY) /* GCOVR_EXCL_BR_LINE: hiredis 0.14 refuses */
    return redis_reply_refuse(reader, "a reply of a type that RESP2 does not have");
  if (reply.size > REDIS_REPLY_ELEMENTS_MAX)
    return redis_reply_refuse(reader, "an array of too many elements");
  reader->elements += reply.size;
  if (reader->elements > REDIS_REPLY_TOTAL_MAX)
    return redis_reply_refuse(reader, "arrays of too many elements");
  if (nesting > REDIS_REPLY_NESTING_MAX)
    return redis_reply_refuse(reader, "arrays nested too deeply");
  return redis_reply_append(reader, &reply);
}

static void *redis_reply_create_integer(const redisReadTask *task, long long value)
{
  const redis_reply reply = {.kind = REDIS_REPLY_IS_INTEGER, .integer = value};
  return redis_reply_append((redis_reader *)task->privdata, &reply);
}

static void *redis_reply_create_nil(const redisReadTask *task)
{
  redis_reader *reader = (redis_reader *)task->privdata;
  const redis_reply reply = {.kind = REDIS_REPLY_IS_NIL};
  const uint64_t skipped_of = reader->skipped_of;
  reader->skipped_of = 0;
  if (skipped_of > 0) return redis_reply_append_oversized(reader, skipped_of);
  return redis_reply_append(reader, &reply);
}

static void redis_reply_free_nothing(void *reader)
{
  (void)reader;
}

#if HIREDIS_MAJOR >= 1
static void *redis_reply_create_double(const redisReadTask *task, double value, char *text,
                                       size_t size)
{
  (void)value, (void)text, (void)size;
  return redis_reply_refuse((redis_reader *)task->privdata, "a double, which RESP2 does not have");
}

static void *redis_reply_create_bool(const redisReadTask *task, int value)
{
  (void)value;
  return redis_reply_refuse((redis_reader *)task->privdata, "a bool, which RESP2 does not have");
}
#endif

/* hiredis takes it without const and never writes to it. */
static redisReplyObjectFunctions redis_reply_functions = {
    .createString = redis_reply_create_text,
    .createArray = redis_reply_create_array,
    .createInteger = redis_reply_create_integer,
#if HIREDIS_MAJOR >= 1
    .createDouble = redis_reply_create_double,
    .createBool = redis_reply_create_bool,
#endif
    .createNil = redis_reply_create_nil,
    .freeObject = redis_reply_free_nothing,
};

/* ---- reading ---- */

redis_reader *accel_redis_reader_open(size_t text_max)
{
  redis_reader *reader = (redis_reader *)ACCEL_MALLOC(sizeof *reader);
  if (reader == NULL) return NULL;
  memset(reader, 0, sizeof *reader);
  reader->text_max = text_max;
  reader->native = redisReaderCreateWithFunctions(&redis_reply_functions);
  if (reader->native == NULL) { /* GCOVR_EXCL_BR_LINE: its memory does not come from our hooks */
    ACCEL_FREE(reader);
    return NULL;
  }
  reader->native->privdata = reader;
  reader->native->maxbuf = REDIS_REPLY_BUFFER_KEPT;
  return reader;
}

void accel_redis_reader_close(redis_reader *reader_or_null)
{
  if (reader_or_null == NULL) return;
  redisReaderFree(reader_or_null->native);
  ACCEL_FREE(reader_or_null);
}

/* ---- texts that are too large to be kept ----
 *
 * hiredis keeps a text until it is whole. Of one that announces too much it gets only what came
 * with the head; the rest is thrown away as it comes. When all of it has come, the end of what
 * hiredis has is made to say nil, in whose place an OVERSIZED is put. */

static const char *const redis_reader_nil = "-1\r\n";

static int redis_reader_type(const redisReader *native)
{
  if (native->ridx < 0) return 0; /* GCOVR_EXCL_BR_LINE: bytes begin a reply */
#if HIREDIS_MAJOR >= 1
  return native->task[native->ridx]->type;
#else
  return native->rstack[native->ridx].type;
#endif
}

/* What stands at the cursor is the head of a text, behind its mark: its size is read, and the
 * head's own. 0: it is none, or not complete yet. */
static size_t redis_reader_read_head(const redis_reader *reader, uint64_t *announced)
{
  const redisReader *native = reader->native;
  const size_t there = native->len - native->pos;
  const char *head = there == 0 ? NULL : native->buf + native->pos;
  size_t size = 0;
  *announced = 0;
  if (head == NULL || redis_reader_type(native) != REDIS_REPLY_STRING) return 0;
  for (; size < there && size < 19 && head[size] >= '0' && head[size] <= '9'; size++)
    *announced = *announced * 10 + (uint64_t)(head[size] - '0');
  if (size == 0 || there - size < 2 || memcmp(head + size, "\r\n", 2) != 0) return 0;
  return size + 2;
}

/* If a text that is not whole is too large, hiredis gets no more of it. False: it is larger
 * than any that a server can hold. */
static bool redis_reader_begin_skipping(redis_reader *reader)
{
  const redisReader *native = reader->native;
  const size_t head = redis_reader_read_head(reader, &reader->announced);
  if (head < strlen(redis_reader_nil) || !redis_reply_is_oversized(reader, reader->announced))
    return true;
  if (reader->announced > REDIS_REPLY_SKIPPED_MAX) return false;
  const size_t end = native->pos + head;
  reader->skipped_of = reader->announced;
  reader->left_to_skip = reader->announced + 2 - (native->len - end);
  return true;
}

static void redis_reader_end_skipping(redis_reader *reader)
{
  redisReader *native = reader->native;
  const size_t size = strlen(redis_reader_nil);
  native->pos = native->len - size;
  memcpy(native->buf + native->pos, redis_reader_nil, size);
}

/* Returns how many of the bytes were skipped. */
static size_t redis_reader_skip(redis_reader *reader, const char *data, size_t size)
{
  const size_t skipped = size < reader->left_to_skip ? size : (size_t)reader->left_to_skip;
  if (skipped == 0) return 0;
  const uint64_t left = reader->left_to_skip - skipped;
  for (size_t last = 0; last < 2 && last < skipped; last++) {
    const uint64_t from_end = left + last;
    if (from_end < 2 && data[skipped - 1 - last] != (from_end == 0 ? '\n' : '\r'))
      reader->why = "a bulk string that is longer than its head says";
  }
  reader->left_to_skip = left;
  if (left == 0) redis_reader_end_skipping(reader);
  return skipped;
}

bool accel_redis_reader_feed(redis_reader *reader, const void *data, size_t size)
{
  const size_t skipped = redis_reader_skip(reader, (const char *)data, size);
  if (skipped == size) return true;
  return redisReaderFeed(reader->native, (const char *)data + skipped, size - skipped) == REDIS_OK;
}

redis_reader_result accel_redis_reader_next(redis_reader *reader, redis_replies *out_or_null)
{
  void *whole = NULL;
  reader->out = out_or_null;
  if (reader->why != NULL) return REDIS_READER_BROKEN;
  if (reader->left_to_skip > 0) return REDIS_READER_MORE;
  reader->announced = 0;
  if (redisReaderGetReply(reader->native, &whole) != REDIS_OK) return REDIS_READER_BROKEN;
  if (whole != NULL) {
    reader->elements = reader->texts = 0;
    return REDIS_READER_REPLY;
  }
  if (!redis_reader_begin_skipping(reader)) {
    reader->why = "a reply that is too large";
    return REDIS_READER_BROKEN;
  }
  if (reader->left_to_skip > 0) return REDIS_READER_MORE;
  /* What waits here is one text that is not complete, and a short line at most. */
  const size_t waiting = reader->native->len - reader->native->pos;
  if (waiting <= reader->text_max || waiting - reader->text_max <= 64) return REDIS_READER_MORE;
  reader->why = "a reply that is too large";
  return REDIS_READER_BROKEN;
}

uint64_t accel_redis_reader_expects(const redis_reader *reader)
{
  return reader->announced;
}

bool accel_redis_reader_is_empty(const redis_reader *reader)
{
  return reader->native->len == reader->native->pos && reader->native->ridx == -1;
}

const char *accel_redis_reader_error(const redis_reader *reader)
{
  return reader->why != NULL ? reader->why : reader->native->errstr;
}

/* ---- looking at replies ---- */

redis_reply accel_redis_reply_at(const redis_replies *replies, size_t i)
{
  static const redis_reply nothing = {.kind = REDIS_REPLY_IS_NIL};
  return i < replies->count ? replies->list[i] : nothing;
}

const char *accel_redis_reply_text(const redis_replies *replies, const redis_reply *reply)
{
  return replies->text.data == NULL ? "" : (const char *)replies->text.data + reply->offset;
}

bool accel_redis_reply_says(const redis_replies *replies, const redis_reply *reply,
                            const char *text)
{
  if (reply->kind != REDIS_REPLY_IS_TEXT && reply->kind != REDIS_REPLY_IS_STATUS) return false;
  if (reply->size != strlen(text)) return false;
  return strncmp(accel_redis_reply_text(replies, reply), text, reply->size) == 0;
}

bool accel_redis_reply_fails(const redis_replies *replies, const redis_reply *reply,
                             const char *start)
{
  const size_t size = strlen(start);
  if (reply->kind != REDIS_REPLY_IS_ERROR || reply->size < size) return false;
  return strncmp(accel_redis_reply_text(replies, reply), start, size) == 0;
}

size_t accel_redis_reply_after(const redis_replies *replies, size_t i)
{
  for (size_t due = 1; due > 0 && i < replies->count; i++) {
    due--;
    if (replies->list[i].kind == REDIS_REPLY_IS_ARRAY) due += replies->list[i].size;
  }
  return i;
}

void accel_redis_replies_release(redis_replies *replies)
{
  ACCEL_FREE(replies->list);
  accel_buffer_release(&replies->text);
  memset(replies, 0, sizeof *replies);
}

void accel_redis_replies_keep(redis_replies *replies, void **chain)
{
  void *texts = replies->text.data;
  if (texts != NULL) {
    memcpy(texts, chain, sizeof *chain);
    *chain = texts;
    replies->text = (accel_buffer){0};
  }
  accel_redis_replies_release(replies);
}

void accel_redis_replies_drop(void **chain)
{
  while (*chain != NULL) {
    void *texts = *chain;
    memcpy(chain, texts, sizeof *chain);
    ACCEL_FREE(texts);
  }
}
