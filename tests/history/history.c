#include "history.h"

#include "lateness.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

static uint64_t history_now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

history *history_open(void)
{
  void *memory = mmap(NULL, sizeof(history), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : (history *)memory; /* zero: version 0 of every key */
}

bool history_begin(void)
{
  return lateness_begin();
}

void history_close(history *shared)
{
  munmap(shared, sizeof *shared);
}

uint64_t history_write(history *shared, uint64_t key)
{
  if (shared->truth[key] + 64 >= HISTORY_VERSIONS) return 0; /* others may write as well */
  return atomic_fetch_add(&shared->truth[key], 1) + 1;
}

void history_acknowledge(history *shared, uint64_t key, uint64_t version)
{
  atomic_store(&shared->acknowledged[key][version], history_now_ns());
}

void history_complain(history *shared, atomic_uint *count, const char *format, ...)
{
  atomic_fetch_add(count, 1);
  if (atomic_flag_test_and_set(&shared->is_described)) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shared->first, sizeof shared->first, format, arguments);
  va_end(arguments);
}

static void history_raise(atomic_uint_least64_t *most, uint64_t value)
{
  uint_least64_t before = *most;
  while (value > before && !atomic_compare_exchange_weak(most, &before, value)) {}
}

/* When the first removal that makes `version` old was acknowledged; UINT64_MAX: none was. */
static uint64_t history_old_since(history *shared, uint64_t key, uint64_t version, uint64_t until)
{
  uint64_t first_ns = UINT64_MAX;
  for (uint64_t newer = version + 1; newer <= until; newer++) {
    const uint64_t acknowledged_ns = shared->acknowledged[key][newer];
    if (acknowledged_ns != 0 && acknowledged_ns < first_ns) first_ns = acknowledged_ns;
  }
  return first_ns;
}

/* Back from a version whose write had been acknowledged before the earlier read began. */
static void history_check_order(history_reader *reader, uint64_t key, uint64_t version,
                                uint64_t began_ns)
{
  history *shared = reader->shared;
  if (version >= reader->seen[key]) return;
  shared->backward_reads++;
  const uint64_t old_ns = history_old_since(shared, key, version, reader->seen[key]);
  if (old_ns > reader->seen_began_ns[key]) return;
  history_complain(shared, &shared->backward,
                   "key %u: version %u after version %u, %u removed %.3f ms before the one read "
                   "began and %.3f ms before the other",
                   (unsigned)key, (unsigned)version, (unsigned)reader->seen[key], (unsigned)version,
                   (double)(reader->seen_began_ns[key] - old_ns) / 1e6,
                   (double)(began_ns - old_ns) / 1e6);
}

void history_read(history_reader *reader, uint64_t key, uint64_t version, uint64_t began_ns,
                  bool is_ordered)
{
  history *shared = reader->shared;
  shared->reads++;
  history_raise(&shared->longest_read_ns, history_now_ns() - began_ns);
  const uint64_t old_ns = history_old_since(shared, key, version, shared->truth[key]);
  if (old_ns < began_ns) {
    const double stale_ms = (double)(began_ns - old_ns) / 1e6;
    shared->stale_reads++;
    history_raise(&shared->longest_stale_ns, began_ns - old_ns);
    if (!lateness_keeps(stale_ms, HISTORY_BOUND_MS))
      history_complain(shared, &shared->too_stale,
                       "key %u: version %u was read, which was removed %.0f ms before; the source "
                       "is at %u",
                       (unsigned)key, (unsigned)version, stale_ms, (unsigned)shared->truth[key]);
  }
  if (!is_ordered) return;
  history_check_order(reader, key, version, began_ns);
  reader->seen[key] = version;
  reader->seen_began_ns[key] = began_ns;
}
