/* A cache's functions are no part of a function; the first of many errors says so. */
/* in: C, C++ */
/* first error: ACCEL_DEFINE\(user\): stands in a function; move it out of there */
#include "accel.h"

#ifndef MISTAKE
ACCEL_DEFINE(user, uint64_t, int)
#endif

int main(void)
{
#ifdef MISTAKE
  ACCEL_DEFINE(user, uint64_t, int)
#endif
  return 0;
}
