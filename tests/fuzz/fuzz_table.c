/* A small table of the flat engine under any sequence of operations: each answer is compared with
 * that of an array, and accel_flat_validate walks the table after each step.
 *
 * An engine may evict what it likes. So a miss is not wrong, unless the key was just set; but what
 * was missed once must not come back by itself, and what is found must be what was stored last.
 *
 * The first byte chooses the type and the capacity. Each operation is a byte, and a byte or two for
 * its key, time or size.
 */
#include "fuzz.h"

#include "accel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 24, PINS = 6, GATES = 4, LONG_KEY = 180, CAPACITY_MAX = 64, SEED = 5 };

/* ---- the types: a plain value, and a string's value that owns memory ---- */

typedef struct plain_t {
  uint64_t key, version, sum;
} plain_t;

typedef struct owner_t {
  char *text; /* "key.version" */
} owner_t;

static long owners_alive;

static bool owner_make(owner_t *to, const char *text)
{
  to->text = strdup(text);
  owners_alive += to->text != NULL;
  return to->text != NULL;
}

static bool owner_copy(owner_t *to, const owner_t *from)
{
  return owner_make(to, from->text);
}

static void owner_drop(owner_t *value)
{
  free(value->text);
  owners_alive--;
}

ACCEL_DEFINE(plain, uint64_t, plain_t)
ACCEL_DEFINE_STR_WITH(owner, owner_t, .copy = owner_copy, .drop = owner_drop)

typedef union any_value {
  plain_t plain;
  owner_t owner;
} any_value;

/* ---- what should be there ---- */

typedef struct model {
  bool is_there; /* or was evicted, and nobody has looked since */
  bool is_negative, is_current;
  uint32_t version;
  uint64_t expires_ms;
  uint64_t changes; /* sets and dels */
} model;

typedef struct held_pin {
  accel_local_pin pin;
  unsigned key;
  uint32_t version;
} held_pin;

typedef struct held_gate {
  accel_gate gate;
  unsigned key;
  uint64_t changes, epochs;
} held_gate;

typedef struct world {
  accel_local *local;
  const accel_type *type;
  uint64_t now_ms, epochs;
  uint32_t version;
  uint64_t numbers[KEYS];
  char texts[KEYS][LONG_KEY + 1];
  const char *strings[KEYS];
  model models[KEYS];
  held_pin pins[PINS];
  size_t pin_count;
  held_gate gates[GATES];
  size_t gate_count;
  uint32_t seen; /* by `each`: a bit per key */
  const uint8_t *next, *end;
} world;

static uint64_t world_now_ms(void *world_pointer)
{
  return ((const world *)world_pointer)->now_ms;
}

static unsigned take_byte(world *self)
{
  return self->next == self->end ? 0 : *self->next++;
}

static unsigned take_key(world *self)
{
  return take_byte(self) % KEYS;
}

static bool is_owner(const world *self)
{
  return self->type == &owner_cache_type_;
}

static const void *key_of(const world *self, unsigned key)
{
  return is_owner(self) ? (const void *)&self->strings[key] : &self->numbers[key];
}

static uint64_t hash_of(const world *self, unsigned key)
{
  return self->type->hash(key_of(self, key), SEED);
}

/* Which of our keys it is; KEYS: none. */
static unsigned number_of(const world *self, const void *key)
{
  unsigned number = 0;
  while (number < KEYS && !self->type->equal(key_of(self, number), key)) number++;
  return number;
}

static void make_value(const world *self, unsigned key, uint32_t version, any_value *out)
{
  char text[32];
  snprintf(text, sizeof text, "%u.%u", key, version);
  if (is_owner(self))
    fuzz_require(owner_make(&out->owner, text), "memory");
  else
    out->plain = (plain_t){key, version, key ^ version};
}

static bool is_value(const world *self, unsigned key, uint32_t version, const void *value)
{
  char text[32];
  snprintf(text, sizeof text, "%u.%u", key, version);
  if (is_owner(self)) return strcmp(((const owner_t *)value)->text, text) == 0;
  const plain_t *plain = (const plain_t *)value;
  return plain->key == key && plain->version == version && plain->sum == (plain->key ^ version);
}

static void drop_value(const world *self, any_value *value)
{
  if (is_owner(self)) owner_drop(&value->owner);
}

static bool is_fresh(const world *self, const model *expected)
{
  return expected->is_there && expected->is_current && self->now_ms < expected->expires_ms;
}

static accel_lifetime take_lifetime(world *self)
{
  const uint32_t ttl_ms = take_byte(self);
  return accel_ttl_lifetime(self->now_ms, ttl_ms == 0 ? ACCEL_FOREVER : ttl_ms, 0);
}

static void note_stored(world *self, unsigned key, bool is_negative, const accel_lifetime *life)
{
  model *expected = &self->models[key];
  expected->is_there = expected->is_current = true;
  expected->is_negative = is_negative;
  expected->version = self->version;
  expected->expires_ms = life->expires_ms;
}

