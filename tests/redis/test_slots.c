/* Slots of a Redis Cluster: the checksum, the reply to CLUSTER SLOTS, MOVED and ASK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/wire/slots.h"

#include <stdio.h>
#include <string.h>

static void keys_lie_in_the_slots_that_redis_says(void **state)
{
  /* As CLUSTER KEYSLOT answers; the first is the check value of CRC-16/XMODEM. */
  static const struct {
    const char *key;
    uint16_t slot;
  } cases[] = {{"123456789", 0x31C3}, {"", 0},           {"foo", 12182},
               {"bar", 5061},         {"hello", 866},    {"app:user:42", 11028},
               {"a", 15495},          {"\xFF\xFE", 3374}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t size = strlen(cases[i].key), half = size / 2;
    const uint16_t checksum = accel_redis_slot_add(0, cases[i].key, half);
    assert_int_equal(accel_redis_slot_add(checksum, cases[i].key + half, size - half) % REDIS_SLOTS,
                     cases[i].slot);
  }
}

/* Parses `text` as one reply. */
static redis_replies replies_of(const char *text)
{
  redis_replies replies = {0};
  redis_reader *reader = accel_redis_reader_open(1000);
  assert_true(accel_redis_reader_feed(reader, text, strlen(text)));
  assert_int_equal(accel_redis_reader_next(reader, &replies), REDIS_READER_REPLY);
  accel_redis_reader_close(reader);
  return replies;
}

static redis_slots_map map;

static const char *read_map(const char *text)
{
  redis_replies replies = replies_of(text);
  const char *why = accel_redis_slots_read(&replies, 0, &map);
  accel_redis_replies_release(&replies);
  return why;
}

static bool read_moved(const char *text, const char *kind, redis_slots_moved *moved)
{
  redis_replies replies = replies_of(text);
  const bool found = accel_redis_slots_read_moved(&replies, 0, kind, moved);
  accel_redis_replies_release(&replies);
  return found;
}

#define NODE(host_, port_) "*4\r\n" host_ ":" #port_ "\r\n$2\r\nid\r\n*0\r\n"
#define LOCAL "$9\r\n127.0.0.1\r\n"
#define RANGE(first_, last_) ":" #first_ "\r\n:" #last_ "\r\n"

static void ranges_are_read_with_their_masters_only(void **state)
{
  (void)state;
  assert_null(
      read_map("*3\r\n"
               "*4\r\n" RANGE(0, 99) NODE(LOCAL, 7000) NODE(LOCAL, 7003) "*3\r\n" RANGE(200, 16383)
                   NODE("$2\r\n::\r\n", 7001) "*3\r\n" RANGE(100, 100) NODE(LOCAL, 7000)));
  assert_int_equal(map.server_count, 2);
  assert_string_equal(map.servers[0].host, "127.0.0.1");
  assert_int_equal(map.servers[0].port, 7000);
  assert_string_equal(map.servers[1].host, "::");
  assert_int_equal(map.owner[0], 0);
  assert_int_equal(map.owner[100], 0);
  assert_int_equal(map.owner[101], REDIS_SLOTS_UNOWNED);
  assert_int_equal(map.owner[16383], 1);
}

static void servers_that_differ_in_one_part_of_their_address_are_two(void **state)
{
  (void)state;
  assert_null(read_map("*2\r\n*3\r\n" RANGE(0, 9) NODE(LOCAL, 7000) "*3\r\n" RANGE(10, 19)
                           NODE("$2\r\n::\r\n", 7000)));
  assert_int_equal(map.server_count, 2);
  assert_int_equal(map.owner[10], 1);
}

static void names_that_are_too_long_for_a_host_are_refused(void **state)
{
  static char host[REDIS_SLOTS_HOST_SIZE + 1], text[2 * sizeof host + 100];
  redis_slots_moved moved;
  (void)state;
  for (size_t size = sizeof host - 2; size < sizeof host; size++) {
    memset(host, 'h', size);
    snprintf(text, sizeof text, "*1\r\n*3\r\n" RANGE(0, 1) "*2\r\n$%zu\r\n%s\r\n:1\r\n", size,
             host);
    assert_int_equal(read_map(text) == NULL, size < REDIS_SLOTS_HOST_SIZE);
    snprintf(text, sizeof text, "-MOVED 1 %s:1\r\n", host);
    assert_int_equal(read_moved(text, "MOVED ", &moved), size < REDIS_SLOTS_HOST_SIZE);
  }
}

static void a_server_may_not_know_its_own_name(void **state)
{
  static const char *const names[] = {"$-1\r\n", "$0\r\n\r\n", "$1\r\n?\r\n"};
  char text[200];
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(text, sizeof text, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%s:7000\r\n", names[i]);
    assert_null(read_map(text));
    assert_string_equal(map.servers[0].host, "");
  }
}

