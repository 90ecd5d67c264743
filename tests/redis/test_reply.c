/* The codec: replies of every kind in every cut, and everything a hostile server could say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/wire/command.h"
#include "accel_backends/redis/wire/reply.h"

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

static void a_line_is_no_longer_than_a_text_may_be(void **state)
{
  static char text[TEXT_MAX + 8];
  redis_replies replies = {0};
  size_t count = 0;
  (void)state;
  for (size_t size = TEXT_MAX; size <= TEXT_MAX + 1; size++) {
    memset(text, 'a', sizeof text);
    text[0] = '+';
    memcpy(text + 1 + size, "\r\n", 2);
    assert_int_equal(read_in_pieces(text, size + 3, size + 3, &replies, &count),
                     size > TEXT_MAX ? REDIS_READER_BROKEN : REDIS_READER_MORE);
    assert_int_equal(count, size <= TEXT_MAX);
  }
  accel_redis_replies_release(&replies);
}

static void what_is_not_there_is_not_looked_at(void **state)
{
  redis_replies replies = {0};
  size_t count = 0;
  (void)state;
  assert_int_equal(read_in_pieces("*2\r\n:1\r\n:2\r\n", 12, 12, &replies, &count),
                   REDIS_READER_MORE);
  const redis_reply integer = accel_redis_reply_at(&replies, 1);
  assert_string_equal(accel_redis_reply_text(&replies, &integer), ""); /* no text has come */
  replies.count = 2; /* as if the reply had broken off */
  assert_int_equal(accel_redis_reply_after(&replies, 0), 2);
  accel_redis_replies_release(&replies);
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
  static const char *const starts[] = {"$1073741825\r\n", "+", "-", ":", "*"};
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

static void a_text_of_the_limit_passes_and_a_longer_one_is_not_kept(void **state)
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
    assert_int_equal(result, REDIS_READER_MORE);
    assert_int_equal(count, 1);
    const redis_reply reply = accel_redis_reply_at(&replies, 0);
    assert_int_equal(reply.kind, more == 0 ? REDIS_REPLY_IS_TEXT : REDIS_REPLY_IS_OVERSIZED);
    assert_int_equal(reply.size, TEXT_MAX + more);
    if (more > 0) assert_int_equal(replies.text.size, 0);
    accel_redis_replies_release(&replies);
  }
}

/* In every cut: alone, in an array, twice in a row, and with what follows. */
static void a_text_that_is_too_large_harms_nothing_behind_it(void **state)
{
  enum { LARGE = 3 * TEXT_MAX };
  static char stream[4 * LARGE];
  size_t size = 0;
  (void)state;
  static const char *const pieces[] = {"*4\r\n$1\r\na\r\n$3000\r\n", "\r\n$3000\r\n",
                                       "\r\n:7\r\n$3000\r\n", "\r\n+next\r\n"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    memcpy(stream + size, pieces[i], strlen(pieces[i]));
    size += strlen(pieces[i]);
    if (i == 3) break;
    memset(stream + size, '\n', LARGE);
    size += LARGE;
  }
  for (size_t piece = 1; piece < size + 1; piece += piece < 40 ? 1 : 97) {
    redis_replies replies = {0};
    size_t count = 0;
    assert_int_equal(read_in_pieces(stream, size, piece, &replies, &count), REDIS_READER_MORE);
    assert_int_equal(count, 3);
    assert_int_equal(replies.count, 7);
    static const redis_reply_kind kinds[] = {REDIS_REPLY_IS_ARRAY,     REDIS_REPLY_IS_TEXT,
                                             REDIS_REPLY_IS_OVERSIZED, REDIS_REPLY_IS_OVERSIZED,
                                             REDIS_REPLY_IS_INTEGER,   REDIS_REPLY_IS_OVERSIZED,
                                             REDIS_REPLY_IS_STATUS};
    for (size_t i = 0; i < 7; i++) assert_int_equal(replies.list[i].kind, kinds[i]);
    assert_int_equal(replies.list[5].size, LARGE);
    accel_redis_replies_release(&replies);
  }
}

