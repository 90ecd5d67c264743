/* A wrapper over one cache that is given another. */
/* error: incompatible.*pointer */
#include "accel.h"

ACCEL_DEFINE(number, int, int)
ACCEL_DEFINE(other, int, int)

#ifdef MISTAKE
typedef other_cache given_t;
#else
typedef number_cache given_t;
#endif

ACCEL_CACHE_EVICT(number, forget, (given_t * numbers, int id), (numbers, id), .cache = numbers,
                  .key = id)
{
  (void)numbers;
  return id == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}
