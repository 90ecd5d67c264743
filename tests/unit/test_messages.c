/* Invalidation messages that lie about themselves: a right hash around wrong content, and numbers
 * at the ends of their ranges. */
#include "message_world.h"

#include "accel/bytes.h"
#include "accel/hash.h"
#include "accel/platform/clock.h"

#include <string.h>

enum { COUNT_AT = 6, ID_AT = 8, OP_AT = 5, LANE_AT = 28, AGE_AT = 32, HEAD = 36, TAIL = 8 };

static accel_buffer message(void)
{
  return message_on(1);
}

/* Gives a message the hash that its bytes have now: the hash is no secret. */
static void sign(accel_buffer *bytes)
{
  static const uint64_t secret[2] = {0x6163636C2D627573u, 0x6D6573736167652Eu}; /* invalidate.c's */
  accel_siphash hash;
  accel_siphash_begin(&hash, secret);
  accel_siphash_add(&hash, bytes->data, bytes->size - TAIL);
  accel_bytes_put(bytes->data + bytes->size - TAIL, accel_siphash_end(&hash), TAIL);
}

static accel_invalidation_result receive(const accel_buffer *bytes)
{
  return accel_invalidation_receive(&receiver, bytes->data, bytes->size, &handler);
}

static void forged_messages_expire_everything(void **state)
{
  static const struct {
    size_t at, size;
    uint64_t word;
  } cases[] = {
      {COUNT_AT, 2, 0},                               /* keys, but none */
      {COUNT_AT, 2, 2},                               /* more than there are */
      {COUNT_AT, 2, ACCEL_INVALIDATION_KEYS_MAX + 1}, /* more than anybody sends */
      {OP_AT, 1, 0},                                  /* what no message asks for */
      {OP_AT, 1, 4},
      {OP_AT, 1, 2},                    /* an area, which has no keys */
      {HEAD, 2, 4},                     /* a name that ends behind the message */
      {HEAD, 2, 2},                     /* one that ends before */
      {HEAD, 2, 0xFFFF},                /* one that is longer than all of it */
      {LANE_AT, 4, ACCEL_REMOTE_LANES}, /* a lane that nobody has */
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    accel_buffer bytes = message();
    accel_bytes_put(bytes.data + cases[i].at, cases[i].word, cases[i].size);
    sign(&bytes);
    so_far = (heard){0};
    if (receive(&bytes) != ACCEL_INVALIDATION_INVALID) fail_msg("case %zu was believed", i);
    assert_int_equal(so_far.everything, 1);
    assert_int_equal(so_far.keys, 0);
    accel_buffer_release(&bytes);
  }
}

static void an_operation_that_does_not_exist_is_refused_without_names_too(void **state)
{
  (void)state;
  for (uint64_t op = 0; op <= 4; op++) {
    accel_buffer bytes = message();
    bytes.size = HEAD + TAIL;
    accel_bytes_put(bytes.data + COUNT_AT, 0, 2);
    accel_bytes_put(bytes.data + OP_AT, op, 1);
    sign(&bytes);
    const bool is_known = op == 2 || op == 3; /* an area, a heartbeat */
    assert_int_equal(receive(&bytes),
                     is_known ? ACCEL_INVALIDATION_APPLIED : ACCEL_INVALIDATION_INVALID);
    accel_buffer_release(&bytes);
  }
}

/* A clock that goes back, or stood for weeks: the age of the number before is not known then. */
static void an_age_that_cannot_be_is_not_sent(void **state)
{
  accel_buffer first = message();
  (void)state;
  assert_int_equal(accel_bytes_take(first.data + AGE_AT, 4), UINT32_MAX); /* there is none */
  accel_buffer second = message();
  assert_true(accel_bytes_take(second.data + AGE_AT, 4) < UINT32_MAX);
  sender.lanes[1].sequence_ms = accel_clock_monotonic_ms() + 3600000;
  accel_buffer third = message();
  assert_int_equal(accel_bytes_take(third.data + AGE_AT, 4), UINT32_MAX);
  accel_buffer_release(&first);
  accel_buffer_release(&second);
  accel_buffer_release(&third);
}

/* Free places have the number 0 too. */
static void a_sender_whose_number_is_0_is_noted_like_others(void **state)
{
  accel_buffer bytes = message();
  (void)state;
  accel_bytes_put(bytes.data + ID_AT, 0, 8);
  accel_bytes_put(bytes.data + LANE_AT, 0, 4);
  sign(&bytes);
  assert_int_equal(receive(&bytes), ACCEL_INVALIDATION_APPLIED);
  assert_int_equal(so_far.keys, 1);
  assert_int_equal(receive(&bytes), ACCEL_INVALIDATION_APPLIED); /* again: no gap */
  assert_int_equal(so_far.everything, 0);
  accel_buffer_release(&bytes);
}

/* Some of them share their places. */
static void lanes_of_one_sender_are_noted_apart(void **state)
{
  (void)state;
  for (unsigned round = 0; round < 3; round++)
    for (uint32_t lane = 0; lane < ACCEL_REMOTE_LANES; lane++) {
      accel_buffer bytes = message_on(lane);
      assert_int_equal(receive(&bytes), ACCEL_INVALIDATION_APPLIED);
      accel_buffer_release(&bytes);
    }
  assert_int_equal(so_far.everything, 0);
}

/* A place that is in use must not look free when the count of messages begins anew. */
static void the_count_of_messages_may_begin_anew(void **state)
{
  (void)state;
  receiver.received = UINT32_MAX;
  accel_buffer first = message(), second = message();
  assert_int_equal(receive(&first), ACCEL_INVALIDATION_APPLIED);
  assert_int_equal(receive(&second), ACCEL_INVALIDATION_APPLIED);
  assert_int_equal(so_far.everything, 0);
  assert_int_equal(receiver.received, 2);
  accel_buffer_release(&first);
  accel_buffer_release(&second);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(forged_messages_expire_everything, open_both),
      cmocka_unit_test_setup(an_operation_that_does_not_exist_is_refused_without_names_too,
                             open_both),
      cmocka_unit_test_setup(an_age_that_cannot_be_is_not_sent, open_both),
      cmocka_unit_test_setup(a_sender_whose_number_is_0_is_noted_like_others, open_both),
      cmocka_unit_test_setup(lanes_of_one_sender_are_noted_apart, open_both),
      cmocka_unit_test_setup(the_count_of_messages_may_begin_anew, open_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
