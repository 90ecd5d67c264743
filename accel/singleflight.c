#include "singleflight.h"

#include "platform/atomic.h"
#include "platform/clock.h"
#include "platform/system.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a thread is doing, for the detection of circles. */
struct accel_flight_thread {
  accel_flight *running;     /* its own: the flights it runs, innermost first */
  accel_flight *waiting_for; /* held by it, so alive */
};

static ACCEL_THREAD_LOCAL struct accel_flight_thread singleflight_thread;

/* Guards what every thread waits for and every flight's runner, of all caches: a circle may lead
 * through several. A flight's runner is written by the thread that it names, before or afterwards,
 * which alone reads it without the mutex. Taken after a table's mutex, never before. */
static accel_mutex singleflight_graph = ACCEL_MUTEX_INITIALIZER;

/* Another thread of the parent's may have held the mutex; and what this one ran is the parent's. */
static void singleflight_fork_child(void *unused)
{
  static const accel_mutex fresh = ACCEL_MUTEX_INITIALIZER;
  (void)unused;
  singleflight_graph = fresh;
  memset(&singleflight_thread, 0, sizeof singleflight_thread);
}

static accel_fork_handler singleflight_handler = {.child = singleflight_fork_child};

bool accel_singleflight_open(accel_singleflight *table, const accel_type *type)
{
  if (!accel_fork_register(&singleflight_handler)) return false;
  memset(table, 0, sizeof *table);
  table->type = type;
  return accel_mutex_open(&table->mutex);
}

void accel_singleflight_close(accel_singleflight *table)
{
  accel_mutex_close(&table->mutex);
}

/* ---- a flight's memory ---- */

static size_t flight_align(size_t size, size_t alignment)
{
  return (size + alignment - 1) / alignment * alignment;
}

static const char *flight_key_string(const accel_type *type, const void *key)
{
  return type->key_kind == ACCEL_KEY_STRING ? *(const char *const *)key : NULL;
}

/* One block: the flight, the value, the key, the key's text. */
static accel_flight *flight_new(const accel_type *type, const void *key, uint64_t hash)
{
  const size_t alignment = type->value_align > sizeof(void *) ? type->value_align : sizeof(void *);
  const char *text = flight_key_string(type, key);
  const size_t text_size = text == NULL ? 0 : strlen(text) + 1;
  const size_t value_size = flight_align(type->value_size, 16);
  const size_t key_size = flight_align(type->key_size, 16);
  char *block =
      (char *)ACCEL_MALLOC(sizeof(accel_flight) + alignment + value_size + key_size + text_size);
  if (block == NULL) return NULL;
  accel_flight *flight = (accel_flight *)(void *)block;
  memset(flight, 0, offsetof(accel_flight, error));
  flight->error[0] = '\0';
  if (!accel_condition_open(&flight->changed)) {
    ACCEL_FREE(block);
    return NULL;
  }
  const uintptr_t behind = (uintptr_t)(block + sizeof *flight);
  char *value = block + sizeof *flight + (flight_align(behind, alignment) - behind);
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
  ACCEL_ASSERT(!accel_load_relaxed(&flight->is_kept));
  if (flight->is_landed && flight->status == ACCEL_OK) type->drop(flight->value);
  accel_condition_close(&flight->changed);
  ACCEL_FREE(flight);
}

/* ---- who runs what ---- */

/* By the thread that runs it from now on, or has until now. */
static void flight_set_runner(accel_flight *flight, struct accel_flight_thread *runner)
{
  accel_mutex_lock(&singleflight_graph);
  flight->runner = runner;
  accel_mutex_unlock(&singleflight_graph);
}

static void flight_list_running(accel_flight *flight)
{
  flight->running_next = singleflight_thread.running;
  singleflight_thread.running = flight;
}

