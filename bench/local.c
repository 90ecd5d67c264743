/* What the L1 engines cost: nanoseconds per operation on 64-byte values under integer keys, one
 * thread, and bytes per entry beyond key and value. Each figure is the median of seven rounds;
 * compare only what was measured in one run. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/flat/flat.h"
#include "accel_backends/uthash/uthash_lru.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 7
#define DRAWS (1u << 20)
#define SEED 0x5EED5EED5EED5EEDu

typedef struct bench_value {
  uint64_t words[8];
} bench_value;

/* ---- the type, as ACCEL_DEFINE would write it ---- */

static accel_traits bench_traits(void)
{
  const accel_traits traits = {0};
  return traits;
}

static uint64_t bench_hash(const void *key, uint64_t seed)
{
  return accel_hash_integer(*(const uint64_t *)key, seed);
}

static bool bench_equal(const void *a, const void *b)
{
  return *(const uint64_t *)a == *(const uint64_t *)b;
}

static bool bench_copy(void *to, const void *from)
{
  memcpy(to, from, sizeof(bench_value));
  return true;
}

static void bench_drop(void *value)
{
  (void)value;
}

static uint32_t bench_weigh(const void *key, const void *value)
{
  (void)key;
  (void)value;
  return 1;
}

static const accel_type bench_type = {
    .name = "bench",
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(bench_value),
    .value_align = _Alignof(bench_value),
    .key_kind = ACCEL_KEY_UNSIGNED,
    .traits = bench_traits,
    .hash = bench_hash,
    .equal = bench_equal,
    .copy = bench_copy,
    .drop = bench_drop,
    .weigh = bench_weigh,
};

/* ---- keys ---- */

static uint64_t random_state = 1;

static uint64_t draw(void)
{
  random_state += 0x9E3779B97F4A7C15u;
  return accel_hash_fold(random_state, 0xD6E8FEB86659FD93u);
}

static void draw_uniform(uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < DRAWS; i++) keys[i] = draw() % count;
}

/* Rank r is drawn with a probability in proportion to r^-0.99. */
static bool draw_zipf(uint64_t *keys, size_t count)
{
  double *sums = (double *)malloc(count * sizeof *sums);
  if (sums == NULL) return false;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sums[i] = sum += pow((double)i + 1, -0.99);
  for (size_t i = 0; i < DRAWS; i++) {
    const double wanted = (double)(draw() >> 11) * 0x1p-53 * sum;
    size_t low = 0, high = count - 1;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (sums[middle] < wanted)
        low = middle + 1;
      else
        high = middle;
    }
    keys[i] = low * 0x9E3779B1u % count; /* neighbours in rank are not neighbours in memory */
  }
  free(sums);
  return true;
}

/* ---- one round of each kind ---- */

static uint64_t sink;

ACCEL_INLINE void get_all(const accel_local_ops *ops, accel_local *local, const uint64_t *keys,
                          uint64_t offset)
{
  bench_value value = {{0}};
  for (size_t i = 0; i < DRAWS; i++) {
    const uint64_t key = keys[i] + offset;
    const uint64_t hash = bench_hash(&key, SEED);
    if (ops == &accel_flat_ops)
      accel_flat_get(local, &bench_type, &key, hash, &value);
    else
      ops->get(local, &bench_type, &key, hash, &value);
    sink += value.words[0];
  }
}

static void set_one(const accel_local_ops *ops, accel_local *local, uint64_t key,
                    const accel_lifetime *life)
{
  const bench_value value = {{key, key}};
  const uint64_t hash = bench_hash(&key, SEED);
  ops->set(local, &bench_type, &key, hash, &value, life, NULL);
}

typedef struct bench {
  const accel_local_ops *ops;
  accel_local *local;
  const uint64_t *keys;
  uint64_t next_new;
  accel_lifetime life;
} bench;

static void round_get(bench *run)
{
  if (run->ops == &accel_flat_ops)
    get_all(&accel_flat_ops, run->local, run->keys, 0);
  else
    get_all(run->ops, run->local, run->keys, 0);
}