static void replies_out_of_order_are_refused(void **state)
{
  static const struct {
    const char *text, *why;
  } cases[] = {
      {"+OK\r\n", "not an array"},
      {"-ERR This instance has cluster support disabled\r\n", "not an array"},
      {"*0\r\n", "no server owns"},
      {"*1\r\n:1\r\n", "range is not an array"},
      {"*1\r\n*2\r\n" RANGE(0, 1), "range is not an array"},
      {"*1\r\n*3\r\n" RANGE(-1, 1) NODE(LOCAL, 1), "bounds"},
      {"*1\r\n*3\r\n" RANGE(2, 1) NODE(LOCAL, 1), "bounds"},
      {"*1\r\n*3\r\n" RANGE(0, 16384) NODE(LOCAL, 1), "bounds"},
      {"*1\r\n*3\r\n+0\r\n:1\r\n" NODE(LOCAL, 1), "bounds"},
      {"*1\r\n*3\r\n:0\r\n+1\r\n" NODE(LOCAL, 1), "bounds"},
      {"*1\r\n*3\r\n" RANGE(0, 1) "*2\r\n" LOCAL "+1\r\n", "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) NODE("$3\r\na\177b\r\n", 1), "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) NODE(LOCAL, 0), "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) NODE(LOCAL, 65536), "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) NODE("$3\r\na b\r\n", 1), "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) NODE(":1\r\n", 1), "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) "*1\r\n" LOCAL, "address"},
      {"*1\r\n*3\r\n" RANGE(0, 1) "$1\r\nx\r\n", "address"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *why = read_map(cases[i].text);
    if (why == NULL || strstr(why, cases[i].why) == NULL)
      fail_msg("case %zu was answered with \"%s\"", i, why == NULL ? "nothing" : why);
  }
}

static void more_servers_than_are_kept_are_refused(void **state)
{
  static char text[REDIS_SLOTS_SERVERS_MAX * 80 + 100];
  (void)state;
  for (unsigned count = REDIS_SLOTS_SERVERS_MAX; count <= REDIS_SLOTS_SERVERS_MAX + 1; count++) {
    int size = snprintf(text, sizeof text, "*%u\r\n", count);
    for (unsigned i = 0; i < count; i++)
      size += snprintf(text + size, sizeof text - (size_t)size,
                       "*3\r\n:%u\r\n:%u\r\n*2\r\n" LOCAL ":%u\r\n", i, i, 1000 + i);
    const char *why = read_map(text);
    if (count > REDIS_SLOTS_SERVERS_MAX)
      assert_non_null(strstr(why, "more servers"));
    else
      assert_null(why);
  }
}

static void a_sentinels_address_is_read(void **state)
{
  static const char *const wrong[] = {
      "*-1\r\n",
      "*2\r\n$0\r\n\r\n$1\r\n1\r\n",
      "*2\r\n$1\r\nh\r\n$1\r\n0\r\n",
      "*2\r\n$1\r\nh\r\n:1\r\n",
      "*1\r\n$1\r\nh\r\n",
      "*2\r\n$3\r\na b\r\n$1\r\n1\r\n",
      "*2\r\n$1\r\nh\r\n$2\r\n1x\r\n",
      "*2\r\n$1\r\nh\r\n$5\r\n65536\r\n",
      "-NOAUTH\r\n",
  };
  redis_slots_server server;
  (void)state;
  redis_replies replies = replies_of("*2\r\n" LOCAL "$4\r\n6380\r\n");
  assert_null(accel_redis_slots_read_address(&replies, 0, &server));
  assert_string_equal(server.host, "127.0.0.1");
  assert_int_equal(server.port, 6380);
  accel_redis_replies_release(&replies);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    replies = replies_of(wrong[i]);
    assert_non_null(accel_redis_slots_read_address(&replies, 0, &server));
    accel_redis_replies_release(&replies);
  }
}

static void redirections_are_read(void **state)
{
  redis_slots_moved moved;
  (void)state;
  assert_true(read_moved("-MOVED 3999 127.0.0.1:6381\r\n", "MOVED ", &moved));
  assert_int_equal(moved.slot, 3999);
  assert_string_equal(moved.server.host, "127.0.0.1");
  assert_int_equal(moved.server.port, 6381);
  assert_true(read_moved("-ASK 0 2001:db8::1:7000\r\n", "ASK ", &moved));
  assert_string_equal(moved.server.host, "2001:db8::1");
  assert_int_equal(moved.server.port, 7000);
  assert_true(read_moved("-MOVED 16383 :65535\r\n", "MOVED ", &moved));
  assert_string_equal(moved.server.host, "");
}

static void other_errors_are_no_redirections(void **state)
{
  static const char *const cases[] = {
      "-MOVED\r\n",           "-MOVED \r\n",          "-MOVED 1\r\n",
      "-MOVED 1 \r\n",        "-MOVED 1 h\r\n",       "-MOVED 1 h:\r\n",
      "-MOVED 1 h:0\r\n",     "-MOVED 1 h:65536\r\n", "-MOVED 1 h:1x\r\n",
      "-MOVED 16384 h:1\r\n", "-MOVED -1 h:1\r\n",    "-MOVED x h:1\r\n",
      "-ASK 1 h:1\r\n",       "+MOVED 1 h:1\r\n",     "-MOVED 99999999 h:1\r\n",
      "-MOVED 1 a b:1\r\n",   "-MOVED 1x h:1\r\n",
  };
  redis_slots_moved moved;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (read_moved(cases[i], "MOVED ", &moved)) fail_msg("\"%s\" was believed", cases[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_lie_in_the_slots_that_redis_says),
      cmocka_unit_test(ranges_are_read_with_their_masters_only),
      cmocka_unit_test(servers_that_differ_in_one_part_of_their_address_are_two),
      cmocka_unit_test(names_that_are_too_long_for_a_host_are_refused),
      cmocka_unit_test(a_server_may_not_know_its_own_name),
      cmocka_unit_test(replies_out_of_order_are_refused),
      cmocka_unit_test(more_servers_than_are_kept_are_refused),
      cmocka_unit_test(a_sentinels_address_is_read),
      cmocka_unit_test(redirections_are_read),
      cmocka_unit_test(other_errors_are_no_redirections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
