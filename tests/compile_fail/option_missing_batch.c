/* A batch wrapper without its cache. */
/* in: C, C++ */
/* only error 1: get_users: the option \.cache is missing; write \.cache = */
/* error 2: get_users: the option \.cache is missing; write \.cache = */
/* only error 3: delete_users: the option \.cache is missing; write \.cache = */
/* error 4: delete_users: the option \.cache is missing; write \.cache = */
#include "accel.h"

ACCEL_DEFINE(user, uint64_t, int)

#if !defined MISTAKE
#define READ .cache = users
#define EVICT .cache = users, .before = true
#elif MISTAKE == 1
#define READ .allow_stale = true
#define EVICT .cache = users
#elif MISTAKE == 2
#define READ
#define EVICT .cache = users
#elif MISTAKE == 3
#define READ .cache = users
#define EVICT .before = true
#else
#define READ .cache = users
#define EVICT
#endif

ACCEL_CACHEABLE_BATCH(user, get_users, (user_cache * users), (users), READ)
{
  (void)users;
  for (size_t i = 0; i < count; i++) values[i] = (int)keys[i], statuses[i] = ACCEL_OK;
  return ACCEL_OK;
}

ACCEL_CACHE_EVICT_BATCH(user, delete_users, (user_cache * users), (users), EVICT)
{
  (void)users;
  return keys == NULL && count > 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}
