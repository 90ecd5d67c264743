/* fake.c: the operations of the fake.
 *
 * One path serves every call: pass the first point, do the work and queue its messages under the
 * mutex, deliver them, pass the second point. So a message may arrive before its sender's reply,
 * as it may with a real server.
 */
#include "state.h"

#include "../../accel/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_MAX_VALUE_BYTES (8u << 20)
#define FAKE_CHANNEL_SIZE 192

/* One call, whatever it asks for. */
typedef struct fake_request {
  fake_link *link;
  accel_fake_op op;
  accel_remote_item *items;
  size_t count;
  uint32_t lease_ms;
  const accel_remote_publisher *publisher; /* NULL: sends no message */
  accel_remote_call *call;
} fake_request;

/* ---- open and close ---- */

static void fake_note_fork(void *ctx)
{
  ((struct accel_fake_state *)ctx)->is_forked = true;
}

accel_status accel_fake_open(accel_fake *fake, const accel_fake_config *config_or_null)
{
  if (fake == NULL || accel_opened_find(fake, &accel_fake_ops) == ACCEL_OPENED_BY_US)
    return ACCEL_ERR_CONFIG;
  fake->state = NULL;
  struct accel_fake_state *state = (struct accel_fake_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL) return ACCEL_ERR_NOMEM;
  memset(state, 0, sizeof *state);
  state->max_value_bytes = config_or_null == NULL ? 0 : config_or_null->max_value_bytes;
  if (state->max_value_bytes == 0) state->max_value_bytes = FAKE_MAX_VALUE_BYTES;
  state->clock_base_ms = accel_clock_wall_ms() - accel_clock_monotonic_ms();
  if (!accel_fake_store_open(&state->store)) goto fail;
  if (!accel_mutex_open(&state->mutex)) goto fail_store;
  if (!accel_condition_open(&state->changed)) goto fail_mutex;
  state->fork_handler.child = fake_note_fork;
  state->fork_handler.ctx = state;
  if (!accel_fork_register(&state->fork_handler)) goto fail_condition;
  accel_opened_add(&state->opened, fake, &accel_fake_ops);
  fake->state = state;
  return ACCEL_OK;

fail_condition:
  accel_condition_close(&state->changed);
fail_mutex:
  accel_mutex_close(&state->mutex);
fail_store:
  accel_fake_store_close(&state->store);
fail:
  ACCEL_FREE(state);
  return ACCEL_ERR_NOMEM;
}

void accel_fake_close(accel_fake *fake)
{
  if (fake == NULL || fake->state == NULL) return;
  struct accel_fake_state *state = fake->state;
  accel_fork_unregister(&state->fork_handler);
  accel_opened_remove(&state->opened);
  accel_fake_bus_release(state);
  accel_fake_script_release(&state->script);
  accel_fake_store_close(&state->store);
  /* A forked child leaves alone what threads of its parent may be waiting on. */
  if (!state->is_forked) {
    accel_condition_close(&state->changed);
    accel_mutex_close(&state->mutex);
  }
  ACCEL_FREE(state);
  fake->state = NULL;
}

/* ---- the server's work; the caller holds the mutex ---- */

static fake_entry *fake_find(const fake_request *request, const accel_remote_item *item)
{
  struct accel_fake_state *state = request->link->state;
  return accel_fake_store_find(&state->store, item->key, item->key_size, accel_fake_time_ms(state));
}

static accel_status fake_store_item(const fake_request *request, const accel_remote_item *item,
                                    uint32_t ttl_ms)
{
  struct accel_fake_state *state = request->link->state;
  const uint64_t expires_ms = accel_ttl_after(accel_fake_time_ms(state), ttl_ms);
  return accel_fake_store_put(&state->store, item->key, item->key_size, item->data, item->size,
                              expires_ms)
             ? ACCEL_OK
             : ACCEL_ERR_NOMEM;
}

