/* invalidate.h: messages between processes about changes, sent and received (layer 3).
 *
 * A message, little endian:
 *
 *    0 4 magic "ACI1"        8 8 sender: random, one per open cache   24 4 hash of the area
 *    4 1 version = 2        16 8 sequence number, of sender and lane  28 4 lane
 *    5 1 operation                                                    32 4 age of the number before
 *    6 2 number of keys                                               36   keys: u16 size, name
 *                                                                    end 8 SipHash-2-4 of all
 *
 * Operations: keys changed; the whole area changed; heartbeat, which repeats the last number so
 * that a lost last message shows. A number that skips means a message was lost. 64 keys or 16 KiB
 * per message; a key that cannot be named within that clears the area instead.
 *
 * Each lane has numbers of its own, so that messages of different lanes may overtake each other. A
 * heartbeat is sent on the lane whose number it repeats: on another one it would overtake that
 * number's message, and show a gap where there is none.
 *
 * The first number of a new sender may be any: what it sent before this cache subscribed is no
 * loss. So each message says how many ms ago the number before it was given out (a heartbeat: the
 * number that it repeats). If that was after this cache subscribed, it was lost. In transit a
 * message seems younger than it is, so that a slow one may be taken for a lost one, but a lost one
 * never for an old one.
 *
 * One's own messages come back, and say nothing new, but for those of a write that was given up. It
 * may happen after the repair that was to undo it: what was sent on a connection that is closed
 * may still arrive. So the numbers that were out when a write failed are remembered, and once its
 * repair begins a message that bears one of them is LATE.
 *
 * What is remembered of others is bounded. A sender that had to be forgotten leaves a trace of its
 * last number; without one it is taken for one that lost the number before, if that number is
 * younger than this cache's subscription. A number that is not the next one, lower or higher, is a
 * gap, and the next is counted from it. So neither many senders nor a forged number hide a loss;
 * they cost L1.
 *
 * Threads: the publisher's functions any; receive one call at a time.
 */
#ifndef ACCEL_INVALIDATE_H
#define ACCEL_INVALIDATE_H

#include "backend.h"
#include "platform/atomic.h"

#define ACCEL_INVALIDATION_KEYS_MAX 64
#define ACCEL_INVALIDATION_SIZE_MAX 16384
#define ACCEL_INVALIDATION_SENDERS 1024 /* lanes of all other caches of the area */
#define ACCEL_INVALIDATION_WAYS 8       /* places for each, by its hash */
#define ACCEL_INVALIDATION_TRACES 4096  /* of those that were forgotten */

/* A connection on which messages keep their order (backend.h). */
typedef struct accel_invalidation_lane {
  uint64_t sequence;    /* atomic: the last one given out */
  uint64_t sequence_ms; /* atomic: when */
  uint32_t quiet_ticks; /* atomic: heartbeat calls since then */
  uint64_t failed;      /* atomic: the last one out when a write failed */
  uint64_t passed;      /* atomic: the same of those whose repair has begun */
} accel_invalidation_lane;

/* A lane of another sender. */
typedef struct accel_invalidation_sender {
  uint64_t id, sequence;
  uint32_t lane, used; /* used 0: the place is free */
} accel_invalidation_sender;

typedef struct accel_invalidation {
  uint64_t sender_id;
  uint32_t area_hash;
  accel_invalidation_lane lanes[ACCEL_REMOTE_LANES];
  uint32_t received;     /* of receive: orders the senders by use */
  uint64_t since_ms;     /* of receive: senders since then are known, or were forgotten */
  uint64_t forgotten;    /* of receive: so many senders, for want of places */
  uint64_t heard_sender; /* of receive: who sent the last message that was applied */
  size_t heard_keys;     /* of receive: how many keys it named */
  accel_invalidation_sender senders[ACCEL_INVALIDATION_SENDERS]; /* of receive */
  uint32_t traces[ACCEL_INVALIDATION_TRACES]; /* of receive: hashes of senders with their number */
} accel_invalidation;

/* What a message asks for, in this order: first its gap, then its content. */
typedef struct accel_invalidation_handler {
  void *ctx;
  void (*key)(void *ctx, const char *name, size_t size); /* untrusted text */
  void (*everything)(void *ctx);                         /* the area, or a gap */
} accel_invalidation_handler;

typedef enum accel_invalidation_result {
  ACCEL_INVALIDATION_OWN,     /* this cache's own message: nothing was called */
  ACCEL_INVALIDATION_LATE,    /* the same, of a write that was given up, and it names keys */
  ACCEL_INVALIDATION_APPLIED, /* handled */
  ACCEL_INVALIDATION_INVALID  /* not a message of ours, or harmed: everything was called */
} accel_invalidation_result;

ACCEL_EXTERN_C_BEGIN

/* False: no randomness for the sender's id. */
bool accel_invalidation_open(accel_invalidation *invalidation, const char *area);

/* The functions of an accel_remote_publisher and of a sink's heartbeat; ctx is the invalidation. */
size_t accel_invalidation_message(void *invalidation, uint32_t lane,
                                  const accel_remote_item *const *items, size_t count,
                                  accel_buffer *out);
bool accel_invalidation_heartbeat(accel_invalidation *invalidation, uint32_t lane,
                                  accel_buffer *out);

accel_invalidation_result accel_invalidation_receive(accel_invalidation *invalidation,
                                                     const void *data, size_t size,
                                                     const accel_invalidation_handler *handler);
/* Calls handler->key for every name in a message that receive called LATE. */
void accel_invalidation_each_name(const void *data, size_t size,
                                  const accel_invalidation_handler *handler);

/* A write failed: what was sent so far may happen or not, now or later. Threads: any. */
void accel_invalidation_note_failure(accel_invalidation *invalidation);
/* What failed is about to be repaired: from now on it comes too late. Threads: any. */
void accel_invalidation_pass_failures(accel_invalidation *invalidation);

/* Forgets every sender's number: after a gap that was handled as one. */
void accel_invalidation_reset(accel_invalidation *invalidation);

ACCEL_EXTERN_C_END
#endif
