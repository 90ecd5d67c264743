/* A write through a wrapper without one of its required options. */
/* in: C, C++ */
/* only error 1: save_user: the option \.cache is missing; write \.cache = */
/* only error 2: save_user: the option \.key is missing; write \.key = */
/* only error 3: save_user: the option \.value is missing; write \.value = */
/* error 4: save_user: the option \.value is missing; write \.value = */
#include "accel.h"

typedef struct user_t {
  uint64_t id, group;
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t)

#if !defined MISTAKE
#define OPTIONS .cache = users, .key = user->id, .value = user, .ttl_ms = 5
#elif MISTAKE == 1
#define OPTIONS .key = user->id, .value = user
#elif MISTAKE == 2
#define OPTIONS .cache = users, .value = user
#elif MISTAKE == 3
#define OPTIONS .cache = users, .key = user->id
#else
#define OPTIONS
#endif

ACCEL_CACHE_PUT(user, save_user, (user_cache * users, const user_t *user), (users, user), OPTIONS)
{
  (void)users;
  return user->id == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}
