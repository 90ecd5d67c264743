/* An evict without its cache, or without what to remove. */
/* in: C, C++ */
/* only error 1: delete_user: the option \.cache is missing; write \.cache = */
/* only error 2: delete_user: the option \.key is missing; write \.key = .*or \.all = true */
/* error 3: delete_user: the option \.key is missing; write \.key = .*or \.all = true */
#include "accel.h"

ACCEL_DEFINE(user, uint64_t, int)

#if !defined MISTAKE
#define OPTIONS .cache = users, .key = id
#elif MISTAKE == 1
#define OPTIONS .key = id
#elif MISTAKE == 2
#define OPTIONS .cache = users, .before = true
#else
#define OPTIONS
#endif

ACCEL_CACHE_EVICT(user, delete_user, (user_cache * users, uint64_t id), (users, id), OPTIONS)
{
  (void)users;
  return id == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

ACCEL_CACHE_EVICT(user, delete_users, (user_cache * users), (users), .cache = users, .all = true)
{
  (void)users;
  return ACCEL_OK;
}
