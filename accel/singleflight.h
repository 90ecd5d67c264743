/* singleflight.h: one load per key (layer 3).
 *
 * A flight is one attempt to find the value of one key. The first thread that joins it is its
 * leader; the others are followers, which share its outcome and, but for refreshes, wait for it.
 * Its memory holds the key, the value and the outcome, so that a leader may leave (its time limit
 * passed) while the load goes on.
 *
 * States: queued (in a load that waits for a thread, or for its turn in a batch), running, landed
 * (the outcome is readable and will not change), done (it is also written to the cache levels).
 * Followers are woken at done, but take a landed outcome rather than time out: writing back must
 * not cost a reader its value.
 *
 * A set or del of the key, or a message that names it, forgets its flights: they land for their
 * followers, no thread joins them any more, and their leader sees that the outcome must not be
 * written back. Flights are forgotten before L1 removes the key. Flights that begin later are left
 * alone, so that one at a time may fill L1.
 *
 * A thread that runs a flight for others never waits for a queued one: it takes that over and runs
 * it itself. Each flight counts the threads that wait for it. When the last one gives up while the
 * flight is queued, the flight is dropped, and a load without flights leaves its queue. So no
 * queued load starts unless a thread waits for it, except refreshes and loads that stay.
 *
 * A thread that waits for a flight which cannot land before the thread itself goes on (its own
 * key, or a cycle through other threads' flights) learns that instead of waiting.
 *
 * Only for .c files: it needs threads. Threads: any, all functions but open and close.
 */
#ifndef ACCEL_SINGLEFLIGHT_H
#define ACCEL_SINGLEFLIGHT_H

#include "error.h"
#include "executor.h"
#include "platform/thread.h"
#include "type.h"

/* Several flights on their way through an executor. */
typedef struct accel_flight_load {
  accel_job job;
  accel_executor *executor;
  size_t queued;   /* flights that wait in it; guarded by their table's mutex */
  size_t wanted;   /* of those: a thread waits for them */
  bool is_running; /* they wait for their turn in it; the thread that runs it drops them */
} accel_flight_load;

typedef struct accel_flight {
  struct accel_flight *next;                            /* in its bucket, while in the table */
  struct accel_flight *running_next, *running_previous; /* of the same thread, innermost first */
  struct accel_singleflight *table;                     /* where it was joined */
  struct accel_flight_thread *runner; /* the thread whose progress it needs; NULL: none yet */
  accel_flight_load *load;            /* where it is queued; NULL: nowhere */
  uint32_t wanted;                    /* how many threads wait for it */
  uint32_t urgent;                    /* of those: threads that others wait for */
  accel_condition changed;
  uint64_t hash;
  uint32_t references; /* atomic */
  bool is_shared, is_listed, is_forgotten;
  bool stays;      /* it is loaded even if no thread waits for it */
  bool is_dropped; /* no thread waited for it, and none will find it */
  bool is_refresh; /* its leader does not wait, and has not asked L2 */
  bool is_landed;
  bool is_done;        /* atomic */
  bool fills_local;    /* a thread that waits for it wants it in L1 */
  bool is_fill_closed; /* whether L1 gets it */
  /* The outcome, readable by others once landed. */
  accel_status status;
  bool is_unfinished; /* the thread that landed it has it in its list */
  void *note;         /* note_size bytes of the table's owner, zero at first */
  void *key;          /* a copy, of the type's own K; a string key points behind it */
  void *value;        /* a V; owned by the flight when it landed with ACCEL_OK */
  char error[ACCEL_ERROR_SIZE];
} accel_flight;

/* One step of a partition of an array in place: flight `i` joins the `*kept` flights that come
 * first. The order of the others may change. */
static inline void accel_flights_keep(accel_flight **flights, size_t *kept, size_t i)
{
  accel_flight *flight = flights[i];
  flights[i] = flights[*kept];
  flights[(*kept)++] = flight;
}

#define ACCEL_SINGLEFLIGHT_BUCKETS 64 /* at first; the table grows with its flights */
#define ACCEL_SINGLEFLIGHT_STRIPES 256

typedef struct accel_singleflight {
  const accel_type *type;
  size_t note_size;
  accel_mutex mutex; /* guards the table and what of a flight is not said to be atomic */
  accel_flight **buckets;
  size_t mask, count;
  accel_flight *first_buckets[ACCEL_SINGLEFLIGHT_BUCKETS];
  uint32_t listed_by_stripe[ACCEL_SINGLEFLIGHT_STRIPES]; /* atomic: flights, by their hash */
} accel_singleflight;