static void round_miss(bench *run)
{
  if (run->ops == &accel_flat_ops)
    get_all(&accel_flat_ops, run->local, run->keys, (uint64_t)1 << 40);
  else
    get_all(run->ops, run->local, run->keys, (uint64_t)1 << 40);
}

static void round_update(bench *run)
{
  for (size_t i = 0; i < DRAWS; i++) set_one(run->ops, run->local, run->keys[i], &run->life);
}

static void round_insert(bench *run)
{
  for (size_t i = 0; i < DRAWS; i++) set_one(run->ops, run->local, run->next_new++, &run->life);
}

static int compare_doubles(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double median_ns(bench *run, void (*round)(bench *run))
{
  double results[ROUNDS];
  for (size_t i = 0; i < ROUNDS; i++) {
    const uint64_t start = accel_clock_monotonic_ns();
    round(run);
    results[i] = (double)(accel_clock_monotonic_ns() - start) / DRAWS;
  }
  qsort(results, ROUNDS, sizeof *results, compare_doubles);
  return results[ROUNDS / 2];
}

/* ---- one engine ---- */

static bool measure(const accel_local_ops *ops, size_t count, const uint64_t *zipf,
                    const uint64_t *uniform, uint32_t ttl_ms)
{
  bench run = {.ops = ops, .next_new = (uint64_t)1 << 50};
  run.life = accel_ttl_lifetime(accel_clock_read(NULL), ttl_ms, 0);
  const accel_local_config config = {
      .type = &bench_type, .owner = &run, .capacity = count, .seed = SEED};
  if (ops->open(&config, &run.local) != ACCEL_OK) return false;
  for (uint64_t key = 0; key < count; key++) set_one(ops, run.local, key, &run.life);
  accel_local_stats stats;
  ops->stats(run.local, &stats);
  const double content = sizeof(uint64_t) + sizeof(bench_value);
  const double overhead = (double)stats.memory_bytes / (double)stats.entries - content;
  const uint64_t one_key[1] = {uniform[0]};
  uint64_t *hot = (uint64_t *)malloc(DRAWS * sizeof *hot);
  if (hot == NULL) return false;
  for (size_t i = 0; i < DRAWS; i++) hot[i] = one_key[0];

  printf("%-8s %7zu %7s", ops->name, count, ttl_ms == ACCEL_FOREVER ? "never" : "1 h");
  run.keys = zipf;
  printf(" %8.1f", median_ns(&run, round_get));
  run.keys = uniform;
  printf(" %8.1f", median_ns(&run, round_get));
  run.keys = hot;
  printf(" %8.1f", median_ns(&run, round_get));
  run.keys = uniform;
  printf(" %8.1f", median_ns(&run, round_miss));
  printf(" %8.1f", median_ns(&run, round_update));
  printf(" %8.1f", median_ns(&run, round_insert));
  printf(" %8.1f %6.1f %%\n", overhead, 100.0 * (double)stats.entries / (double)count);
  free(hot);
  ops->close(run.local, &bench_type);
  return true;
}

int main(void)
{
  static const size_t counts[] = {3000, 100000};
  uint64_t *zipf = (uint64_t *)malloc(DRAWS * sizeof *zipf);
  uint64_t *uniform = (uint64_t *)malloc(DRAWS * sizeof *uniform);
  if (zipf == NULL || uniform == NULL) return 1;
  printf("%-8s %7s %7s %8s %8s %8s %8s %8s %8s %8s %8s\n", "engine", "entries", "expires", "zipf",
         "uniform", "one key", "miss", "update", "insert", "bytes", "resident");
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (!draw_zipf(zipf, counts[i])) return 1;
    draw_uniform(uniform, counts[i]);
    if (!measure(&accel_flat_ops, counts[i], zipf, uniform, ACCEL_FOREVER)) return 1;
    if (!measure(&accel_flat_ops, counts[i], zipf, uniform, 3600000)) return 1;
    if (!measure(&accel_uthash_ops, counts[i], zipf, uniform, ACCEL_FOREVER)) return 1;
  }
  free(uniform);
  free(zipf);
  return sink == 42; /* never: the sums must not be optimised away */
}
