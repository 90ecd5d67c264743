#include "cache_write.h"

#include "cache_batch.h"
#include "cache_keys.h"
#include "cache_remote.h"
#include "cache_repair_queue.h"
#include "cache_report.h"

#include <stdlib.h>
#include <string.h>

/* What a write does to every key. */
typedef enum write_kind { WRITE_VALUE, WRITE_NULL, WRITE_DEL } write_kind;

/* One key of a write that goes to L2. */
typedef struct write_key {
  core_key id;
  const void *value; /* NULL: a negative entry, or a del */
  accel_gate gate;
  uint32_t remote_ttl_ms;
  size_t item;         /* of the call; SIZE_MAX: nothing was sent for it */
  bool is_overwritten; /* by a later duplicate */
  bool was_alone;      /* no other write of its stripe was under way when this one began */
  accel_status status;
} write_key;

/* Of the writes of one batch, per stripe: how many are under way, and how many are through. */
typedef struct write_stripes {
  uint32_t own[ACCEL_OVERLAP_STRIPES];
  uint32_t raised[ACCEL_LOCAL_STRIPES_MAX];
} write_stripes;

/* ---- TTLs ---- */

static uint32_t write_configured_ttl(accel_core *core, write_kind kind, uint32_t value_ttl_ms)
{
  return accel_core_jitter(core, kind == WRITE_NULL ? core->config.null_ttl_ms : value_ttl_ms);
}

static uint32_t write_remote_ttl(accel_core *core, write_kind kind, const accel_write *write)
{
  if (write->ttl_ms != 0) return write->ttl_ms;
  return write_configured_ttl(core, kind, core->config.remote_ttl_ms);
}

/* An entry in L1 never outlives the one in L2; a TTL that was asked for is exact without L2. */
static uint32_t write_local_ttl(accel_core *core, write_kind kind, const accel_write *write,
                                uint32_t remote_ttl_ms)
{
  if (core->link == NULL && write->ttl_ms != 0) return write->ttl_ms;
  const uint32_t own_ms = write_configured_ttl(core, kind, core->config.local_ttl_ms);
  return core->link == NULL || own_ms < remote_ttl_ms ? own_ms : remote_ttl_ms;
}

/* ---- L1 alone ---- */

#define WRITE_ATTEMPTS_MAX 16

/* Writes L1 without L2. Where there is an L2, the gate keeps an entry from getting a long TTL just
 * as the channel goes down. A write of another key of the stripe may move the gate too: then again.
 * */
static accel_status write_local_value(accel_core *core, const void *key, uint64_t hash,
                                      const void *value, const accel_write *write, write_kind kind)
{
  const accel_local_ops *ops = core->local_ops;
  const uint32_t remote_ttl_ms =
      core->link == NULL ? ACCEL_FOREVER : write_remote_ttl(core, kind, write);
  const uint32_t ttl_ms = write_local_ttl(core, kind, write, remote_ttl_ms);
  if (core->link == NULL) {
    const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
    return ops->set(core->local, core->type, key, hash, value, &lifetime, NULL);
  }
  accel_status status = ACCEL_MISS;
  for (int attempt = 0; attempt < WRITE_ATTEMPTS_MAX && status == ACCEL_MISS; attempt++) {
    const accel_gate gate = ops->gate(core->local, hash);
    const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
    status = ops->set(core->local, core->type, key, hash, value, &lifetime, &gate);
  }
  return status == ACCEL_MISS ? ACCEL_OK : status;
}

static accel_status write_explain(accel_core *core, accel_status status)
{
  if (status == ACCEL_ERR_CONFIG)
    return accel_error_set(
        core->cache, status,
        "an entry is heavier than max_weight, %zu, and was not cached; raise max_weight",
        core->config.max_weight);
  if (status == ACCEL_ERR_NOMEM)
    return accel_error_set(core->cache, status, "no memory to cache an entry in area %s",
                           core->area);
  return status;
}

