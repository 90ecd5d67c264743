/* implementation.c: accel_backends/otlp.h alone; the rest is in support/implementation.c. */
#define ACCEL_IMPLEMENTATION
#include "accel_backends/otlp.h"
