/* The default engine against the contract of L1, and what can only be seen in its sets. */
#include "local_suite_run.h"

#include "accel_backends/flat/flat_table.h"

#define SETS_CAPACITY 1000u

static const accel_flat_table *table_of(const suite_table *table)
{
  return ((const accel_flat *)(const void *)table->local)->table;
}

static bool are_sets_full(const suite_table *table, uint64_t key)
{
  const accel_flat_table *flat = table_of(table);
  const uint64_t mixed = suite_hash(table, &key);
  const uint64_t first = accel_flat_first_set(flat, mixed);
  const uint64_t start = accel_flat_stripe_start(flat, mixed);
  const uint64_t second = accel_flat_partner(flat, start, first, accel_flat_tag(mixed));
  return accel_flat_match(accel_flat_load_pair(flat->sets[first].tags), ACCEL_FLAT_EMPTY) == 0 &&
         accel_flat_match(accel_flat_load_pair(flat->sets[second].tags), ACCEL_FLAT_EMPTY) == 0;
}

/* Where the key's value lies, or NULL. */
static const void *place_of(const suite_table *table, uint64_t key)
{
  accel_local_pin pin;
  if (suite_pin(table, &key, &pin) != ACCEL_OK) return NULL;
  const void *place = pin.value;
  suite_ops->unpin(table->type, &pin);
  return place;
}

static bool is_in_first_set(const suite_table *table, uint64_t key, const void *place)
{
  const accel_flat_table *flat = table_of(table);
  const uint64_t first = accel_flat_first_set(flat, suite_hash(table, &key));
  const size_t offset = (size_t)((const unsigned char *)place - flat->slots);
  return offset / flat->slot_size % flat->set_count == first;
}

/* As many different keys as the capacity nearly all stay, in few bytes beyond key and value. */
static void few_keys_are_lost_and_few_bytes_are_spent(void **state)
{
  (void)state;
  const size_t capacities[] = {3000, 10000, 100000};
  for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
    suite_table table = suite_open(&suite_plain_type, capacities[i]);
    for (uint64_t key = 0; key < capacities[i]; key++) suite_set_plain(&table, key, 1);
    assert_true(suite_count_present(&table, 0, capacities[i]) >= capacities[i] * 98 / 100);
    const size_t content = capacities[i] * (sizeof(uint64_t) + sizeof(suite_plain));
    const size_t generations = ACCEL_FLAT_STRIPES_MAX * sizeof(uint64_t);
    assert_true(suite_stats(&table).memory_bytes <= content + 16 * capacities[i] + generations);
    suite_close(&table);
  }
}

/* How often the default policy thinks that a resident key was asked for: see policy_window.c. */
static unsigned count_of(const suite_table *table, uint64_t key)
{
  const accel_flat_table *flat = table_of(table);
  const unsigned char *place = (const unsigned char *)place_of(table, key);
  assert_non_null(place);
  const size_t index = (size_t)(place - flat->slots) / flat->slot_size;
  return flat->sets[index % flat->set_count].used[index / flat->set_count] >> 4 & 7u;
}

/* Its count gets into the sketch, and out of it when the key is written again. */
static void what_was_popular_is_known_when_it_comes_back(void **state)
{
  (void)state;
  const uint64_t popular = 0, last = 40;
  accel_local_pin pins[40];
  size_t pinned = 0;
  suite_table table = suite_open(&suite_plain_type, 30);
  for (uint64_t key = popular; key < last; key++) {
    suite_set_plain(&table, key, 1);
    assert_int_equal(suite_version(&table, popular, 99), 1);
  }
  const unsigned count = count_of(&table, popular);
  assert_true(count > 3);
  for (uint64_t key = popular + 1; key < last; key++)
    pinned += suite_pin(&table, &key, &pins[pinned]) == ACCEL_OK;
  suite_set_plain(&table, last, 1); /* nobody else may go */
  assert_false(suite_has(&table, popular));
  for (size_t i = 0; i < pinned; i++) suite_ops->unpin(table.type, &pins[i]);
  suite_set_plain(&table, popular, 1);
  assert_true(count_of(&table, popular) >= count);
  suite_close(&table);
}

