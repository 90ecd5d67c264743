/* implementation.c: the library and every backend, once, for all tests to link. */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/fake.h"
#ifdef ACCEL_TEST_REDIS
#include "accel_backends/redis.h"
#endif
