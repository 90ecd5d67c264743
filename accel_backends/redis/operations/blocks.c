#include "blocks.h"

#include "../../../accel/codec.h"
#include "../../../accel/platform/atomic.h"

#include <stdio.h>
#include <string.h>

/* Of the first block, per ms of the time limit: a quarter of 5 Mbit/s, and 100 us for a key. */
#define REDIS_BLOCKS_BYTES_PER_MS 160u
#define REDIS_BLOCKS_TRUSTED 4u /* times as many, if blocks were fast lately */
#define REDIS_BLOCKS_KEYS_PER_MS 10u
/* Of any block. A larger one would not be faster, and keep others waiting. */
#define REDIS_BLOCKS_BYTES_MAX (256u << 10)
#define REDIS_BLOCKS_BYTES_MIN 256u
#define REDIS_BLOCKS_KEYS_MAX 4096u
#define REDIS_BLOCKS_OVERHEAD 64u     /* bytes of commands and messages, without keys and values */
#define REDIS_BLOCKS_KEYS_UNKNOWN 4u  /* keys to be read while the size of values is not known */
#define REDIS_BLOCKS_SHARE 16u        /* part of the limit: a block that takes less may grow */
#define REDIS_BLOCKS_PATIENCE 4u      /* limits: how long to wait for what a failed block left */
#define REDIS_BLOCKS_PATIENT_TIMES 3u /* in a row; then the server counts as unreachable */

typedef struct redis_blocks {
  redis_link *link;
  const redis_operation *operation;
  size_t bytes, keys; /* of the next block */
  unsigned waits;     /* waits in a row for an idle connection */
} redis_blocks;

static size_t redis_blocks_clamp(size_t value, size_t least, size_t most)
{
  return value < least ? least : value > most ? most : value;
}

static void redis_blocks_resize(redis_blocks *blocks, size_t bytes, size_t keys)
{
  blocks->bytes = redis_blocks_clamp(bytes, REDIS_BLOCKS_BYTES_MIN, REDIS_BLOCKS_BYTES_MAX);
  blocks->keys = redis_blocks_clamp(keys, 1, REDIS_BLOCKS_KEYS_MAX);
}

static size_t redis_blocks_weight(const redis_blocks *blocks, const accel_remote_item *item)
{
  const bool reads = blocks->operation->purpose == REDIS_READS;
  const size_t value = reads ? accel_load_relaxed(&blocks->link->value_bytes) : item->size;
  return REDIS_BLOCKS_OVERHEAD + item->key_size + item->name_size + value;
}

/* How many keys the next block may have. */
static size_t redis_blocks_keys(const redis_blocks *blocks)
{
  const bool is_unknown = blocks->operation->purpose == REDIS_READS &&
                          accel_load_relaxed(&blocks->link->value_bytes) == 0;
  return is_unknown ? REDIS_BLOCKS_KEYS_UNKNOWN : blocks->keys;
}

/* How many of the items the next block takes, one at least. */
static size_t redis_blocks_cut(const redis_blocks *blocks, const accel_remote_item *items,
                               size_t count)
{
  const size_t keys = redis_blocks_keys(blocks);
  size_t taken = 0, bytes = 0;
  while (taken < count && taken < keys) {
    bytes += redis_blocks_weight(blocks, &items[taken]);
    if (taken > 0 && bytes > blocks->bytes) break;
    taken++;
  }
  return taken;
}

/* Updates the typical size of values, for the next read. Larger ones count for more. */
static void redis_blocks_note_sizes(const redis_blocks *blocks, const accel_remote_item *items,
                                    size_t count)
{
  /* What is stored may be a lease, which says nothing of values. */
  const size_t unlike = blocks->operation->purpose == REDIS_READS ? 0 : ACCEL_ENVELOPE_SIZE;
  size_t found = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    if (items[i].status != ACCEL_OK || items[i].size == 0 || items[i].size == unlike) continue;
    bytes += items[i].size;
    found++;
  }
  if (found == 0) return;
  const size_t average = redis_blocks_clamp(bytes / found, 1, REDIS_BLOCKS_BYTES_MAX);
  const size_t before = accel_load_relaxed(&blocks->link->value_bytes);
  const size_t slowly = (3 * before + average) / 4;
  accel_store_relaxed(&blocks->link->value_bytes, (uint32_t)(average > slowly ? average : slowly));
}

static const accel_remote_item *redis_blocks_late(const accel_remote_item *items, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (items[i].status == ACCEL_ERR_TIMEOUT) return &items[i];
  return NULL;
}

/* Waits until the connection is idle: what a late block left on it would make the next ones late
 * too. */
