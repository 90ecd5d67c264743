/* Traces from files, whole and broken, and made up. */
#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

typedef bool read_fn(const char *path, size_t limit, sim_trace *trace, sim_error *error);

/* Writes a file and reads it. The caller releases the trace. */
static bool read_bytes(read_fn *read_file, const void *bytes, size_t size, sim_trace *trace,
                       sim_error *error)
{
  char path[] = "accel-sim-test-XXXXXX";
  const int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  assert_int_equal(write(descriptor, bytes, size), size);
  close(descriptor);
  const bool is_read = read_file(path, 0, trace, error);
  unlink(path);
  return is_read;
}

static void expect_keys(const sim_trace *trace, const uint32_t *keys, size_t count)
{
  assert_int_equal(trace->length, count);
  assert_memory_equal(trace->keys, keys, count * sizeof *keys);
}

static void expect_error(read_fn *read_file, const void *bytes, size_t size, const char *part)
{
  sim_trace trace = {0};
  sim_error error = {""};
  assert_false(read_bytes(read_file, bytes, size, &trace, &error));
  if (strstr(error.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", error.text, part);
  sim_trace_release(&trace);
}

static void text_has_a_key_per_line(void **state)
{
  (void)state;
  const char text[] = "user:7\r\n12\n\nuser:7\n 12\nlast";
  const uint32_t keys[] = {0, 1, 0, 2, 3};
  sim_trace trace = {0};
  sim_error error;
  assert_true(read_bytes(sim_trace_read_text, text, sizeof text - 1, &trace, &error));
  expect_keys(&trace, keys, 5);
  assert_int_equal(trace.distinct, 4);
  sim_trace_release(&trace);
}

static void files_may_be_compressed(void **state)
{
  (void)state;
  char path[] = "accel-sim-test-XXXXXX";
  gzFile file = gzdopen(mkstemp(path), "wb");
  for (int i = 0; i < 1000; i++) gzprintf(file, "%d\n", i % 10);
  assert_int_equal(gzclose(file), Z_OK);
  sim_trace trace = {0};
  sim_error error;
  assert_true(sim_trace_read_text(path, 0, &trace, &error));
  assert_int_equal(trace.length, 1000);
  assert_int_equal(trace.distinct, 10);
  sim_trace_release(&trace);
  assert_true(sim_trace_read_text(path, 25, &trace, &error));
  assert_int_equal(trace.length, 25);
  sim_trace_release(&trace);
  assert_int_equal(truncate(path, 30), 0);
  assert_false(sim_trace_read_text(path, 0, &trace, &error));
  if (strstr(error.text, "cannot be read") == NULL) fail_msg("%s", error.text);
  sim_trace_release(&trace);
  unlink(path);
}

static void broken_text_is_named(void **state)
{
  (void)state;
  static char line[6000];
  memset(line, 'x', sizeof line);
  memcpy(line, "a\nb\n", 4);
  expect_error(sim_trace_read_text, line, sizeof line, ":3: the key \"xxxx");
  expect_error(sim_trace_read_text, "a\nb\x01\n", 5, ":2: byte 2 of the line is 0x01");
  expect_error(sim_trace_read_text, "a\n\0b\n", 5, ":2: byte 1 of the line is 0x00");
  expect_error(sim_trace_read_text, "a\nb\0c\n", 6, ":2: byte 2 of the line is 0x00");
  expect_error(sim_trace_read_text, "", 0, "holds no request");
  expect_error(sim_trace_read_text, "\n\n", 2, "holds no request");
  sim_trace trace = {0};
  sim_error error;
  assert_false(sim_trace_read_text("no/such/file", 0, &trace, &error));
  assert_string_equal(error.text, "no/such/file: No such file or directory");
}

static void binary_has_records_of_24_bytes(void **state)
{
  (void)state;
  unsigned char records[4 * 24];
  memset(records, 0xAB, sizeof records);
  const uint64_t ids[] = {0x0102030405060708u, 0, 0x0102030405060708u, UINT64_MAX};
  for (unsigned i = 0; i < 4; i++)
    for (unsigned j = 0; j < 8; j++) records[i * 24 + 4 + j] = (unsigned char)(ids[i] >> 8 * j);
  const uint32_t keys[] = {0, 1, 0, 2};
  sim_trace trace = {0};
  sim_error error;
  assert_true(read_bytes(sim_trace_read_binary, records, sizeof records, &trace, &error));
  expect_keys(&trace, keys, 4);
  sim_trace_release(&trace);
  expect_error(sim_trace_read_binary, records, 50, "record 3 has 2 bytes instead of 24");
  expect_error(sim_trace_read_binary, "", 0, "holds no request");
}

static sim_trace make(const char *description)
{
  sim_trace trace = {0};
  sim_error error = {""};
  if (!sim_trace_make(description, &trace, &error)) fail_msg("%s: %s", description, error.text);
  return trace;
}

/* In thousandths. */
static unsigned share_of_key(const sim_trace *trace, uint32_t key)
{
  size_t count = 0;
  for (size_t i = 0; i < trace->length; i++) count += trace->keys[i] == key;
  return (unsigned)(count * 1000 / trace->length);
}

static void made_up_traces_are_as_described(void **state)
{
  (void)state;
  sim_trace trace = make("loop:keys=3,length=7");
  const uint32_t loop[] = {0, 1, 2, 0, 1, 2, 0};
  expect_keys(&trace, loop, 7);
  sim_trace_release(&trace);
  trace = make("scan:length=500");
  assert_int_equal(trace.distinct, 500);
  sim_trace_release(&trace);
  trace = make("uniform:keys=10,length=100000");
  for (uint32_t key = 0; key < 10; key++) assert_in_range(share_of_key(&trace, key), 95, 105);
  sim_trace_release(&trace);
  trace = make("zipf:keys=2,length=100000,exponent=1"); /* two thirds and one third */
  const unsigned first = share_of_key(&trace, 0), second = share_of_key(&trace, 1);
  assert_in_range(first > second ? first : second, 660, 673);
  sim_trace_release(&trace);
  trace = make("mixed:keys=10,length=1000,period=100,scan=40");
  assert_in_range(trace.distinct, 401, 410);
  sim_trace_release(&trace);
  trace = make("phases:keys=100,length=1000,period=100,share=0.29,exponent=0");
  assert_in_range(trace.distinct, 125, 130);
  sim_trace_release(&trace);
}

static void a_description_gives_one_trace(void **state)
{
  (void)state;
  sim_trace first = make("shift:keys=100,length=5000,period=500,seed=3");
  sim_trace second = make("shift:keys=100,length=5000,period=500,seed=3");
  sim_trace other = make("shift:keys=100,length=5000,period=500,seed=4");
  expect_keys(&second, first.keys, first.length);
  assert_memory_not_equal(first.keys, other.keys, first.length * sizeof *first.keys);
  sim_trace_release(&first);
  sim_trace_release(&second);
  sim_trace_release(&other);
}

static void wrong_descriptions_are_named(void **state)
{
  (void)state;
  static const char *const cases[][2] = {
      {"zip", "\"zip\" cannot be made"},
      {"zipf:keys", "\"keys\" should be name=value"},
      {"zipf:size=3", "\"size\" is not known"},
      {"zipf:keys=", "keys is \"\", which is no number"},
      {"zipf:keys=3x", "keys is \"3x\", which is no number"},
      {"zipf:keys=0", "keys is 0; it may be from 1 to"},
      {"zipf:keys=nan", "which is no number"},
      {"zipf:length=1e99", "length is 1e99; it may be from"},
      {"mixed:length=1000,period=10,scan=11", "scan is 11, more than the period of 10"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sim_trace trace = {0};
    sim_error error = {""};
    assert_false(sim_trace_make(cases[i][0], &trace, &error));
    if (strstr(error.text, cases[i][1]) == NULL) fail_msg("%s: %s", cases[i][0], error.text);
    sim_trace_release(&trace);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_has_a_key_per_line),
      cmocka_unit_test(files_may_be_compressed),
      cmocka_unit_test(broken_text_is_named),
      cmocka_unit_test(binary_has_records_of_24_bytes),
      cmocka_unit_test(made_up_traces_are_as_described),
      cmocka_unit_test(a_description_gives_one_trace),
      cmocka_unit_test(wrong_descriptions_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
