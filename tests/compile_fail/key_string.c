/* Pointers to text are keys of the _STR forms only, which copy them. */
/* error: ACCEL_DEFINE_STR */
#include "accel.h"

#ifdef MISTAKE
ACCEL_DEFINE(bad, const char *, int)
#endif
