/* reply.h: replies, out of bytes (backend redis).
 *
 * hiredis serves as a codec here and for nothing else; reply.c is the only file that sees it. Its
 * reader calls functions of this file for every element, and those append to flat lists: there is
 * no tree of small allocations, and nothing of hiredis' outlives a call.
 *
 * Everything that arrives is hostile. Each of these breaks the reader for good: more elements than
 * any command can cause, in one array or in all arrays of a reply; nesting; a string without its
 * line end; types of another protocol. Memory grows with what has arrived, never with what was
 * announced. A string that is too large is skipped, and an OVERSIZED stands in its place, so that
 * it harms neither the replies behind it nor the connection.
 *
 * Threads: one at a time per object.
 */
#ifndef ACCEL_BACKENDS_REDIS_REPLY_H
#define ACCEL_BACKENDS_REDIS_REPLY_H

#include "../../../accel/type.h"

#define REDIS_REPLY_ELEMENTS_MAX 65536    /* of one array */
#define REDIS_REPLY_TOTAL_MAX 524288      /* of all arrays of one reply */
#define REDIS_REPLY_NESTING_MAX 4         /* arrays within arrays: CLUSTER SLOTS has four */
#define REDIS_REPLY_TEXTS_MAX (64u << 20) /* bytes of the texts of one reply, if it has several */

typedef enum redis_reply_kind {
  REDIS_REPLY_IS_TEXT,
  REDIS_REPLY_IS_STATUS,
  REDIS_REPLY_IS_ERROR,
  REDIS_REPLY_IS_INTEGER,
  REDIS_REPLY_IS_NIL,
  REDIS_REPLY_IS_ARRAY,
  REDIS_REPLY_IS_OVERSIZED /* a text that was not kept: it is too large, or one too many */
} redis_reply_kind;

typedef struct redis_reply {
  redis_reply_kind kind;
  size_t size;     /* bytes of the text, or elements of an array, which follow it */
  size_t offset;   /* of the text, which starts at a multiple of 8 */
  int64_t integer; /* of an integer */
} redis_reply;

/* Replies one after the other, an array before its elements. The first 8 bytes of the texts are
 * kept free for the chain of `keep`. Zeroed: empty. */
typedef struct redis_replies {
  redis_reply *list;
  size_t count, capacity;
  accel_buffer text;
} redis_replies;

typedef struct redis_reader redis_reader;

typedef enum redis_reader_result {
  REDIS_READER_REPLY, /* one whole reply was read */
  REDIS_READER_MORE,  /* bytes are missing */
  REDIS_READER_BROKEN /* not a reply; the stream cannot be trusted any more */
} redis_reader_result;

ACCEL_EXTERN_C_BEGIN

/* `text_max`: bytes of a single text that is kept. NULL: no memory. */
redis_reader *accel_redis_reader_open(size_t text_max);
void accel_redis_reader_close(redis_reader *reader_or_null);
/* False: no memory; the reader is broken then. */
bool accel_redis_reader_feed(redis_reader *reader, const void *data, size_t size);
/* Appends the next reply, or the part of it that is there, to `out_or_null`; call again after
 * more bytes. NULL drops it, also the rest of one that was begun otherwise. */
redis_reader_result accel_redis_reader_next(redis_reader *reader, redis_replies *out_or_null);
/* True: all bytes fed were part of whole replies. */
bool accel_redis_reader_is_empty(const redis_reader *reader);
/* Bytes of the text of which a part has arrived, as it announced itself; 0: there is none. */
uint64_t accel_redis_reader_expects(const redis_reader *reader);
const char *accel_redis_reader_error(const redis_reader *reader);

/* The i-th of the list; one that says nil beyond its end. */
redis_reply accel_redis_reply_at(const redis_replies *replies, size_t i);
const char *accel_redis_reply_text(const redis_replies *replies, const redis_reply *reply);
/* True: a text or status that is exactly `text`. */
bool accel_redis_reply_says(const redis_replies *replies, const redis_reply *reply,
                            const char *text);
/* True: an error whose text starts so. */
bool accel_redis_reply_fails(const redis_replies *replies, const redis_reply *reply,
                             const char *start);
/* The index behind the i-th and, of an array, all its elements. */
size_t accel_redis_reply_after(const redis_replies *replies, size_t i);
void accel_redis_replies_release(redis_replies *replies);
/* Releases all but the texts, which stay where they are until the chain is dropped. */
void accel_redis_replies_keep(redis_replies *replies, void **chain);
void accel_redis_replies_drop(void **chain);

ACCEL_EXTERN_C_END
#endif
