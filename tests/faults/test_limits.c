/* Too much and too late: giant values and announcements, clocks that disagree by days. */
#include "fault_world.h"

#include "../redis/client.h"
#include "../redis/peer.h"
#include "accel/codec.h"
#include "one_server.h"

#include <hiredis/hiredis.h>

static long resident_kb(void)
{
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  if (file != NULL) fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- giants ---- */

static void the_largest_value_passes_and_one_byte_more_does_not(void **state)
{
  enum { LARGEST = 8 << 20 };
  char *value = (char *)malloc(LARGEST + 2);
  client one;
  (void)state;
  assert_non_null(value);
  memset(value, 'v', LARGEST + 1);
  value[LARGEST + 1] = '\0';
  const accel_redis_config config = {.url = server.url, .command_timeout_ms = 5000};
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "giant", value), ACCEL_ERR_CODEC);
  assert_int_equal(client_check(&one, "giant", value), ACCEL_MISS);
  value[LARGEST] = '\0';
  assert_int_equal(client_put(&one, "giant", value), ACCEL_OK);
  assert_int_equal(client_check(&one, "giant", value), ACCEL_OK);
  client_close(&one);
  free(value);
}

static void check_announcement(const char *answer, const char *what)
{
  enum { VALUE_MAX = 1 << 20, LIMIT_MS = 200 };
  peer liar;
  client one;
  assert_true(peer_open(&liar, answer, 0));
  const accel_redis_config config = {
      .url = liar.url, .command_timeout_ms = LIMIT_MS, .max_value_bytes = VALUE_MAX};
  client_open(&one, &config);
  while (!accel_redis_ops.is_ready(one.link)) usleep(1000);
  const long before_kb = resident_kb();
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_status status = client_check(&one, "key", "value");
  const double took_ms = fault_ms_since(began_ns);
  const long grown_kb = resident_kb() - before_kb;
  print_message("%s: %s after %.1f ms, %ld KiB more\n", what, accel_status_name(status), took_ms,
                grown_kb);
  assert_true(status == ACCEL_ERR_BACKEND || status == ACCEL_ERR_TIMEOUT);
  assert_true(took_ms < 100 * LIMIT_MS); /* it would wait for ever */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  assert_true(grown_kb < 2 * VALUE_MAX / 1024);
#endif
  client_close(&one);
  peer_close(&liar);
}

static void giant_announcements_cost_neither_time_nor_memory(void **state)
{
  enum { DEPTH = 1000000 };
  char *deep = (char *)malloc(4 * DEPTH + 1);
  (void)state;
  assert_non_null(deep);
  for (size_t i = 0; i < DEPTH; i++) memcpy(deep + 4 * i, "*1\r\n", 4);
  deep[4 * DEPTH] = '\0';
  check_announcement("$536870912\r\n", "a text of 512 MiB");
  check_announcement("$9223372036854775807\r\n", "a text of 2^63 - 1 bytes");
  check_announcement("$-9223372036854775808\r\n", "a text of -2^63 bytes");
  check_announcement("*2147483648\r\n", "an array of 2^31 elements");
  check_announcement("*1000000000\r\n$1\r\na\r\n", "an array of 10^9 elements, one there");
  check_announcement(deep, "arrays nested a million deep");
  free(deep);
}

/* ---- clocks ---- */

typedef struct clock_case {
  const char *what;
  int64_t created_offset_ms; /* against the server's clock */
  uint32_t ttl_ms;
  bool is_hit;
} clock_case;

enum { DAY_MS = 86400000 };

static void write_envelope(redisContext *direct, uint64_t key, const clock_case *each)
{
  char name[24];
  accel_buffer sealed = {0};
  const item_t item = fault_item(key, 1);
  snprintf(name, sizeof name, "%llu", (unsigned long long)key);
  accel_envelope terms = {.token = 9, .ttl_ms = each->ttl_ms};
  terms.created_ms = accel_clock_wall_ms() + (uint64_t)each->created_offset_ms;
  assert_int_equal(
      accel_envelope_append(&item_cache_type_, "fault", name, strlen(name), &terms, &item, &sealed),
      ACCEL_OK);
  redisReply *reply = (redisReply *)redisCommand(direct, "SET fault:%s %b", name,
                                                 (const void *)sealed.data, sealed.size);
  assert_true(reply != NULL && reply->type == REDIS_REPLY_STATUS);
  freeReplyObject(reply);
  accel_buffer_release(&sealed);
}

