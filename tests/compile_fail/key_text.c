/* The same for text that is not const. */
/* error: ACCEL_DEFINE_STR */
#include "accel.h"

#ifdef MISTAKE
ACCEL_DEFINE(bad, char *, int)
#endif
