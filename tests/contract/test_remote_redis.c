/* The contract of every L2, over a real Redis. Two handles stand for two processes. */
#include "remote_suite.h"

#include "accel_backends/redis.h"
#include "redis_server.h"
#include "redis_validate.h"

static redis_server server;
static accel_redis handles[2];
static redis_watch watches[2];
static accel_redis_coherence coherence;

static bool open_server(void *remotes[2])
{
  if (!redis_server_start(&server, NULL)) return false;
  for (size_t i = 0; i < 2; i++) {
    const accel_redis_config config = {.url = server.url,
                                       .command_timeout_ms = 2000,
                                       .max_value_bytes = 2u << 20,
                                       .coherence = coherence};
    if (accel_failed(accel_redis_open(&handles[i], &config))) return false;
    if (!redis_watch_start(&watches[i], &handles[i])) return false;
    remotes[i] = &handles[i];
  }
  return true;
}

static void close_server(void *remotes[2])
{
  (void)remotes;
  for (size_t i = 0; i < 2; i++) {
    assert_true(redis_watch_stop(&watches[i]));
    accel_redis_close(&handles[i]);
  }
  redis_server_stop(&server);
}

static bool stop_server(void)
{
  redis_server_kill(&server);
  return true;
}

static bool start_server(void)
{
  return redis_server_restart(&server);
}

int main(void)
{
  static const remote_suite_backend backend = {.ops = &accel_redis_ops,
                                               .has_bus = true,
                                               .max_value_bytes = 2u << 20,
                                               .open = open_server,
                                               .close = close_server,
                                               .stop = stop_server,
                                               .start = start_server};
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  int failed = remote_suite_run(&backend);
  coherence = ACCEL_TRACKING;
  failed += remote_suite_run(&backend);
  return failed;
}
