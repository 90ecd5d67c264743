/* What has a constructor is not copied as bytes. */
/* in: C++ */
/* only error 1: ACCEL_DEFINE\(bad\): the value is not trivially copyable.*\.copy and \.drop */
/* only error 2: ACCEL_DEFINE\(bad\): the value is not trivially copyable */
/* only error 3: ACCEL_DEFINE\(bad\): the value is not trivially copyable */
/* only error 4: ACCEL_DEFINE\(bad\): the key is not trivially copyable.*ACCEL_DEFINE_STR */
#include "accel.h"

struct text_t {
  text_t() : size(0) {}
  text_t(const text_t &other) : size(other.size) {}
  int size;
};
struct user_t {
  uint64_t id;
  text_t name;
};

ACCEL_UNUSED static uint64_t text_hash(const text_t *key, uint64_t seed)
{
  return accel_hash_integer(uint64_t(key->size), seed);
}
ACCEL_UNUSED static bool text_equal(const text_t *a, const text_t *b)
{
  return a->size == b->size;
}
static bool user_copy(user_t *to, const user_t *from)
{
  to->id = from->id;
  to->name.size = from->name.size;
  return true;
}
static void user_drop(user_t *user)
{
  (void)user;
}

ACCEL_DEFINE_WITH(user, uint64_t, user_t, .copy = user_copy, .drop = user_drop)

#if !defined MISTAKE
#elif MISTAKE == 1
ACCEL_DEFINE(bad, int, user_t)
#elif MISTAKE == 2
ACCEL_DEFINE_STR(bad, text_t)
#elif MISTAKE == 3
ACCEL_DECLARE(bad, int, user_t)
ACCEL_IMPLEMENT_WITH(bad, .schema = 1)
#else
ACCEL_DEFINE_WITH(bad, text_t, int, .hash = text_hash, .equal = text_equal)
#endif
