/* otlp_world.h: an observer, an exporter and a cache over a receiver, for tests. */
#ifndef OTLP_WORLD_H
#define OTLP_WORLD_H

#include <stdio.h>
#include <string.h>

#include "accel.h"
#include "accel/observer_state.h"
#include "accel_backends/fake.h"
#include "accel_backends/otlp.h"
#include "patience.h"
#include "receiver.h"

ACCEL_DEFINE_WITH(number, uint64_t, uint64_t, .remote = &accel_fake_ops)

typedef struct otlp_world {
  receiver receiver;
  accel_fake fake;
  accel_observer observer;
  accel_otlp otlp;
  number_cache cache;
} otlp_world;

static accel_status otlp_world_load(void *ctx, uint64_t key, uint64_t *out)
{
  (void)ctx;
  if (key == 13) return ACCEL_ERR_LOADER;
  *out = key * 2;
  return key == 0 ? ACCEL_NULL : ACCEL_OK;
}

/* Sends only when it is flushed, unless the configuration says otherwise. */
static inline accel_otlp_config otlp_world_config(otlp_world *world)
{
  return (accel_otlp_config){
      .observer = &world->observer,
      .endpoint = world->receiver.url,
      .service_name = "test",
      .interval_ms = 3600000,
      .batch_delay_ms = 3600000,
      .no_environment = true,
  };
}

static inline void otlp_world_open_cache(otlp_world *world, const char *area)
{
  const accel_config config = {.area = area,
                               .remote = &world->fake,
                               .observer = &world->observer,
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .warmup_enabled = true,
                               .spans = accel_otlp_spans(&world->otlp),
                               .log = accel_otlp_log,
                               .log_ctx = &world->otlp};
  assert_int_equal(number_cache_open(&world->cache, &config), ACCEL_OK);
  number_cache_set_loader(&world->cache, otlp_world_load, NULL);
}

/* A receiver, and what is beside the exporter. */
static inline void otlp_world_begin(otlp_world *world)
{
  memset(world, 0, sizeof *world);
  assert_true(receiver_start(&world->receiver));
  assert_int_equal(accel_fake_open(&world->fake, NULL), ACCEL_OK);
  assert_int_equal(accel_observer_open(&world->observer, NULL), ACCEL_OK);
}

static inline void otlp_world_open(otlp_world *world, const accel_otlp_config *config)
{
  if (accel_otlp_open(&world->otlp, config) != ACCEL_OK)
    fail_msg("%s", accel_otlp_last_error(&world->otlp));
  otlp_world_open_cache(world, "numbers");
}

static inline void otlp_world_end(otlp_world *world)
{
  number_cache_close(&world->cache);
  accel_otlp_close(&world->otlp);
  accel_observer_close(&world->observer);
  accel_fake_close(&world->fake);
  receiver_stop(&world->receiver);
}

static inline void otlp_world_flush(otlp_world *world)
{
  if (accel_otlp_flush(&world->otlp, patience_ms()) != ACCEL_OK)
    fail_msg("%s", accel_otlp_last_error(&world->otlp));
}

/* One of the exporter's own counters, such as "dropped" of "traces". */
static inline uint64_t otlp_world_count(otlp_world *world, const char *what, const char *signal)
{
  char name[64];
  uint64_t value = UINT64_MAX;
  accel_observation observed;
  snprintf(name, sizeof name, "accelerator_otlp_%s_total", what);
  assert_int_equal(accel_observer_observe(&world->observer, &observed), ACCEL_OK);
  for (size_t i = 0; i < observed.figure_count; i++)
    if (strcmp(observed.figures[i].family->name, name) == 0 &&
        strcmp(observed.figures[i].label.value, signal) == 0)
      value = observed.figures[i].value;
  accel_observation_release(&observed);
  assert_true(value != UINT64_MAX);
  return value;
}

/* One span, and one record. */
static inline void otlp_world_add_span(otlp_world *world, const char *name)
{
  const accel_span_ops *spans = accel_otlp_spans(&world->otlp);
  const accel_trace outer = accel_trace_current();
  void *span = spans->begin(spans->ctx, name, "numbers");
  spans->end(spans->ctx, span, ACCEL_OK);
  accel_trace_enter(&outer);
}

static inline void otlp_world_add_record(otlp_world *world, const char *message)
{
  const accel_log_record record = {.area = "numbers",
                                   .op = "get",
                                   .result = "error",
                                   .error_kind = "timeout",
                                   .message = message,
                                   .level = ACCEL_LOG_ERROR,
                                   .wall_time_ms = accel_clock_wall_ms()};
  accel_otlp_log(&world->otlp, &record);
}

/* The next request of a signal, which must come. */
static inline json_t *otlp_world_take(otlp_world *world, const char *path)
{
  json_t *request = receiver_take(&world->receiver, path, patience_ms());
  if (request == NULL) fail_msg("nothing came to %s", path);
  return request;
}

#endif
