/* Values that are smaller in L2, and bytes that pretend to be. LZ4's own tests run where it is. */
#include "cache_world.h"

#include "accel/codec.h"

typedef struct page {
  char text[4096];
} page;

/* Runs of one byte: a count, the byte. Anything else than pairs is refused. */
static size_t runs_compress(void *ctx, const void *data, size_t size, void *out, size_t room)
{
  const unsigned char *from = (const unsigned char *)data;
  unsigned char *to = (unsigned char *)out;
  size_t used = 0;
  ++*(unsigned *)ctx;
  for (size_t i = 0; i < size;) {
    size_t run = 1;
    while (run < 255 && i + run < size && from[i + run] == from[i]) run++;
    if (room - used < 2) return 0;
    to[used++] = (unsigned char)run;
    to[used++] = from[i];
    i += run;
  }
  return used;
}

static bool runs_decompress(void *ctx, const void *data, size_t size, void *out, size_t raw_size)
{
  const unsigned char *from = (const unsigned char *)data;
  unsigned char *to = (unsigned char *)out;
  size_t made = 0;
  (void)ctx;
  for (size_t i = 0; i + 1 < size; i += 2) {
    if (from[i] > raw_size - made) return false;
    memset(to + made, from[i + 1], from[i]);
    made += from[i];
  }
  return size % 2 == 0 && made == raw_size;
}

static unsigned compressions;
static const accel_compressor runs = {
    .method = 5, .ctx = &compressions, .compress = runs_compress, .decompress = runs_decompress};

ACCEL_DEFINE_WITH(page, uint64_t, page, .remote = &accel_fake_ops)

static void open_pages(world *all, page_cache *cache, const accel_compressor *compressor)
{
  accel_config config = all->config;
  config.compressor = compressor;
  assert_int_equal(page_cache_open(cache, &config), ACCEL_OK);
}

static size_t stored_size(world *all, const char *key)
{
  accel_buffer stored = {.data = NULL};
  assert_true(accel_fake_peek(&all->fake, key, &stored));
  const size_t size = stored.size;
  accel_buffer_release(&stored);
  return size;
}

static const accel_read not_local = {.skip_local = true, .disable_load = true};

static void values_are_smaller_and_come_back(void **state)
{
  world *all = (world *)*state;
  page_cache with = {.base = {.core = NULL}}, without = {.base = {.core = NULL}};
  static page value, back;
  open_pages(all, &with, &runs);
  open_pages(all, &without, NULL);
  memset(value.text, 'a', sizeof value.text);
  assert_int_equal(page_cache_set(&with, 1, &value), ACCEL_OK);
  assert_true(stored_size(all, "rows:1") < 200);
  assert_int_equal(page_cache_get_with(&with, 1, &not_local, &back), ACCEL_OK);
  assert_memory_equal(&back, &value, sizeof value);

  /* A cache without a compressor counts it as a miss; one with it reads what is not compressed. */
  assert_int_equal(page_cache_get_with(&without, 1, &not_local, &back), ACCEL_MISS);
  accel_metrics metrics;
  page_cache_metrics_snapshot(&without, &metrics);
  assert_int_equal(metrics.remote_decode_errors, 1);
  assert_int_equal(page_cache_set(&without, 2, &value), ACCEL_OK);
  assert_int_equal(stored_size(all, "rows:2"), ACCEL_ENVELOPE_SIZE + sizeof value);
  assert_int_equal(page_cache_get_with(&with, 2, &not_local, &back), ACCEL_OK);
  page_cache_close(&with);
  page_cache_close(&without);
}

static void what_does_not_shrink_stays_as_it_is(void **state)
{
  world *all = (world *)*state;
  page_cache with = {.base = {.core = NULL}};
  static page value, back;
  open_pages(all, &with, &runs);
  for (size_t i = 0; i < sizeof value.text; i++) value.text[i] = (char)(i * 7);
  compressions = 0;
  assert_int_equal(page_cache_set(&with, 1, &value), ACCEL_OK);
  assert_int_equal(compressions, 1);
  assert_int_equal(stored_size(all, "rows:1"), ACCEL_ENVELOPE_SIZE + sizeof value);
  assert_int_equal(page_cache_get_with(&with, 1, &not_local, &back), ACCEL_OK);
  assert_memory_equal(&back, &value, sizeof value);
  page_cache_close(&with);

  accel_compressor patient = runs;
  patient.min_bytes = sizeof value + 1;
  open_pages(all, &with, &patient);
  memset(value.text, 'b', sizeof value.text);
  assert_int_equal(page_cache_set(&with, 2, &value), ACCEL_OK);
  assert_int_equal(compressions, 1); /* below the threshold it is not even tried */
  page_cache_close(&with);
}

