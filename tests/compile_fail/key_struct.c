/* How a struct is hashed and compared only its owner knows. */
/* error: \.hash and \.equal */
#include "accel.h"

typedef struct place_t {
  int x, y;
} place_t;

#ifdef MISTAKE
ACCEL_DEFINE(bad, place_t, int)
#endif
