#include "singleflight.h"

#include "executor_share.h"
#include "hash.h"
#include "platform/atomic.h"
#include "platform/clock.h"
#include "platform/fork.h"
#include "singleflight_runner.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool accel_singleflight_open(accel_singleflight *table, const accel_type *type, size_t note_size)
{
  if (!accel_flight_runner_open()) return false;
  memset(table, 0, sizeof *table);
  table->type = type;
  table->note_size = accel_align_up(note_size, sizeof(void *));
  table->buckets = table->first_buckets;
  table->mask = ACCEL_SINGLEFLIGHT_BUCKETS - 1;
  return accel_mutex_open(&table->mutex);
}

void accel_singleflight_close(accel_singleflight *table)
{
  ACCEL_ASSERT(table->count == 0);
  ACCEL_ASSERT(table->buckets == table->first_buckets);
  if (table->buckets != table->first_buckets) ACCEL_FREE(table->buckets);
  accel_mutex_close(&table->mutex);
}

/* ---- a flight's memory ---- */

static const char *flight_key_string(const accel_type *type, const void *key)
{
  return type->key_kind == ACCEL_KEY_STRING ? *(const char *const *)key : NULL;
}

/* One block: the flight, its note, the value, the key, the key's text. */
static accel_flight *flight_new(const accel_singleflight *table, const void *key, uint64_t hash)
{
  const accel_type *type = table->type;
  const size_t head_size = sizeof(accel_flight) + table->note_size;
  const char *text = flight_key_string(type, key);
  const size_t text_size = text == NULL ? 0 : strlen(text) + 1;
  const size_t value_size = accel_align_up(type->value_size, accel_type_key_align(type));
  const size_t key_size = accel_align_up(type->key_size, sizeof(void *));
  char *block =
      (char *)ACCEL_MALLOC(head_size + ACCEL_ALIGN_MAX + value_size + key_size + text_size);
  if (block == NULL) return NULL;
  accel_flight *flight = (accel_flight *)(void *)block;
  memset(flight, 0, offsetof(accel_flight, error));
  flight->error[0] = '\0';
  if (!accel_condition_open(&flight->changed)) {
    ACCEL_FREE(block);
    return NULL;
  }
  flight->note = memset(flight + 1, 0, table->note_size);
  char *value = accel_align_pointer(block + head_size, ACCEL_ALIGN_MAX);
  memset(value, 0, value_size); /* padding goes to L2 with it, and must not leak memory */
  flight->value = value;
  flight->key = value + value_size;
  memcpy(flight->key, key, type->key_size);
  if (text != NULL) {
    char *copy = value + value_size + key_size;
    memcpy(copy, text, text_size);
    memcpy(flight->key, &copy, sizeof copy);
  }
  flight->hash = hash;
  flight->references = 1;
  return flight;
}

static void flight_free(const accel_type *type, accel_flight *flight)
{
  if (flight->is_landed && flight->status == ACCEL_OK) type->drop(flight->value);
  accel_condition_close(&flight->changed);
  ACCEL_FREE(flight);
}

/* ---- the table ---- */

static accel_flight **singleflight_bucket(const accel_singleflight *table, uint64_t hash)
{
  return &table->buckets[accel_hash_mixed(hash) & table->mask];
}

static uint32_t *singleflight_listed(accel_singleflight *table, uint64_t hash)
{
  return &table->listed_by_stripe[accel_hash_mixed(hash) >> 56 & (ACCEL_SINGLEFLIGHT_STRIPES - 1)];
}

/* Without memory the chains get longer. */
static void singleflight_grow(accel_singleflight *table)
{
  ACCEL_ASSERT(table->count > table->mask);
  ACCEL_ASSERT((table->mask & (table->mask + 1)) == 0);
  const size_t count = 4 * (table->mask + 1);
  accel_flight **buckets = (accel_flight **)ACCEL_MALLOC(count * sizeof *buckets);
  if (buckets == NULL) return;
  memset(buckets, 0, count * sizeof *buckets);
  accel_flight **before = table->buckets;
  const size_t before_count = table->mask + 1;
  table->buckets = buckets;
  table->mask = count - 1;
  for (size_t i = 0; i < before_count; i++) {
    for (accel_flight *each = before[i], *next; each != NULL; each = next) {
      next = each->next;
      accel_flight **bucket = singleflight_bucket(table, each->hash);
      each->next = *bucket;
      *bucket = each;
    }
  }
  if (before != table->first_buckets) ACCEL_FREE(before);
}