static accel_status write_local(accel_core *core, const void *key, const void *value,
                                const accel_write *write, write_kind kind)
{
  const uint64_t hash = accel_core_hash(core, key);
  accel_singleflight_forget(&core->flights, key, hash);
  if (core->local == NULL) return ACCEL_OK;
  if (kind != WRITE_DEL && !write->skip_local)
    return write_explain(core, write_local_value(core, key, hash, value, write, kind));
  core->local_ops->del(core->local, core->type, key, hash);
  return ACCEL_OK;
}

/* ---- L2, then L1 ---- */

/* A write that goes to L2. L1 removes its keys first, whatever happens then: that needs no memory.
 * What L2 was not asked to do, or did not confirm, is noted in memory allocated at open, and
 * repaired. */
typedef struct write_call {
  accel_core *core;
  write_key *keys;
  size_t count;
  write_kind kind;
  const accel_write *write;
  write_stripes *stripes; /* NULL: there is one key */
  core_batch batch;
  size_t ended; /* so many keys are through */
  accel_status status;
} write_call;

/* Before sending: no load under way may be cached, and L1 forgets the key. */
static void write_begin(write_call *call)
{
  accel_core *core = call->core;
  uint32_t *own = call->stripes == NULL ? NULL : call->stripes->own;
  for (size_t i = 0; i < call->count; i++) {
    write_key *key = &call->keys[i];
    key->item = SIZE_MAX;
    key->was_alone = accel_overlap_begin(&core->overlap, key->id.hash, own);
  }
  for (size_t i = 0; i < call->count; i++) {
    const core_key *id = &call->keys[i].id;
    accel_singleflight_forget(&core->flights, id->key, id->hash);
    if (core->local != NULL) core->local_ops->del(core->local, core->type, id->key, id->hash);
  }
  for (size_t i = 0; i < call->count; i++)
    call->keys[i].gate = accel_core_gate(core, call->keys[i].id.hash);
}

/* After the reply. A key enters L1 only if L2 confirmed it and no other write of its stripe
 * overlapped; in every other case it is removed once more. */
static void write_end(write_call *call, write_key *key)
{
  accel_core *core = call->core;
  accel_singleflight_forget(&core->flights, key->id.key, key->id.hash);
  const accel_local_ops *ops = core->local_ops;
  const bool enters = call->kind != WRITE_DEL && key->status == ACCEL_OK && key->was_alone &&
                      !call->write->skip_local;
  if (core->local != NULL && !enters) ops->del(core->local, core->type, key->id.key, key->id.hash);
  if (core->local != NULL && enters) {
    const uint32_t ttl_ms = write_local_ttl(core, call->kind, call->write, key->remote_ttl_ms);
    const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
    const accel_status status = ops->set(core->local, core->type, key->id.key, key->id.hash,
                                         key->value, &lifetime, &key->gate);
    if (accel_failed(status)) key->status = write_explain(core, status);
  }
  call->ended++;
  accel_overlap_end(&core->overlap, key->id.hash);
}

static void write_fill_batch(write_call *call)
{
  accel_core *core = call->core;
  core_batch *batch = &call->batch;
  const accel_status opened = accel_core_batch_open(batch, call->count);
  for (size_t i = 0; i < call->count; i++) {
    write_key *key = &call->keys[i];
    key->remote_ttl_ms = write_remote_ttl(core, call->kind, call->write);
    key->status = opened;
    if (opened == ACCEL_OK) key->status = accel_core_batch_add_key(core, batch, key->id.key);
    if (key->status == ACCEL_OK && call->kind != WRITE_DEL) {
      key->status = accel_core_batch_add_value(core, batch, key->value, key->remote_ttl_ms);
      if (key->status != ACCEL_OK) accel_core_batch_drop_last(batch);
    }
    if (key->status == ACCEL_OK) key->item = batch->count - 1;
  }
  if (opened == ACCEL_OK) accel_core_batch_seal(batch);
}

/* Values that L2 cannot hold: the older ones are removed there, so that nobody goes on reading
 * what was just replaced. False: there is no memory to ask for that. */
