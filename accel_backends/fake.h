/* fake.h: a scripted L2 with a channel, in memory (backend).
 *
 * Include it after accel.h. With ACCEL_IMPLEMENTATION it contains its implementation.
 */
#ifndef ACCEL_BACKENDS_FAKE_H
#define ACCEL_BACKENDS_FAKE_H

#include "fake/fake.h"

#endif

#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_BACKENDS_FAKE_IMPLEMENTED)
#define ACCEL_BACKENDS_FAKE_IMPLEMENTED
#include "fake/bus.c"
#include "fake/fake.c"
#include "fake/look.c"
#include "fake/script.c"
#include "fake/state.c"
#include "fake/store.c"
#endif