static suite_table *dropping;
enum { NEVER_ASKED_FOR = 999 };

static void write_another_key(void)
{
  assert_int_equal(suite_set_note(dropping, NEVER_ASKED_FOR, "another"), ACCEL_OK);
}

/* The victim is dropped without the mutex, and only then does the key get its place. */
static void a_key_keeps_its_count_though_others_come_in_between(void **state)
{
  (void)state;
  const uint64_t often = 100;
  suite_table table = suite_open(&suite_note_type, 30);
  for (uint64_t key = 0; key < 30; key++) suite_set_note(&table, key, "filling");
  for (int i = 0; i < 4; i++) {
    assert_int_equal(suite_set_note(&table, often, "often"), ACCEL_OK);
    suite_del(&table, &often);
  }
  suite_set_note(&table, 200, "filling");
  dropping = &table;
  suite_on_drop = write_another_key;
  assert_int_equal(suite_set_note(&table, often, "often"), ACCEL_OK);
  assert_int_equal(count_of(&table, often), 5);
  suite_close(&table);
}

/* A hit is cheaper there. With victims from either set alike a quarter would lie in the second. */
static void most_keys_lie_in_their_first_set_after_many_have_come_and_gone(void **state)
{
  (void)state;
  const uint64_t keys = (uint64_t)20 * SETS_CAPACITY;
  suite_table table = suite_open(&suite_plain_type, SETS_CAPACITY);
  for (uint64_t key = 0; key < keys; key++) suite_set_plain(&table, key, 1);
  size_t resident = 0, in_first = 0;
  for (uint64_t key = 0; key < keys; key++) {
    const void *place = place_of(&table, key);
    resident += place != NULL;
    in_first += place != NULL && is_in_first_set(&table, key, place);
  }
  assert_int_equal(resident, SETS_CAPACITY);
  assert_true(in_first > resident * 80 / 100);
  suite_close(&table);
}

static unsigned count_in_second_sets(const suite_table *table, uint64_t from, uint64_t to)
{
  unsigned count = 0;
  for (uint64_t key = from; key < to; key++) {
    const void *place = place_of(table, key);
    count += place != NULL && !is_in_first_set(table, key, place);
  }
  return count;
}

enum { MANY = 10000, EARLY = 1000, LATE = 8000 };

/* Fills a table, in which entries are moved to make room, and asks for its last keys or not.
 * Returns how many of those lie in their second sets. */
static unsigned fill_and_count(bool asks)
{
  suite_table table = suite_open(&suite_plain_type, MANY);
  for (uint64_t key = 0; key < MANY; key++) {
    suite_set_plain(&table, key, 1);
    if (asks && key >= LATE) assert_int_equal(suite_version(&table, key, 99), 1);
  }
  /* Were any entry moved, a fifth. */
  assert_true(count_in_second_sets(&table, 0, EARLY) < EARLY / 20);
  const unsigned count = count_in_second_sets(&table, LATE, MANY);
  suite_close(&table);
  return count;
}

/* Such keys are mostly those that will be asked for again. */
static void who_came_early_or_is_asked_for_is_not_moved_to_make_room(void **state)
{
  (void)state;
  const unsigned silent = fill_and_count(false), asked = fill_and_count(true);
  assert_true(asked < silent * 9 / 10);
}

/* Everything else stays where it is. */
static void a_present_key_of_two_full_sets_keeps_its_slot(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, SETS_CAPACITY);
  for (uint64_t key = 0; key < 3 * SETS_CAPACITY; key++) suite_set_plain(&table, key, 1);
  const void *places[3 * SETS_CAPACITY];
  for (uint64_t key = 0; key < 3 * SETS_CAPACITY; key++) places[key] = place_of(&table, key);
  size_t written = 0;
  for (uint64_t key = 0; key < 3 * SETS_CAPACITY; key++) {
    if (places[key] == NULL || !are_sets_full(&table, key)) continue;
    suite_set_plain(&table, key, 2);
    assert_int_equal(suite_version(&table, key, 99), 2);
    written++;
  }
  assert_true(written > SETS_CAPACITY / 4);
  for (uint64_t key = 0; key < 3 * SETS_CAPACITY; key++)
    assert_ptr_equal(place_of(&table, key), places[key]);
  suite_close(&table);
}

