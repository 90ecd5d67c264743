/* cache_world.h: two caches on one fake, as two processes on one server; a clock that stands
 * still, a source that can be shut, and reads and writes on threads of their own; for the tests of
 * what the whole guarantees. */
#ifndef CACHE_WORLD_H
#define CACHE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"
#include "patience.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MS patience_ms()
#define KEYS 128u

typedef struct row {
  uint64_t number;
} row;

ACCEL_DEFINE_WITH(row, uint64_t, row, .remote = &accel_fake_ops)

/* ---- the source of truth: key k has the row number `base + k` ---- */

typedef struct source {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  uint64_t base;
  accel_status status;
  bool is_shut;     /* calls have read their rows, and wait before they answer */
  unsigned waiting; /* calls that do */
  unsigned calls;
  unsigned asked[KEYS];
} source;

/* Notes the call, and waits while shut. What the caller answers was true when it began. */
static inline accel_status source_ask(source *self, const uint64_t *keys, size_t count, row *rows)
{
  pthread_mutex_lock(&self->mutex);
  self->calls++;
  for (size_t i = 0; i < count; i++) {
    self->asked[keys[i] % KEYS]++;
    rows[i].number = self->base + keys[i];
  }
  const accel_status status = self->status;
  self->waiting++;
  pthread_cond_broadcast(&self->changed);
  while (self->is_shut) pthread_cond_wait(&self->changed, &self->mutex);
  self->waiting--;
  pthread_mutex_unlock(&self->mutex);
  return status;
}

static inline accel_status load_row(void *ctx, uint64_t key, row *out)
{
  row found;
  const accel_status status = source_ask((source *)ctx, &key, 1, &found);
  if (status == ACCEL_OK) *out = found;
  return status;
}

static inline accel_status load_rows(void *ctx, const uint64_t *keys, size_t count, row *values_out,
                                     accel_status *statuses_out)
{
  const accel_status status = source_ask((source *)ctx, keys, count, values_out);
  for (size_t i = 0; i < count; i++) statuses_out[i] = status;
  return status < 0 ? status : ACCEL_OK;
}

static inline void source_set(source *self, uint64_t base, accel_status status, bool is_shut)
{
  pthread_mutex_lock(&self->mutex);
  self->base = base;
  self->status = status;
  self->is_shut = is_shut;
  pthread_cond_broadcast(&self->changed);
  pthread_mutex_unlock(&self->mutex);
}

static inline void source_let(source *self, bool is_shut)
{
  pthread_mutex_lock(&self->mutex);
  self->is_shut = is_shut;
  pthread_cond_broadcast(&self->changed);
  pthread_mutex_unlock(&self->mutex);
}

static inline void shut(source *self)
{
  source_let(self, true);
}

static inline void reopen(source *self)
{
  source_let(self, false);
}

static inline void answer(source *self, uint64_t base, accel_status status)
{
  source_set(self, base, status, false);
}

static inline unsigned source_calls(source *self)
{
  pthread_mutex_lock(&self->mutex);
  const unsigned calls = self->calls;
  pthread_mutex_unlock(&self->mutex);
  return calls;
}

static inline void nap(void)
{
  const struct timespec millisecond = {0, 1000000};
  nanosleep(&millisecond, NULL);
}

static inline void await_waiting(source *self, unsigned count)
{
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  for (;;) {
    pthread_mutex_lock(&self->mutex);
    const unsigned waiting = self->waiting;
    pthread_mutex_unlock(&self->mutex);
    if (waiting == count) return;
    if (accel_clock_monotonic_ms() > deadline_ms) fail_msg("%u calls wait", waiting);
    nap();
  }
}

static inline void source_begin(source *self)
{
  memset(self, 0, sizeof *self);
  pthread_mutex_init(&self->mutex, NULL);
  pthread_cond_init(&self->changed, NULL);
  self->base = 1000;
}

static inline void source_end(source *self)
{
  pthread_cond_destroy(&self->changed);
  pthread_mutex_destroy(&self->mutex);
}

/* ---- the world ---- */

typedef struct world {
  accel_fake fake;
  source source, slow_source;
  uint64_t now_ms;
  accel_clock clock;
  accel_config config; /* what open_caches gives to both */
  row_cache caches[2]; /* links 0 and 1 */
} world;

static inline uint64_t world_now(void *ctx)
{
  return __atomic_load_n(&((world *)ctx)->now_ms, __ATOMIC_RELAXED);
}

/* Lets time pass in the caches and on the server. */
static inline void pass(world *all, uint64_t ms)
{
  __atomic_fetch_add(&all->now_ms, ms, __ATOMIC_RELAXED);
  accel_fake_advance(&all->fake, ms);
}

static inline int setup(void **state)
{
  static world all;
  memset(&all, 0, sizeof all);
  source_begin(&all.source);
  source_begin(&all.slow_source);
  assert_int_equal(accel_fake_open(&all.fake, NULL), ACCEL_OK);
  accel_fake_set_now(&all.fake, 1700000000000u);
  all.now_ms = 1000000;
  all.clock.now_ms = world_now;
  all.clock.ctx = &all;
  all.config.area = "rows";
  all.config.capacity = 1024;
  all.config.no_ttl_jitter = true;
  all.config.loader_timeout_ms = WAIT_MS;
  all.config.clock = &all.clock;
  all.config.remote = &all.fake;
  *state = &all;
  return 0;
}

