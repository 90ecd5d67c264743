/* hearing.h: the listener's state, and what its connection receives (backend redis).
 *
 * The sinks of the caches are called here and nowhere else: never with the listener's mutex held,
 * and a subscription whose sink is being called stays until the sink returns.
 *
 * Threads: the listener's own, where a function says nothing else.
 */
#ifndef ACCEL_BACKENDS_REDIS_HEARING_H
#define ACCEL_BACKENDS_REDIS_HEARING_H

#include "../server/server.h"
#include "../wire/wire.h"
#include "tracking.h"

#define REDIS_LISTENER_TICK_MS 1000u /* between PINGs, and between heartbeats */
#define REDIS_LISTENER_PROOF_MS \
  REDIS_TRACKING_PROOF_MS                /* since the last PING that was answered was sent */
#define REDIS_LISTENER_QUESTIONS 8u      /* PINGs that may be unanswered: more than fit into that */
#define REDIS_LISTENER_REFUSED_MS 2000u  /* until a refused channel is asked for again */
#define REDIS_LISTENER_TEXT_MAX 1048576u /* bytes of one message */

/* A cache's subscription to its channel. */
typedef struct redis_subscription {
  redis_link link; /* the first member, which attach.c gives out */
  bool is_leaving, is_up;
  uint64_t request; /* the number of its SUBSCRIBE; 0: not sent, or refused */
  uint64_t next_request_ms;
  char refusal[160]; /* with the mutex: why SUBSCRIBE was refused; "" */
  struct redis_subscription *next;
} redis_subscription;

typedef struct redis_listener {
  const redis_settings *settings;
  redis_route *route;
  accel_thread thread;
  redis_signals signals;
  accel_mutex mutex;                 /* guards subscriptions, their flags and calling */
  accel_condition idle;              /* a sink's call has returned */
  redis_subscription *subscriptions; /* attached, or leaving until UNSUBSCRIBE is sent */
  char refusal[160];                 /* with the mutex: what the server refused, for all; "" */
  redis_subscription *calling;       /* whose sink is being called */
  bool must_reconnect;               /* atomic: connect now, without the rest of the pause */
  bool must_move;                    /* atomic: another endpoint became the main one */
  bool is_polling;                   /* the thread is in poll and changes nothing: for abandon */
  /* The thread's own: */
  redis_stream stream;         /* subscribed to the channels */
  redis_replies replies;       /* the one being read */
  char why[REDIS_SOCKET_TEXT]; /* why the connection is given up */
  redis_backoff backoff;
  redis_tracking tracking;
  uint64_t requests, confirmations;
  uint64_t asked_ms[REDIS_LISTENER_QUESTIONS]; /* a ring: when the n-th PING was sent */
  uint64_t questions, answers;
  uint64_t proven_ms; /* when the last PING that was answered was sent */
  uint64_t next_tick_ms;
} redis_listener;

typedef void redis_hearing_visit(redis_listener *listener, redis_subscription *subscription,
                                 void *ctx);

ACCEL_EXTERN_C_BEGIN

/* Calls `visit` for every subscription that is not leaving. */
void accel_redis_hearing_each(redis_listener *listener, redis_hearing_visit *visit, void *ctx);
/* Tells the logs of all links why no channel is up, or is about to be lost. */
void accel_redis_hearing_tell_all_lost(redis_listener *listener, const char *why);
/* Tells all sinks that the connection is lost, `why`. */
void accel_redis_hearing_tell_all_down(redis_listener *listener, const char *why);
/* AUTH was refused: keeps the text as the reason, and counts it for every link. */
void accel_redis_hearing_note_sign_in(redis_listener *listener, const char *text);
/* Keeps an error reply to `what` as the reason why no channel comes up, and counts it for every
 * link. */
void accel_redis_hearing_note_refusal(redis_listener *listener, const redis_replies *replies,
                                      const char *what);
/* Copies the reason of any link (160 bytes). False: there is none. Threads: any. */
bool accel_redis_hearing_refusal(redis_listener *listener, char *text);
/* Copies the link's reason; "" if there is none. Threads: any. */
void accel_redis_hearing_explain(redis_listener *listener, const redis_subscription *subscription,
                                 char *text);

/* Handles what has arrived. False: the connection cannot be trusted any more. */
bool accel_redis_hearing_take_replies(redis_listener *listener);

ACCEL_EXTERN_C_END
#endif
