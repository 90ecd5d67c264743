/* What it takes to pack values for L2, and to stream them back.
 *
 *   encode_batch          256 values of 1 KiB into envelopes, in one batch; ms
 *   remote_stream         256 KiB back out of them, in batches of 64; MB/s
 *   remote_stream_redis   the same from a Redis server, where one answers
 *
 * The first two use an L2 in this process: what they measure is packing, checking and unpacking,
 * and no network. Besides the harness' own files each leaves target/benchmarks/bench-ID.json.
 */
#include "harness.h"

#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/fake.h"
#ifdef ACCEL_BENCH_REDIS
#include "accel_backends/redis.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256
#define CHUNK 64
#define VALUE_BYTES 1024
#define DEFINITION "256 values of 1 KiB, seed 42, one thread, version 1"

typedef struct package_t {
  unsigned char bytes[VALUE_BYTES];
} package_t;

static uint64_t package_keys[BATCH];
static package_t packages[BATCH], unpacked[CHUNK];
static accel_status unpacked_statuses[CHUNK];

static void make_packages(void)
{
  uint64_t state = 42;
  for (size_t i = 0; i < BATCH; i++) {
    package_keys[i] = i + 1;
    for (size_t k = 0; k < VALUE_BYTES; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      packages[i].bytes[k] = (unsigned char)(state >> 56);
    }
  }
}

static bool are_packages(size_t first)
{
  return memcmp(unpacked, &packages[first], sizeof unpacked) == 0;
}

/* ---- an L2 in this process ---- */

ACCEL_DEFINE_WITH(package, uint64_t, package_t, .remote = &accel_fake_ops)

static package_cache package_store;
static accel_fake fake_server;

static const char *open_fake(void *ctx)
{
  const accel_config config = {.area = "packages",
                               .mode = ACCEL_REMOTE,
                               .remote = &fake_server,
                               .remote_errors = ACCEL_PROPAGATE};
  (void)ctx;
  if (accel_fake_open(&fake_server, NULL) != ACCEL_OK) return "no memory for an L2";
  const accel_status status = package_cache_open(&package_store, &config);
  if (status == ACCEL_OK &&
      package_cache_mset(&package_store, package_keys, packages, BATCH) == ACCEL_OK)
    return NULL;
  package_cache_close(&package_store);
  accel_fake_close(&fake_server);
  return "the values could not be written";
}

static void close_fake(void *ctx)
{
  (void)ctx;
  package_cache_close(&package_store);
  accel_fake_close(&fake_server);
}

static void encode_batch(bench_loop *loop, void *ctx)
{
  accel_status worst = ACCEL_OK;
  (void)ctx;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++)
    worst |= package_cache_mset(&package_store, package_keys, packages, BATCH);
  bench_stop(loop);
  if (worst != ACCEL_OK) loop->failure = "a batch was not written";
}

typedef accel_status read_chunk_fn(size_t first);

ACCEL_INLINE void stream(bench_loop *loop, read_chunk_fn *read_chunk)
{
  accel_status worst = ACCEL_OK;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++) {
    for (size_t first = 0; first < BATCH; first += CHUNK) {
      worst |= read_chunk(first);
      bench_keep_at(unpacked);
    }
  }
  bench_stop(loop);
  if (worst != ACCEL_OK || !are_packages(BATCH - CHUNK)) loop->failure = "a value was not read";
}

static accel_status read_fake_chunk(size_t first)
{
  return package_cache_mget(&package_store, package_keys + first, CHUNK, NULL, unpacked,
                            unpacked_statuses);
}

static void stream_fake(bench_loop *loop, void *ctx)
{
  (void)ctx;
  stream(loop, read_fake_chunk);
}

/* ---- Redis ---- */

#ifdef ACCEL_BENCH_REDIS

ACCEL_DEFINE_WITH(shared_package, uint64_t, package_t, .remote = &accel_redis_ops)

static shared_package_cache shared_store;
static accel_redis redis_server;

static accel_status open_server(void)
{
  static char prefix[32];
  const char *const url = getenv("ACCELERATOR_BENCH_REDIS_URL");
  snprintf(prefix, sizeof prefix, "accel-bench-%ld", (long)getpid());
  const accel_redis_config config = {.url = url != NULL && url[0] != '\0' ? url : NULL,
                                     .key_prefix = prefix,
                                     .command_timeout_ms = 2000};
  return accel_redis_open(&redis_server, &config);
}

static void close_server(void *ctx)
{
  (void)ctx;
  shared_package_cache_mdel(&shared_store, package_keys, BATCH);
  shared_package_cache_close(&shared_store);
  accel_redis_close(&redis_server);
}

static const char *open_filled_server(void *ctx)
{
  const accel_config config = {.area = "packages",
                               .mode = ACCEL_REMOTE,
                               .remote = &redis_server,
                               .remote_errors = ACCEL_PROPAGATE};
  if (open_server() != ACCEL_OK) return "the server's address was refused";
  const accel_status status = shared_package_cache_open(&shared_store, &config);
  if (status == ACCEL_OK &&
      shared_package_cache_mset(&shared_store, package_keys, packages, BATCH) == ACCEL_OK)
    return NULL;
  close_server(ctx);
  return "the values could not be written";
}

static accel_status read_server_chunk(size_t first)
{
  return shared_package_cache_mget(&shared_store, package_keys + first, CHUNK, NULL, unpacked,
                                   unpacked_statuses);
}

static void stream_server(bench_loop *loop, void *ctx)
{
  (void)ctx;
  stream(loop, read_server_chunk);
}

static const char *server_reason(void)
{
  static char reason[512];
  const char *const url = getenv("ACCELERATOR_BENCH_REDIS_URL");
  if (url != NULL && strcmp(url, "none") == 0) return "run without Redis";
  accel_status status = open_server();
  if (status == ACCEL_OK) status = accel_redis_ping(&redis_server);
  if (status != ACCEL_OK)
    snprintf(reason, sizeof reason, "no Redis: %.400s", accel_redis_last_error(&redis_server));
  accel_redis_close(&redis_server);
  return reason[0] != '\0' ? reason : NULL;
}

#else

#define open_filled_server NULL
#define stream_server NULL
#define close_server NULL

static const char *server_reason(void)
{
  return "built without Redis (it needs hiredis)";
}

#endif

static const char *skip_reason(const bench_case *bench)
{
  return bench->is_remote ? server_reason() : NULL;
}

/* ---- the suite ---- */

static const bench_case cases[] = {
    {.group = "encode_batch",
     .definition = DEFINITION,
     .open = open_fake,
     .run = encode_batch,
     .close = close_fake,
     .elements = BATCH},
    {.group = "remote_stream",
     .definition = DEFINITION ", 64 in a batch",
     .open = open_fake,
     .run = stream_fake,
     .close = close_fake,
     .bytes = BATCH * VALUE_BYTES},
    {.group = "remote_stream_redis",
     .definition = DEFINITION ", 64 in a batch",
     .open = open_filled_server,
     .run = stream_server,
     .close = close_server,
     .bytes = BATCH * VALUE_BYTES,
     .is_remote = true},
};

static const bench_suite suite = {.name = "packaging_bench",
                                  .cases = cases,
                                  .count = sizeof cases / sizeof *cases,
                                  .accel_version = ACCEL_VERSION,
                                  .skip_reason = skip_reason,
                                  .has_summaries = true};

int main(int count, char **arguments)
{
  make_packages();
  return bench_main(&suite, BENCH_BUILD(), count, arguments);
}
