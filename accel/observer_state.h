/* observer_state.h: what an observer has to do with those it shows (layer 2).
 *
 * A cache, an L2 or an exporter is a member. It joins when it is open and leaves before it is
 * closed, both under the observer's mutex, under which members are also asked: so no member is
 * asked while it closes. A member that is asked must not wait for a thread that may use the
 * observer.
 *
 * Only for .c files. Threads: any, all functions.
 */
#ifndef ACCEL_OBSERVER_STATE_H
#define ACCEL_OBSERVER_STATE_H

#include "observation.h"
#include "observer.h"

struct accel_observer_area;

/* Lies in what is shown; zeroed: it has not joined. */
typedef struct accel_observer_member {
  /* Adds what there is to show. `line`: of a cache, its area's. False: no memory. */
  bool (*observe)(void *ctx, accel_observation *observation, accel_observed_cache *line_or_null);
  void *ctx;
  /* The observer's: */
  struct accel_observer_state *state; /* atomic; NULL: it has not joined, or is released */
  uint64_t fork_generation;
  struct accel_observer_area *area;
  struct accel_observer_member *next, *previous;
} accel_observer_member;

ACCEL_EXTERN_C_BEGIN

/* `observe` and `ctx` are set. OK; CONFIG: `observer` is not open, or was opened before a fork;
 * NOMEM; with a text on `owner` (error.h). `area_or_null`: of a cache. */
accel_status accel_observer_join(accel_observer *observer, accel_observer_member *member,
                                 const char *area_or_null, const void *owner);
/* The last figures of a cache, which stay in its area's sum as long as others of the area are open.
 */
typedef struct accel_observer_last {
  uint64_t counters[ACCEL_COUNTERS];
  accel_latencies *latencies; /* taken over by leave, or freed; NULL: none */
} accel_observer_last;
/* It is not asked any more, but may still note errors. Does nothing for a member that has not
 * joined, and in a forked child. `last_or_null`: of a cache. */
void accel_observer_leave(accel_observer_member *member, accel_observer_last *last_or_null);

/* The member has left, and notes no more errors: the observer's memory may be freed. Every member
 * that has joined must be released. */
void accel_observer_release(accel_observer_member *member);

/* Notes a failure for the last errors, unless another thread is noting one just now. `text` holds
 * no secret and no key. Does not wait, and calls nothing. */
void accel_observer_note_error(const accel_observer_member *member, const char *area,
                               const char *text);
/* Whether keys may be shown. */
bool accel_observer_shows_keys(const accel_observer_member *member);

/* Fills *out, which accel_observation_release frees. OK; CLOSED: it is not open, or was opened
 * before a fork; NOMEM: *out is empty. */
accel_status accel_observer_observe(accel_observer *observer, accel_observation *out);

ACCEL_EXTERN_C_END
#endif
