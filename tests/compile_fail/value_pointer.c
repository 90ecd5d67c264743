/* Of a pointer only the address would be kept. */
/* in: C, C++ */
/* only error 1: ACCEL_DEFINE\(bad\): the value is a pointer.*use the struct it points to */
/* only error 2: ACCEL_DEFINE\(bad\): the value is a pointer.*\.copy and \.drop */
/* only error 3: ACCEL_DEFINE\(bad\): the value is a pointer */
/* only error 4: ACCEL_DEFINE\(bad\): the value is a pointer */
/* only error 5: ACCEL_DEFINE\(bad\): the value is a pointer */
/* only error 6: ACCEL_DEFINE\(bad\): the value is a pointer */
/* only error 7: ACCEL_DEFINE\(bad\): the key is a pointer.*use the number or struct */
#include "accel.h"
#include "accel_backends/fake.h"

typedef struct user_t {
  uint64_t id;
} user_t;
typedef char *text_t;
typedef void callback_t(int);

static bool text_copy(text_t *to, const text_t *from)
{
  *to = *from;
  return true;
}
static void text_drop(text_t *text)
{
  (void)text;
}
ACCEL_UNUSED static uint64_t pointer_hash(user_t *const *key, uint64_t seed)
{
  return accel_hash_bytes(key, sizeof *key, seed);
}
ACCEL_UNUSED static bool pointer_equal(user_t *const *a, user_t *const *b)
{
  return *a == *b;
}

ACCEL_DEFINE_WITH(text, int, text_t, .copy = text_copy, .drop = text_drop)

#if !defined MISTAKE
#elif MISTAKE == 1
ACCEL_DEFINE(bad, int, user_t *)
#elif MISTAKE == 2
ACCEL_DEFINE_WITH(bad, int, text_t, .remote = &accel_fake_ops, .schema = 2)
#elif MISTAKE == 3
ACCEL_DEFINE_STR(bad, const char *)
#elif MISTAKE == 4
ACCEL_DEFINE_STR_WITH(bad, callback_t *, .schema = 1)
#elif MISTAKE == 5
ACCEL_DECLARE(bad, int, const void *)
ACCEL_IMPLEMENT(bad)
#elif MISTAKE == 6
ACCEL_DECLARE_STR(bad, user_t *)
ACCEL_IMPLEMENT_STR_WITH(bad, .schema = 1)
#else
ACCEL_DEFINE_WITH(bad, user_t *, int, .hash = pointer_hash, .equal = pointer_equal)
#endif
