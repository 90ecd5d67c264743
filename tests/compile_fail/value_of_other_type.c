/* A value of another type. */
/* error: incompatible.*pointer */
#include "accel.h"

ACCEL_DEFINE(number, int, int)

#ifdef MISTAKE
typedef long got_t;
#else
typedef int got_t;
#endif

accel_status read_number(number_cache *numbers, got_t *out);
accel_status read_number(number_cache *numbers, got_t *out)
{
  return number_cache_get(numbers, 1, out);
}
