/* implementation.c: the one-file header's implementation. */
#define ACCEL_IMPLEMENTATION
#include "accel_one.h"
