/* Traits do not help without a hash. */
/* error: \.hash */
#include "accel.h"

typedef struct place_t {
  int x, y;
} place_t;

#ifdef MISTAKE
ACCEL_DEFINE_WITH(bad, place_t, int, .schema = 1)
#endif
