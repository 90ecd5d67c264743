/* remote.h: what the parts of remote_bench share: the world they measure in, and their rows.
 *
 * A row compares the library with bare hiredis on the same server, or with a limit in
 * milliseconds. Every round measures both sides, one directly after the other, the first of them
 * in turn, so that what slows the machine down slows both; the row's figure is the median of the
 * rounds' ratios.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include "accel.h"
#include "accel_backends/redis.h"

#include <hiredis/hiredis.h>

#define REMOTE_ROUNDS_MAX 99
#define REMOTE_AREA "remote_bench"
#define REMOTE_KEYS 4096u /* present in L2, and under names of their own for the bare side */

typedef struct user_t {
  uint64_t words[12]; /* the first is the id */
} user_t;

ACCEL_DECLARE(user, uint64_t, user_t)

typedef struct remote_options {
  const char *url; /* NULL: a server of our own */
  const char *csv, *filter;
  unsigned rounds, threads, stopped_seconds;
  bool is_quick;
} remote_options;

/* One line of the table. Without `bare` values it has no other side. */
typedef struct remote_row {
  const char *name, *unit;
  bool more_is_better;
  double at_least, aim; /* of the ratio, or of the value where there is no other side; 0: none */
  unsigned rounds;
  double ours[REMOTE_ROUNDS_MAX], bare[REMOTE_ROUNDS_MAX];
  bool has_bare;
} remote_row;

typedef struct remote_world {
  remote_options options;
  const char *url;
  bool is_own_server;
  accel_redis redis; /* patient: what is measured is the way there and back, not its limit */
  uint64_t next_id;  /* of keys that nobody has used */
  uint64_t failures; /* answers that were not the value asked for: atomic */
} remote_world;

/* ---- world.c ---- */

/* Starts a server where none is given, and no thread. False: said why. */
bool remote_world_start(remote_world *world);
/* Connects, and writes what is to be read. False: said why. */
bool remote_world_open(remote_world *world);
/* After either, also one that failed. */
void remote_world_close(remote_world *world);
/* A cache in the given mode on world->redis, or on `redis_or_null`. */
bool remote_cache_open(remote_world *world, accel_redis *redis_or_null, accel_mode mode,
                       uint32_t loader_timeout_ms, user_cache *cache);
/* A connection as somebody without the library would use it. NULL: said why. */
redisContext *remote_bare_open(const remote_world *world);
bool remote_bare_get(redisContext *bare, uint64_t id, user_t *out);
bool remote_bare_set(redisContext *bare, uint64_t id, const user_t *user);
user_t remote_user(uint64_t id);
void remote_server_freeze(void);
void remote_server_thaw(void);

/* Sorts; the value below which the share `q` of them lies. */
double remote_quantile(double *values, size_t count, double q);
double remote_seconds(void);
/* Of processors, that this process has used; the server is another process. */
double remote_cpu_seconds(void);
void remote_sleep_us(unsigned us);

/* ---- the rows: each measures all of its rounds; false: said why ---- */

bool remote_measure_single(remote_world *world, remote_row *rows);  /* single.c: 2 */
bool remote_measure_mget(remote_world *world, remote_row *row);     /* single.c */
bool remote_measure_miss(remote_world *world, remote_row *rows);    /* single.c: 2 */
bool remote_measure_threads(remote_world *world, remote_row *rows); /* threads.c: 2 */
/* Forks the process that reads; before any thread is started. */
bool remote_staleness_fork(remote_world *world);                      /* staleness.c */
bool remote_measure_staleness(remote_world *world, remote_row *rows); /* staleness.c: 3 */
bool remote_measure_stopped(remote_world *world, remote_row *rows);   /* stopped.c: 5 */

#endif