/* Gives back what a large batch needed. */
static void singleflight_shrink(accel_singleflight *table)
{
  if (table->buckets == table->first_buckets) return;
  ACCEL_ASSERT(table->count == 0);
  ACCEL_ASSERT(table->mask >= ACCEL_SINGLEFLIGHT_BUCKETS);
  ACCEL_FREE(table->buckets);
  table->buckets = table->first_buckets;
  table->mask = ACCEL_SINGLEFLIGHT_BUCKETS - 1;
  memset(table->first_buckets, 0, sizeof table->first_buckets);
}

static void singleflight_list(accel_singleflight *table, accel_flight *flight)
{
  ACCEL_ASSERT(!flight->is_listed);
  ACCEL_ASSERT(!flight->is_forgotten && !flight->is_landed);
  if (++table->count > table->mask) singleflight_grow(table);
  accel_flight **bucket = singleflight_bucket(table, flight->hash);
  flight->next = *bucket;
  *bucket = flight;
  flight->is_listed = true;
  uint32_t *listed = singleflight_listed(table, flight->hash);
  accel_store_release(listed, *listed + 1);
}

static void flight_forget(accel_singleflight *table, accel_flight *flight)
{
  if (flight->is_forgotten) return;
  ACCEL_ASSERT(flight->is_listed);
  ACCEL_ASSERT(*singleflight_listed(table, flight->hash) > 0);
  flight->is_forgotten = true;
  uint32_t *listed = singleflight_listed(table, flight->hash);
  accel_store_release(listed, *listed - 1);
}

static void singleflight_unlist(accel_singleflight *table, accel_flight *flight)
{
  if (!flight->is_listed) return;
  ACCEL_ASSERT(table->count > 0);
  ACCEL_ASSERT(flight->is_forgotten || *singleflight_listed(table, flight->hash) > 0);
  accel_flight **place = singleflight_bucket(table, flight->hash);
  while (*place != flight) place = &(*place)->next;
  *place = flight->next;
  flight->is_listed = false;
  if (!flight->is_forgotten) {
    uint32_t *listed = singleflight_listed(table, flight->hash);
    accel_store_release(listed, *listed - 1);
  }
  if (--table->count == 0) singleflight_shrink(table);
}

static bool singleflight_is_of(const accel_singleflight *table, const accel_flight *flight,
                               const void *key, uint64_t hash)
{
  return flight->hash == hash && table->type->equal(flight->key, key);
}

static bool singleflight_takes(const accel_flight *flight, accel_join_options options)
{
  return options.share && flight->is_shared && !flight->is_forgotten &&
         (!options.fills_local || flight->fills_local || !flight->is_fill_closed);
}

/* One to share; else, for a load that needs its own key though its flight is not shared or was
 * forgotten meanwhile, what the thread itself runs. */
static accel_flight *singleflight_find(accel_singleflight *table, const void *key, uint64_t hash,
                                       accel_join_options options)
{
  accel_flight *own = NULL;
  for (accel_flight *each = *singleflight_bucket(table, hash); each != NULL; each = each->next) {
    if (!singleflight_is_of(table, each, key, hash)) continue;
    if (singleflight_takes(each, options)) return each;
    if (accel_flight_runs_here(each)) own = each;
  }
  return own;
}

/* The load that was asked for last is served first: what is wanted most must not wait at the end.
 * */
static void flight_want(accel_flight *flight)
{
  ACCEL_ASSERT(flight->wanted < UINT32_MAX);
  ACCEL_ASSERT(flight->load == NULL || flight->load->queued > 0);
  flight->wanted++;
  if (flight->load == NULL) return;
  if (flight->wanted == 1) flight->load->wanted++;
  accel_executor_prefer(flight->load->executor, &flight->load->job);
}