/* What an item fails with before any work is done. */
static accel_status fake_check_item(const fake_request *request, const accel_remote_item *item)
{
  struct accel_fake_state *state = request->link->state;
  const bool has_data = request->op != ACCEL_FAKE_GET && request->op != ACCEL_FAKE_DEL;
  if (has_data && item->size > state->max_value_bytes)
    return accel_fake_error(request->call, ACCEL_ERR_CODEC,
                            "fake: a value of %zu bytes, at most %zu", item->size,
                            state->max_value_bytes);
  const accel_status status = accel_fake_script_item(state, request->op, item);
  if (accel_failed(status))
    accel_fake_error(request->call, status, "fake: an item failed as ordered");
  return status;
}

/* All that was found is copied into one piece of memory, the reply. */
static accel_status fake_get_items(const fake_request *request)
{
  size_t total = 0;
  for (size_t i = 0; i < request->count; i++) {
    accel_remote_item *item = &request->items[i];
    if (item->status != ACCEL_OK) continue;
    const fake_entry *entry = fake_find(request, item);
    if (entry == NULL) item->status = ACCEL_MISS;
    item->data = entry;
    if (entry != NULL) total += entry->size;
  }
  unsigned char *next = (unsigned char *)ACCEL_MALLOC(total + 1);
  if (next == NULL) return accel_fake_error(request->call, ACCEL_ERR_NOMEM, "fake: out of memory");
  request->call->reply = next;
  for (size_t i = 0; i < request->count; i++) {
    accel_remote_item *item = &request->items[i];
    if (item->status != ACCEL_OK) continue;
    const fake_entry *entry = (const fake_entry *)item->data;
    memcpy(next, accel_fake_entry_data(entry), entry->size);
    item->data = next;
    item->size = entry->size;
    next += entry->size;
  }
  return ACCEL_OK;
}

static accel_status fake_lease_item(const fake_request *request, accel_remote_item *item)
{
  if (fake_find(request, item) == NULL) return fake_store_item(request, item, request->lease_ms);
  item->token = 0;
  return ACCEL_OK;
}

static accel_status fake_fill_item(const fake_request *request, const accel_remote_item *item)
{
  if (item->token == 0) return fake_store_item(request, item, item->ttl_ms);
  if (!request->link->has_bus)
    return accel_fake_error(request->call, ACCEL_ERR_BACKEND, "fake: it cannot compare");
  const fake_entry *entry = fake_find(request, item);
  if (entry == NULL) return ACCEL_MISS;
  if (accel_envelope_token(accel_fake_entry_data(entry), entry->size) != item->token)
    return ACCEL_MISS;
  return fake_store_item(request, item, item->ttl_ms);
}

static accel_status fake_del_item(const fake_request *request, const accel_remote_item *item)
{
  accel_fake_store_remove(&request->link->state->store, item->key, item->key_size);
  return ACCEL_OK;
}

static accel_status fake_work_item(const fake_request *request, accel_remote_item *item)
{
  switch (request->op) {
    case ACCEL_FAKE_LEASE: return fake_lease_item(request, item);
    case ACCEL_FAKE_FILL: return fake_fill_item(request, item);
    case ACCEL_FAKE_PUT: return fake_store_item(request, item, item->ttl_ms);
    case ACCEL_FAKE_DEL: return fake_del_item(request, item);
    default: return ACCEL_ERR_CONFIG;
  }
}

/* Queues the messages of the items that are still OK. Those that no message names are not done:
 * no change goes without its message. */
