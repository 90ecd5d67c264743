/* A trait for another key: callbacks are called with their own types, never cast. */
/* error: incompatible.*pointer */
#include "accel.h"

#ifdef MISTAKE
typedef long hashed_t;
#else
typedef int hashed_t;
#endif

static uint64_t mixed(const hashed_t *key, uint64_t seed)
{
  return accel_hash_integer((uint64_t)*key, seed);
}

static bool same(const hashed_t *a, const hashed_t *b)
{
  return *a == *b;
}

ACCEL_DEFINE_WITH(number, int, int, .hash = mixed, .equal = same)