typedef enum accel_flight_wait {
  ACCEL_FLIGHT_DONE,    /* the outcome is there */
  ACCEL_FLIGHT_TIMEOUT, /* the deadline passed before it was */
  ACCEL_FLIGHT_TAKEN,   /* it was queued: the calling thread runs it from now on */
  ACCEL_FLIGHT_CYCLE    /* it waits, directly or not, for the calling thread */
} accel_flight_wait;

ACCEL_EXTERN_C_BEGIN

/* Every flight has `note_size` bytes for the table's owner, aligned as a flight is. */
bool accel_singleflight_open(accel_singleflight *table, const accel_type *type, size_t note_size);
/* No flight may be held. In a forked child call nothing: there is no memory but the struct's. */
void accel_singleflight_close(accel_singleflight *table);

/* How to join a flight. */
typedef struct accel_join_options {
  bool share;       /* false: start a flight of its own, which no other thread joins */
  bool fills_local; /* the outcome is to fill L1: join none whose fill is closed without that */
  bool stays;       /* load it even if no thread waits for it */
  bool is_refresh;  /* the caller does not wait for it, and has not asked L2 */
} accel_join_options;

/* Joins the flight of `key`, or starts one (*is_leader) that the calling thread runs. NULL: no
 * memory. Release what is returned. */
accel_flight *accel_singleflight_join(accel_singleflight *table, const void *key, uint64_t hash,
                                      accel_join_options options, bool *is_leader);
/* Each holder calls it once. */
void accel_singleflight_release(accel_singleflight *table, accel_flight *flight);
/* The caller becomes one more holder, which has to release. */
void accel_singleflight_retain(accel_flight *flight);

/* The calling thread runs the flight from now on, and so queues it or lands it. */
void accel_singleflight_run(accel_flight *flight);

/* ---- queues. Functions that return a job found that nothing waits in its load any more, and took
 * it from its executor: the caller disposes of it. ---- */

/* The calling thread hands flights over to a load, from which others may take them. */
void accel_singleflight_queue(accel_singleflight *table, accel_flight **flights, size_t count,
                              accel_flight_load *load);
/* Takes back what is still there: these come first; returns how many. */
size_t accel_singleflight_unqueue(accel_singleflight *table, accel_flight **flights, size_t count,
                                  accel_flight_load *load);
/* True: it was queued, in this load or with NULL in any; the calling thread runs it from now on. */
bool accel_singleflight_take(accel_singleflight *table, accel_flight *flight,
                             const accel_flight_load *load_or_null, accel_job **emptied);
/* A thread that joined gives up. With `stays` the flight is loaded all the same. *is_dropped: it
 * was queued for no other thread, and is finished with ACCEL_ERR_TIMEOUT. */
accel_job *accel_singleflight_leave(accel_singleflight *table, accel_flight *flight, bool stays,
                                    bool *is_dropped);
/* The same for one that the calling thread runs, and has not begun to load. True: it is landed with
 * ACCEL_ERR_TIMEOUT, and nobody joins it; it is to be finished. */
bool accel_singleflight_drop_unwanted(accel_singleflight *table, accel_flight *flight);
/* Whether the calling thread runs a flight, so that others may wait for it. */
bool accel_singleflight_is_running(void);
/* Whether it runs one of this table, or has landed one and not finished it. */
bool accel_singleflight_is_used_here(const accel_singleflight *table);
/* A flight that the calling thread runs, or has landed and not finished; NULL: there is none. */
accel_flight *accel_singleflight_own(void);

/* Publishes the outcome. With ACCEL_OK the flight owns *flight->value. `error` may be "". */
void accel_singleflight_land(accel_singleflight *table, accel_flight *flight, accel_status status,
                             const char *error);
/* Decides whether the outcome fills L1, for good: joining no longer changes fills_local. False if
 * no thread asked for that, or if the flight was forgotten. For the thread that landed it. */
bool accel_singleflight_close_fill(accel_singleflight *table, accel_flight *flight);
/* Takes it out of the table and wakes its followers. */
void accel_singleflight_finish(accel_singleflight *table, accel_flight *flight);

/* How many flights there are. */
size_t accel_singleflight_length(accel_singleflight *table);

/* Whether the outcome is there, so that wait returns DONE at once. Any thread. */
bool accel_singleflight_is_done(const accel_flight *flight);
/* Waits until the outcome is there, or until `deadline_ms`. From `take_ms` on it takes over a
 * queued flight, and returns an outcome that has landed but is not yet written back. */
accel_flight_wait accel_singleflight_wait(accel_singleflight *table, accel_flight *flight,
                                          uint64_t deadline_ms, uint64_t take_ms,
                                          accel_job **emptied);

bool accel_singleflight_is_forgotten(accel_singleflight *table, const accel_flight *flight);
void accel_singleflight_forget(accel_singleflight *table, const void *key, uint64_t hash);
void accel_singleflight_forget_all(accel_singleflight *table);

ACCEL_EXTERN_C_END
#endif