static accel_status fake_announce_items(const fake_request *request)
{
  if (request->publisher == NULL || !request->link->has_bus || request->count == 0) return ACCEL_OK;
  const accel_remote_item **named =
      (const accel_remote_item **)ACCEL_MALLOC(request->count * sizeof *named);
  if (named == NULL) return accel_fake_error(request->call, ACCEL_ERR_NOMEM, "fake: out of memory");
  size_t count = 0;
  for (size_t i = 0; i < request->count; i++)
    if (request->items[i].status == ACCEL_OK) named[count++] = &request->items[i];
  size_t left = count == 0 ? 0
                           : accel_fake_bus_announce(request->link, request->publisher, named,
                                                     count, request->call);
  ACCEL_FREE((void *)named);
  if (left == count) return ACCEL_OK;
  accel_fake_error(request->call, ACCEL_ERR_NOMEM, "fake: no memory for a message");
  for (size_t i = 0; i < request->count; i++) {
    accel_remote_item *item = &request->items[i];
    if (item->status != ACCEL_OK) continue;
    if (left > 0)
      left--;
    else
      item->status = ACCEL_ERR_NOMEM;
  }
  return ACCEL_OK;
}

static accel_status fake_clear_area(const fake_request *request)
{
  fake_link *link = request->link;
  const accel_remote_item *none = NULL;
  if (request->publisher != NULL && link->has_bus &&
      accel_fake_bus_announce(link, request->publisher, &none, 0, request->call) == 0)
    return accel_fake_error(request->call, ACCEL_ERR_NOMEM, "fake: no memory for a message");
  char prefix[FAKE_AREA_MAX + 2];
  const int size = snprintf(prefix, sizeof prefix, "%s:", link->area);
  accel_fake_store_remove_prefix(&link->state->store, prefix, (size_t)size);
  return ACCEL_OK;
}

static accel_status fake_work(const fake_request *request)
{
  if (request->op == ACCEL_FAKE_CLEAR) return fake_clear_area(request);
  for (size_t i = 0; i < request->count; i++)
    request->items[i].status = fake_check_item(request, &request->items[i]);
  if (request->op == ACCEL_FAKE_GET) return fake_get_items(request);
  const accel_status status = fake_announce_items(request);
  if (status != ACCEL_OK) return status;
  for (size_t i = 0; i < request->count; i++) {
    accel_remote_item *item = &request->items[i];
    if (item->status == ACCEL_OK) item->status = fake_work_item(request, item);
  }
  return ACCEL_OK;
}

static void fake_release(void *link, accel_remote_call *call)
{
  (void)link;
  ACCEL_FREE(call->reply);
  call->reply = NULL;
}

static accel_status fake_serve(const fake_request *request)
{
  struct accel_fake_state *state = request->link->state;
  accel_mutex_lock(&state->mutex);
  state->script.calls[request->op]++;
  state->script.items[request->op] += request->count;
  accel_status status =
      accel_fake_script_pass(state, request->op, ACCEL_FAKE_BEFORE, request->call);
  if (status == ACCEL_OK) status = fake_work(request);
  accel_mutex_unlock(&state->mutex);
  accel_fake_bus_pump(state);

  accel_mutex_lock(&state->mutex);
  if (status == ACCEL_OK)
    status = accel_fake_script_pass(state, request->op, ACCEL_FAKE_AFTER, request->call);
  accel_mutex_unlock(&state->mutex);
  if (status == ACCEL_OK) return ACCEL_OK;
  fake_release(request->link, request->call);
  for (size_t i = 0; i < request->count; i++) request->items[i].status = status;
  return status;
}

/* ---- operations ---- */

static accel_status fake_attach(void *remote, const accel_remote_area *area, bool has_bus,
                                void **link_out, char *channel)
{
  accel_fake *fake = (accel_fake *)remote;
  if (accel_opened_find(fake, &accel_fake_ops) == ACCEL_OPENED_BY_NOBODY)
    return accel_error_set(area->owner, ACCEL_ERR_CONFIG,
                           "remote is not open: it is no accel_fake, or a closed one");
  fake_link *link;
  const accel_status status = accel_fake_bus_attach(fake->state, area, has_bus, &link);
  if (status != ACCEL_OK) return status;
  *link_out = link;
  channel[0] = '\0';
  if (has_bus) snprintf(channel, FAKE_CHANNEL_SIZE, "accel:invalidation:%s", area->area);
  accel_fake_bus_pump(fake->state);
  return ACCEL_OK;
}

