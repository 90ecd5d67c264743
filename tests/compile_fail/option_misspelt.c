/* An option of a wrapper that does not exist. */
/* error: allow_stal[^e] */
#include "accel.h"

ACCEL_DEFINE(number, int, int)

#ifdef MISTAKE
#define OPTION .allow_stal = true
#else
#define OPTION .allow_stale = true
#endif

ACCEL_CACHEABLE(number, square, (number_cache * numbers, int id, int *to), (numbers, id, to),
                .cache = numbers, .key = id, .out = to, OPTION)
{
  (void)numbers;
  *to = id * id;
  return ACCEL_OK;
}
