/* Messages of other processes that arrive while loads fill L1: a load that begins after L1 forgot
 * the key is shared by later readers, and a read that a message woke does not fill L1 over a later
 * one. */
#include "cache_world.h"

/* An L1 that calls somebody once it has forgotten a key or everything; and a codec that does once
 * it has read a value of L2. */
static accel_local_ops watched_ops;
static accel_local *watched_local; /* the first that was opened */
static bool has_removed;           /* atomic */
static void (*on_removal)(void), (*on_value)(void);

static void watch(void (**watcher)(void), void (*call)(void))
{
  __atomic_store_n(watcher, call, __ATOMIC_RELEASE);
}

static void call_once(void (**watcher)(void))
{
  void (*call)(void) = __atomic_exchange_n(watcher, NULL, __ATOMIC_ACQ_REL);
  if (call != NULL) call();
}

static accel_status watched_open(const accel_local_config *config, accel_local **local_out)
{
  const accel_status status = accel_flat_ops.open(config, local_out);
  if (watched_local == NULL) watched_local = *local_out;
  return status;
}

static void note_removal(const accel_local *local)
{
  if (local != watched_local) return;
  __atomic_store_n(&has_removed, true, __ATOMIC_RELEASE);
  call_once(&on_removal);
}

static void watched_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash)
{
  accel_flat_ops.del(local, type, key, hash);
  note_removal(local);
}

static void watched_expire_all(accel_local *local)
{
  accel_flat_ops.expire_all(local);
  note_removal(local);
}

static accel_status watched_encode(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  return accel_buffer_append(out, value, sizeof(row)) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status watched_decode(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  if (size != sizeof(row)) return ACCEL_ERR_CODEC;
  memcpy(value_out, data, size);
  call_once(&on_value);
  return ACCEL_OK;
}

static const accel_codec watched_codec = {NULL, watched_encode, watched_decode};

ACCEL_DEFINE_WITH(watched, uint64_t, row, .remote = &accel_fake_ops, .local = &watched_ops,
                  .codec = &watched_codec)

/* Three processes; what the first hears can be held. */
static world *hearing;
static watched_cache hearers[3];

typedef struct reader {
  watched_cache *cache;
  uint64_t key;
  row found;
  pthread_t thread;
} reader;

static reader readers[3];

static void *reader_run(void *reader_pointer)
{
  reader *self = (reader *)reader_pointer;
  if (watched_cache_get(self->cache, self->key, &self->found) != ACCEL_OK) self->found.number = 0;
  return NULL;
}

static void reader_start(reader *self, watched_cache *cache, uint64_t key)
{
  self->cache = cache;
  self->key = key;
  assert_int_equal(pthread_create(&self->thread, NULL, reader_run, self), 0);
}

static uint64_t reader_join(reader *self)
{
  pthread_join(self->thread, NULL);
  return self->found.number;
}

static void open_hearers(world *all)
{
  hearing = all;
  open_caches(all);
  watched_local = NULL;
  watched_ops = accel_flat_ops;
  watched_ops.open = watched_open;
  watched_ops.del = watched_del;
  watched_ops.expire_all = watched_expire_all;
  watch(&on_removal, NULL);
  watch(&on_value, NULL);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(watched_cache_open(&hearers[i], &all->config), ACCEL_OK);
    watched_cache_set_loader(&hearers[i], load_row, &all->source);
  }
  shut(&all->source);
}

static void close_hearers(void)
{
  for (size_t i = 0; i < 3; i++) watched_cache_close(&hearers[i]);
}

enum { LINK_OF_FIRST = 2 };

/* L1 has just forgotten: the load of a reader that comes now has nothing old to bring. */
static void read_meanwhile(void)
{
  reader_start(&readers[0], &hearers[0], 1);
  await_waiting(&hearing->source, 1);
}

/* Two loads of one key at a time could fill L1 in the wrong order. */
static void assert_next_reader_follows(void)
{
  accel_metrics metrics = {0};
  reader_start(&readers[1], &hearers[0], 1);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (metrics.load_shared == 0 && accel_clock_monotonic_ms() < until_ms) {
    watched_cache_metrics_snapshot(&hearers[0], &metrics);
    nap();
  }
  reopen(&hearing->source);
  for (size_t i = 0; i < 2; i++) assert_int_equal(reader_join(&readers[i]), 1001);
  close_hearers();
  assert_int_equal(metrics.load_shared, 1);
  assert_int_equal(source_calls(&hearing->source), 1);
}

