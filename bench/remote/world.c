#define ACCEL_IMPLEMENTATION
#include "remote.h"

#include "redis_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>

ACCEL_IMPLEMENT_WITH(user, .remote = &accel_redis_ops)

static redis_server world_server;

user_t remote_user(uint64_t id)
{
  user_t user;
  for (size_t i = 0; i < sizeof user.words / sizeof *user.words; i++) user.words[i] = id + i;
  return user;
}

/* Also the part of a URL that bare hiredis understands: host and port. */
static bool world_address(const char *url, char *host, size_t size, int *port)
{
  static const char scheme[] = "redis://";
  if (strncmp(url, scheme, sizeof scheme - 1) != 0) return false;
  const char *start = url + sizeof scheme - 1;
  const size_t length = strcspn(start, ":/");
  if (length == 0 || length >= size || strchr(start, '@') != NULL) return false;
  memcpy(host, start, length);
  host[length] = '\0';
  *port = start[length] == ':' ? (int)strtol(start + length + 1, NULL, 10) : 6379;
  return *port > 0;
}

redisContext *remote_bare_open(const remote_world *world)
{
  char host[256];
  int port;
  if (!world_address(world->url, host, sizeof host, &port)) {
    fprintf(stderr, "remote_bench: --url is redis://HOST[:PORT], not %s\n", world->url);
    return NULL;
  }
  redisContext *bare = redisConnect(host, port);
  if (bare != NULL && bare->err == 0) return bare;
  fprintf(stderr, "remote_bench: %s: %s\n", world->url, bare == NULL ? "no memory" : bare->errstr);
  if (bare != NULL) redisFree(bare);
  return NULL;
}

bool remote_bare_get(redisContext *bare, uint64_t id, user_t *out)
{
  redisReply *reply = (redisReply *)redisCommand(bare, "GET " REMOTE_AREA ".bare:%" PRIu64, id);
  if (reply == NULL) return false;
  const bool is_there = reply->type == REDIS_REPLY_STRING && reply->len == sizeof *out;
  if (is_there) memcpy(out, reply->str, sizeof *out);
  freeReplyObject(reply);
  return is_there;
}

bool remote_bare_set(redisContext *bare, uint64_t id, const user_t *user)
{
  redisReply *reply =
      (redisReply *)redisCommand(bare, "SET " REMOTE_AREA ".bare:%" PRIu64 " %b PX 3600000", id,
                                 (const void *)user, sizeof *user);
  const bool is_done = reply != NULL && reply->type == REDIS_REPLY_STATUS;
  if (reply != NULL) freeReplyObject(reply);
  return is_done;
}

static accel_status world_load(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  *out = remote_user(id);
  return ACCEL_OK;
}

bool remote_cache_open(remote_world *world, accel_redis *redis_or_null, accel_mode mode,
                       uint32_t loader_timeout_ms, user_cache *cache)
{
  const accel_config config = {.area = REMOTE_AREA,
                               .mode = mode,
                               .remote_ttl_ms = 3600000,
                               .loader_timeout_ms = loader_timeout_ms,
                               .remote = redis_or_null == NULL ? &world->redis : redis_or_null};
  if (user_cache_open(cache, &config) == ACCEL_OK) {
    user_cache_set_loader(cache, world_load, NULL);
    return true;
  }
  fprintf(stderr, "remote_bench: %s\n", user_cache_last_error(cache));
  return false;
}

/* The same values for both sides. */
static bool world_fill(remote_world *world)
{
  user_cache cache;
  redisContext *bare = remote_bare_open(world);
  if (bare == NULL) return false;
  bool is_done = remote_cache_open(world, NULL, ACCEL_REMOTE, ACCEL_FOREVER, &cache);
  for (uint64_t id = 0; id < REMOTE_KEYS && is_done; id++) {
    const user_t user = remote_user(id);
    is_done = remote_bare_set(bare, id, &user) && user_cache_set(&cache, id, &user) == ACCEL_OK;
  }
  if (!is_done) fprintf(stderr, "remote_bench: the keys could not be written\n");
  user_cache_close(&cache);
  redisFree(bare);
  return is_done;
}

static bool world_connect(remote_world *world)
{
  const accel_redis_config config = {.url = world->url, .command_timeout_ms = 2000};
  if (accel_redis_open(&world->redis, &config) == ACCEL_OK &&
      accel_redis_ping(&world->redis) == ACCEL_OK)
    return true;
  fprintf(stderr, "remote_bench: %s\n", accel_redis_last_error(&world->redis));
  return false;
}

bool remote_world_start(remote_world *world)
{
  world->url = world->options.url;
  world->next_id = 1ull << 40;
  if (world->url == NULL) {
    if (!redis_server_available() || !redis_server_start(&world_server, NULL)) return false;
    world->url = world_server.url;
    world->is_own_server = true;
  }
  return true;
}

bool remote_world_open(remote_world *world)
{
  return world_connect(world) && world_fill(world);
}

void remote_world_close(remote_world *world)
{
  user_cache cache;
  if (!world->is_own_server && world->redis.state != NULL &&
      remote_cache_open(world, NULL, ACCEL_REMOTE, ACCEL_FOREVER, &cache)) {
    user_cache_clear(&cache); /* the bare side's keys end by themselves, within the hour */
    user_cache_close(&cache);
  }
  accel_redis_close(&world->redis);
  if (world->is_own_server) redis_server_stop(&world_server);
}

void remote_server_freeze(void)
{
  redis_server_freeze(&world_server);
}

void remote_server_thaw(void)
{
  redis_server_thaw(&world_server);
}

static int compare_doubles(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

double remote_quantile(double *values, size_t count, double q)
{
  if (count == 0) return 0;
  qsort(values, count, sizeof *values, compare_doubles);
  const size_t at = (size_t)(q * (double)count);
  return values[at < count ? at : count - 1];
}

double remote_seconds(void)
{
  return (double)accel_clock_monotonic_ns() / 1e9;
}

double remote_cpu_seconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void remote_sleep_us(unsigned us)
{
  const struct timespec pause = {us / 1000000, (long)(us % 1000000) * 1000};
  nanosleep(&pause, NULL);
}
