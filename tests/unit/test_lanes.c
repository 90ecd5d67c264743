/* Lanes: messages are numbered per way to the bus, so that those which overtake each other on
 * different ways are not taken for lost ones. */
#include "message_world.h"

#include "accel/hash.h"

#include <stdlib.h>
#include <unistd.h>

enum {
  LATER_US = 20000,  /* more than the clock's grain */
  STALL_US = 200000, /* more than a busy machine takes for a few calls */
};

static void lose_message_on(uint32_t lane)
{
  accel_buffer lost = message_on(lane);
  accel_buffer_release(&lost);
}

static void receive(accel_buffer *message)
{
  assert_int_equal(accel_invalidation_receive(&receiver, message->data, message->size, &handler),
                   ACCEL_INVALIDATION_APPLIED);
  accel_buffer_release(message);
}

static void lanes_may_overtake_each_other(void **state)
{
  (void)state;
  accel_buffer messages[6];
  for (uint32_t i = 0; i < 6; i++) messages[i] = message_on(i % 2 * (ACCEL_REMOTE_LANES - 1));
  static const unsigned order[6] = {1, 3, 5, 0, 2, 4};
  for (size_t i = 0; i < 6; i++) receive(&messages[order[i]]);
  assert_int_equal(so_far.keys, 6);
  assert_int_equal(so_far.everything, 0);
}

/* A listener that came late hears of one lane's first and of another's fourth message first. */
static void every_lane_begins_where_it_is_heard_first(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 3; i++) lose_message_on(0);
  usleep(LATER_US);
  accel_invalidation_reset(&receiver);
  accel_buffer first = message_on(1), fourth = message_on(0);
  receive(&first);
  receive(&fourth);
  assert_int_equal(so_far.everything, 0);
}

static void a_number_that_skips_on_a_lane_is_a_gap(void **state)
{
  (void)state;
  accel_buffer first = message_on(1), lost = message_on(1), third = message_on(1);
  accel_buffer other = message_on(2);
  receive(&first);
  receive(&other);
  assert_int_equal(so_far.everything, 0);
  receive(&third);
  assert_int_equal(so_far.everything, 1);
  accel_buffer_release(&lost);
}

static void a_heartbeat_shows_what_its_lane_lost(void **state)
{
  (void)state;
  accel_buffer beat = {0};
  assert_false(accel_invalidation_heartbeat(&sender, 1, &beat)); /* nothing was sent there */
  accel_buffer first = message_on(1), lost = message_on(1);
  receive(&first);
  assert_false(accel_invalidation_heartbeat(&sender, 2, &beat));
  assert_true(accel_invalidation_heartbeat(&sender, 1, &beat));
  receive(&beat);
  assert_int_equal(so_far.everything, 1);
  accel_buffer_release(&lost);
}

/* Born after the listener came: what it sent before it is heard for the first time was lost. */
static void messages_lost_before_the_first_one_heard_are_a_gap(void **state)
{
  (void)state;
  usleep(LATER_US);
  for (unsigned i = 0; i < 4; i++) lose_message_on(1);
  accel_buffer fifth = message_on(1);
  receive(&fifth);
  assert_int_equal(so_far.everything, 1);
  assert_int_equal(so_far.keys, 1);
  accel_buffer sixth = message_on(1), only = message_on(2);
  receive(&sixth);
  receive(&only); /* nothing came before it */
  assert_int_equal(so_far.everything, 1);
}

static void so_does_a_heartbeat_for_the_only_message(void **state)
{
  (void)state;
  accel_buffer beat = {0};
  usleep(LATER_US);
  lose_message_on(1);
  assert_true(accel_invalidation_heartbeat(&sender, 1, &beat));
  receive(&beat);
  assert_int_equal(so_far.everything, 1);
}

/* A stranger's: no lane of ours has such a number, and what it meant nobody knows. */
static void a_lane_that_cannot_be_is_not_believed(void **state)
{
  static const uint64_t secret[2] = {0x6163636C2D627573u, 0x6D6573736167652Eu}; /* invalidate.c's */
  enum { LANE_AT = 28, TAIL = 8 };
  (void)state;
  accel_buffer message = message_on(1);
  for (uint32_t lane = ACCEL_REMOTE_LANES - 1; lane <= ACCEL_REMOTE_LANES; lane++) {
    const bool is_known = lane < ACCEL_REMOTE_LANES;
    accel_siphash hash;
    for (size_t i = 0; i < 4; i++) message.data[LANE_AT + i] = (unsigned char)(lane >> (8 * i));
    accel_siphash_begin(&hash, secret);
    accel_siphash_add(&hash, message.data, message.size - TAIL);
    const uint64_t sum = accel_siphash_end(&hash);
    for (size_t i = 0; i < TAIL; i++)
      message.data[message.size - TAIL + i] = (unsigned char)(sum >> (8 * i));
    assert_int_equal(accel_invalidation_receive(&receiver, message.data, message.size, &handler),
                     is_known ? ACCEL_INVALIDATION_APPLIED : ACCEL_INVALIDATION_INVALID);
    assert_int_equal(so_far.keys, 1);
    assert_int_equal(so_far.everything, is_known ? 0 : 1);
  }
  accel_buffer_release(&message);
}

