/* note_type.h: a value of the codec's tests, and a type of it. */
#ifndef NOTE_TYPE_H
#define NOTE_TYPE_H

#include "accel/type.h"

typedef struct note {
  uint64_t id;
  char text[8];
} note;

static accel_traits no_traits(void)
{
  return (accel_traits){0};
}

/* The type of notes under a kind of key. */
#define NOTE_TYPE(name_, kind_, key_) \
  { \
    .name = name_, .key_kind = kind_, .key_size = sizeof(key_), .value_size = sizeof(note), \
    .traits = no_traits \
  }

static const accel_type type_u64 = NOTE_TYPE("u64", ACCEL_KEY_UNSIGNED, uint64_t);

#endif
