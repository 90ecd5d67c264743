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

#include <stdlib.h>
#include <string.h>

typedef struct note {
  uint64_t id;
  char text[8];
} note;

static accel_traits no_traits(void)
{
  return (accel_traits){0};
}

static const accel_type type_u64 = {
    .name = "u64",
    .key_kind = ACCEL_KEY_UNSIGNED,
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(note),
    .traits = no_traits,
};

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
