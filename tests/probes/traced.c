/* traced.c: a program that passes every probe, and prints how often, by its own counts. A name with
 * a + is of the sum of a probe's second argument; one with a < bounds the count. */
#define ACCEL_USDT
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_fake_ops)

static accel_fake fake;
static number_cache cache, other;
static uint64_t loads; /* atomic */

static void require(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "traced: %s\n", what);
  exit(1);
}

/* Key 100 takes as long as it takes until somebody waits for it. */
static accel_status load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  __atomic_fetch_add(&loads, 1, __ATOMIC_RELAXED);
  accel_metrics metrics = {0};
  while (key == 100 && metrics.load_shared == 0) number_cache_metrics_snapshot(&cache, &metrics);
  accel_thread_sleep(key == 100 ? 20000 : 0);
  *out = key;
  return key == 13 ? (accel_status)-1013 : ACCEL_OK;
}

static void *read_slow(void *unused)
{
  uint64_t out;
  (void)unused;
  accel_ignore(number_cache_get(&cache, 100, &out));
  return NULL;
}

static void open_cache(number_cache *one)
{
  const accel_config config = {
      .area = "probed", .capacity = 256, .loader_timeout_ms = 60000, .remote = &fake};
  require(number_cache_open(one, &config) == ACCEL_OK, "open");
  number_cache_set_loader(one, load, NULL);
}

static void miss_and_hit(void)
{
  uint64_t out;
  for (uint64_t key = 0; key < 20; key++) accel_ignore(number_cache_get(&cache, key, &out));
  for (int i = 0; i < 100000; i++) accel_ignore(number_cache_get(&cache, 5, &out));
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    require(pthread_create(&threads[i], NULL, read_slow, NULL) == 0, "no thread");
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

static void evict(void)
{
  const accel_write local_only = {.skip_remote = true};
  for (uint64_t key = 1000; key < 9000; key++)
    accel_ignore(number_cache_set_with(&cache, key, &local_only, &key));
}

static void await_repairs(uint64_t count)
{
  accel_metrics metrics = {0};
  while (metrics.repair_replayed < count) number_cache_metrics_snapshot(&cache, &metrics);
}

static void repair(void)
{
  const uint64_t value = 1;
  accel_fake_fail(&fake, ACCEL_FAKE_PUT, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 3);
  for (uint64_t key = 1; key <= 3; key++) accel_ignore(number_cache_set(&cache, key, &value));
  await_repairs(3);
}

static void hear(void)
{
  const uint64_t value = 1;
  for (uint64_t key = 1; key <= 5; key++) accel_ignore(number_cache_set(&other, key, &value));
  accel_ignore(number_cache_clear(&other));
  require(accel_fake_settle(&fake, 60000), "messages are not delivered");
  accel_fake_channel_down(&fake, ACCEL_FAKE_EVERY_LINK);
  accel_fake_channel_up(&fake, ACCEL_FAKE_EVERY_LINK);
  require(accel_fake_settle(&fake, 60000), "messages are not delivered");
  await_repairs(6); /* once more: while the channel was down, nobody told of late writes */
}

int main(void)
{
  accel_metrics mine, its;
  accel_diagnostic state;
  require(accel_fake_open(&fake, NULL) == ACCEL_OK, "no fake");
  open_cache(&cache);
  open_cache(&other);
  miss_and_hit();
  evict();
  repair();
  hear();
  number_cache_metrics_snapshot(&cache, &mine);
  number_cache_metrics_snapshot(&other, &its);
  number_cache_diagnostic_snapshot(&cache, &state);
  number_cache_close(&other);
  number_cache_close(&cache);
  uint64_t calls = 0;
  for (int op = 0; op < ACCEL_FAKE_OPS; op++) calls += accel_fake_calls(&fake, (accel_fake_op)op);
  printf("miss %llu\n", (unsigned long long)(mine.local_miss + its.local_miss));
  printf("load_begin %llu\nload_end %llu\n", (unsigned long long)loads, (unsigned long long)loads);
  printf("remote %llu\n", (unsigned long long)calls);
  printf("wait %llu\n", (unsigned long long)state.wait.count);
  printf("epoch %llu\n", (unsigned long long)(mine.epoch_raised + its.epoch_raised));
  printf("invalidate %llu\n",
         (unsigned long long)(mine.invalidation_receive + its.invalidation_receive));
  printf("repair+ %llu\n", (unsigned long long)(mine.repair_replayed + its.repair_replayed));
  printf("channel 6\n"); /* each of two caches: up, down, up */
  printf("evict< %llu\n",
         (unsigned long long)((mine.local_evictions + mine.local_expirations) / 64));
  printf("hit_sample< %llu\n", (unsigned long long)(mine.local_hit / 1024 * 2));
  accel_fake_close(&fake);
  return 0;
}
