/* Keys and values are written into arrays and places of the user's: their types are not const. */
/* in: C, C++ */
/* first error: the value type is const; write it without const */
/* first error 2: the key type is const; write it without const */
#include "accel.h"

typedef struct user_t {
  int id;
  char pad[3];
} user_t;

ACCEL_DEFINE(right, int, user_t)
#if defined(MISTAKE) && MISTAKE == 1
ACCEL_DEFINE(bad, int, const user_t)
#elif defined(MISTAKE)
ACCEL_DEFINE(bad, const int, user_t)
#endif
