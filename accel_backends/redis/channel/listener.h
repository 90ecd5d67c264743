/* listener.h: hears what other processes changed (backend redis).
 *
 * One thread holds one connection on which it subscribes to the channel of every attached area,
 * asks it by PING once a second, and tells the areas' sinks what it hears. An answer proves that
 * nothing is left on the way that the server said before the question. Bytes that arrive prove
 * nothing, as they may be late: the channel is down when the last question that was answered is
 * three seconds old. When it is lost it is made again, with growing pauses of random length. Which
 * endpoint it listens to is the route's to say. Heartbeats leave on the connection of the lane that
 * they repeat; one that is not up, or was never used, has none.
 *
 * Confirmations and refusals come in the order of the requests: a link is up when as many came as
 * were sent up to its own. So neither an area that is attached twice nor one that left and returned
 * is up before its own subscription is, and one that is refused its channel does not take the
 * others down.
 *
 * Threads: start, stop exclusive; add and remove any; everything else runs on the thread itself.
 */
#ifndef ACCEL_BACKENDS_REDIS_LISTENER_H
#define ACCEL_BACKENDS_REDIS_LISTENER_H

#include "../../../accel/backend.h"
#include "../server/backoff.h"
#include "../wire/signal.h"
#include "../wire/stream.h"
#include "tracking.h"

#define REDIS_LISTENER_TICK_MS 1000u     /* between PINGs, and between heartbeats */
#define REDIS_LISTENER_PROOF_MS 3000u    /* since the last question that was answered: down */
#define REDIS_LISTENER_QUESTIONS 8u      /* PINGs that can be under way: more than fit into that */
#define REDIS_LISTENER_REFUSED_MS 2000u  /* until a refused channel is asked for again */
#define REDIS_LISTENER_TEXT_MAX 1048576u /* bytes of one message */

struct accel_redis_state;

/* A cache that was attached (link.c). */
typedef struct redis_link {
  struct accel_redis_state *state;
  char key_start[REDIS_TRACKING_PREFIX_SIZE]; /* prefix:area: */
  size_t prefix_size;                         /* of it, with the colon */
  uint16_t prefix_checksum;                   /* of these bytes (slots.h) */
  char channel[192];
  bool is_fast;         /* atomic: the last batch took a small part of its time */
  uint32_t value_bytes; /* atomic: as batches found them lately; 0: not known */
  bool has_listener;    /* without one it is none of the listener's business */
  accel_remote_sink sink;
  void (*changed)(void *ctx, const char *name_or_null, size_t size); /* NULL: not wanted */
  void (*tell)(void *ctx, const accel_remote_news *news);            /* NULL: not wanted */
  struct redis_link *next_told;                                      /* news.h */
  /* The listener's: */
  bool is_leaving, is_up;
  uint64_t request; /* the number of its SUBSCRIBE; 0: not sent, or refused */
  uint64_t next_request_ms;
  char refusal[160]; /* with the mutex: why the server does not let it hear its channel; "" */
  struct redis_link *next;
} redis_link;

typedef struct redis_listener {
  struct accel_redis_state *state;
  accel_thread thread;
  redis_signals signals;
  accel_mutex mutex;    /* guards links, their flags and calling */
  accel_condition idle; /* a sink's call has returned */
  redis_link *links;    /* attached, or leaving until their channel is */
  char refusal[160];    /* with the mutex: what the server would not let it do for any link; "" */
  redis_link *calling;  /* whose sink is being called */
  bool hurries;         /* atomic: what was in vain may succeed now, so that no pause is due */
  bool has_to_move;     /* atomic: another endpoint is the main one */
  bool is_at_rest;      /* the thread waits and has nothing in its hands: for abandon */
  /* The thread's own: */
  redis_stream stream;         /* of the channels */
  redis_replies replies;       /* the one being read */
  char why[REDIS_SOCKET_TEXT]; /* the connection is to be given up */
  redis_backoff backoff;
  redis_tracking tracking;
  uint64_t requests, confirmations;
  uint64_t asked_ms[REDIS_LISTENER_QUESTIONS]; /* a ring: when the n-th PING was sent */
  uint64_t questions, answers;
  uint64_t proven_ms; /* when the last PING that was answered was sent */
  uint64_t next_tick_ms;
} redis_listener;

ACCEL_EXTERN_C_BEGIN

/* False: no memory, descriptors or thread; nothing is held then. */
bool accel_redis_listener_open(redis_listener *listener, struct accel_redis_state *state);
bool accel_redis_listener_start(redis_listener *listener);
/* There is something to do. Threads: any. */
void accel_redis_listener_ring(redis_listener *listener);
/* When the channel is down, unless the server answers before. The thread's own. */
uint64_t accel_redis_listener_until_ms(const redis_listener *listener);
/* Ends the thread; waits for what it is doing. */
void accel_redis_listener_stop(redis_listener *listener);
void accel_redis_listener_close(redis_listener *listener);
/* The same in a forked child, without the thread: what it was changing at the fork is left. */
void accel_redis_listener_abandon(redis_listener *listener);

/* Keeps an error reply as the reason why no channel comes up, and counts it for every link. */
void accel_redis_listener_note_refusal(redis_listener *listener, const redis_replies *replies,
                                       const char *what);
/* Copies the reason, of any link (160 bytes); false: there is none. Threads: any. */
bool accel_redis_listener_refusal(redis_listener *listener, char *text);
/* Copies the link's reason; "" if there is none. Threads: any. */
void accel_redis_listener_explain(redis_listener *listener, const redis_link *link, char *text);

/* Connects at once, if it has no connection. Threads: any. */
void accel_redis_listener_hurry(redis_listener *listener);
/* The main endpoint has changed: leaves the one that is listened to. Threads: any. */
void accel_redis_listener_move(redis_listener *listener);

/* The link's sink is called from now on, until remove returns. The link is the listener's then,
 * which frees it when its channel is left. */
void accel_redis_listener_add(redis_listener *listener, redis_link *link);
void accel_redis_listener_remove(redis_listener *listener, redis_link *link);

ACCEL_EXTERN_C_END
#endif
