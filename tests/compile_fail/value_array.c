/* An array cannot be assigned as a value. */
/* error: array */
#include "accel.h"

typedef char name_t[8];

#ifdef MISTAKE
ACCEL_DEFINE(bad, int, name_t)
#endif