/* Two sets, so that every key's sets are these. The first key is used often and ends after 1 s; all
 * others are not and do not. */
static suite_table open_two_sets(void)
{
  const suite_plain value = suite_make_plain(0, 1);
  const uint64_t ending = 0;
  suite_table table = suite_open(&suite_plain_type, 30);
  assert_int_equal(table_of(&table)->set_count, 2);
  const accel_lifetime lifetime = suite_lifetime(1000);
  assert_int_equal(suite_set_lifetime(&table, &ending, &value, &lifetime, NULL), ACCEL_OK);
  for (uint64_t key = 1; key < 30; key++) suite_set_plain(&table, key, 1);
  for (int i = 0; i < 10; i++) assert_int_equal(suite_version(&table, ending, 99), 1);
  return table;
}

static void what_expired_while_it_was_pinned_goes_first_afterwards(void **state)
{
  (void)state;
  const uint64_t ending = 0;
  accel_local_pin pin;
  suite_table table = open_two_sets();
  assert_int_equal(suite_pin(&table, &ending, &pin), ACCEL_OK);
  suite_now_ms += 1000;
  suite_set_plain(&table, 100, 1); /* looks for what has expired, and finds nothing that may go */
  assert_true(suite_has(&table, ending));
  assert_int_equal(suite_count_present(&table, 1, 29), 28);
  suite_ops->unpin(table.type, &pin);
  suite_set_plain(&table, 101, 1);
  assert_false(suite_has(&table, ending));
  assert_int_equal(suite_count_present(&table, 1, 29), 28);
  suite_close(&table);
}

/* clock.h says until when a cache knows the ends of its entries, and what comes then. */
static void ends_are_exact_for_eight_years_after_the_open(void **state)
{
  (void)state;
  const uint64_t ending = 7, endless = 8;
  const suite_plain value = suite_make_plain(ending, 1);
  suite_table table = suite_open_with(&suite_plain_type, 100, 0, 500);
  accel_local_found found;
  const uint64_t last_ms = suite_now_ms + ((uint64_t)1 << 38) - 1;
  suite_set_plain(&table, endless, 1);
  suite_now_ms = last_ms - 1000;
  accel_lifetime lifetime = accel_ttl_lifetime(suite_now_ms, 1000, 500);
  assert_int_equal(suite_set_lifetime(&table, &ending, &value, &lifetime, NULL), ACCEL_OK);
  assert_int_equal(suite_peek(&table, &ending, NULL, &found), ACCEL_OK);
  assert_true(found.life.expires_ms == last_ms);
  suite_now_ms = last_ms - 501;
  assert_int_equal(suite_version(&table, ending, 99), 1);
  suite_now_ms += 1;
  assert_int_equal(suite_version(&table, ending, 99), 99);

  const uint64_t later[] = {last_ms, last_ms + 1, (uint64_t)1 << 40, (uint64_t)1 << 62};
  for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
    suite_now_ms = later[i];
    lifetime = accel_ttl_lifetime(suite_now_ms, 1000, 500);
    assert_int_equal(suite_set_lifetime(&table, &ending, &value, &lifetime, NULL), ACCEL_OK);
    assert_int_equal(suite_version(&table, ending, 99), 99);
    assert_int_equal(suite_peek(&table, &ending, NULL, &found), ACCEL_OK);
    assert_true(found.life.expires_ms == last_ms);
    assert_int_equal(suite_version(&table, endless, 99), 1);
  }
  suite_close(&table);
}

/* ---- accel_flat_validate ---- */

static void break_tag(flat_stripe *stripe, accel_flat_set *set)
{
  (void)stripe;
  set->tags[0] ^= 0x40;
}

/* The other entry of two that then have the same key and tag is never found. */
static void break_uniqueness(flat_stripe *stripe, accel_flat_set *set)
{
  accel_flat_table *table = stripe->table;
  const flat_entry from = flat_entry_at(table, (uint64_t)(set - table->sets), 0);
  const flat_entry to = flat_entry_at(table, (uint64_t)(set - table->sets), 1);
  memcpy(to.slot, from.slot, table->slot_size);
  flat_set_tag(set, 1, flat_tag_of(set, 0));
}