static void flight_stop_running(accel_flight *flight)
{
  if (flight->runner == NULL) return;
  ACCEL_ASSERT(flight->runner == &singleflight_thread);
  accel_flight **place = &singleflight_thread.running;
  while (*place != flight) place = &(*place)->running_next;
  *place = flight->running_next;
  flight_set_runner(flight, NULL);
}

/* Notes what the thread waits for, unless that closes a circle. */
static bool flight_begin_wait(accel_flight *flight)
{
  accel_mutex_lock(&singleflight_graph);
  const struct accel_flight_thread *thread = flight->runner;
  while (thread != NULL && thread != &singleflight_thread)
    thread = thread->waiting_for == NULL ? NULL : thread->waiting_for->runner;
  if (thread == NULL) singleflight_thread.waiting_for = flight;
  accel_mutex_unlock(&singleflight_graph);
  return thread == NULL;
}

static void flight_end_wait(void)
{
  accel_mutex_lock(&singleflight_graph);
  singleflight_thread.waiting_for = NULL;
  accel_mutex_unlock(&singleflight_graph);
}

void accel_singleflight_run(accel_flight *flight)
{
  if (flight->runner == &singleflight_thread) return;
  flight_list_running(flight);
  flight_set_runner(flight, &singleflight_thread);
}

void accel_singleflight_hand_over(accel_flight *flight)
{
  flight_stop_running(flight);
}

/* ---- the table ---- */

static accel_flight **singleflight_bucket(accel_singleflight *table, uint64_t hash)
{
  return &table->buckets[hash >> 32 & (ACCEL_SINGLEFLIGHT_BUCKETS - 1)];
}

static bool singleflight_is_of(const accel_singleflight *table, const accel_flight *flight,
                               const void *key, uint64_t hash)
{
  return flight->hash == hash && table->type->equal(flight->key, key);
}

static bool singleflight_takes(const accel_flight *flight, accel_flight_wish wish)
{
  return flight->is_shared && (!wish.fills_local || flight->fills_local || !flight->is_settled);
}

static accel_flight *singleflight_find(accel_singleflight *table, const void *key, uint64_t hash,
                                       accel_flight_wish wish)
{
  accel_flight *each = *singleflight_bucket(table, hash);
  while (each != NULL &&
         !(singleflight_takes(each, wish) && singleflight_is_of(table, each, key, hash)))
    each = each->next;
  return each;
}

static void singleflight_unlist(accel_singleflight *table, accel_flight *flight)
{
  if (!flight->is_listed) return;
  accel_flight **place = singleflight_bucket(table, flight->hash);
  while (*place != flight) place = &(*place)->next;
  accel_store_release(place, flight->next);
  flight->is_listed = false;
}

/* A load that needs its own key, though its flight is not shared or was forgotten meanwhile: found
 * among what the thread runs. */
static accel_flight *singleflight_find_own(const accel_singleflight *table, const void *key,
                                           uint64_t hash)
{
  accel_flight *each = singleflight_thread.running;
  while (each != NULL && !(each->table == table && singleflight_is_of(table, each, key, hash)))
    each = each->running_next;
  return each;
}

accel_flight *accel_singleflight_join(accel_singleflight *table, const void *key, uint64_t hash,
                                      accel_flight_wish wish, bool *is_leader)
{
  accel_mutex_lock(&table->mutex);
  accel_flight *flight = wish.share ? singleflight_find(table, key, hash, wish) : NULL;
  if (flight == NULL) flight = singleflight_find_own(table, key, hash);
  *is_leader = flight == NULL;
  if (flight != NULL) {
    accel_add_relaxed(&flight->references, 1u);
    if (wish.fills_local && !flight->is_settled) flight->fills_local = true;
  } else if ((flight = flight_new(table->type, key, hash)) != NULL) {
    accel_flight **bucket = singleflight_bucket(table, hash);
    flight->table = table;
    flight->is_shared = wish.share;
    flight->fills_local = wish.fills_local;
    flight->is_listed = true;
    flight->next = *bucket;
    flight->runner = &singleflight_thread; /* nobody has seen it yet */
    flight_list_running(flight);
    accel_store_release(bucket, flight);
  } else {
    *is_leader = false; /* nobody leads what does not exist */
  }
  accel_mutex_unlock(&table->mutex);
  return flight;
}

