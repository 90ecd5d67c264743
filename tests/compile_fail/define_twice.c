/* A name is used once; the first of many errors says so. */
/* in: C, C++ */
/* error: user_cache_is_defined_twice_choose_another_name_ */
#include "accel.h"

ACCEL_DEFINE(user, uint64_t, int)
#ifdef MISTAKE
ACCEL_DEFINE(user, uint64_t, int)
#endif
