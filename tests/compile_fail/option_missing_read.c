/* A read through a wrapper without one of its required options. */
/* in: C, C++ */
/* only error 1: get_user: the option \.cache is missing; write \.cache = */
/* only error 2: get_user: the option \.key is missing; write \.key = */
/* only error 3: get_user: the option \.out is missing; write \.out = */
/* error 4: get_user: the option \.out is missing; write \.out = */
/* only error 5: get_user: the option \.key is missing; write \.key = */
#include "accel.h"

typedef struct user_t {
  uint64_t id, group;
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t)

#if !defined MISTAKE
#define OPTIONS .cache = users, .key = (uint64_t){id}, .out = to, .allow_stale = true
#elif MISTAKE == 1
#define OPTIONS .key = id, .out = to
#elif MISTAKE == 2
#define OPTIONS .cache = users, .out = to
#elif MISTAKE == 3
#define OPTIONS .cache = users, .key = id, .on_cache_error = ACCEL_PROPAGATE
#elif MISTAKE == 4
#define OPTIONS
#else /* names that only look alike */
#define OPTIONS .cache = users, .out = to->group == 0 ? to : to
#endif

ACCEL_CACHEABLE(user, get_user, (user_cache * users, uint64_t id, user_t *to), (users, id, to),
                OPTIONS)
{
  (void)users;
  to->id = id;
  to->group = 0;
  return ACCEL_OK;
}
