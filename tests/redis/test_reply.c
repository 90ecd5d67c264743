/* The codec: replies of every kind in every cut, and everything a hostile server could say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1000u

/* Feeds the text in pieces of `piece` bytes and reads what is there after each. Returns the last
 * result; *count_out: whole replies. */
static redis_reader_result read_in_pieces(const char *text, size_t size, size_t piece,
                                          redis_replies *replies, size_t *count_out)
{
  redis_reader *reader = accel_redis_reader_open(TEXT_MAX);
  redis_reader_result result = REDIS_READER_MORE;
  assert_non_null(reader);
  *count_out = 0;
  for (size_t at = 0; at < size && result != REDIS_READER_BROKEN; at += piece) {
    assert_true(accel_redis_reader_feed(reader, text + at, size - at < piece ? size - at : piece));
    while ((result = accel_redis_reader_next(reader, replies)) == REDIS_READER_REPLY)
      *count_out += 1;
  }
  if (result == REDIS_READER_BROKEN) assert_true(accel_redis_reader_error(reader)[0] != '\0');
  if (result == REDIS_READER_BROKEN)
    assert_int_equal(accel_redis_reader_next(reader, replies), REDIS_READER_BROKEN);
  accel_redis_reader_close(reader);
  return result;
}

static void replies_of_every_kind_in_every_cut(void **state)
{
  static const char stream[] =
      "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n$5\r\nab\r\nc\r\n$0\r\n\r\n*-1\r\n*0\r\n"
      "*3\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n+in\r\n+PONG\r\n";
  (void)state;
  for (size_t piece = 1; piece < sizeof stream; piece++) {
    redis_replies replies = {0};
    size_t count = 0;
    assert_int_equal(read_in_pieces(stream, sizeof stream - 1, piece, &replies, &count),
                     REDIS_READER_MORE);
    assert_int_equal(count, 10);
    assert_int_equal(replies.count, 15);
    const redis_reply text = accel_redis_reply_at(&replies, 4);
    const redis_reply integer = accel_redis_reply_at(&replies, 2);
    const redis_reply refusal = accel_redis_reply_at(&replies, 1);
    assert_int_equal(text.kind, REDIS_REPLY_IS_TEXT);
    assert_int_equal(text.size, 5);
    assert_memory_equal(accel_redis_reply_text(&replies, &text), "ab\r\nc", 5);
    assert_int_equal((uintptr_t)accel_redis_reply_text(&replies, &text) % 8, 0);
    assert_int_equal(integer.integer, -42);
    assert_true(accel_redis_reply_fails(&replies, &refusal, "ERR"));
    assert_false(accel_redis_reply_fails(&replies, &refusal, "ERR no."));
    assert_int_equal(accel_redis_reply_after(&replies, 8), 14);
    assert_int_equal(accel_redis_reply_after(&replies, 7), 8);
    const redis_reply last = accel_redis_reply_at(&replies, 14);
    assert_true(accel_redis_reply_says(&replies, &last, "PONG"));
    assert_int_equal(accel_redis_reply_at(&replies, 15).kind, REDIS_REPLY_IS_NIL);
    accel_redis_replies_release(&replies);
  }
}

static void a_dropped_reply_leaves_no_trace(void **state)
{
  redis_replies replies = {0};
  redis_reader *reader = accel_redis_reader_open(TEXT_MAX);
  (void)state;
  assert_true(accel_redis_reader_feed(reader, "*2\r\n$3\r\nabc\r\n", 13));
  assert_int_equal(accel_redis_reader_next(reader, &replies), REDIS_READER_MORE);
  assert_int_equal(replies.count, 2);
  assert_false(accel_redis_reader_is_empty(reader));
  assert_true(accel_redis_reader_feed(reader, "$1\r\nx\r\n+next\r\n", 14));
  assert_int_equal(accel_redis_reader_next(reader, NULL), REDIS_READER_REPLY);
  assert_int_equal(replies.count, 2);
  accel_redis_replies_release(&replies);
  assert_int_equal(accel_redis_reader_next(reader, &replies), REDIS_READER_REPLY);
  const redis_reply reply = accel_redis_reply_at(&replies, 0);
  assert_true(accel_redis_reply_says(&replies, &reply, "next"));
  assert_true(accel_redis_reader_is_empty(reader));
  accel_redis_replies_release(&replies);
  accel_redis_reader_close(reader);
}

