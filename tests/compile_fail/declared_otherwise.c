/* A cache that a header declared with other types than its .c file. */
/* error: conflicting types|redefinition */
#include "accel.h"

#ifdef MISTAKE
typedef long declared_t;
#else
typedef int declared_t;
#endif

ACCEL_DECLARE(number, int, declared_t)
typedef int number_cache_value;
ACCEL_IMPLEMENT(number)
