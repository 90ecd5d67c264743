/* alloc_world.h: pages that own memory, in a cache behind which everything may be asked for. */
#ifndef ALLOC_WORLD_H
#define ALLOC_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/platform/thread.h"
#include "accel/renewal.h"
#include "accel_backends/fake.h"

#include "failing_alloc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT 4
#define UNWRITTEN ((accel_status)77)

/* ---- values ---- */

typedef struct text {
  char *bytes;
} text;

static bool text_make(text *out, const char *bytes, size_t size)
{
  out->bytes = (char *)ACCEL_MALLOC(size + 1);
  if (out->bytes == NULL) return false;
  memcpy(out->bytes, bytes, size);
  out->bytes[size] = '\0';
  return true;
}

static bool text_copy(text *to, const text *from)
{
  return text_make(to, from->bytes, strlen(from->bytes));
}

static void text_drop(text *value)
{
  ACCEL_FREE(value->bytes);
  value->bytes = NULL;
}

static accel_status text_encode(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  const text *from = (const text *)value;
  return accel_buffer_append(out, from->bytes, strlen(from->bytes)) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status text_decode(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  return text_make((text *)value_out, (const char *)data, size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static const accel_codec text_codec = {NULL, text_encode, text_decode};

ACCEL_DEFINE_STR_WITH(page, text, .copy = text_copy, .drop = text_drop, .remote = &accel_fake_ops,
                      .codec = &text_codec)

static accel_status load_page(void *ctx, const char *key, text *out)
{
  char bytes[64];
  (void)ctx;
  const int size = snprintf(bytes, sizeof bytes, "the page at %s", key);
  return text_make(out, bytes, (size_t)size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status load_pages(void *ctx, const char *const *keys, size_t count, text *values_out,
                               accel_status *statuses_out)
{
  for (size_t i = 0; i < count; i++) statuses_out[i] = load_page(ctx, keys[i], &values_out[i]);
  return ACCEL_OK;
}

/* ---- surroundings ---- */

/* "/cached" is in both levels, "/far" in L2 alone, the others nowhere. */
static const char *const paths[COUNT] = {"/cached", "/new", "/far", "/newer"};

typedef struct world {
  accel_fake fake;
  page_cache pages;
  text values[COUNT]; /* of the paths */
  uint64_t baseline;  /* blocks that live outside */
} world;

static void world_open(world *all)
{
  const accel_write remote_only = {.skip_local = true};
  memset(all, 0, sizeof *all);
  accel_thread_scratch(1); /* one block that a thread keeps until it ends */
  all->baseline = failing_alloc_live_blocks();
  const accel_config config = {.area = "page",
                               .capacity = 64,
                               .loader_timeout_ms = 10000,
                               .warmup_enabled = true,
                               .remote = &all->fake};
  assert_int_equal(accel_fake_open(&all->fake, NULL), ACCEL_OK);
  assert_int_equal(page_cache_open(&all->pages, &config), ACCEL_OK);
  page_cache_set_loader(&all->pages, load_page, NULL);
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(load_page(NULL, paths[i], &all->values[i]), ACCEL_OK);
  assert_int_equal(page_cache_set(&all->pages, paths[0], &all->values[0]), ACCEL_OK);
  assert_int_equal(page_cache_set_with(&all->pages, paths[2], &remote_only, &all->values[2]),
                   ACCEL_OK);
}

static void world_close(world *all)
{
  page_cache_close(&all->pages);
  accel_fake_close(&all->fake);
  for (size_t i = 0; i < COUNT; i++) text_drop(&all->values[i]);
  accel_thread_scratch(1);
  assert_int_equal(failing_alloc_live_blocks(), all->baseline);
}

/* Checks a value that a read gave, and drops it. */
static accel_status taken(const world *all, accel_status status, size_t i, text *out)
{
  if (status != ACCEL_OK) return status;
  assert_string_equal(out->bytes, all->values[i].bytes);
  text_drop(out);
  return status;
}

static void expect_valid(world *all)
{
  text out;
  for (size_t i = 0; i < COUNT; i++) {
    const accel_status status = taken(all, page_cache_get(&all->pages, paths[i], &out), i, &out);
    assert_true(status == ACCEL_OK || status == ACCEL_NULL);
    assert_int_equal(page_cache_del(&all->pages, paths[i]), ACCEL_OK);
    assert_int_equal(page_cache_set(&all->pages, paths[i], &all->values[i]), ACCEL_OK);
    assert_int_equal(taken(all, page_cache_get(&all->pages, paths[i], &out), i, &out), ACCEL_OK);
  }
}

#endif