static void hostile_replies_break_the_reader(void **state)
{
  static const char *const cases[] = {
      "hello\r\n", /* no type */
      "\r\n",      /* nothing */
      "$-2\r\n",   /* sizes that cannot be */
      "$x\r\n",
      "$9223372036854775808\r\n",
      "$18446744073709551615\r\n",
      "*-2\r\n",
      "*2147483648\r\n",
      "*9223372036854775807\r\n",
      "*2147483647\r\n", /* more than any command can cause */
      "*65537\r\n",
      "$3\r\nabcXX", /* longer than it says */
      "$3\r\nabcde\r\n",
      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", /* nested */
      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
      "%1\r\n+a\r\n+b\r\n", /* of another protocol */
      ",1.5\r\n",
      "#t\r\n",
      "~1\r\n+a\r\n",
      ">2\r\n+a\r\n+b\r\n",
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t piece = 1; piece <= 64; piece += 63) {
      redis_replies replies = {0};
      size_t count = 0;
      if (read_in_pieces(cases[i], strlen(cases[i]), piece, &replies, &count) !=
          REDIS_READER_BROKEN)
        fail_msg("\"%s\" was read", cases[i]);
      assert_int_equal(count, 0);
      assert_true(replies.capacity < 64);
      accel_redis_replies_release(&replies);
    }
}

/* What is announced costs nothing; what comes is bounded. */
static void memory_is_bounded_by_what_is_allowed(void **state)
{
  static char text[TEXT_MAX * 4];
  static const char *const starts[] = {"$536870912\r\n", "+", "-", ":", "*"};
  (void)state;
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
    redis_replies replies = {0};
    size_t count = 0;
    memset(text, '1', sizeof text);
    memcpy(text, starts[i], strlen(starts[i]));
    assert_int_equal(read_in_pieces(text, sizeof text, 100, &replies, &count), REDIS_READER_BROKEN);
    assert_int_equal(replies.count, 0);
    accel_redis_replies_release(&replies);
  }
}

static void a_text_of_the_limit_passes_and_a_longer_one_does_not(void **state)
{
  (void)state;
  for (size_t more = 0; more <= 1; more++) {
    char text[TEXT_MAX + 32];
    redis_replies replies = {0};
    size_t count = 0;
    const int head = snprintf(text, sizeof text, "$%zu\r\n", TEXT_MAX + more);
    memset(text + head, 'v', TEXT_MAX + more);
    memcpy(text + head + TEXT_MAX + more, "\r\n", 2);
    const redis_reader_result result =
        read_in_pieces(text, (size_t)head + TEXT_MAX + more + 2, 7, &replies, &count);
    assert_int_equal(result, more == 0 ? REDIS_READER_MORE : REDIS_READER_BROKEN);
    assert_int_equal(count, 1 - more);
    accel_redis_replies_release(&replies);
  }
}

/* Noise made of the bytes that mean something; the sanitizers watch. */
static void noise_is_survived(void **state)
{
  static const char alphabet[] = "$*+-:0123456789\r\n\r\n\r\nax%";
  uint32_t random = 12345;
  (void)state;
  for (int round = 0; round < 20000; round++) {
    char text[64];
    redis_replies replies = {0};
    size_t count = 0;
    for (size_t i = 0; i < sizeof text; i++) {
      random = random * 1664525u + 1013904223u;
      text[i] = alphabet[(random >> 16) % (sizeof alphabet - 1)];
    }
    read_in_pieces(text, sizeof text, 1 + (random >> 8) % 64, &replies, &count);
    accel_redis_replies_release(&replies);
  }
}

static void commands_are_bytes_of_any_kind(void **state)
{
  accel_buffer out = {0};
  const char *words[] = {"SET", "a\r\nb", "\0\xFF"};
  const size_t sizes[] = {3, 4, 2};
  const redis_words command = {.words = words, .sizes = sizes, .count = 3};
  static const char expected[] =
      "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$2\r\n\0\xFF\r\n";
  (void)state;
  assert_true(accel_redis_command_append_words(&out, REDIS_WORDS("PING")));
  assert_true(accel_redis_command_append(&out, &command));
  assert_int_equal(out.size, sizeof expected - 1);
  assert_memory_equal(out.data, expected, out.size);
  const size_t huge[] = {3, 4, (size_t)1 << 31};
  const redis_words too_long = {.words = words, .sizes = huge, .count = 3};
  assert_false(accel_redis_command_append(&out, &too_long));
  assert_int_equal(out.size, sizeof expected - 1);
  accel_buffer_release(&out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(replies_of_every_kind_in_every_cut),
      cmocka_unit_test(a_dropped_reply_leaves_no_trace),
      cmocka_unit_test(hostile_replies_break_the_reader),
      cmocka_unit_test(memory_is_bounded_by_what_is_allowed),
      cmocka_unit_test(a_text_of_the_limit_passes_and_a_longer_one_does_not),
      cmocka_unit_test(noise_is_survived),
      cmocka_unit_test(commands_are_bytes_of_any_kind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
