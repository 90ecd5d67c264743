/* proxy.h: stands between a client and a server on loopback, and does to their bytes what networks
 * and broken peers do.
 *
 * A test opens it in front of a server, gives its url to the client, and changes the rules while
 * both talk. Two kinds of rules:
 * - A flow lasts: bytes of one direction come late, slowly, or in small pieces.
 * - A trip happens once: when so many bytes have passed since it was armed, the connection is
 *   closed, reset or falls silent, or a byte is changed. Replies can be exchanged and dropped.
 *
 * What comes from the server is taken apart into whole RESP replies, so that they can be exchanged;
 * a reply is passed on when all of it is there.
 *
 * Threads: one thread of the proxy's moves all bytes; all functions but open and close any.
 */
#ifndef PROXY_H
#define PROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum proxy_direction { PROXY_REQUESTS, PROXY_REPLIES } proxy_direction;

/* Which connections a rule is about: those that have subscribed to something, or the others. */
typedef enum proxy_target { PROXY_ALL, PROXY_DATA, PROXY_LISTENER } proxy_target;

typedef struct proxy_flow {
  unsigned latency_ms;       /* from arrival to departure */
  unsigned bytes_per_second; /* 0: no limit */
  unsigned slice_bytes;      /* at most so many at once; 0: as they come */
  unsigned slice_pause_ms;   /* between two of these */
} proxy_flow;

typedef enum proxy_trip_kind {
  PROXY_NO_TRIP,
  PROXY_CLOSE,   /* both sides, in order: what was sent before arrives */
  PROXY_RESET,   /* both sides */
  PROXY_SILENCE, /* no packet passes any more, in neither direction; nobody is told */
  PROXY_FLIP     /* the next byte is changed */
} proxy_trip_kind;

typedef struct proxy_trip {
  proxy_trip_kind kind;
  proxy_direction direction;
  proxy_target target;
  uint64_t after_bytes; /* of all such connections, from now on, without those that wait already */
  uint8_t flip;         /* the bits to change */
} proxy_trip;

typedef struct proxy_counts {
  unsigned accepted;          /* connections, ever */
  unsigned open;              /* now */
  unsigned trips;             /* that happened */
  unsigned exchanged;         /* pairs of replies */
  unsigned dropped;           /* replies */
  bool detains;               /* as proxy_detain asked */
  unsigned outlived;          /* connections whose client has gone, with requests to pass on */
  uint64_t requests, replies; /* bytes passed on */
} proxy_counts;

struct proxy_pair;

typedef struct proxy {
  int port;
  char url[64];
  /* Private. */
  int target_port, listener, bell;
  pthread_t thread;
  pthread_mutex_t mutex; /* guards what follows */
  bool ends, refuses, silences, detains, releases;
  proxy_target detain_target;
  proxy_flow flows[2];
  proxy_target flow_target[2];
  proxy_trip trip;
  unsigned exchanges, drops;
  proxy_target exchange_target, drop_target;
  proxy_trip_kind cut;
  proxy_target cut_target;
  proxy_counts counts;
  struct proxy_pair *pairs; /* of the thread */
} proxy;

/* In front of 127.0.0.1:target_port, at a free port. False: no socket or thread. */
bool proxy_open(proxy *proxy_, int target_port);
void proxy_close(proxy *proxy_);

/* Everything passes again; connections that fell silent are reset. */
void proxy_heal(proxy *proxy_);
void proxy_set_flow(proxy *proxy_, proxy_direction direction, proxy_target target,
                    const proxy_flow *flow);
void proxy_arm(proxy *proxy_, const proxy_trip *trip);
/* The present connections end now, in the given way (not PROXY_FLIP). */
void proxy_cut(proxy *proxy_, proxy_trip_kind kind, proxy_target target);
/* New connections are accepted and reset at once. */
void proxy_refuse(proxy *proxy_, bool refuses);
/* New connections are accepted, and nothing passes on them. */
void proxy_silence(proxy *proxy_, bool silences);
/* Of the next `count` pairs of replies that follow each other on one connection the second comes
 * first. The first is held back until the second is there. */
void proxy_exchange(proxy *proxy_, proxy_target target, unsigned count);
/* The next `count` replies, or messages, are not passed on. */
void proxy_drop(proxy *proxy_, proxy_target target, unsigned count);

/* What clients send on the present connections stays here until proxy_release, and is then passed
 * on, also of clients that have closed or reset their connection meanwhile: as proxies, TLS
 * terminators and kernels do. A cut ends their client's side only. Replies pass. */
void proxy_detain(proxy *proxy_, proxy_target target);
void proxy_release(proxy *proxy_);

proxy_counts proxy_look(proxy *proxy_);

#endif