static void a_message_does_not_part_later_readers(void **state)
{
  world *all = (world *)*state;
  open_hearers(all);
  accel_fake_hold(&all->fake, LINK_OF_FIRST);
  assert_int_equal(watched_cache_del(&hearers[1], 1), ACCEL_OK);
  watch(&on_removal, read_meanwhile);
  assert_int_equal(accel_fake_deliver(&all->fake, LINK_OF_FIRST, 1), 1);
  assert_next_reader_follows();
}

static void nor_does_one_that_was_lost(void **state)
{
  world *all = (world *)*state;
  open_hearers(all);
  watch(&on_removal, read_meanwhile);
  assert_true(accel_fake_publish(&all->fake, "rows", "?", 1)); /* could have named any key */
  assert_next_reader_follows();
}

static struct {
  uint64_t key;
  accel_status write;
  uint64_t read; /* what another reader found */
} overtaking;

static bool was_up_too_early;

static void look_whether_it_is_up(void)
{
  accel_diagnostic seen;
  watched_cache_diagnostic_snapshot(&hearers[0], &seen);
  was_up_too_early = seen.channel_up;
}

/* A thread that has seen that the channel is up stores what no expiry of that moment takes away
 * again. */
static void the_channel_is_up_once_local_is_expired(void **state)
{
  world *all = (world *)*state;
  accel_diagnostic seen;
  open_hearers(all);
  accel_fake_channel_down(&all->fake, LINK_OF_FIRST);
  watch(&on_removal, look_whether_it_is_up);
  was_up_too_early = true;
  accel_fake_channel_up(&all->fake, LINK_OF_FIRST);
  assert_false(was_up_too_early);
  watched_cache_diagnostic_snapshot(&hearers[0], &seen);
  assert_true(seen.channel_up);
  close_hearers();
}

static accel_metrics metrics_of_first(void)
{
  accel_metrics metrics;
  watched_cache_metrics_snapshot(&hearers[0], &metrics);
  return metrics;
}

/* A read that a message woke has the value in its hands. The next one is there already, and another
 * thread reads it, but its message is still on the way. */
static void write_and_read_once_more(void)
{
  const row next = {6};
  if (!__atomic_load_n(&has_removed, __ATOMIC_ACQUIRE)) return; /* woken by the clock */
  accel_fake_hold(&hearing->fake, LINK_OF_FIRST);
  overtaking.write = watched_cache_set(&hearers[1], overtaking.key, &next);
  reader_start(&readers[2], &hearers[0], overtaking.key);
  overtaking.read = reader_join(&readers[2]);
}

/* A reader waits for another process' load, and a set wakes it. */
static void overtake_a_woken_read(world *all, uint64_t key)
{
  const row first = {5};
  const uint64_t waits = metrics_of_first().lease_waits;
  shut(&all->source);
  reader_start(&readers[0], &hearers[2], key); /* has the lease */
  await_waiting(&all->source, 1);
  reader_start(&readers[1], &hearers[0], key);
  const uint64_t until_ms = accel_clock_deadline(WAIT_MS);
  while (metrics_of_first().lease_waits == waits && accel_clock_monotonic_ms() < until_ms) nap();
  memset(&overtaking, 0, sizeof overtaking);
  overtaking.key = key;
  __atomic_store_n(&has_removed, false, __ATOMIC_RELEASE);
  watch(&on_value, write_and_read_once_more);
  assert_int_equal(watched_cache_set(&hearers[1], key, &first), ACCEL_OK);
  assert_int_equal(reader_join(&readers[1]), 5);
  reopen(&all->source);
  reader_join(&readers[0]);
}

static void a_read_that_a_message_woke_does_not_fill_over_a_later_one(void **state)
{
  world *all = (world *)*state;
  row found = {0};
  open_hearers(all);
  overtaking.read = 0;
  for (uint64_t key = 1; overtaking.read == 0; key++) { /* until it was the message */
    assert_true(key < 20);
    overtake_a_woken_read(all, key);
  }
  const accel_status status =
      watched_cache_get_with(&hearers[0], overtaking.key, &only_local, &found);
  close_hearers();
  assert_int_equal(overtaking.write, ACCEL_OK);
  assert_int_equal(overtaking.read, 6);
  assert_int_equal(status, ACCEL_OK);
  assert_int_equal(found.number, 6);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_message_does_not_part_later_readers),
      WORLD_TEST(nor_does_one_that_was_lost),
      WORLD_TEST(the_channel_is_up_once_local_is_expired),
      WORLD_TEST(a_read_that_a_message_woke_does_not_fill_over_a_later_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
