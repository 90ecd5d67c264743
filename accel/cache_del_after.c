/* cache_del_after.c: del, and once more later (layer 4). */
#include "cache_report.h"
#include "cache_write.h"

#include <stdlib.h>
#include <string.h>

#define DEL_AFTER_MAX 65536u

typedef struct del_later {
  accel_job job;
  accel_core *core;
  char *key; /* in this allocation: K, and for a string its text behind it */
} del_later;

static void del_later_run(accel_job *job)
{
  del_later *later = (del_later *)(void *)job; /* the first member */
  accel_core *core = later->core;
  core_report report = accel_core_report_begin(core, CORE_OPERATION_DEL, 1);
  report.key = later->key;
  const accel_status status = accel_core_del(core, later->key);
  accel_core_report_end(core, &report, status, CORE_RESULT_DONE);
  ACCEL_FREE(later);
  accel_sub_acq_rel(&core->delayed_del_count, 1u);
  accel_core_work_done(core);
}

static del_later *del_later_new(accel_core *core, const void *key, uint32_t ms)
{
  const accel_type *type = core->type;
  const char *text = type->key_kind == ACCEL_KEY_STRING ? *(const char *const *)key : "";
  const size_t text_size = strlen(text) + 1;
  del_later *later =
      (del_later *)ACCEL_MALLOC(sizeof *later + ACCEL_ALIGN_MAX + type->key_size + text_size);
  if (later == NULL) return NULL;
  memset(later, 0, sizeof *later);
  later->core = core;
  later->job.run = del_later_run;
  later->job.due_ms = accel_clock_deadline(ms);
  later->key = accel_align_pointer(later + 1, ACCEL_ALIGN_MAX);
  memcpy(later->key, key, type->key_size);
  char *copy = (char *)memcpy(later->key + type->key_size, text, text_size);
  if (type->key_kind == ACCEL_KEY_STRING) memcpy(later->key, &copy, sizeof copy);
  return later;
}

accel_status accel_cache_del_after(accel_cache *cache, const accel_type *type, const void *key,
                                   uint32_t ms)
{
  if (ms == ACCEL_FOREVER)
    return accel_error_set(cache, ACCEL_ERR_CONFIG,
                           "ms is ACCEL_FOREVER, which never comes; nothing was removed");
  const accel_status first = accel_cache_del(cache, type, key);
  if (accel_failed(first) && first != ACCEL_ERR_BACKEND) return first;
  accel_core *core = cache->core;
  if (accel_add_acq_rel(&core->delayed_del_count, 1u) >= DEL_AFTER_MAX) {
    accel_sub_acq_rel(&core->delayed_del_count, 1u);
    return accel_error_set(cache, ACCEL_ERR_BACKEND,
                           "%u second dels wait in area %s, and no more may; the first was done",
                           DEL_AFTER_MAX, core->area);
  }
  del_later *later = del_later_new(core, key, ms);
  if (later != NULL && accel_core_submit(core, &later->job)) return first;
  accel_sub_acq_rel(&core->delayed_del_count, 1u);
  if (later == NULL)
    return accel_error_set(cache, ACCEL_ERR_NOMEM,
                           "no memory for the second del in area %s; the first was done",
                           core->area);
  ACCEL_FREE(later);
  if (accel_load_acquire(&core->is_closing))
    return accel_error_set(cache, ACCEL_ERR_CLOSED,
                           "the cache of area %s is closing: the second del was not queued; the "
                           "first was done",
                           core->area);
  return accel_error_set(cache, ACCEL_ERR_BACKEND,
                         "the second del in area %s was not queued: no thread could be started; "
                         "the first was done",
                         core->area);
}