accel_flight *accel_singleflight_join(accel_singleflight *table, const void *key, uint64_t hash,
                                      accel_join_options options, bool *is_leader)
{
  accel_mutex_lock(&table->mutex);
  accel_flight *flight = singleflight_find(table, key, hash, options);
  *is_leader = flight == NULL;
  if (flight != NULL) {
    accel_add_relaxed(&flight->references, 1u);
    if (options.fills_local && !flight->is_fill_closed) flight->fills_local = true;
  } else if ((flight = flight_new(table, key, hash)) != NULL) {
    flight->is_shared = options.share;
    flight->fills_local = options.fills_local;
    flight->table = table;
    flight->is_refresh = options.is_refresh;
    accel_flight_run_new(flight);
    singleflight_list(table, flight);
  } else {
    *is_leader = false; /* there is no flight to lead */
  }
  if (flight != NULL) {
    flight->stays |= options.stays;
    if (!options.is_refresh) flight_want(flight);
  }
  accel_mutex_unlock(&table->mutex);
  return flight;
}

void accel_singleflight_retain(accel_flight *flight)
{
  ACCEL_ASSERT(accel_load_relaxed(&flight->references) > 0);
  ACCEL_ASSERT(accel_load_relaxed(&flight->references) < UINT32_MAX);
  accel_add_relaxed(&flight->references, 1u);
}

/* The thread that is to finish a flight holds it while it is listed or run. So the last holder
 * needs no lock: no thread can find the flight any more. */
void accel_singleflight_release(accel_singleflight *table, accel_flight *flight)
{
  ACCEL_ASSERT(flight->table == table);
  ACCEL_ASSERT(accel_load_relaxed(&flight->references) > 0);
  if (accel_sub_acq_rel(&flight->references, 1u) == 1) flight_free(table->type, flight);
}

/* ---- landing and waiting ---- */

void accel_singleflight_land(accel_singleflight *table, accel_flight *flight, accel_status status,
                             const char *error)
{
  accel_flight_stop_running(flight);
  accel_flight_note_unfinished(flight);
  accel_mutex_lock(&table->mutex);
  ACCEL_ASSERT(!flight->is_landed);
  ACCEL_ASSERT(flight->load == NULL);
  flight->status = status;
  if (error[0] != '\0' || accel_failed(status))
    snprintf(flight->error, sizeof flight->error, "%s", error);
  flight->is_landed = true;
  if (flight->urgent > 0) accel_condition_broadcast(&flight->changed);
  accel_mutex_unlock(&table->mutex);
}

bool accel_singleflight_close_fill(accel_singleflight *table, accel_flight *flight)
{
  accel_mutex_lock(&table->mutex);
  ACCEL_ASSERT(flight->is_landed);
  ACCEL_ASSERT(!flight->is_done);
  flight->is_fill_closed = true;
  const bool fills_local = flight->fills_local && !flight->is_forgotten;
  accel_mutex_unlock(&table->mutex);
  return fills_local;
}

static void flight_finish(accel_singleflight *table, accel_flight *flight)
{
  ACCEL_ASSERT(flight->is_landed && !flight->is_done);
  ACCEL_ASSERT(flight->load == NULL);
  singleflight_unlist(table, flight);
  accel_store_release(&flight->is_done, true);
  accel_condition_broadcast(&flight->changed);
}

void accel_singleflight_finish(accel_singleflight *table, accel_flight *flight)
{
  accel_flight_note_finished(flight);
  accel_mutex_lock(&table->mutex);
  flight_finish(table, flight);
  accel_mutex_unlock(&table->mutex);
}

bool accel_singleflight_is_done(const accel_flight *flight)
{
  return accel_load_acquire(&flight->is_done);
}

static accel_job *flight_unqueue(accel_flight *flight);

/* With the table's mutex held. A thread that others wait for wakes at take_ms, to take over what it
 * waits for. */
