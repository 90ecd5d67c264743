#include "keys.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define EXPONENT 0.99

uint64_t bench_random_next(bench_random *random)
{
  random->state += 0x9E3779B97F4A7C15u;
  return bench_keys_scatter(random->state);
}

/* Each step can be undone, so no two numbers meet. */
uint64_t bench_keys_scatter(uint64_t n)
{
  n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9u;
  n = (n ^ (n >> 27)) * 0x94D049BB133111EBu;
  return n ^ (n >> 31);
}

static void shuffle(uint64_t *keys, size_t count)
{
  bench_random random = {11};
  for (size_t i = count; i > 1; i--) {
    const size_t other = (size_t)(bench_random_next(&random) % i);
    const uint64_t key = keys[i - 1];
    keys[i - 1] = keys[other];
    keys[other] = key;
  }
}

uint64_t *bench_keys_make(size_t count)
{
  uint64_t *keys = (uint64_t *)calloc(count, sizeof *keys);
  if (keys == NULL) return NULL;
  for (uint64_t n = 1, left = count; left > 0; n++) {
    const uint64_t key = bench_keys_scatter(n); /* of 0 only 0 is made */
    uint64_t *place = &keys[bench_keys_place(key, count)];
    if (*place != 0) continue;
    *place = key;
    left--;
  }
  shuffle(keys, count);
  return keys;
}

void bench_keys_uniform(uint64_t *draws, size_t count, const uint64_t *keys, size_t key_count)
{
  bench_random random = {5};
  for (size_t i = 0; i < count; i++) draws[i] = keys[bench_random_next(&random) % key_count];
}

/* ---- Zipf's law by rejection from its integral (Hoermann, Derflinger, 1996) ---- */

typedef struct zipf {
  double low, high; /* the integral at the ends */
  double sure;      /* so near to its rank, a point is always accepted */
  size_t count;
  bench_random random;
} zipf;

static double weight(double x)
{
  return exp(-EXPONENT * log(x));
}

static double integral(double x)
{
  return expm1((1 - EXPONENT) * log(x)) / (1 - EXPONENT);
}

static double integral_inverse(double area)
{
  return exp(log1p(area * (1 - EXPONENT)) / (1 - EXPONENT));
}

static zipf zipf_of(size_t count)
{
  zipf law = {.count = count, .random = {7}};
  law.low = integral(1.5) - 1;
  law.high = integral((double)count + 0.5);
  law.sure = 2 - integral_inverse(integral(2.5) - weight(2));
  return law;
}

/* A rank from 0. */
static size_t zipf_draw(zipf *law)
{
  for (;;) {
    const double share = (double)(bench_random_next(&law->random) >> 11) * 0x1p-53;
    const double area = law->high + share * (law->low - law->high);
    const double x = integral_inverse(area);
    double rank = floor(x + 0.5);
    if (rank < 1) rank = 1;
    if (rank > (double)law->count) rank = (double)law->count;
    if (rank - x <= law->sure || area >= integral(rank + 0.5) - weight(rank))
      return (size_t)rank - 1;
  }
}

void bench_keys_zipf(uint64_t *draws, size_t count, const uint64_t *keys, size_t key_count)
{
  zipf law = zipf_of(key_count);
  for (size_t i = 0; i < count; i++) draws[i] = keys[zipf_draw(&law)];
}

void bench_keys_zipf_scattered(uint64_t *draws, size_t count, size_t key_count)
{
  zipf law = zipf_of(key_count);
  for (size_t i = 0; i < count; i++)
    draws[i] = bench_keys_scatter(((uint64_t)1 << 48) + zipf_draw(&law));
}
