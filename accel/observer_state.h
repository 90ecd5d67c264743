/* observer_state.h: the members of an observer: what it shows (layer 2).
 *
 * A cache, an L2 or an exporter is a member. It joins when it is open and leaves before it is
 * closed. Both take the observer's mutex, which is also held while members are asked, so that no
 * member is asked while it closes. A member that is asked must not wait for a thread that may use
 * the observer.
 *
 * Only for .c files. Threads: any, all functions.
 */
#ifndef ACCEL_OBSERVER_STATE_H
#define ACCEL_OBSERVER_STATE_H

#include "observation.h"
#include "observer.h"

struct accel_observer_area;

/* A part of the struct that is shown. Zeroed: it has not joined. */
typedef struct accel_observer_member {
  /* Adds what there is to show: a cache to the line of its area, others to the observation; for
   * these the line is NULL. False: no memory. */
  bool (*observe)(void *ctx, accel_observation *observation, accel_observed_cache *line_or_null);
  void *ctx;
  /* The observer's: */
  struct accel_observer_state *state; /* atomic; NULL: it has not joined, or is released */
  uint64_t fork_generation;
  struct accel_observer_area *area;
  struct accel_observer_member *next, *previous;
} accel_observer_member;

ACCEL_EXTERN_C_BEGIN

/* Joins. The caller has set `observe` and `ctx`. `area_or_null`: the area of a cache. OK; CONFIG:
 * `observer` is not open, or was opened before a fork; NOMEM; with a text on `owner` (error.h). */
accel_status accel_observer_join(accel_observer *observer, accel_observer_member *member,
                                 const char *area_or_null, const void *owner);
/* The last figures of a cache, which stay in its area's sum as long as others of the area are open.
 */
typedef struct accel_observer_last {
  uint64_t counters[ACCEL_COUNTERS];
  accel_latencies *latencies; /* leave takes them over; NULL: none */
} accel_observer_last;
/* Leaves: the member is not asked any more, but may still note errors. Does nothing for a member
 * that has not joined, and in a forked child. `last_or_null`: of a cache; frees its histograms.
 */
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

/* Fills *out, which accel_observation_release frees, with all but the hot keys: these have to be
 * looked for. OK; CLOSED: it is not open, or was opened before a fork; NOMEM: *out is empty. */
accel_status accel_observer_observe(accel_observer *observer, accel_observation *out);
/* The same with the hot keys. */
accel_status accel_observer_observe_all(accel_observer *observer, accel_observation *out);

ACCEL_EXTERN_C_END
#endif
