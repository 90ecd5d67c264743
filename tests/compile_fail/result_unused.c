/* What says whether there is a value, or whether anything is open, is not overlooked. */
/* in: C, C++ */
/* only error 1: unused.result|nodiscard */
/* only error 2: unused.result|nodiscard */
/* only error 3: unused.result|nodiscard */
/* only error 4: unused.result|nodiscard */
/* only error 5: unused.result|nodiscard */
/* only error 6: unused.result|nodiscard */
#include "accel.h"
#include "accel_backends/redis.h"

ACCEL_DEFINE(number, uint64_t, int)
ACCEL_DECLARE(other, uint64_t, int)
ACCEL_IMPLEMENT(other)

int use(number_cache *numbers, other_cache *others, const accel_config *config, accel_redis *redis);
int use(number_cache *numbers, other_cache *others, const accel_config *config, accel_redis *redis)
{
  int value = 0;
  uint64_t key = 1;
  if (number_cache_open(numbers, config) != ACCEL_OK) return 0;
  accel_ignore(number_cache_set(numbers, key, &value)); /* how it is said that none is wanted */
  number_cache_del(numbers, key);
  (void)redis;
  (void)others;
#if !defined MISTAKE
#elif MISTAKE == 1
  other_cache_open(others, config);
#elif MISTAKE == 2
  number_cache_get(numbers, key, &value);
#elif MISTAKE == 3
  other_cache_mget(others, &key, 1, NULL, &value, NULL);
#elif MISTAKE == 4
  number_cache_set(numbers, key, &value);
#elif MISTAKE == 5
  number_cache_get_or_load(numbers, key, NULL, NULL, NULL, &value);
#else
  accel_redis_open(redis, NULL);
#endif
  return value;
}