/* ---- reads ---- */

/* An entry of any age was found, or none. */
static void check_found(world *self, unsigned key, accel_status status, const void *value)
{
  model *expected = &self->models[key];
  if (status == ACCEL_MISS) {
    expected->is_there = false;
    return;
  }
  fuzz_require(expected->is_there, "nothing comes back by itself");
  fuzz_require((status == ACCEL_NULL) == expected->is_negative, "negative, or not");
  if (status == ACCEL_OK)
    fuzz_require(is_value(self, key, expected->version, value), "what was stored last");
}

static void do_peek(world *self, unsigned key)
{
  any_value value;
  accel_local_found found;
  const accel_status status = accel_flat_peek(self->local, self->type, key_of(self, key),
                                              hash_of(self, key), &value, &found);
  check_found(self, key, status, &value);
  if (status == ACCEL_OK) drop_value(self, &value);
  if (status == ACCEL_MISS) return;
  fuzz_require(found.is_current == self->models[key].is_current, "of the epoch, or not");
  fuzz_require(found.life.expires_ms == self->models[key].expires_ms, "its end");
}

static void do_get(world *self, unsigned key)
{
  any_value value;
  const accel_status status =
      accel_flat_get(self->local, self->type, key_of(self, key), hash_of(self, key), &value);
  if (status == ACCEL_ATTENTION) {
    do_peek(self, key);
    return;
  }
  if (status != ACCEL_MISS) fuzz_require(is_fresh(self, &self->models[key]), "a hit is fresh");
  check_found(self, key, status, &value);
  if (status == ACCEL_OK) drop_value(self, &value);
}

static void do_pin(world *self, unsigned key)
{
  held_pin *held = &self->pins[self->pin_count];
  if (self->pin_count == PINS) return;
  const accel_status status =
      accel_flat_pin(self->local, self->type, key_of(self, key), hash_of(self, key), &held->pin);
  if (status != ACCEL_OK) return;
  fuzz_require(is_fresh(self, &self->models[key]), "what is pinned is fresh");
  held->key = key;
  held->version = self->models[key].version;
  self->pin_count++;
}

static void do_unpin(world *self, unsigned which)
{
  if (self->pin_count == 0) return;
  held_pin *held = &self->pins[which % self->pin_count];
  accel_flat_unpin(self->type, &held->pin);
  *held = self->pins[--self->pin_count];
}

static bool visit_entry(void *world_pointer, const void *key, const void *value)
{
  world *self = (world *)world_pointer;
  const unsigned number = number_of(self, key);
  fuzz_require(number < KEYS, "a key of ours");
  fuzz_require((self->seen >> number & 1) == 0, "each key once");
  self->seen |= 1u << number;
  fuzz_require(is_fresh(self, &self->models[number]), "only fresh entries are visited");
  check_found(self, number, ACCEL_OK, value);
  return true;
}

static void do_hottest(world *self, size_t count)
{
  union {
    uint64_t numbers[KEYS];
    const char *strings[KEYS];
  } keys;
  if (count > KEYS) count = KEYS;
  const size_t found = accel_flat_hottest(self->local, self->type, &keys, count);
  fuzz_require(found <= count, "no more keys than there is room for");
  for (size_t i = 0; i < found; i++) {
    const unsigned number = number_of(self, is_owner(self) ? (const void *)&keys.strings[i]
                                                           : (const void *)&keys.numbers[i]);
    fuzz_require(number < KEYS && is_fresh(self, &self->models[number]), "a fresh key of ours");
  }
}

/* ---- writes ---- */

static void do_set(world *self, unsigned key, bool is_negative, const held_gate *gate_or_null)
{
  any_value value;
  const accel_lifetime life = take_lifetime(self);
  self->version++;
  if (!is_negative) make_value(self, key, self->version, &value);
  const accel_status status = accel_flat_set_entry(
      self->local, self->type, key_of(self, key), hash_of(self, key), is_negative ? NULL : &value,
      &life, gate_or_null == NULL ? NULL : &gate_or_null->gate);
  if (!is_negative) drop_value(self, &value);
  const bool is_overtaken =
      gate_or_null != NULL && gate_or_null->key == key &&
      (gate_or_null->changes != self->models[key].changes || gate_or_null->epochs != self->epochs);
  fuzz_require(!is_overtaken || status == ACCEL_MISS, "what was overtaken is not stored");
  self->models[key].changes++;
  self->models[key].is_there = false;
  if (status != ACCEL_OK) return;
  note_stored(self, key, is_negative, &life);
  do_get(self, key);
  fuzz_require(self->models[key].is_there, "what was just set is there");
}