static bool write_remove_unstorable(const write_call *call)
{
  accel_core *core = call->core;
  size_t unstorable = 0;
  for (size_t i = 0; i < call->count; i++) unstorable += call->keys[i].status == ACCEL_ERR_CODEC;
  core_batch batch;
  if (unstorable == 0) return true;
  bool is_listed = accel_core_batch_open(&batch, unstorable) == ACCEL_OK;
  for (size_t i = 0; is_listed && i < call->count; i++)
    if (call->keys[i].status == ACCEL_ERR_CODEC)
      is_listed = accel_core_batch_add_key(core, &batch, call->keys[i].id.key) == ACCEL_OK;
  if (is_listed) {
    accel_core_batch_seal(&batch);
    accel_core_remote_write(core, &batch, accel_core_call_del, "removal");
  }
  accel_core_batch_close(&batch);
  return is_listed;
}

/* What L2 was not even asked to do is noted too. */
static void write_note_unsent(const write_call *call, accel_status status)
{
  for (size_t i = 0; i < call->count; i++)
    if (call->keys[i].item == SIZE_MAX && call->keys[i].status == status)
      accel_core_repair_note(call->core, call->keys[i].id.key);
}

static void write_send(write_call *call)
{
  accel_core *core = call->core;
  const bool is_del = call->kind == WRITE_DEL;
  write_fill_batch(call);
  call->status = accel_core_remote_write(core, &call->batch,
                                         is_del ? accel_core_call_del : accel_core_call_put,
                                         is_del ? "del" : "set");
  for (size_t i = 0; i < call->count; i++) {
    write_key *key = &call->keys[i];
    if (key->item == SIZE_MAX || !accel_failed(call->batch.items[key->item].status)) continue;
    const bool is_too_large = call->batch.items[key->item].status == ACCEL_ERR_CODEC;
    key->status = is_too_large ? ACCEL_ERR_CODEC : ACCEL_ERR_BACKEND;
    if (is_too_large) key->item = SIZE_MAX;
  }
  write_note_unsent(call, ACCEL_ERR_NOMEM);
}

static void write_run(void *call_pointer)
{
  write_call *call = (write_call *)call_pointer;
  write_begin(call);
  write_send(call);
  accel_status first = ACCEL_OK;
  for (size_t i = 0; i < call->count; i++) {
    write_key *key = &call->keys[i];
    if (call->stripes != NULL) /* the batch's own do not count */
      key->gate.generation += call->stripes->raised[key->gate.stripe]++;
    write_end(call, key);
    if (first == ACCEL_OK) first = key->status;
  }
  if (!write_remove_unstorable(call)) write_note_unsent(call, ACCEL_ERR_CODEC);
  if (first == ACCEL_ERR_NOMEM) write_explain(call->core, first);
  if (first != ACCEL_OK) call->status = first;
}

/* The thread ended within a codec or a copy of the user's: L2 may have the old value, the new one,
 * or none, so the keys are repaired. */
static void write_leave(void *call_pointer)
{
  write_call *call = (write_call *)call_pointer;
  accel_core *core = call->core;
  while (call->ended < call->count) {
    write_key *key = &call->keys[call->ended];
    key->status = ACCEL_ERR_LOADER;
    accel_core_repair_note(core, key->id.key);
    write_end(call, key);
  }
  accel_core_repair_begin(core);
  accel_core_batch_close(&call->batch);
}

static ACCEL_NOINLINE accel_status write_remote(accel_core *core, write_key *keys, size_t count,
                                                write_stripes *stripes, write_kind kind,
                                                const accel_write *write)
{
  write_call call;
  memset(&call, 0, sizeof call);
  call.core = core;
  call.keys = keys;
  call.count = count;
  call.stripes = stripes;
  call.kind = kind;
  call.write = write;
  accel_thread_guard(write_run, write_leave, &call);
  accel_core_repair_begin(core);
  accel_core_batch_close(&call.batch);
  return call.status;
}

/* ---- one key ---- */

static accel_status write_one(accel_core *core, const void *key, const void *value,
                              const accel_write *write_or_null, write_kind kind)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  static const accel_write usual;
  const accel_write *write = write_or_null == NULL ? &usual : write_or_null;
  if (core->link == NULL || write->skip_remote) return write_local(core, key, value, write, kind);
  write_key one;
  memset(&one, 0, sizeof one);
  one.id.key = key;
  one.value = value;
  one.id.hash = accel_core_hash(core, key);
  return write_remote(core, &one, 1, NULL, kind, write);
}