static inline void open_caches(world *all)
{
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(row_cache_open(&all->caches[i], &all->config), ACCEL_OK);
    row_cache_set_loader(&all->caches[i], load_row, &all->source);
  }
}

static inline int teardown(void **state)
{
  world *all = (world *)*state;
  reopen(&all->source);
  reopen(&all->slow_source);
  for (int op = 0; op < ACCEL_FAKE_OPS; op++)
    for (int point = 0; point < ACCEL_FAKE_POINTS; point++)
      accel_fake_unblock(&all->fake, (accel_fake_op)op, (accel_fake_point)point);
  for (size_t i = 0; i < 2; i++) row_cache_close(&all->caches[i]);
  accel_fake_close(&all->fake);
  source_end(&all->source);
  source_end(&all->slow_source);
  return 0;
}

/* ---- short questions ---- */

static inline accel_metrics metrics_of(const row_cache *cache)
{
  accel_metrics metrics;
  row_cache_metrics_snapshot(cache, &metrics);
  return metrics;
}

/* Waits until a counter, named by its offset, has reached `value`. */
static inline void await_counter(const row_cache *cache, size_t offset, uint64_t value)
{
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  for (;;) {
    const accel_metrics metrics = metrics_of(cache);
    uint64_t counted;
    memcpy(&counted, (const char *)&metrics + offset, sizeof counted);
    if (counted == value) return;
    if (accel_clock_monotonic_ms() > deadline_ms) fail_msg("counted %u", (unsigned)counted);
    nap();
  }
}

#define AWAIT(cache_, field_, value_) await_counter(cache_, offsetof(accel_metrics, field_), value_)

static const accel_read only_local = {.disable_load = true, .skip_remote = true};
static const accel_read only_cached = {.disable_load = true};

static inline accel_status put_number(row_cache *cache, uint64_t key, uint64_t number)
{
  const row value = {number};
  return row_cache_set(cache, key, &value);
}

/* Reads a key that must have this number. */
static inline void assert_reads(row_cache *cache, uint64_t key, const accel_read *read,
                                uint64_t number)
{
  row value = {0};
  assert_int_equal(row_cache_get_with(cache, key, read, &value), ACCEL_OK);
  assert_int_equal(value.number, number);
}

static inline void assert_status(row_cache *cache, uint64_t key, const accel_read *read,
                                 accel_status status)
{
  row value = {77};
  assert_int_equal(row_cache_get_with(cache, key, read, &value), status);
  if (status != ACCEL_OK) assert_int_equal(value.number, 77);
}

/* What L1 knows of an entry. */
static inline accel_info local_info(row_cache *cache, uint64_t key)
{
  accel_info info = {.source = ACCEL_FROM_NONE};
  const accel_read read = {.disable_load = true, .skip_remote = true, .info = &info};
  row value;
  accel_ignore(row_cache_get_with(cache, key, &read, &value));
  return info;
}

/* A refresh or late load is written back after its counters rose: waits until it is. */
static inline void await_number(row_cache *cache, uint64_t key, uint64_t number)
{
  const uint64_t deadline_ms = accel_clock_deadline(WAIT_MS);
  row value = {0};
  while (row_cache_get_with(cache, key, &only_local, &value) != ACCEL_OK ||
         value.number != number) {
    if (accel_clock_monotonic_ms() > deadline_ms) fail_msg("read %u", (unsigned)value.number);
    nap();
  }
}

/* ---- threads ---- */

typedef struct task {
  row_cache *cache;
  uint64_t key;
  row value;
  accel_read read;
  source *source; /* not NULL: get_or_load with it */
  accel_status status;
  char error[160];
  bool is_done; /* atomic */
  pthread_t thread;
} task;

static inline void *task_get(void *ctx)
{
  task *self = (task *)ctx;
  self->status = self->source == NULL
                     ? row_cache_get_with(self->cache, self->key, &self->read, &self->value)
                     : row_cache_get_or_load(self->cache, self->key, &self->read, load_row,
                                             self->source, &self->value);
  snprintf(self->error, sizeof self->error, "%s", row_cache_last_error(self->cache));
  __atomic_store_n(&self->is_done, true, __ATOMIC_RELEASE);
  return NULL;
}

static inline void *task_set(void *ctx)
{
  task *self = (task *)ctx;
  self->status = row_cache_set(self->cache, self->key, &self->value);
  __atomic_store_n(&self->is_done, true, __ATOMIC_RELEASE);
  return NULL;
}

static inline void *task_del(void *ctx)
{
  task *self = (task *)ctx;
  self->status = row_cache_del(self->cache, self->key);
  return NULL;
}

static inline void start(task *self, void *(*run)(void *), row_cache *cache, uint64_t key)
{
  self->cache = cache;
  self->key = key;
  assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
}

static inline bool is_done(const task *self)
{
  return __atomic_load_n(&self->is_done, __ATOMIC_ACQUIRE);
}

static inline accel_status join(task *self)
{
  pthread_join(self->thread, NULL);
  return self->status;
}

#define WORLD_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

#endif
