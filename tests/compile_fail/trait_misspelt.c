/* A trait that does not exist. */
/* error: remot[^e] */
#include "accel.h"

#ifdef MISTAKE
ACCEL_DEFINE_WITH(bad, int, int, .remot = NULL)
#else
ACCEL_DEFINE_WITH(good, int, int, .remote = NULL)
#endif