static accel_status fake_attach_bus(void *remote, const accel_remote_area *area, void **link_out,
                                    char *channel)
{
  return fake_attach(remote, area, true, link_out, channel);
}

static accel_status fake_attach_plain(void *remote, const accel_remote_area *area, void **link_out,
                                      char *channel)
{
  return fake_attach(remote, area, false, link_out, channel);
}

static void fake_detach(void *link)
{
  accel_fake_bus_detach((fake_link *)link);
}

static bool fake_is_ready(void *link)
{
  struct accel_fake_state *state = ((fake_link *)link)->state;
  accel_mutex_lock(&state->mutex);
  const bool is_ready = !state->script.is_stopped;
  accel_mutex_unlock(&state->mutex);
  return is_ready;
}

static uint64_t fake_server_ms(void *link)
{
  struct accel_fake_state *state = ((fake_link *)link)->state;
  accel_mutex_lock(&state->mutex);
  const uint64_t now_ms = accel_fake_time_ms(state) + (uint64_t)state->clock_skew_ms;
  accel_mutex_unlock(&state->mutex);
  return now_ms;
}

static fake_request fake_request_of(void *link, accel_fake_op op, accel_remote_item *items,
                                    size_t count, accel_remote_call *call)
{
  return (fake_request){
      .link = (fake_link *)link, .op = op, .items = items, .count = count, .call = call};
}

static accel_status fake_get(void *link, accel_remote_item *items, size_t count,
                             accel_remote_call *call)
{
  const fake_request request = fake_request_of(link, ACCEL_FAKE_GET, items, count, call);
  return fake_serve(&request);
}

static accel_status fake_lease(void *link, accel_remote_item *items, size_t count,
                               uint32_t lease_ms, accel_remote_call *call)
{
  fake_request request = fake_request_of(link, ACCEL_FAKE_LEASE, items, count, call);
  request.lease_ms = lease_ms;
  return fake_serve(&request);
}

static accel_status fake_fill(void *link, accel_remote_item *items, size_t count,
                              accel_remote_call *call)
{
  const fake_request request = fake_request_of(link, ACCEL_FAKE_FILL, items, count, call);
  return fake_serve(&request);
}

static accel_status fake_put(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call)
{
  fake_request request = fake_request_of(link, ACCEL_FAKE_PUT, items, count, call);
  request.publisher = publisher_or_null;
  return fake_serve(&request);
}

static accel_status fake_del(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call)
{
  fake_request request = fake_request_of(link, ACCEL_FAKE_DEL, items, count, call);
  request.publisher = publisher_or_null;
  return fake_serve(&request);
}

static accel_status fake_clear(void *link, const accel_remote_publisher *publisher_or_null,
                               accel_remote_call *call)
{
  fake_request request = fake_request_of(link, ACCEL_FAKE_CLEAR, NULL, 0, call);
  request.publisher = publisher_or_null;
  return fake_serve(&request);
}

const accel_remote_ops accel_fake_ops = {
    .name = "fake",
    .attach = fake_attach_bus,
    .detach = fake_detach,
    .is_ready = fake_is_ready,
    .now_ms = fake_server_ms,
    .get = fake_get,
    .release = fake_release,
    .lease = fake_lease,
    .fill = fake_fill,
    .put = fake_put,
    .del = fake_del,
    .clear = fake_clear,
};

const accel_remote_ops accel_fake_plain_ops = {
    .name = "fake plain",
    .attach = fake_attach_plain,
    .detach = fake_detach,
    .is_ready = fake_is_ready,
    .now_ms = fake_server_ms,
    .get = fake_get,
    .release = fake_release,
    .fill = fake_fill,
    .put = fake_put,
    .del = fake_del,
};