accel_status accel_core_del(accel_core *core, const void *key)
{
  return write_one(core, key, NULL, NULL, WRITE_DEL);
}

/* Nothing lies behind L1, and neither a log nor spans are told. */
static accel_status write_alone(accel_core *core, const void *key, const void *value,
                                const accel_write *write_or_null, write_kind kind)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  const accel_local_ops *ops = core->local_ops;
  const uint64_t hash = accel_core_hash(core, key);
  accel_singleflight_forget(&core->flights, key, hash);
  if (kind == WRITE_DEL || (write_or_null != NULL && write_or_null->skip_local)) {
    ops->del(core->local, core->type, key, hash);
    return ACCEL_OK;
  }
  uint32_t ttl_ms = write_or_null == NULL ? 0 : write_or_null->ttl_ms;
  if (ttl_ms == 0) ttl_ms = write_configured_ttl(core, kind, core->config.local_ttl_ms);
  const accel_lifetime lifetime =
      accel_ttl_lifetime(accel_core_now(core), ttl_ms, core->refresh_window_ms);
  status = ops->set(core->local, core->type, key, hash, value, &lifetime, NULL);
  return status == ACCEL_OK ? ACCEL_OK : write_explain(core, status);
}

static ACCEL_NOINLINE accel_status write_reported(accel_core *core, const char *name,
                                                  const void *key, const void *value,
                                                  const accel_write *write, write_kind kind)
{
  accel_cancel_enter();
  core_report report = accel_core_report_begin(core, name, 1);
  report.key = key;
  accel_status status = write_one(core, key, value, write, kind);
  status = accel_core_report_end(core, &report, status, "done");
  accel_cancel_release();
  return status;
}

accel_status accel_cache_set(accel_cache *cache, const accel_type *type, const void *key,
                             const void *value)
{
  return accel_cache_set_with(cache, type, key, NULL, value);
}

ACCEL_FLATTEN accel_status accel_cache_set_with(accel_cache *cache, const accel_type *type,
                                                const void *key, const accel_write *write,
                                                const void *value)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (value == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "value is NULL");
  if (!core->has_cancel_points) return write_alone(core, key, value, write, WRITE_VALUE);
  return write_reported(core, "cache.set", key, value, write, WRITE_VALUE);
}

accel_status accel_cache_set_null(accel_cache *cache, const accel_type *type, const void *key)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  const write_kind kind = core->config.no_null_cache ? WRITE_DEL : WRITE_NULL;
  if (!core->has_cancel_points) return write_alone(core, key, NULL, NULL, kind);
  return write_reported(core, "cache.set", key, NULL, NULL, kind);
}

accel_status accel_cache_del(accel_cache *cache, const accel_type *type, const void *key)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (!core->has_cancel_points) return write_alone(core, key, NULL, NULL, WRITE_DEL);
  return write_reported(core, "cache.del", key, NULL, NULL, WRITE_DEL);
}

/* ---- many keys ---- */

/* Lists the keys, checked; of duplicates the last one stays. The first bad key's status. */
static accel_status write_list(accel_core *core, const void *keys, const void *values, size_t count,
                               write_key *list, size_t *listed)
{
  accel_status first = ACCEL_OK;
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const void *key = accel_type_key_at(core->type, keys, i);
    const accel_status status = accel_core_check_key(core, key);
    if (first == ACCEL_OK) first = status;
    if (status != ACCEL_OK) continue;
    memset(&list[kept], 0, sizeof list[kept]);
    list[kept].id.key = key;
    list[kept].id.hash = accel_core_hash(core, key);
    if (values != NULL) list[kept].value = (const char *)values + i * core->type->value_size;
    kept++;
  }
  *listed = kept;
  core_key_set seen;
  if (kept < 2 || !accel_core_key_set_open(&seen, core->type, list, sizeof *list, kept))
    return first; /* without memory duplicates are written one after the other: the last wins */
  for (size_t i = kept; i-- > 0;) list[i].is_overwritten = accel_core_key_set_add(&seen, i) != i;
  accel_core_key_set_close(&seen);
  *listed = 0;
  for (size_t i = 0; i < kept; i++)
    if (!list[i].is_overwritten) list[(*listed)++] = list[i];
  return first;
}

