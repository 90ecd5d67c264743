/* The fake's clock, what it holds and counts, and what it does without memory or after a fork. */
#include "fake_world.h"

#include "accel/error.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the clock, and what is held ---- */

static void the_clock_can_be_set(void **state)
{
  world *all = (world *)*state;
  const uint64_t wall_ms = accel_clock_wall_ms();
  const uint64_t now_ms = accel_fake_now_ms(&all->fake);
  assert_in_range(now_ms, wall_ms - 1000, accel_clock_wall_ms() + 1000);
  accel_fake_set_now(&all->fake, 5000);
  assert_int_equal(accel_fake_now_ms(&all->fake), 5000);
  put(all, "area:a");
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 60000);
  accel_fake_set_skew(&all->fake, -2000);
  assert_int_equal(accel_fake_ops.now_ms(all->links[0]), 3000);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 60000);
  accel_fake_advance(&all->fake, 59999);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 1);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 1);
  accel_fake_advance(&all->fake, 1);
  assert_int_equal(accel_fake_keys(&all->fake, NULL, NULL), 0);
  assert_int_equal(get(all, "area:a"), ACCEL_MISS);
  assert_int_equal(accel_fake_ttl_left(&all->fake, "area:a"), 0);
}

static void add_key_size(void *ctx, const char *key, size_t key_size)
{
  if (memcmp(key, "area:", 5) == 0) *(size_t *)ctx += key_size;
}

static void bytes_can_be_read_and_spoilt(void **state)
{
  world *all = (world *)*state;
  accel_buffer bytes = {NULL, 0, 0};
  assert_false(accel_fake_peek(&all->fake, "area:a", &bytes));
  put(all, "area:a");
  assert_true(accel_fake_peek(&all->fake, "area:a", &bytes));
  assert_int_equal(bytes.size, 5);
  assert_memory_equal(bytes.data, "value", 5);
  accel_buffer_release(&bytes);
  assert_true(accel_fake_poke(&all->fake, "area:a", "spoilt!", 7, ACCEL_FOREVER));
  assert_true(accel_fake_ttl_left(&all->fake, "area:a") == ACCEL_FOREVER);
  assert_true(accel_fake_peek(&all->fake, "area:a", &bytes));
  assert_int_equal(bytes.size, 7);
  accel_buffer_release(&bytes);
  size_t key_sizes = 0;
  assert_true(accel_fake_poke(&all->fake, "area:longer", "", 0, ACCEL_FOREVER));
  assert_int_equal(accel_fake_keys(&all->fake, add_key_size, &key_sizes), 2);
  assert_int_equal(key_sizes, strlen("area:a") + strlen("area:longer"));
  assert_true(accel_fake_evict(&all->fake, "area:a"));
  assert_false(accel_fake_evict(&all->fake, "area:a"));
  assert_int_equal(all->ears[0].messages, 1);
}

static void calls_and_items_are_counted(void **state)
{
  world *all = (world *)*state;
  accel_remote_item items[3] = {item_of("area:a"), item_of("area:b"), item_of("area:c")};
  accel_remote_call call = call_within(WAIT_MS);
  accel_fake_ops.put(all->links[0], items, 3, NULL, &call);
  put(all, "area:a");
  accel_fake_fail(&all->fake, ACCEL_FAKE_GET, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, 1);
  get(all, "area:a");
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 2);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_PUT), 4);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_DEL), 0);
  accel_fake_forget_counts(&all->fake);
  assert_int_equal(accel_fake_calls(&all->fake, ACCEL_FAKE_PUT), 0);
  assert_int_equal(accel_fake_items(&all->fake, ACCEL_FAKE_PUT), 0);
}

/* ---- misuse, memory, forks ---- */