static void a_large_text_ends_as_it_says(void **state)
{
  static char stream[4 * TEXT_MAX];
  (void)state;
  for (size_t wrong = 0; wrong < 2; wrong++) {
    redis_replies replies = {0};
    size_t count = 0;
    const int head = snprintf(stream, sizeof stream, "$3000\r\n");
    memset(stream + head, 'v', 3000);
    memcpy(stream + head + 3000, wrong == 0 ? "x\n+next\r\n" : "\rx+next\r\n", 9);
    assert_int_equal(read_in_pieces(stream, (size_t)head + 3009, 50, &replies, &count),
                     REDIS_READER_BROKEN);
    assert_int_equal(count, 0);
    accel_redis_replies_release(&replies);
  }
}

/* Each array is small enough, all of them are not: what arrives without an end costs little. */
static void elements_of_one_reply_are_bounded(void **state)
{
  enum { ELEMENTS = REDIS_REPLY_ELEMENTS_MAX };
  static char block[16 + 4 * ELEMENTS];
  redis_reader *reader = accel_redis_reader_open(TEXT_MAX);
  redis_replies replies = {0};
  redis_reader_result result = REDIS_READER_MORE;
  const size_t head = (size_t)snprintf(block, sizeof block, "*%d\r\n", ELEMENTS);
  (void)state;
  for (size_t i = 0; i < ELEMENTS; i++) memcpy(block + head + 4 * i, ":0\r\n", 4);
  assert_true(accel_redis_reader_feed(reader, block, head));
  unsigned blocks = 0;
  while (result == REDIS_READER_MORE && blocks < 100) {
    assert_true(accel_redis_reader_feed(reader, block, head + (size_t)4 * ELEMENTS));
    result = accel_redis_reader_next(reader, &replies);
    blocks++;
  }
  assert_int_equal(result, REDIS_READER_BROKEN);
  assert_true(replies.count <= REDIS_REPLY_TOTAL_MAX);
  accel_redis_replies_release(&replies);
  accel_redis_reader_close(reader);
}

/* The limit of texts that come together: what is beyond it is not kept. */
static void texts_of_one_reply_are_bounded(void **state)
{
  enum { TEXT = 8 << 20, TEXTS = 20 };
  redis_reader *reader = accel_redis_reader_open(TEXT);
  redis_replies replies = {0};
  char *text = (char *)calloc(1, TEXT + 2);
  size_t kept = 0;
  (void)state;
  assert_non_null(text);
  memcpy(text + TEXT, "\r\n", 2);
  assert_true(accel_redis_reader_feed(reader, "*20\r\n", 5));
  for (unsigned i = 0; i < TEXTS; i++) {
    assert_true(accel_redis_reader_feed(reader, "$8388608\r\n", 10));
    assert_int_equal(accel_redis_reader_next(reader, &replies), REDIS_READER_MORE);
    assert_true(accel_redis_reader_feed(reader, text, TEXT + 2));
    assert_int_equal(accel_redis_reader_next(reader, &replies),
                     i + 1 == TEXTS ? REDIS_READER_REPLY : REDIS_READER_MORE);
  }
  for (size_t i = 1; i < replies.count; i++) kept += replies.list[i].kind == REDIS_REPLY_IS_TEXT;
  assert_int_equal(replies.count, 1 + TEXTS);
  assert_int_equal(kept, REDIS_REPLY_TEXTS_MAX / TEXT);
  accel_redis_replies_release(&replies);
  accel_redis_reader_close(reader);
  free(text);
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
      cmocka_unit_test(a_line_is_no_longer_than_a_text_may_be),
      cmocka_unit_test(what_is_not_there_is_not_looked_at),
      cmocka_unit_test(a_dropped_reply_leaves_no_trace),
      cmocka_unit_test(hostile_replies_break_the_reader),
      cmocka_unit_test(memory_is_bounded_by_what_is_allowed),
      cmocka_unit_test(a_text_of_the_limit_passes_and_a_longer_one_is_not_kept),
      cmocka_unit_test(a_text_that_is_too_large_harms_nothing_behind_it),
      cmocka_unit_test(a_large_text_ends_as_it_says),
      cmocka_unit_test(elements_of_one_reply_are_bounded),
      cmocka_unit_test(texts_of_one_reply_are_bounded),
      cmocka_unit_test(noise_is_survived),
      cmocka_unit_test(commands_are_bytes_of_any_kind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
