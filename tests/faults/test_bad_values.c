/* What lies in Redis is not what we wrote: a miss, counted, and no harm to its neighbours.
 *
 * A batch of three keys is read; the middle one's bytes were changed in every way that there is.
 * The codec counts how often it is asked to decode: never what did not pass the envelope's check.
 */
#include "fault_world.h"

#include "accel/codec.h"

#include <hiredis/hiredis.h>

enum { PAYLOAD = 1024, STORED = ACCEL_ENVELOPE_SIZE + PAYLOAD };

typedef struct blob_t {
  unsigned char bytes[PAYLOAD];
} blob_t;

static atomic_uint decoded;

static accel_status encode(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  return accel_buffer_append(out, value, sizeof(blob_t)) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status decode(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  decoded++;
  if (size != sizeof(blob_t)) return ACCEL_ERR_CODEC;
  memcpy(value_out, data, size);
  return ACCEL_OK;
}

static const accel_codec counting_codec = {.encode = encode, .decode = decode};

ACCEL_DEFINE_WITH(blob, uint64_t, blob_t, .remote = &accel_redis_ops, .codec = &counting_codec)
ACCEL_DEFINE_WITH(blob_next, uint64_t, blob_t, .remote = &accel_redis_ops, .codec = &counting_codec,
                  .schema = 2)

static redis_server server;
static redisContext *direct;
static accel_redis redis;
static blob_cache cache;
static unsigned char stored[3][STORED];

static blob_t blob_of(uint64_t key)
{
  blob_t blob;
  for (size_t i = 0; i < PAYLOAD; i++) blob.bytes[i] = (unsigned char)(key * 7 + i);
  return blob;
}

static void write_raw(uint64_t key, const void *data, size_t size)
{
  redisReply *reply = (redisReply *)redisCommand(direct, "SET bad:%d %b", (int)key, data, size);
  assert_non_null(reply);
  assert_int_equal(reply->type, REDIS_REPLY_STATUS);
  freeReplyObject(reply);
}

static void run_raw(const char *command)
{
  redisReply *reply = (redisReply *)redisCommand(direct, command);
  assert_non_null(reply);
  assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
  freeReplyObject(reply);
}

static int start(void **state)
{
  (void)state;
  if (!redis_server_start(&server, NULL)) return -1;
  direct = redisConnect("127.0.0.1", server.port);
  const accel_redis_config where = {.url = server.url, .command_timeout_ms = 5000};
  /* In full numbers a million reads outlast every usual life. */
  const accel_config config = {
      .area = "bad", .mode = ACCEL_REMOTE, .remote = &redis, .remote_ttl_ms = ACCEL_FOREVER};
  if (direct == NULL || accel_redis_open(&redis, &where) != ACCEL_OK ||
      blob_cache_open(&cache, &config) != ACCEL_OK)
    return -1;
  for (uint64_t key = 0; key < 3; key++) {
    const blob_t blob = blob_of(key);
    if (blob_cache_set(&cache, key, &blob) != ACCEL_OK) return -1;
    redisReply *reply = (redisReply *)redisCommand(direct, "GET bad:%d", (int)key);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING || reply->len != STORED) return -1;
    memcpy(stored[key], reply->str, STORED);
    freeReplyObject(reply);
  }
  return 0;
}

static int stop(void **state)
{
  (void)state;
  blob_cache_close(&cache);
  accel_redis_close(&redis);
  redisFree(direct);
  redis_server_stop(&server);
  return 0;
}

static accel_metrics look(void)
{
  accel_metrics metrics;
  blob_cache_metrics_snapshot(&cache, &metrics);
  return metrics;
}

/* The middle key is a miss, the others are whole; `counted`: as bytes that are not ours. */
static void expect_miss_among_hits(const char *what, unsigned number, bool is_counted)
{
  static const uint64_t keys[] = {0, 1, 2};
  const accel_read read = {.disable_load = true};
  blob_t blobs[3];
  accel_status statuses[3];
  const accel_metrics before = look();
  const unsigned decoded_before = decoded;
  accel_ignore(blob_cache_mget(&cache, keys, 3, &read, blobs, statuses));
  const accel_metrics after = look();
  for (uint64_t key = 0; key < 3; key += 2) {
    const blob_t expected = blob_of(key);
    if (statuses[key] != ACCEL_OK || memcmp(&blobs[key], &expected, sizeof expected) != 0)
      fail_msg("%s %u: the neighbour %u was harmed", what, number, (unsigned)key);
  }
  if (statuses[1] != ACCEL_MISS)
    fail_msg("%s %u: %s instead of a miss", what, number, accel_status_name(statuses[1]));
  if (after.remote_decode_errors - before.remote_decode_errors != (is_counted ? 1 : 0))
    fail_msg("%s %u: not counted once", what, number);
  assert_int_equal(after.remote_errors, before.remote_errors);
  assert_int_equal(after.remote_miss, before.remote_miss + 1);
  if (decoded != decoded_before + 2) fail_msg("%s %u: bad bytes were decoded", what, number);
}

static void what_was_written_is_read(void **state)
{
  const uint64_t keys[] = {0, 1, 2};
  blob_t blobs[3];
  accel_status statuses[3];
  (void)state;
  for (uint64_t key = 0; key < 3; key++) write_raw(key, stored[key], STORED);
  assert_int_equal(blob_cache_mget(&cache, keys, 3, NULL, blobs, statuses), ACCEL_OK);
}

