/* Floating numbers that look alike differ. */
/* error: float */
#include "accel.h"

#ifdef MISTAKE
ACCEL_DEFINE(bad, double, int)
#endif
