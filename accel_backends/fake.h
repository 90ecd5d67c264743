/* fake.h: an L2 and a bus in memory, scripted (backend).
 *
 * Include it after accel.h; where ACCEL_IMPLEMENTATION is defined it brings its code along.
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
