/* repair.h: invalidations that L2 did not confirm, kept until they are made good (layer 3).
 *
 * A set or del that failed in L2 may have been done there or not, and others may have heard of it
 * or not. What is certain is that whatever L2 has of the key is not to be believed. So the key is
 * noted here, once however often it fails; it is removed from L2 and published as soon as the
 * server answers, and until then reads of this process leave L2 out of account for it. Values are
 * never kept: what was to be written may be old by then.
 *
 * The queue is bounded and its memory is had at open. A key too many, or a clear that failed, puts
 * the whole area on the list: then L2 is left out for every key until it is cleared. Where an L2
 * cannot clear, only the TTL heals what is beyond the bound.
 *
 * Only for .c files: it needs threads. Threads: any, all functions but open and close.
 */
#ifndef ACCEL_REPAIR_H
#define ACCEL_REPAIR_H

#include "backend.h"
#include "codec.h"
#include "platform/atomic.h"
#include "platform/thread.h"

#define ACCEL_REPAIR_KEYS 1024u

/* A key as L2 knows it, without area and colon: its name, or for long names a hash. */
typedef struct accel_repair_entry {
  uint64_t number; /* of the failure; 0: the place is free */
  uint16_t size, next;
  bool is_hash;
  char text[ACCEL_KEY_NAME_MAX];
} accel_repair_entry;

typedef struct accel_repair {
  accel_mutex mutex; /* guards everything */
  uint32_t length;   /* atomic: keys noted, and one for the area */
  uint64_t failures;
  bool can_clear;
  uint64_t area_number;              /* of the failure that put the area on the list; 0: none */
  uint16_t heads[ACCEL_REPAIR_KEYS]; /* by the text's hash: first place + 1 */
  uint16_t free_place;               /* + 1 */
  uint16_t used;                     /* places that were ever taken */
  accel_repair_entry *entries; /* ACCEL_REPAIR_KEYS of them, not touched before they are used */
} accel_repair;

ACCEL_EXTERN_C_BEGIN

/* `can_clear`: whether the area can be put on the list. False: no memory. */
bool accel_repair_open(accel_repair *repair, bool can_clear);
void accel_repair_close(accel_repair *repair);

/* Notes a key. False: there is no room, and the area is noted instead, if that can be. */
bool accel_repair_add(accel_repair *repair, const char *text, size_t size, bool is_hash);
void accel_repair_add_area(accel_repair *repair);
/* Whether L2 is to be left out for this key. */
bool accel_repair_holds(accel_repair *repair, const char *text, size_t size);
ACCEL_INLINE size_t accel_repair_length(const accel_repair *repair_)
{
  return accel_load_acquire(&repair_->length);
}

/* The number of the area's failure, 0: it is not on the list. */
uint64_t accel_repair_area(accel_repair *repair);
/* Copies up to `count` keys; returns how many. They stay noted until done. */
size_t accel_repair_peek(accel_repair *repair, accel_repair_entry *out, size_t count);
/* The key was made good, unless it failed once more meanwhile. */
void accel_repair_done(accel_repair *repair, const accel_repair_entry *entry);
/* The same for the area as it was when `number` was had, and for all keys that failed before. */
void accel_repair_area_done(accel_repair *repair, uint64_t number);

ACCEL_EXTERN_C_END
#endif