static void redis_blocks_await_idle(redis_blocks *blocks, const accel_remote_item *late,
                                    uint64_t deadline_ms)
{
  const redis_request ping = {.words = REDIS_WORDS("PING")};
  const redis_settings *settings = blocks->link->settings;
  redis_endpoint *endpoint = accel_redis_scatter_endpoint(blocks->link, late);
  const uint64_t patient_ms =
      accel_clock_monotonic_ms() + REDIS_BLOCKS_PATIENCE * (uint64_t)settings->command_timeout_ms;
  redis_replies replies;
  char error[REDIS_SOCKET_TEXT];
  if (blocks->waits++ >= REDIS_BLOCKS_PATIENT_TIMES) return;
  if (accel_redis_connection_call(redis_endpoint_data(endpoint), &ping,
                                  patient_ms < deadline_ms ? patient_ms : deadline_ms, &replies,
                                  error) == ACCEL_OK)
    accel_redis_replies_release(&replies);
}

/* Adapts the size of blocks to one that was answered. */
static void redis_blocks_adapt(redis_blocks *blocks, uint64_t took_ns)
{
  const uint64_t share_ns =
      UINT64_C(1000000) * blocks->link->settings->command_timeout_ms / REDIS_BLOCKS_SHARE;
  blocks->waits = 0;
  accel_store_relaxed(&blocks->link->is_fast, took_ns < share_ns);
  const size_t growth = took_ns < share_ns / 4 ? 4 : 2;
  if (took_ns < share_ns)
    redis_blocks_resize(blocks, growth * blocks->bytes, growth * blocks->keys);
  if (took_ns > 2 * share_ns) redis_blocks_resize(blocks, blocks->bytes / 2, blocks->keys / 2);
}

static accel_status redis_blocks_give_up(accel_remote_item *items, size_t count,
                                         accel_remote_call *call)
{
  snprintf(call->error, sizeof call->error, "the deadline passed before %zu of the keys were sent",
           count);
  for (size_t i = 0; i < count; i++) items[i].status = ACCEL_ERR_TIMEOUT;
  return ACCEL_ERR_TIMEOUT;
}

/* Runs all items as one block. */
static accel_status redis_blocks_run_all(const redis_blocks *blocks, accel_remote_item *items,
                                         size_t count, accel_remote_call *call, void *single)
{
  const accel_status status =
      accel_redis_scatter_run(blocks->link, items, count, call, blocks->operation, single);
  if (accel_load_relaxed(&blocks->link->value_bytes) == 0)
    redis_blocks_note_sizes(blocks, items, count);
  return status;
}

/* Runs one block, and adapts the size of the next. */
static accel_status redis_blocks_run_one(redis_blocks *blocks, accel_remote_item *items,
                                         size_t count, accel_remote_call *call, void *single)
{
  const uint64_t began_ns = accel_clock_monotonic_ns();
  const accel_status status =
      accel_redis_scatter_run(blocks->link, items, count, call, blocks->operation, single);
  const accel_remote_item *late = redis_blocks_late(items, count);
  redis_blocks_note_sizes(blocks, items, count);
  if (late != NULL) {
    accel_store_relaxed(&blocks->link->is_fast, false);
    redis_blocks_resize(blocks, blocks->bytes / 8, blocks->keys / 8);
    redis_blocks_await_idle(blocks, late, call->deadline_ms);
  } else if (!accel_failed(status)) {
    redis_blocks_adapt(blocks, accel_clock_monotonic_ns() - began_ns);
  }
  return status;
}

accel_status accel_redis_blocks_run(redis_link *link, accel_remote_item *items, size_t count,
                                    accel_remote_call *call, const redis_operation *operation,
                                    void *single)
{
  redis_blocks blocks = {.link = link, .operation = operation};
  if (count <= 1) return redis_blocks_run_all(&blocks, items, count, call, single);
  size_t limit_ms = link->settings->command_timeout_ms;
  if (accel_load_relaxed(&link->is_fast)) limit_ms *= REDIS_BLOCKS_TRUSTED;
  redis_blocks_resize(&blocks, limit_ms * REDIS_BLOCKS_BYTES_PER_MS,
                      limit_ms * REDIS_BLOCKS_KEYS_PER_MS);
  accel_status status = ACCEL_ERR_BACKEND;
  for (size_t from = 0; from < count;) {
    const size_t taken = redis_blocks_cut(&blocks, items + from, count - from);
    const accel_status block =
        taken == count ? redis_blocks_run_all(&blocks, items, count, call, single)
                       : redis_blocks_run_one(&blocks, items + from, taken, call, single);
    if (accel_failed(status)) status = block;
    from += taken;
    if (from == count || accel_clock_monotonic_ms() < call->deadline_ms) continue;
    const accel_status given_up = redis_blocks_give_up(items + from, count - from, call);
    return accel_failed(status) ? given_up : status;
  }
  return status;
}