/* The writer had another clock, or lied: what is left lies within [0, TTL], and L1 keeps
 * nothing longer than that, nor than it is asked to. */
static void clocks_that_are_days_apart_stretch_no_life(void **state)
{
  static const clock_case cases[] = {
      {"now", 0, 60000, true},
      {"ten days ahead", 10LL * DAY_MS, 60000, true},
      {"ten days behind", -10LL * DAY_MS, 60000, false},
      {"an hour behind, for two", -3600000, 7200000, true},
      {"ten days behind, for ever", -10LL * DAY_MS, ACCEL_FOREVER, true},
      {"at the end of time", INT64_MAX / 2, 5000, true},
      {"a life of almost 2^32 ms", 0, ACCEL_FOREVER - 1, true},
      {"a life of 0 ms", 0, 0, false},
  };
  enum { LOCAL_MS = 10000 };
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = 5000};
  fault_world world;
  redisContext *direct = redisConnect("127.0.0.1", server.port);
  (void)state;
  assert_non_null(direct);
  fault_open(&world, &where, (accel_config){.local_ttl_ms = LOCAL_MS, .no_ttl_jitter = true});
  assert_true(fault_comes(&world, true, 5000) >= 0);
  for (uint64_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    accel_info info;
    item_t item;
    const accel_read all = {.disable_load = true, .info = &info};
    const accel_read local = {.disable_load = true, .skip_remote = true, .info = &info};
    write_envelope(direct, i, &cases[i]);
    const accel_status status = item_cache_get_with(&world.cache, i, &all, &item);
    if ((status == ACCEL_OK) != cases[i].is_hit)
      fail_msg("%s: %s", cases[i].what, accel_status_name(status));
    if (!cases[i].is_hit) continue;
    assert_true(info.ttl_left_ms >= 1 && info.ttl_left_ms <= cases[i].ttl_ms);
    assert_int_equal(item_cache_get_with(&world.cache, i, &local, &item), ACCEL_OK);
    assert_true(info.ttl_left_ms >= 1 && info.ttl_left_ms <= LOCAL_MS);
    assert_true(info.ttl_left_ms <= cases[i].ttl_ms);
  }
  redisFree(direct);
  fault_close(&world);
}

static uint64_t leaping_ms;

static uint64_t leaping_now(void *unused)
{
  (void)unused;
  return __atomic_load_n(&leaping_ms, __ATOMIC_RELAXED);
}

/* A suspended machine wakes ten days later. */
static void a_leap_of_the_clock_ends_lives_and_starts_sound_ones(void **state)
{
  static const accel_clock leaping = {leaping_now, NULL};
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = 5000};
  fault_world world;
  accel_info info;
  item_t item;
  (void)state;
  leaping_ms = 1000;
  fault_open(&world, &where, (accel_config){.clock = &leaping, .area = "leap"});
  assert_true(fault_comes(&world, true, 5000) >= 0);
  for (unsigned leap = 0; leap < 3; leap++) {
    const accel_read local = {.disable_load = true, .skip_remote = true, .info = &info};
    const accel_read past_remote = {.skip_remote = true};
    assert_int_equal(item_cache_get_with(&world.cache, 1, &past_remote, &item), ACCEL_OK);
    assert_int_equal(world.loads, leap + 1);
    assert_int_equal(item_cache_get_with(&world.cache, 1, &local, &item), ACCEL_OK);
    assert_true(info.ttl_left_ms >= 1 && info.ttl_left_ms <= 60000);
    __atomic_add_fetch(&leaping_ms, (leap == 1 ? 400ull : 10ull) * DAY_MS, __ATOMIC_RELAXED);
    assert_int_equal(item_cache_get_with(&world.cache, 1, &local, &item), ACCEL_MISS);
  }
  fault_close(&world);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_largest_value_passes_and_one_byte_more_does_not),
      cmocka_unit_test(giant_announcements_cost_neither_time_nor_memory),
      cmocka_unit_test(clocks_that_are_days_apart_stretch_no_life),
      cmocka_unit_test(a_leap_of_the_clock_ends_lives_and_starts_sound_ones),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