void accel_singleflight_retain(accel_flight *flight)
{
  accel_add_relaxed(&flight->references, 1u);
}

/* While a flight is listed, or a thread runs it, whoever is to finish it holds it: the last one to
 * let go needs no lock, because nobody can find it any more. */
void accel_singleflight_release(accel_singleflight *table, accel_flight *flight)
{
  if (accel_sub_acq_rel(&flight->references, 1u) == 1) flight_free(table->type, flight);
}

/* ---- landing and waiting ---- */

void accel_singleflight_land(accel_singleflight *table, accel_flight *flight, accel_status status,
                             const char *error)
{
  flight_stop_running(flight);
  accel_mutex_lock(&table->mutex);
  flight->status = status;
  if (error[0] != '\0') snprintf(flight->error, sizeof flight->error, "%s", error);
  flight->is_landed = true;
  accel_mutex_unlock(&table->mutex);
}

bool accel_singleflight_settle(accel_singleflight *table, accel_flight *flight)
{
  accel_mutex_lock(&table->mutex);
  flight->is_settled = true;
  const bool fills_local = flight->fills_local && !flight->is_forgotten;
  accel_mutex_unlock(&table->mutex);
  return fills_local;
}

void accel_singleflight_finish(accel_singleflight *table, accel_flight *flight)
{
  accel_mutex_lock(&table->mutex);
  singleflight_unlist(table, flight);
  accel_store_release(&flight->is_done, true);
  accel_condition_broadcast(&flight->changed);
  accel_mutex_unlock(&table->mutex);
}

bool accel_singleflight_is_done(const accel_flight *flight)
{
  return accel_load_acquire(&flight->is_done);
}

accel_flight_wait accel_singleflight_wait(accel_singleflight *table, accel_flight *flight,
                                          uint64_t deadline_ms)
{
  if (accel_singleflight_is_done(flight)) return ACCEL_FLIGHT_DONE;
  accel_mutex_lock(&table->mutex);
  accel_flight_wait result = ACCEL_FLIGHT_DONE;
  if (!flight->is_done && !flight_begin_wait(flight)) {
    accel_mutex_unlock(&table->mutex);
    return ACCEL_FLIGHT_CIRCLE;
  }
  while (!flight->is_done) {
    if (accel_condition_wait(&flight->changed, &table->mutex, deadline_ms)) continue;
    if (flight->is_landed || flight->is_done) break;
    result = ACCEL_FLIGHT_TIMEOUT;
    break;
  }
  flight_end_wait();
  accel_mutex_unlock(&table->mutex);
  return result;
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
 * after this write began. */
void accel_singleflight_forget(accel_singleflight *table, const void *key, uint64_t hash)
{
  if (accel_load_acquire(singleflight_bucket(table, hash)) == NULL) return;
  accel_mutex_lock(&table->mutex);
  for (accel_flight *each = *singleflight_bucket(table, hash), *next; each != NULL; each = next) {
    next = each->next;
    if (!singleflight_is_of(table, each, key, hash)) continue;
    each->is_forgotten = true;
    singleflight_unlist(table, each);
  }
  accel_mutex_unlock(&table->mutex);
}

void accel_singleflight_forget_all(accel_singleflight *table)
{
  accel_mutex_lock(&table->mutex);
  for (size_t i = 0; i < ACCEL_SINGLEFLIGHT_BUCKETS; i++) {
    while (table->buckets[i] != NULL) {
      table->buckets[i]->is_forgotten = true;
      singleflight_unlist(table, table->buckets[i]);
    }
  }
  accel_mutex_unlock(&table->mutex);
}