/* Without memory for a list the keys are written one after the other: none is left out. */
static accel_status write_each(accel_core *core, const void *keys, const void *values, size_t count,
                               write_kind kind)
{
  accel_status first = ACCEL_OK;
  for (size_t i = 0; i < count; i++) {
    const void *value = values == NULL ? NULL : (const char *)values + i * core->type->value_size;
    const void *key = accel_type_key_at(core->type, keys, i);
    const accel_status status = write_one(core, key, value, NULL, kind);
    if (first == ACCEL_OK) first = status;
  }
  return first;
}

static accel_status write_many(accel_core *core, const void *keys, const void *values, size_t count,
                               write_kind kind)
{
  static const accel_write usual;
  write_stripes *stripes = NULL;
  if (count > 1 && count < (SIZE_MAX - sizeof *stripes) / sizeof(write_key))
    stripes = (write_stripes *)ACCEL_MALLOC(sizeof *stripes + count * sizeof(write_key));
  if (stripes == NULL) return write_each(core, keys, values, count, kind);
  memset(stripes, 0, sizeof *stripes);
  write_key *list = (write_key *)(void *)(stripes + 1);
  size_t listed;
  accel_status first = write_list(core, keys, values, count, list, &listed);
  if (core->link != NULL && listed > 0) {
    const accel_status status = write_remote(core, list, listed, stripes, kind, &usual);
    if (first == ACCEL_OK) first = status;
  }
  for (size_t i = 0; core->link == NULL && i < listed; i++) {
    const accel_status status = write_local(core, list[i].id.key, list[i].value, &usual, kind);
    if (first == ACCEL_OK) first = status;
  }
  ACCEL_FREE(stripes);
  return first;
}

static accel_status write_many_checked(accel_cache *cache, const char *name, const void *keys,
                                       const void *values, size_t count, write_kind kind)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (count > 0 && keys == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "keys is NULL");
  if (count > 0 && values == NULL && kind == WRITE_VALUE)
    return accel_error_set(cache, ACCEL_ERR_CONFIG, "values is NULL");
  accel_core_cancel_enter(core);
  const core_report report = accel_core_report_begin(core, name, count);
  if (count > 0) status = write_many(core, keys, values, count, kind);
  status = accel_core_report_end(core, &report, status, count == 0 ? "ok_empty" : "done");
  accel_core_cancel_release(core);
  return status;
}

accel_status accel_cache_mset(accel_cache *cache, const accel_type *type, const void *keys,
                              const void *values, size_t count)
{
  (void)type;
  return write_many_checked(cache, "cache.mset", keys, values, count, WRITE_VALUE);
}

accel_status accel_cache_mdel(accel_cache *cache, const accel_type *type, const void *keys,
                              size_t count)
{
  (void)type;
  return write_many_checked(cache, "cache.mdel", keys, NULL, count, WRITE_DEL);
}

/* ---- the area ---- */

accel_status accel_cache_clear(accel_cache *cache, const accel_type *type)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  accel_core_cancel_enter(core);
  const core_report report = accel_core_report_begin(core, "cache.clear", 0);
  accel_singleflight_forget_all(&core->flights);
  if (core->local != NULL) core->local_ops->clear(core->local, type);
  if (core->link != NULL) {
    status = accel_core_remote_clear(core);
    if (accel_failed(status)) accel_core_repair_add_area(core);
    accel_singleflight_forget_all(&core->flights); /* what read L2 while it was being cleared */
    if (core->local != NULL) core->local_ops->clear(core->local, type);
    accel_core_repair_begin(core);
  }
  status = accel_core_report_end(core, &report, status, "done");
  accel_core_cancel_release(core);
  return status;
}