/* ---- hostile bytes: the hash is no secret, so the method and the lengths are checked ---- */

static const accel_type *page_type(void)
{
  return &page_cache_type_;
}

/* An envelope whose payload is `size` bytes of one-byte runs. */
static void append_runs(accel_buffer *out, const page *value)
{
  accel_envelope envelope;
  memset(&envelope, 0, sizeof envelope);
  envelope.ttl_ms = 60000;
  envelope.token = 9;
  envelope.compressor = &runs;
  assert_int_equal(accel_envelope_append(page_type(), "rows", "1", 1, &envelope, value, out),
                   ACCEL_OK);
}

static accel_status open_and_make(const accel_buffer *bytes, page *out)
{
  accel_envelope found;
  if (!accel_envelope_open(page_type(), "rows", "1", 1, bytes->data, bytes->size, &found))
    return ACCEL_MISS;
  found.compressor = &runs;
  return accel_envelope_value(page_type(), &found, out);
}

static void every_flip_and_truncation_is_noticed(void **state)
{
  (void)state;
  static page value, back;
  accel_buffer bytes = {.data = NULL};
  memset(value.text, 'c', sizeof value.text);
  append_runs(&bytes, &value);
  assert_int_equal(open_and_make(&bytes, &back), ACCEL_OK);
  for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
    bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    assert_int_equal(open_and_make(&bytes, &back), ACCEL_MISS);
    bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  for (const size_t whole = bytes.size; bytes.size-- > 0;)
    if (bytes.size < whole) assert_int_equal(open_and_make(&bytes, &back), ACCEL_MISS);
  bytes.size = 0;
  accel_buffer_release(&bytes);
}

static size_t lying_compress(void *ctx, const void *data, size_t size, void *out, size_t room)
{
  (void)data, (void)size, (void)room;
  memset(out, 0xFF, *(const size_t *)ctx);
  return *(const size_t *)ctx;
}

/* Whole envelopes, but with bytes that no compressor made. */
static void bytes_that_no_compressor_made_are_a_miss(void **state)
{
  (void)state;
  static page value, back;
  for (size_t size = 5; size < 600; size++) {
    accel_compressor liar = runs;
    liar.ctx = &size;
    liar.compress = lying_compress;
    accel_buffer bytes = {.data = NULL};
    accel_envelope envelope;
    memset(&envelope, 0, sizeof envelope);
    envelope.ttl_ms = 60000;
    envelope.compressor = &liar;
    assert_int_equal(accel_envelope_append(page_type(), "rows", "1", 1, &envelope, &value, &bytes),
                     ACCEL_OK);
    assert_int_equal(bytes.size, ACCEL_ENVELOPE_SIZE + size);
    assert_int_equal(open_and_make(&bytes, &back), ACCEL_ERR_CODEC);
    accel_buffer_release(&bytes);
  }
}

static void a_compressor_without_its_parts_is_refused(void **state)
{
  world *all = (world *)*state;
  accel_compressor broken = runs;
  broken.method = 8;
  all->config.compressor = &broken;
  page_cache cache = {.base = {.core = NULL}};
  assert_int_equal(page_cache_open(&cache, &all->config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(page_cache_last_error(&cache), "method is 8"));
  broken.method = 1;
  broken.decompress = NULL;
  assert_int_equal(page_cache_open(&cache, &all->config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(page_cache_last_error(&cache), "its decompress is NULL"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(values_are_smaller_and_come_back),
      WORLD_TEST(what_does_not_shrink_stays_as_it_is),
      cmocka_unit_test(every_flip_and_truncation_is_noticed),
      cmocka_unit_test(bytes_that_no_compressor_made_are_a_miss),
      WORLD_TEST(a_compressor_without_its_parts_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
