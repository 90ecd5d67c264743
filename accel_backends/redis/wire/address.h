/* address.h: where a server is, and how its name becomes addresses (backend redis).
 *
 * The system's resolver can neither be given a deadline nor be stopped, so it runs on a thread of
 * its own, at most one per address, and only if the host is a name. A thread that connects waits
 * for it within the time limit; when it fails or is late, the addresses that were good before are
 * tried. A look-up that outlives its address is left alone and frees what it holds by itself. Host
 * and port never change: an endpoint whose server is replaced gets another address. An address made
 * by `make` is freed when the last of its holders releases it.
 *
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_ADDRESS_H
#define ACCEL_BACKENDS_REDIS_ADDRESS_H

#include "../../../accel/platform/thread.h"

#include <sys/socket.h>

#define REDIS_ADDRESS_HOST_SIZE 256
#define REDIS_ADDRESS_PORT_SIZE 8
#define REDIS_ADDRESS_FOUND_MAX 8 /* addresses of one name; more are not tried */
#define REDIS_ADDRESS_TEXT 96     /* bytes of a failure's text */

typedef struct redis_address_one {
  struct sockaddr_storage address;
  socklen_t size;
} redis_address_one;

typedef struct redis_address_list {
  redis_address_one found[REDIS_ADDRESS_FOUND_MAX];
  size_t count;
} redis_address_list;

typedef struct redis_lookup redis_lookup;

typedef struct redis_address {
  char host[REDIS_ADDRESS_HOST_SIZE]; /* a name, an address without brackets, or a path */
  char port[REDIS_ADDRESS_PORT_SIZE]; /* "": the host is the path of a unix socket */
  accel_mutex mutex;                  /* guards what follows */
  redis_address_list known;           /* the last that the resolver gave; the last good first */
  redis_lookup *lookup;               /* under way; NULL: none */
  uint32_t holders;                   /* atomic; of one that was made */
} redis_address;

ACCEL_EXTERN_C_BEGIN

/* False: no memory, or a text is too long. port NULL: a unix socket. */
bool accel_redis_address_open(redis_address *address, const char *host, const char *port);
/* Waits for a look-up until the deadline at most. */
void accel_redis_address_close(redis_address *address, uint64_t deadline_ms);
/* One that its maker holds. NULL: no memory, or a text is too long. */
redis_address *accel_redis_address_make(const char *host, const char *port);
void accel_redis_address_hold(redis_address *address);
/* The last one waits for a look-up until the deadline at most. */
void accel_redis_address_release(redis_address *address, uint64_t deadline_ms);
/* As close in a forked child, where no other thread is and the mutex may be held. */
void accel_redis_address_abandon(redis_address *address);

/* The addresses to try. False: there are none, and `error` (REDIS_ADDRESS_TEXT bytes) says why.
 * Returns early, with what is known, when stop_fd (-1: none) becomes readable. */
bool accel_redis_address_find(redis_address *address, int stop_fd, uint64_t deadline_ms,
                              redis_address_list *out, char *error);
/* Tries this address first from now on: it answered. */
void accel_redis_address_prefer(redis_address *address, const redis_address_one *good);

ACCEL_EXTERN_C_END
#endif