/* A number that nobody gave out costs L1, and hides no later loss. */
static void a_forged_number_is_a_gap_and_no_more(void **state)
{
  (void)state;
  accel_buffer message = message_on(0);
  receive(&message);
  static const uint64_t forged[] = {1000, UINT64_MAX, 0};
  for (size_t i = 0; i < 3; i++) {
    const accel_invalidation honest = sender;
    sender.lanes[0].sequence = forged[i];
    message = message_on(0);
    sender = honest;
    so_far.everything = 0;
    receive(&message);
    assert_int_equal(so_far.everything, 1);
    message = message_on(0);
    receive(&message); /* counted from the forged one: a gap once more */
    assert_int_equal(so_far.everything, 2);
    message = message_on(0);
    receive(&message);
    assert_int_equal(so_far.everything, 2); /* all is well again */
    message = message_on(0);
    accel_buffer_release(&message); /* lost */
    message = message_on(0);
    receive(&message);
    assert_int_equal(so_far.everything, 3);
  }
}

/* More senders than there are places and traces: a loss may be assumed, but none is overlooked. */
static void with_too_many_senders_a_loss_still_shows(void **state)
{
  enum { CROWD = 3 * (ACCEL_INVALIDATION_SENDERS + ACCEL_INVALIDATION_TRACES) };
  (void)state;
  usleep(LATER_US);
  accel_buffer message = message_on(0);
  receive(&message);
  usleep(STALL_US);
  accel_buffer lost = message_on(0);
  accel_buffer_release(&lost);
  message = message_on(0);
  const accel_invalidation one = sender;
  static accel_invalidation passer_by;
  assert_true(accel_invalidation_open(&passer_by, "area"));
  for (size_t i = 0; i < CROWD; i++) {
    sender = passer_by;
    sender.sender_id += i;
    accel_buffer first = message_on(0);
    receive(&first);
  }
  sender = one;
  assert_true(receiver.forgotten > 0);
  assert_int_equal(so_far.everything, 0);
  receive(&message);
  assert_int_equal(so_far.everything, 1);
}

static bool is_remembered(uint64_t sender_id)
{
  for (size_t i = 0; i < ACCEL_INVALIDATION_SENDERS; i++)
    if (receiver.senders[i].used != 0 && receiver.senders[i].id == sender_id) return true;
  return false;
}

/* With more senders than it remembers a cache must not take each forgotten one for a gap. Their
 * numbers are given here: of random ones some leave no trace, since another took its place. */
static void a_sender_that_was_forgotten_is_no_gap(void **state)
{
  (void)state;
  sender.sender_id = 1;
  usleep(LATER_US);
  accel_buffer first = message_on(0);
  receive(&first);
  accel_buffer second = message_on(0); /* its number before was heard */
  const accel_invalidation one = sender;
  static accel_invalidation passer_by;
  assert_true(accel_invalidation_open(&passer_by, "area"));
  passer_by.sender_id = one.sender_id;
  for (size_t i = 0; i < ACCEL_INVALIDATION_SENDERS && is_remembered(one.sender_id); i++) {
    passer_by.sender_id++;
    sender = passer_by;
    accel_buffer message = message_on(0);
    receive(&message);
  }
  assert_false(is_remembered(one.sender_id));
  sender = one;
  receive(&second);
  assert_int_equal(so_far.everything, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(lanes_may_overtake_each_other, open_both),
      cmocka_unit_test_setup(every_lane_begins_where_it_is_heard_first, open_both),
      cmocka_unit_test_setup(a_number_that_skips_on_a_lane_is_a_gap, open_both),
      cmocka_unit_test_setup(a_heartbeat_shows_what_its_lane_lost, open_both),
      cmocka_unit_test_setup(messages_lost_before_the_first_one_heard_are_a_gap, open_both),
      cmocka_unit_test_setup(so_does_a_heartbeat_for_the_only_message, open_both),
      cmocka_unit_test_setup(a_lane_that_cannot_be_is_not_believed, open_both),
      cmocka_unit_test_setup(a_forged_number_is_a_gap_and_no_more, open_both),
      cmocka_unit_test_setup(with_too_many_senders_a_loss_still_shows, open_both),
      cmocka_unit_test_setup(a_sender_that_was_forgotten_is_no_gap, open_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
