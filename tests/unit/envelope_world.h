/* envelope_world.h: a value, and what is sealed of it. */
#ifndef ENVELOPE_WORLD_H
#define ENVELOPE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/codec.h"
#include "accel/hash.h"

#include "failing_alloc.h"
#include "note_type.h"

#include <stdlib.h>
#include <string.h>

static const note value = {0x0102030405060708u, "seven77"};
static const accel_envelope terms = {
    .token = 0x1122334455667788u, .created_ms = 1700000000123u, .soft_ttl_ms = 5, .ttl_ms = 60000};

static accel_buffer sealed(const accel_type *type, const accel_envelope *envelope,
                           const void *value_or_null)
{
  accel_buffer out = {NULL, 0, 0};
  assert_int_equal(accel_envelope_append(type, "area", "name", 4, envelope, value_or_null, &out),
                   ACCEL_OK);
  return out;
}

static bool opens(const accel_type *type, const void *data, size_t size, accel_envelope *out)
{
  return accel_envelope_open(type, "area", "name", 4, data, size, out);
}

#endif