static accel_flight_wait flight_wait(accel_singleflight *table, accel_flight *flight,
                                     uint64_t deadline_ms, uint64_t take_ms, accel_job **emptied)
{
  while (!flight->is_done) {
    const bool is_queued = flight->load != NULL;
    const bool may_take = take_ms != ACCEL_NO_DEADLINE && accel_clock_monotonic_ms() >= take_ms;
    if (may_take && flight->is_landed) break;
    if (may_take && is_queued) {
      *emptied = flight_unqueue(flight);
      return ACCEL_FLIGHT_TAKEN;
    }
    const uint64_t until_ms = !may_take && take_ms < deadline_ms ? take_ms : deadline_ms;
    if (accel_condition_wait(&flight->changed, &table->mutex, until_ms)) continue;
    if (flight->is_landed || flight->is_done) break;
    if (until_ms == deadline_ms) return ACCEL_FLIGHT_TIMEOUT;
  }
  return ACCEL_FLIGHT_DONE;
}

accel_flight_wait accel_singleflight_wait(accel_singleflight *table, accel_flight *flight,
                                          uint64_t deadline_ms, uint64_t take_ms,
                                          accel_job **emptied)
{
  *emptied = NULL;
  if (accel_singleflight_is_done(flight)) return ACCEL_FLIGHT_DONE;
  accel_mutex_lock(&table->mutex);
  if (flight->is_done || !accel_flight_begin_wait(flight)) {
    const bool is_done = flight->is_done;
    accel_mutex_unlock(&table->mutex);
    return is_done ? ACCEL_FLIGHT_DONE : ACCEL_FLIGHT_CYCLE;
  }
  flight->urgent += take_ms != ACCEL_NO_DEADLINE;
  const accel_flight_wait result = flight_wait(table, flight, deadline_ms, take_ms, emptied);
  flight->urgent -= take_ms != ACCEL_NO_DEADLINE;
  accel_flight_end_wait();
  if (result == ACCEL_FLIGHT_TAKEN) accel_singleflight_run(flight);
  accel_mutex_unlock(&table->mutex);
  return result;
}

/* ---- queues ---- */

void accel_singleflight_queue(accel_singleflight *table, accel_flight **flights, size_t count,
                              accel_flight_load *load)
{
  for (size_t i = 0; i < count; i++) accel_flight_stop_running(flights[i]);
  accel_mutex_lock(&table->mutex);
  for (size_t i = 0; i < count; i++) {
    ACCEL_ASSERT(flights[i]->load == NULL);
    ACCEL_ASSERT(!flights[i]->is_landed);
    flights[i]->load = load;
    load->queued++;
    load->wanted += flights[i]->wanted > 0;
    accel_condition_broadcast(&flights[i]->changed);
  }
  load->job.is_background = load->wanted == 0;
  accel_mutex_unlock(&table->mutex);
}

/* Returns the load's job if that was its last flight and it is still in a queue. */
static accel_job *flight_unqueue(accel_flight *flight)
{
  accel_flight_load *load = flight->load;
  ACCEL_ASSERT(load != NULL && load->queued > 0);
  ACCEL_ASSERT(flight->wanted == 0 || load->wanted > 0);
  flight->load = NULL;
  load->wanted -= flight->wanted > 0;
  if (--load->queued > 0) return NULL;
  return accel_executor_withdraw(load->executor, &load->job) ? &load->job : NULL;
}

size_t accel_singleflight_unqueue(accel_singleflight *table, accel_flight **flights, size_t count,
                                  accel_flight_load *load)
{
  size_t kept = 0;
  ACCEL_ASSERT(count == 0 || flights != NULL);
  accel_mutex_lock(&table->mutex);
  for (size_t i = 0; i < count; i++) {
    if (flights[i]->load != load) continue;
    flights[i]->load = NULL;
    accel_flights_keep(flights, &kept, i);
  }
  ACCEL_ASSERT(kept == load->queued);
  load->queued = load->wanted = 0;
  accel_mutex_unlock(&table->mutex);
  return kept;
}