static void what_is_not_open_cannot_be_attached(void **state)
{
  world *all = (world *)*state;
  char channel[192], area[70];
  void *link = NULL;
  accel_fake closed = {NULL};
  memset(area, 'a', sizeof area - 1);
  area[sizeof area - 1] = '\0';
  accel_remote_area joined = {.area = "area", .owner = all};
  assert_int_equal(accel_fake_ops.attach(NULL, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_int_equal(accel_fake_ops.attach(&closed, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_error_text(all), "not open"));
  joined.area = area;
  assert_int_equal(accel_fake_ops.attach(&all->fake, &joined, &link, channel), ACCEL_ERR_CONFIG);
  assert_null(link);
  assert_int_equal(accel_fake_open(NULL, NULL), ACCEL_ERR_CONFIG);
}

/* Every allocation of a whole life fails once; the next call works again. */
static void every_allocation_may_fail(void **state)
{
  (void)state;
  for (uint64_t n = 1, failures = 1; failures > 0; n++) {
    world all;
    memset(&all, 0, sizeof all);
    failing_alloc_fail_nth(n);
    if (accel_fake_open(&all.fake, NULL) == ACCEL_OK) {
      for (size_t i = 0; i < 2; i++)
        if (attach(&all, i) != ACCEL_OK) assert_int_equal(attach(&all, i), ACCEL_OK);
      const accel_status statuses[] = {put(&all, "area:a"), get(&all, "area:a"),
                                       put(&all, "area:b")};
      for (size_t i = 0; i < 3; i++)
        assert_true(statuses[i] == ACCEL_OK || statuses[i] == ACCEL_ERR_NOMEM ||
                    (i == 1 && statuses[i] == ACCEL_MISS && statuses[0] == ACCEL_ERR_NOMEM));
      /* Nothing is there that was not told. */
      assert_true(all.ears[1].messages >= accel_fake_keys(&all.fake, NULL, NULL));
      accel_fake_publish(&all.fake, "area", "x", 1);
      accel_fake_fail_key(&all.fake, ACCEL_FAKE_GET, "area:a", ACCEL_ERR_BACKEND, 1);
      for (size_t i = 0; i < 2; i++) accel_fake_ops.detach(all.links[i]);
    }
    accel_fake_close(&all.fake);
    failures = failing_alloc_failures();
    failing_alloc_fail_nth(0);
  }
}

/* A publisher that holds the fake's lock until it may go on. */
typedef struct stall {
  world *all;
  int begun[2], may_end[2]; /* pipes */
} stall;

static size_t stalled_message(void *ctx, uint32_t lane, const accel_remote_item *const *items,
                              size_t count, accel_buffer *out)
{
  const stall *self = (const stall *)ctx;
  char byte = 0;
  const bool passed = write(self->begun[1], &byte, 1) == 1 && read(self->may_end[0], &byte, 1) == 1;
  return passed ? make_message(ctx, lane, items, count, out) : 0;
}

static void *stalled_put(void *ctx)
{
  stall *self = (stall *)ctx;
  const accel_remote_publisher stalled = {self, stalled_message};
  accel_remote_item item = item_of("area:a");
  accel_remote_call call = call_within(WAIT_MS);
  accel_fake_ops.put(self->all->links[0], &item, 1, &stalled, &call);
  return NULL;
}

/* Even while another thread of the parent was in the middle of a call. */
static void a_forked_child_only_releases_memory(void **state)
{
  world *all = (world *)*state;
  stall self = {.all = all};
  pthread_t thread;
  char byte = 0;
  assert_int_equal(pipe(self.begun) | pipe(self.may_end), 0);
  assert_int_equal(pthread_create(&thread, NULL, stalled_put, &self), 0);
  assert_int_equal(read(self.begun[0], &byte, 1), 1);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(20);
    for (size_t i = 0; i < 2; i++) accel_fake_ops.detach(all->links[i]);
    accel_fake_close(&all->fake);
    _exit(all->fake.state == NULL && all->ears[0].downs == 0 ? 0 : 1);
  }
  assert_int_equal(write(self.may_end[1], &byte, 1), 1);
  pthread_join(thread, NULL);
  for (size_t i = 0; i < 2; i++) {
    close(self.begun[i]);
    close(self.may_end[i]);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(get(all, "area:a"), ACCEL_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      FAKE_TEST(the_clock_can_be_set),
      FAKE_TEST(bytes_can_be_read_and_spoilt),
      FAKE_TEST(calls_and_items_are_counted),
      FAKE_TEST(what_is_not_open_cannot_be_attached),
      cmocka_unit_test(every_allocation_may_fail),
      FAKE_TEST(a_forked_child_only_releases_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
