/* local_suite_types.h: the types that the L1 suite runs over, written out as ACCEL_DEFINE would.
 *
 * plain    integer key, 64 bytes of value that prove that they belong together
 * pair     struct key under a hash that is as poor as a user's may be
 * page     string key, plain value
 * note     integer key, value that owns memory; copies and drops are counted, copies can fail
 * label    string key, value that owns memory
 * crate    integer key, value with a weight
 * wide     integer key, value aligned to 64 bytes, larger than what is read without a lock
 */
#ifndef LOCAL_SUITE_TYPES_H
#define LOCAL_SUITE_TYPES_H

#include "accel/backend.h"
#include "accel/hash.h"
#include "accel/platform/atomic.h"

#include <stdlib.h>
#include <string.h>

#define SUITE_SEED 0x5EED5EED5EED5EEDu

/* ---- what all share ---- */

static uint64_t suite_hash_integer(const void *key, uint64_t seed)
{
  return accel_hash_integer(*(const uint64_t *)key, seed);
}

static bool suite_equal_integer(const void *a, const void *b)
{
  return *(const uint64_t *)a == *(const uint64_t *)b;
}

static uint64_t suite_hash_text(const void *key, uint64_t seed)
{
  return accel_hash_string(*(const char *const *)key, seed);
}

static bool suite_equal_text(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
}

static uint32_t suite_weigh_one(const void *key, const void *value)
{
  (void)key;
  (void)value;
  return 1;
}

static void suite_drop_nothing(void *value)
{
  (void)value;
}

static accel_traits suite_no_traits(void)
{
  const accel_traits traits = {0};
  return traits;
}

/* ---- plain ---- */

typedef struct suite_plain {
  uint64_t owner, version;
  uint64_t filling[5];
  uint64_t sum;
} suite_plain;

static suite_plain suite_make_plain(uint64_t owner, uint64_t version)
{
  suite_plain value = {.owner = owner, .version = version};
  value.sum = owner ^ version;
  for (size_t i = 0; i < 5; i++) {
    value.filling[i] = accel_hash_integer(version + i, owner);
    value.sum ^= value.filling[i];
  }
  return value;
}

static bool suite_is_whole_plain(const suite_plain *value)
{
  const suite_plain expected = suite_make_plain(value->owner, value->version);
  return memcmp(value, &expected, sizeof expected) == 0;
}

static bool suite_copy_plain(void *to, const void *from)
{
  memcpy(to, from, sizeof(suite_plain));
  return true;
}

static const accel_type suite_plain_type = {
    .name = "plain",
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(suite_plain),
    .value_align = _Alignof(suite_plain),
    .key_kind = ACCEL_KEY_UNSIGNED,
    .traits = suite_no_traits,
    .hash = suite_hash_integer,
    .equal = suite_equal_integer,
    .copy = suite_copy_plain,
    .drop = suite_drop_nothing,
    .weigh = suite_weigh_one,
};

/* ---- bytes: values of any size ---- */

static size_t suite_bytes_size;

static bool suite_copy_bytes(void *to, const void *from)
{
  memcpy(to, from, suite_bytes_size);
  return true;
}

static accel_type suite_bytes_type(size_t size)
{
  accel_type type = suite_plain_type;
  suite_bytes_size = size;
  type.name = "bytes";
  type.value_size = size;
  type.value_align = 1;
  type.copy = suite_copy_bytes;
  return type;
}

/* ---- pair ---- */

typedef struct suite_pair {
  uint32_t shop;
  char code[9];
} suite_pair;

static accel_traits suite_pair_traits(void)
{
  const accel_traits traits = {.has_hash = true, .has_equal = true};
  return traits;
}

/* Differs in ten low bits only. */
static uint64_t suite_hash_pair(const void *key, uint64_t seed)
{
  return ((const suite_pair *)key)->shop + seed;
}

static bool suite_equal_pair(const void *a, const void *b)
{
  const suite_pair *left = (const suite_pair *)a;
  const suite_pair *right = (const suite_pair *)b;
  return left->shop == right->shop && memcmp(left->code, right->code, sizeof left->code) == 0;
}

static bool suite_copy_word(void *to, const void *from)
{
  memcpy(to, from, sizeof(uint64_t));
  return true;
}

static const accel_type suite_pair_type = {
    .name = "pair",
    .key_size = sizeof(suite_pair),
    .value_size = sizeof(uint64_t),
    .value_align = _Alignof(uint64_t),
    .key_kind = ACCEL_KEY_STRUCT,
    .traits = suite_pair_traits,
    .hash = suite_hash_pair,
    .equal = suite_equal_pair,
    .copy = suite_copy_word,
    .drop = suite_drop_nothing,
    .weigh = suite_weigh_one,
};

/* ---- page ---- */

