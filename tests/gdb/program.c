/* A program for gdb to look into: two caches, a Redis that hangs, a load that takes its time. It
 * calls stopped() when all of that is there, with the connection locked, so that what it holds
 * stays as it is. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/redis.h"
#include "redis_server.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LONG_KEY "a key that has more bytes than its place in the table"
#define MANY 1200u  /* more requests than a connection has slots */
#define FILLERS 50u /* so that sets have more entries than half of their ways */

typedef struct user_t {
  uint64_t id;
  char name[24];
} user_t;

typedef struct visits_t {
  uint32_t count;
} visits_t;

ACCEL_DEFINE_WITH(user, uint64_t, user_t, .remote = &accel_redis_ops)
ACCEL_DEFINE_STR(page, visits_t)

static redis_server server;
static accel_redis redis;
static user_cache users;
static page_cache pages;
static sem_t loading, never;

void stopped(const char *server_url);
__attribute__((noinline)) void stopped(const char *server_url)
{
  __asm__ volatile("" : : "r"(server_url) : "memory");
}

static void check(accel_status status, const char *what)
{
  if (status == ACCEL_OK) return;
  fprintf(stderr, "%s: %s\n", what, accel_status_name(status));
  exit(EXIT_FAILURE);
}

static accel_status load_user(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  (void)out;
  if (id == 404) return ACCEL_NULL;
  sem_post(&loading);
  sem_wait(&never);
  return ACCEL_ERR_LOADER;
}

static void *read_slowly(void *unused)
{
  user_t user;
  accel_status status = user_cache_get(&users, 7007, &user);
  (void)status;
  return unused;
}

static void *read_in_vain(void *unused)
{
  const accel_read no_load = {.disable_load = true};
  user_t user;
  accel_status status = user_cache_get_with(&users, 8008, &no_load, &user);
  (void)status;
  return unused;
}

static void open_all(void)
{
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = 60000};
  check(accel_redis_open(&redis, &where), "open Redis");
  const accel_config config = {
      .area = "people",
      .capacity = 64,
      .loader_timeout_ms = ACCEL_FOREVER,
      .no_lease = true,
      .no_ttl_jitter = true,
      .local_ttl_ms = 600000,
      .remote_ttl_ms = 600000,
      .remote = &redis,
  };
  check(user_cache_open(&users, &config), "open users");
  user_cache_set_loader(&users, load_user, NULL);
  const accel_config local = {
      .area = "pages", .capacity = 64, .local_ttl_ms = ACCEL_FOREVER, .no_ttl_jitter = true};
  check(page_cache_open(&pages, &local), "open pages");
}

static void fill(void)
{
  static page_cache_ref held;
  user_t user;
  for (uint64_t i = 0; i < MANY; i++)
    check(user_cache_set(&users, 1001, &(user_t){.id = i, .name = "ada"}), "set");
  if (user_cache_get(&users, 404, &user) != ACCEL_NULL) check(ACCEL_ERR_LOADER, "get 404");
  accel_flat_ops.expire_all(users.base.local);
  check(page_cache_set(&pages, "held", &(visits_t){.count = 3}), "set held");
  check(page_cache_get_ref(&pages, "held", &held), "get_ref");
  check(page_cache_del(&pages, "held"), "del held");
  check(page_cache_set(&pages, "old", &(visits_t){.count = 4}), "set old");
  accel_flat_ops.expire_all(pages.base.local);
  check(page_cache_set(&pages, "home", &(visits_t){.count = 5}), "set home");
  check(page_cache_set(&pages, LONG_KEY, &(visits_t){.count = 6}), "set a long key");
  for (uint32_t i = 0; i < FILLERS; i++) {
    char key[16];
    snprintf(key, sizeof key, "filler %u", i);
    check(page_cache_set(&pages, key, &(visits_t){.count = i}), "set a filler");
  }
}

/* A thread, or the end. */
static void start(void *(*function)(void *))
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, function, NULL) != 0) exit(EXIT_FAILURE);
  pthread_detach(thread);
}

/* Returns with the connection locked, while a read of the frozen server is in flight. */
static void await_flying(redis_connection *connection)
{
  for (;;) {
    accel_mutex_lock(&connection->mutex);
    if (connection->submitted != connection->completed) return;
    accel_mutex_unlock(&connection->mutex);
    usleep(1000);
  }
}

int main(void)
{
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  if (!redis_server_start(&server, NULL)) return EXIT_FAILURE;
  sem_init(&loading, 0, 0);
  sem_init(&never, 0, 0);
  open_all();
  fill();
  start(read_slowly);
  sem_wait(&loading);
  redis_server_freeze(&server);
  start(read_in_vain);
  await_flying(redis_endpoint_data(redis.state->route.endpoints[0]));
  stopped(server.url);
  redis_server_stop(&server);
  _exit(EXIT_SUCCESS);
}