static void every_flipped_bit_is_a_miss(void **state)
{
  (void)state;
  for (unsigned bit = 0; bit < 8 * STORED; bit++) {
    unsigned char harmed[STORED];
    memcpy(harmed, stored[1], STORED);
    harmed[bit / 8] = (unsigned char)(harmed[bit / 8] ^ 1u << bit % 8);
    write_raw(1, harmed, STORED);
    expect_miss_among_hits("bit", bit, true);
  }
  print_message("%u bits flipped, one at a time\n", 8 * STORED);
}

static void every_truncation_is_a_miss(void **state)
{
  unsigned char longer[STORED + 64];
  (void)state;
  for (unsigned size = 0; size < STORED; size++) {
    write_raw(1, stored[1], size);
    expect_miss_among_hits("size", size, true);
  }
  memset(longer, 0, sizeof longer);
  memcpy(longer, stored[1], STORED);
  for (unsigned size = STORED + 1; size <= sizeof longer; size++) {
    write_raw(1, longer, size);
    expect_miss_among_hits("size", size, true);
  }
  print_message("%u truncations, %zu additions\n", STORED, sizeof longer - STORED);
}

static void random_bytes_are_a_miss(void **state)
{
  const unsigned cases = fault_number(1000, 1000000);
  unsigned char bytes[2 * STORED];
  uint64_t seed = 1;
  (void)state;
  for (unsigned i = 0; i < cases; i++) {
    for (size_t k = 0; k < sizeof bytes; k += 8) {
      const uint64_t word = accel_hash_integer(++seed, 99);
      memcpy(bytes + k, &word, sizeof word);
    }
    /* Some begin as ours do, so that later checks are reached. */
    memcpy(bytes, stored[1], i % 4 == 0 ? 0 : i % 4 == 1 ? 4 : i % 4 == 2 ? 16 : 40);
    write_raw(1, bytes, accel_hash_integer(++seed, 98) % sizeof bytes);
    expect_miss_among_hits("random", i, true);
  }
  print_message("%u times random bytes\n", cases);
}

static void values_of_other_keys_and_schemas_are_a_miss(void **state)
{
  (void)state;
  write_raw(1, stored[0], STORED);
  expect_miss_among_hits("another key's value", 0, true);
  blob_next_cache next;
  const accel_config config = {.area = "bad", .mode = ACCEL_REMOTE, .remote = &redis};
  const blob_t blob = blob_of(1);
  assert_int_equal(blob_next_cache_open(&next, &config), ACCEL_OK);
  assert_int_equal(blob_next_cache_set(&next, 1, &blob), ACCEL_OK);
  blob_next_cache_close(&next);
  expect_miss_among_hits("another schema", 0, true);
}

/* Redis itself says of a list that it is no string; in a batch it says nil. */
static void foreign_values_are_a_miss_and_give_way(void **state)
{
  static const char *const commands[] = {"SET bad:1 hello",     "RPUSH bad:1 x y",
                                         "SADD bad:1 x",        "HSET bad:1 f v",
                                         "SETBIT bad:1 9000 1", "SET bad:1 ACL1"};
  (void)state;
  for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
    const bool is_string = strncmp(commands[i], "SET", 3) == 0;
    const accel_read read = {.disable_load = true};
    const blob_t expected = blob_of(1);
    blob_t blob;
    run_raw("DEL bad:1");
    run_raw(commands[i]);
    expect_miss_among_hits(commands[i], i, is_string);
    const uint64_t errors = look().remote_errors;
    assert_int_equal(blob_cache_get_with(&cache, 1, &read, &blob), ACCEL_MISS);
    assert_int_equal(look().remote_errors, errors);
    assert_int_equal(blob_cache_set(&cache, 1, &expected), ACCEL_OK);
    assert_int_equal(blob_cache_get_with(&cache, 1, &read, &blob), ACCEL_OK);
    assert_memory_equal(&blob, &expected, sizeof blob);
  }
}

static accel_status load_blob(void *ctx, uint64_t key, blob_t *out)
{
  ++*(unsigned *)ctx;
  *out = blob_of(key);
  return ACCEL_OK;
}

/* A load whose way into L2 is blocked by something foreign still answers, alone and in a batch. */
static void a_load_is_not_harmed_by_what_is_in_its_way(void **state)
{
  static const char *const commands[] = {"SET bad:1 hello", "RPUSH bad:1 x y"};
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    unsigned loads = 0;
    blob_t blob;
    const blob_t expected = blob_of(1);
    run_raw("DEL bad:1");
    run_raw(commands[i]);
    assert_int_equal(blob_cache_get_or_load(&cache, 1, NULL, load_blob, &loads, &blob), ACCEL_OK);
    assert_memory_equal(&blob, &expected, sizeof blob);
    assert_int_equal(loads, 1);
  }
  write_raw(1, stored[1], STORED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_read),
      cmocka_unit_test(every_flipped_bit_is_a_miss),
      cmocka_unit_test(every_truncation_is_a_miss),
      cmocka_unit_test(random_bytes_are_a_miss),
      cmocka_unit_test(values_of_other_keys_and_schemas_are_a_miss),
      cmocka_unit_test(foreign_values_are_a_miss_and_give_way),
      cmocka_unit_test(a_load_is_not_harmed_by_what_is_in_its_way),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}