static void break_place(flat_stripe *stripe, accel_flat_set *set)
{
  set->current = (uint64_t)7 << ACCEL_FLAT_ERA_SHIFT;
  (void)stripe;
}

static void break_version(flat_stripe *stripe, accel_flat_set *set)
{
  set->version = stripe->version + 2 * ACCEL_FLAT_VERSION_ONE;
}

static void break_written(flat_stripe *stripe, accel_flat_set *set)
{
  (void)stripe;
  set->version = 0;
}

static void break_replacing(flat_stripe *stripe, accel_flat_set *set)
{
  (void)stripe;
  set->version |= ACCEL_FLAT_REPLACING;
}

static void break_expiry(flat_stripe *stripe, accel_flat_set *set)
{
  for (uint64_t i = 0; i < stripe->table->set_count; i++) stripe->table->sets[i].expiry_left = 0;
  (void)set;
}

static void break_pins(flat_stripe *stripe, accel_flat_set *set)
{
  (void)stripe;
  set->pinned = 1;
}

static void break_entries(flat_stripe *stripe, accel_flat_set *set)
{
  (void)set;
  stripe->entries++;
}

static void break_weight(flat_stripe *stripe, accel_flat_set *set)
{
  (void)set;
  stripe->weight--;
}

static void break_removal(flat_stripe *stripe, accel_flat_set *set)
{
  (void)stripe;
  flat_set_tag(set, 0, ACCEL_FLAT_EMPTY);
}

/* Each thing that is checked: broken by hand, found, put right. */
static void what_is_wrong_in_a_table_is_found(void **state)
{
  void (*const breaks[])(flat_stripe *, accel_flat_set *) = {
      break_tag,    break_uniqueness, break_place,   break_version, break_written, break_replacing,
      break_expiry, break_pins,       break_entries, break_weight,  break_removal,
  };
  (void)state;
  suite_table table = open_two_sets();
  flat_state *engine = flat_state_of(table.local);
  accel_flat_table *flat = engine->front.table;
  accel_flat_set sets[2];
  unsigned char slot[256];
  assert_true(flat->slot_size <= sizeof slot);
  for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
    flat_stripe *stripe = flat->stripes;
    unsigned char *second = flat_entry_at(flat, 0, 1).slot;
    const size_t entries = stripe->entries, weight = stripe->weight;
    memcpy(sets, flat->sets, sizeof sets);
    memcpy(slot, second, flat->slot_size);
    expect_whole_table(table.local, table.type);
    breaks[i](stripe, &flat->sets[0]);
    const char *fault = accel_flat_validate(table.local, table.type, true);
    printf("%s\n", fault == NULL ? "nothing" : fault);
    assert_non_null(fault);
    memcpy(flat->sets, sets, sizeof sets);
    memcpy(second, slot, flat->slot_size);
    stripe->entries = entries;
    stripe->weight = weight;
  }
  engine->quota.entries++;
  assert_null(accel_flat_validate(table.local, table.type, false));
  assert_non_null(accel_flat_validate(table.local, table.type, true));
  engine->quota.entries--;
  suite_close(&table);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(few_keys_are_lost_and_few_bytes_are_spent),
      cmocka_unit_test(what_was_popular_is_known_when_it_comes_back),
      cmocka_unit_test(a_key_keeps_its_count_though_others_come_in_between),
      cmocka_unit_test(most_keys_lie_in_their_first_set_after_many_have_come_and_gone),
      cmocka_unit_test(who_came_early_or_is_asked_for_is_not_moved_to_make_room),
      cmocka_unit_test(a_present_key_of_two_full_sets_keeps_its_slot),
      cmocka_unit_test(what_expired_while_it_was_pinned_goes_first_afterwards),
      cmocka_unit_test(ends_are_exact_for_eight_years_after_the_open),
      cmocka_unit_test(what_is_wrong_in_a_table_is_found),
  };
  suite_ops = &accel_flat_ops;
  return cmocka_run_group_tests_name("flat's sets", tests, NULL, NULL) +
         local_suite_run(&accel_flat_ops);
}
