/* repair.h: unconfirmed writes, kept until they are repaired (layer 3).
 *
 * A set or del that failed in L2 may have been done there or not, and others may have received its
 * message or not. What is certain is that whatever L2 has of the key is not to be believed. So the
 * key is noted here, once however often it fails; it is removed from L2 and published as soon as
 * the server answers, and until then reads of this process leave L2 out of account for it. Values
 * are never kept: what was to be written may be old by then.
 *
 * A repair may be undone, since what was sent on a connection that is closed may still arrive.
 * While the channel is up, a message shows that (invalidate.h); while it was down nothing did. So
 * the key is watched for a minute more, and noted anew when the channel comes back.
 *
 * The queue is bounded. The memory of the first 1024 keys is allocated at open; a batch that fails
 * asks for more, which is given back when all is done. A key too many, one for which there is no
 * memory, or a clear that failed, puts the whole area on the list: then L2 is left out for every
 * key until it is cleared. Where an L2 cannot clear, only the TTL heals what is beyond the bound.
 *
 * Only for .c files: it needs threads. Threads: any, all functions but open and close.
 */
#ifndef ACCEL_REPAIR_H
#define ACCEL_REPAIR_H

#include "backend.h"
#include "codec.h"
#include "platform/atomic.h"
#include "platform/thread.h"

#define ACCEL_REPAIR_KEYS_FIRST 1024u /* for which there is memory in any case */
#define ACCEL_REPAIR_KEYS 131072u     /* at most */
#define ACCEL_REPAIR_WATCH_MS 60000u

typedef enum accel_repair_state {
  ACCEL_REPAIR_FREE,
  ACCEL_REPAIR_NOTED,
  ACCEL_REPAIR_WATCHED /* repaired; reads ask L2 again */
} accel_repair_state;

/* A key as L2 knows it, without area and colon: its name, or for long names a hash. */
typedef struct accel_repair_entry {
  uint64_t number;  /* of the failure */
  uint64_t done_ms; /* of one that is watched: since when */
  uint32_t next;
  uint16_t size;
  bool is_hash;
  uint8_t state; /* accel_repair_state */
  char text[ACCEL_KEY_NAME_MAX];
} accel_repair_entry;

/* Places for entries, found by their text's hash; as many chains as places. */
typedef struct accel_repair_table {
  accel_repair_entry *entries; /* not touched before they are used */
  uint32_t *heads;             /* first place + 1 */
  uint32_t capacity;
} accel_repair_table;

typedef struct accel_repair {
  accel_mutex mutex;
  uint32_t length;  /* atomic: keys noted, and one for the area */
  uint32_t watched; /* atomic: keys */
  uint64_t failures;
  bool can_clear, watches;
  uint64_t area_number;     /* of the failure that put the area on the list; 0: none */
  accel_repair_table table; /* `first`, or a larger one */
  accel_repair_table first; /* allocated at open */
  uint32_t free_place;      /* + 1 */
  uint32_t used;            /* places that were ever taken */
  uint32_t cursor;          /* of peek: the place at which it begins */
} accel_repair;

ACCEL_EXTERN_C_BEGIN

/* `can_clear`: whether the area can be put on the list; `watches`: whether a channel shows what
 * comes late. False: no memory. */
bool accel_repair_open(accel_repair *repair, bool can_clear, bool watches);
void accel_repair_close(accel_repair *repair);
/* Frees the memory alone: in a forked child, where the mutex may be held for ever. */
void accel_repair_abandon(accel_repair *repair);

/* Notes a key. False: there is no room, and the area is noted instead, if that can be. */
bool accel_repair_add(accel_repair *repair, const char *text, size_t size, bool is_hash);
void accel_repair_add_area(accel_repair *repair);
/* Whether reads of this key must leave L2 out: it is noted, or the whole area is. */
bool accel_repair_skips_remote(accel_repair *repair, const char *text, size_t size);
ACCEL_INLINE size_t accel_repair_length(const accel_repair *repair_)
{
  return accel_load_acquire(&repair_->length);
}

/* The number of the failure that put the area on the list; 0: it is not on it. */
uint64_t accel_repair_area_number(accel_repair *repair);
/* Copies up to `count` keys, others than the last time if there are more; returns how many. They
 * stay noted until done. */
size_t accel_repair_peek(accel_repair *repair, accel_repair_entry *out, size_t count);
/* The key was repaired, unless it failed once more meanwhile. */
void accel_repair_done(accel_repair *repair, const accel_repair_entry *entry);
/* The same for the area, unless it failed once more after `number` was read, and for all keys that
 * failed before. */
void accel_repair_area_done(accel_repair *repair, uint64_t number);

/* The channel is back: what is watched is noted anew. */
void accel_repair_revive(accel_repair *repair);
/* Forgets what was watched long enough. */
void accel_repair_expire(accel_repair *repair);

ACCEL_EXTERN_C_END
#endif
