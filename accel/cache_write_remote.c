#include "cache_write_remote.h"

#include "cache_batch.h"
#include "cache_remote.h"
#include "cache_repair_queue.h"

#include <string.h>

/* A write that goes to L2. L1 removes its keys first, whatever happens then: that needs no memory.
 * What L2 was not asked to do, or did not confirm, is noted in memory allocated at open, and
 * repaired. */
typedef struct write_call {
  accel_core *core;
  core_write_key *keys;
  size_t count;
  core_write_kind kind;
  const accel_write *write;
  core_write_stripes *stripes; /* NULL: there is one key */
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
    core_write_key *key = &call->keys[i];
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
static void write_end(write_call *call, core_write_key *key)
{
  accel_core *core = call->core;
  accel_singleflight_forget(&core->flights, key->id.key, key->id.hash);
  const accel_local_ops *ops = core->local_ops;
  const bool enters = call->kind != CORE_WRITE_DEL && key->status == ACCEL_OK && key->was_alone &&
                      !call->write->skip_local;
  if (core->local != NULL && !enters) ops->del(core->local, core->type, key->id.key, key->id.hash);
  if (core->local != NULL && enters) {
    const uint32_t ttl_ms =
        accel_core_write_local_ttl(core, call->kind, call->write, key->remote_ttl_ms);
    const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
    const accel_status status = ops->set(core->local, core->type, key->id.key, key->id.hash,
                                         key->value, &lifetime, &key->gate);
    if (accel_failed(status)) key->status = status;
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
    core_write_key *key = &call->keys[i];
    key->remote_ttl_ms = accel_core_write_remote_ttl(core, call->kind, call->write);
    key->status = opened;
    if (opened == ACCEL_OK) key->status = accel_core_batch_add_key(core, batch, key->id.key);
    if (key->status == ACCEL_OK && call->kind != CORE_WRITE_DEL) {
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
  const bool is_del = call->kind == CORE_WRITE_DEL;
  write_fill_batch(call);
  call->status = accel_core_remote_write(core, &call->batch,
                                         is_del ? accel_core_call_del : accel_core_call_put,
                                         is_del ? "del" : "set");
  for (size_t i = 0; i < call->count; i++) {
    core_write_key *key = &call->keys[i];
    if (key->item == SIZE_MAX || !accel_failed(call->batch.items[key->item].status)) continue;
    const bool is_too_large = call->batch.items[key->item].status == ACCEL_ERR_CODEC;
    key->status = is_too_large ? ACCEL_ERR_CODEC : ACCEL_ERR_BACKEND;
    if (is_too_large) key->item = SIZE_MAX;
  }
  write_note_unsent(call, ACCEL_ERR_NOMEM);
}

/* The text of the first failure; L2 has given its own. */
static void write_explain_first(const write_call *call, const core_write_key *first)
{
  const accel_core *core = call->core;
  const bool is_unsent = first->item == SIZE_MAX && first->status == ACCEL_ERR_NOMEM;
  if (!is_unsent)
    accel_core_write_explain(core, first->status);
  else
    accel_error_set(core->cache, first->status,
                    "no memory to send a %s in area %s to L2; the key was removed from L1, and "
                    "will be from L2",
                    call->kind == CORE_WRITE_DEL ? "del" : "set", core->area);
}

static void write_run(void *call_pointer)
{
  write_call *call = (write_call *)call_pointer;
  write_begin(call);
  write_send(call);
  const core_write_key *first = NULL; /* that failed */
  for (size_t i = 0; i < call->count; i++) {
    core_write_key *key = &call->keys[i];
    if (call->stripes != NULL) /* the batch's own do not count */
      key->gate.generation += call->stripes->raised[key->gate.stripe]++;
    write_end(call, key);
    if (first == NULL && key->status != ACCEL_OK) first = key;
  }
  if (!write_remove_unstorable(call)) write_note_unsent(call, ACCEL_ERR_CODEC);
  if (first == NULL) return;
  write_explain_first(call, first);
  call->status = first->status;
}

/* The thread ended within a codec or a copy of the user's: L2 may have the old value, the new one,
 * or none, so the keys are repaired. */
static void write_leave(void *call_pointer)
{
  write_call *call = (write_call *)call_pointer;
  accel_core *core = call->core;
  while (call->ended < call->count) {
    core_write_key *key = &call->keys[call->ended];
    key->status = ACCEL_ERR_LOADER;
    accel_core_repair_note(core, key->id.key);
    write_end(call, key);
  }
  accel_core_repair_begin(core);
  accel_core_batch_close(&call->batch);
}

ACCEL_NOINLINE accel_status accel_core_write_remote(accel_core *core, core_write_key *keys,
                                                    size_t count, core_write_stripes *stripes,
                                                    core_write_kind kind, const accel_write *write)
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
