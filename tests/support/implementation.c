/* implementation.c: the library and every backend, once, for all tests to link. */
#define ACCEL_IMPLEMENTATION
#if __has_include("accel.h")
#include "accel.h"
#else /* until accel.h is written */
#include "accel/codec.c"
#include "accel/config.c"
#include "accel/error.c"
#include "accel/executor.c"
#include "accel/hash.c"
#include "accel/invalidate.c"
#include "accel/platform/clock.c"
#include "accel/platform/system.c"
#include "accel/platform/thread.c"
#include "accel/refresh.c"
#include "accel/singleflight.c"
#include "accel/stats.c"
#include "accel/status.c"
#include "accel/type.c"
const char ACCEL_BUILD_SYMBOL_ = 0;
#include "accel_backends/flat/flat.c"
#include "accel_backends/flat/flat_table.c"
#include "accel_backends/flat/flat_victim.c"
#include "accel_backends/flat/flat_walk.c"
#endif

#include "accel_backends/uthash/uthash_lru.h"

#if __has_include("accel_backends/fake/store.c")
#include "accel_backends/fake.h"
#endif
#if defined(ACCEL_TEST_REDIS) && __has_include("accel_backends/redis.h")
#include "accel_backends/redis.h"
#endif