static void do_fill(world *self, const held_gate *gate)
{
  any_value value;
  const unsigned key = gate->key;
  const accel_lifetime life = take_lifetime(self);
  self->version++;
  make_value(self, key, self->version, &value);
  const accel_status status = accel_flat_fill(self->local, self->type, key_of(self, key),
                                              hash_of(self, key), &value, &life, &gate->gate);
  drop_value(self, &value);
  const bool is_overtaken =
      gate->changes != self->models[key].changes || gate->epochs != self->epochs;
  fuzz_require(!is_overtaken || status == ACCEL_MISS, "a fill yields to every change");
  if (status == ACCEL_OK) note_stored(self, key, false, &life);
}

static void do_gate(world *self, unsigned key)
{
  held_gate *held = &self->gates[self->gate_count++ % GATES];
  *held = (held_gate){accel_flat_gate(self->local, hash_of(self, key)), key,
                      self->models[key].changes, self->epochs};
}

static const held_gate *take_gate(world *self)
{
  const size_t held = self->gate_count < GATES ? self->gate_count : GATES;
  const unsigned which = take_byte(self);
  return held == 0 ? NULL : &self->gates[which % held];
}

static void do_end_epoch(world *self, bool clears)
{
  self->epochs++;
  if (clears)
    accel_flat_clear(self->local, self->type);
  else
    accel_flat_expire_all(self->local);
  for (unsigned key = 0; key < KEYS; key++) {
    self->models[key].is_current = false;
    if (clears) self->models[key].is_there = false;
  }
}

static void do_del(world *self, unsigned key)
{
  accel_flat_del(self->local, self->type, key_of(self, key), hash_of(self, key));
  self->models[key].changes++;
  self->models[key].is_there = false;
}

/* ---- a step ---- */

static void do_step(world *self)
{
  const held_gate *gate;
  switch (take_byte(self) % 16) {
    case 0: do_get(self, take_key(self)); break;
    case 1: do_set(self, take_key(self), false, NULL); break;
    case 2: do_set(self, take_key(self), true, NULL); break;
    case 3: do_del(self, take_key(self)); break;
    case 4: do_peek(self, take_key(self)); break;
    case 5: do_pin(self, take_key(self)); break;
    case 6: do_unpin(self, take_byte(self)); break;
    case 7: do_gate(self, take_key(self)); break;
    case 8:
      if ((gate = take_gate(self)) != NULL) do_fill(self, gate);
      break;
    case 9:
      if ((gate = take_gate(self)) != NULL) do_set(self, gate->key, false, gate);
      break;
    case 10: self->now_ms += take_byte(self); break;
    case 11: self->now_ms += take_byte(self) * UINT64_C(3600000); break;
    case 12: do_end_epoch(self, take_byte(self) % 4 == 0); break;
    case 13:
      (void)accel_flat_resize(self->local, self->type, 1 + take_byte(self) % CAPACITY_MAX);
      break;
    case 14: do_hottest(self, take_byte(self) % (KEYS + 1)); break;
    default: self->seen = 0; accel_flat_each(self->local, self->type, visit_entry, self);
  }
}

static void check(const world *self)
{
  const char *fault = accel_flat_validate(self->local, self->type, true);
  fuzz_require(fault == NULL, fault);
  for (size_t i = 0; i < self->pin_count; i++)
    fuzz_require(is_value(self, self->pins[i].key, self->pins[i].version, self->pins[i].pin.value),
                 "a pinned value stays");
}

/* Some strings lie in their slot, others beside it. */
static void name_keys(world *self)
{
  for (unsigned key = 0; key < KEYS; key++) {
    const int size = key % 4 == 3 ? LONG_KEY : key % 4 == 2 ? 24 : 1;
    snprintf(self->texts[key], sizeof self->texts[key], "%0*u", size, key);
    self->strings[key] = self->texts[key];
    self->numbers[key] = key;
  }
}

void fuzz_table(const uint8_t *data, size_t size)
{
  static world self; /* the clock's, which an engine keeps */
  if (size == 0) return;
  memset(&self, 0, sizeof self);
  name_keys(&self);
  self.now_ms = 1000000;
  self.type = data[0] % 2 == 0 ? &plain_cache_type_ : &owner_cache_type_;
  self.next = data + 1;
  self.end = data + size;
  const accel_clock clock = {world_now_ms, &self};
  const accel_local_config config = {.type = self.type,
                                     .owner = &self,
                                     .clock = &clock,
                                     .capacity = 1 + data[0] / 2 % CAPACITY_MAX,
                                     .seed = SEED};
  fuzz_require(accel_flat_open(&config, &self.local) == ACCEL_OK, "it opens");
  while (self.next < self.end) {
    do_step(&self);
    check(&self);
  }
  while (self.pin_count > 0) {
    do_unpin(&self, 0);
    check(&self);
  }
  accel_flat_close(self.local, self.type);
  fuzz_require(owners_alive == 0, "every value is dropped");
}