bool accel_singleflight_take(accel_singleflight *table, accel_flight *flight,
                             const accel_flight_load *load_or_null, accel_job **emptied)
{
  accel_mutex_lock(&table->mutex);
  const bool is_taken =
      flight->load != NULL && (load_or_null == NULL || flight->load == load_or_null);
  *emptied = is_taken ? flight_unqueue(flight) : NULL;
  if (is_taken) accel_singleflight_run(flight);
  accel_mutex_unlock(&table->mutex);
  return is_taken;
}

static void flight_drop(accel_singleflight *table, accel_flight *flight)
{
  ACCEL_ASSERT(!flight->is_landed);
  ACCEL_ASSERT(flight->wanted == 0);
  flight->status = ACCEL_ERR_TIMEOUT;
  snprintf(flight->error, sizeof flight->error,
           "the load was dropped before it began: no caller waited for it any more");
  flight->is_landed = true;
  flight->is_dropped = true;
  flight_forget(table, flight);
}

accel_job *accel_singleflight_leave(accel_singleflight *table, accel_flight *flight, bool stays,
                                    bool *is_dropped)
{
  accel_job *job = NULL;
  accel_mutex_lock(&table->mutex);
  ACCEL_ASSERT(flight->wanted > 0);
  flight->stays |= stays;
  accel_flight_load *load = flight->load;
  const bool is_last = --flight->wanted == 0;
  *is_dropped = is_last && load != NULL && !flight->stays && !load->is_running;
  ACCEL_ASSERT(!is_last || load == NULL || load->wanted > 0);
  if (is_last && load != NULL) load->wanted--;
  if (*is_dropped) {
    job = flight_unqueue(flight);
    flight_drop(table, flight);
    flight_finish(table, flight);
  }
  if (is_last && load != NULL && job == NULL && load->queued > 0 && load->wanted == 0 &&
      !accel_executor_defer(load->executor, &load->job))
    job = &load->job;
  accel_mutex_unlock(&table->mutex);
  return job;
}

bool accel_singleflight_drop_unwanted(accel_singleflight *table, accel_flight *flight)
{
  accel_mutex_lock(&table->mutex);
  const bool is_unwanted = flight->wanted == 0 && !flight->stays && !flight->is_landed;
  if (is_unwanted) {
    ACCEL_ASSERT(flight->load == NULL);
    ACCEL_ASSERT(flight->is_listed);
    accel_flight_stop_running(flight);
    flight_drop(table, flight);
  }
  accel_mutex_unlock(&table->mutex);
  return is_unwanted;
}

/* ---- forgetting ---- */

bool accel_singleflight_is_forgotten(accel_singleflight *table, const accel_flight *flight)
{
  accel_mutex_lock(&table->mutex);
  const bool is_forgotten = flight->is_forgotten;
  accel_mutex_unlock(&table->mutex);
  return is_forgotten;
}

/* Most writes find no load under way and take no lock. One that is listed just now reads its source
 * after this write began. What is forgotten stays in the table, for the load that needs itself. */
void accel_singleflight_forget(accel_singleflight *table, const void *key, uint64_t hash)
{
  if (accel_load_acquire(singleflight_listed(table, hash)) == 0) return;
  accel_mutex_lock(&table->mutex);
  for (accel_flight *each = *singleflight_bucket(table, hash); each != NULL; each = each->next)
    if (singleflight_is_of(table, each, key, hash)) flight_forget(table, each);
  accel_mutex_unlock(&table->mutex);
}

void accel_singleflight_forget_all(accel_singleflight *table)
{
  accel_mutex_lock(&table->mutex);
  for (size_t i = 0; table->count > 0 && i <= table->mask; i++)
    for (accel_flight *each = table->buckets[i]; each != NULL; each = each->next)
      flight_forget(table, each);
  accel_mutex_unlock(&table->mutex);
}

size_t accel_singleflight_length(accel_singleflight *table)
{
  accel_mutex_lock(&table->mutex);
  const size_t length = table->count;
  accel_mutex_unlock(&table->mutex);
  return length;
}
