/* An array cannot be passed or compared as a key. */
/* error: array */
#include "accel.h"

typedef char code_t[8];

#ifdef MISTAKE
ACCEL_DEFINE(bad, code_t, int)
#endif