static const accel_type suite_page_type = {
    .name = "page",
    .key_size = sizeof(const char *),
    .value_size = sizeof(uint64_t),
    .value_align = _Alignof(uint64_t),
    .key_kind = ACCEL_KEY_STRING,
    .traits = suite_no_traits,
    .hash = suite_hash_text,
    .equal = suite_equal_text,
    .copy = suite_copy_word,
    .drop = suite_drop_nothing,
    .weigh = suite_weigh_one,
};

/* ---- note and label ---- */

typedef struct suite_note {
  char *text;
} suite_note;

static uint64_t suite_notes_living; /* atomic: copies that were not dropped */
static bool suite_note_copy_fails;
static void (*suite_on_user_code)(void); /* called wherever user's code runs */
static void (*suite_on_drop)(void);      /* called by the next drop */
static void (*suite_in_drop)(void);      /* called by all drops of threads that say so: */
static ACCEL_THREAD_LOCAL bool suite_waits_in_drop;

static void suite_run_user_code(void)
{
  void (*const run)(void) = suite_on_user_code;
  if (run == NULL) return;
  suite_on_user_code = NULL; /* not within itself */
  run();
  suite_on_user_code = run;
}

static bool suite_copy_note(void *to, const void *from)
{
  suite_run_user_code();
  if (suite_note_copy_fails) return false;
  const char *text = ((const suite_note *)from)->text;
  char *copy = (char *)malloc(strlen(text) + 1);
  if (copy == NULL) return false;
  ((suite_note *)to)->text = strcpy(copy, text);
  accel_add_relaxed(&suite_notes_living, 1u);
  return true;
}

static void suite_drop_note(void *value)
{
  void (*const run)(void) = suite_on_drop;
  if (run != NULL) { /* threads only read it */
    suite_on_drop = NULL;
    run();
  }
  if (suite_waits_in_drop) suite_in_drop();
  suite_run_user_code();
  suite_note *note = (suite_note *)value;
  free(note->text);
  note->text = NULL;
  accel_sub_acq_rel(&suite_notes_living, 1u);
}

static accel_traits suite_note_traits(void)
{
  const accel_traits traits = {.has_copy = true, .has_drop = true, .has_weigh = true};
  return traits;
}

static uint32_t suite_weigh_note(const void *key, const void *value)
{
  (void)key;
  suite_run_user_code();
  return (uint32_t)strlen(((const suite_note *)value)->text);
}

static const accel_type suite_note_type = {
    .name = "note",
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(suite_note),
    .value_align = _Alignof(suite_note),
    .key_kind = ACCEL_KEY_UNSIGNED,
    .traits = suite_note_traits,
    .hash = suite_hash_integer,
    .equal = suite_equal_integer,
    .copy = suite_copy_note,
    .drop = suite_drop_note,
    .weigh = suite_weigh_note,
};

static const accel_type suite_label_type = {
    .name = "label",
    .key_size = sizeof(const char *),
    .value_size = sizeof(suite_note),
    .value_align = _Alignof(suite_note),
    .key_kind = ACCEL_KEY_STRING,
    .traits = suite_note_traits,
    .hash = suite_hash_text,
    .equal = suite_equal_text,
    .copy = suite_copy_note,
    .drop = suite_drop_note,
    .weigh = suite_weigh_note,
};

/* ---- crate ---- */

static accel_traits suite_crate_traits(void)
{
  const accel_traits traits = {.has_weigh = true};
  return traits;
}

static uint32_t suite_weigh_crate(const void *key, const void *value)
{
  (void)key;
  return (uint32_t) * (const uint64_t *)value;
}

static const accel_type suite_crate_type = {
    .name = "crate",
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(uint64_t),
    .value_align = _Alignof(uint64_t),
    .key_kind = ACCEL_KEY_UNSIGNED,
    .traits = suite_crate_traits,
    .hash = suite_hash_integer,
    .equal = suite_equal_integer,
    .copy = suite_copy_word,
    .drop = suite_drop_nothing,
    .weigh = suite_weigh_crate,
};

/* ---- wide ---- */

typedef struct suite_wide {
  _Alignas(64) uint64_t words[256];
} suite_wide;

static bool suite_copy_wide(void *to, const void *from)
{
  memcpy(to, from, sizeof(suite_wide));
  return true;
}

static const accel_type suite_wide_type = {
    .name = "wide",
    .key_size = sizeof(uint64_t),
    .value_size = sizeof(suite_wide),
    .value_align = _Alignof(suite_wide),
    .key_kind = ACCEL_KEY_UNSIGNED,
    .traits = suite_no_traits,
    .hash = suite_hash_integer,
    .equal = suite_equal_integer,
    .copy = suite_copy_wide,
    .drop = suite_drop_nothing,
    .weigh = suite_weigh_one,
};

#endif
