/* proxy_pair.h: one connection through the proxy: its two directions, and what the rules do there.
 *
 * Threads: the proxy's, with its mutex held.
 */
#ifndef PROXY_PAIR_H
#define PROXY_PAIR_H

#include "proxy.h"

typedef struct bytes {
  char *data;
  size_t size, capacity;
} bytes;

/* Bytes that wait for their departure. */
typedef struct chunk {
  uint64_t due_ns;
  size_t size, sent;
  struct chunk *next;
  char data[];
} chunk;

/* One direction of one connection. */
typedef struct pipe_ {
  int from, to;
  bool has_ended;  /* `from` said so */
  bytes held;      /* what is not a whole reply yet; of replies only */
  bytes kept_back; /* the reply that is to come second */
  chunk *first, *last;
  size_t waiting;   /* bytes in chunks */
  uint64_t next_ns; /* no departure before */
  bool is_clogged;  /* `to` took less than it was given */
} pipe_;

typedef struct proxy_pair {
  struct proxy_pair *next;
  pipe_ pipes[2];
  bool is_listener, is_silent, is_over;
  bool is_detained, outlives; /* requests stay here; the client's end does not end it */
  int polled;                 /* index of its two pollfds */
} proxy_pair;

uint64_t proxy_now_ns(void);
/* A realloc that does not fail: aborts. */
void *proxy_grown(void *memory, size_t size);
/* Lets the mutex go, and wakes the thread. */
void proxy_unlock(proxy *proxy_);

bool proxy_is_about(const proxy_pair *pair, proxy_target target);
/* Takes a client, and connects for it. */
void proxy_accept(proxy *proxy_);
void proxy_pair_end(proxy_pair *pair, proxy_trip_kind kind);
void proxy_pair_free(proxy_pair *pair);

void proxy_pipe_queue(pipe_ *pipe, const char *data, size_t size, uint64_t due_ns);
void proxy_pipe_read(proxy *proxy_, proxy_pair *pair, proxy_direction direction);
/* Sends what is due. */
void proxy_pipe_write(proxy *proxy_, proxy_pair *pair, proxy_direction direction);

#endif
