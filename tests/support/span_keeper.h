/* span_keeper.h: spans that remember themselves, as an exporter would keep them: each takes its
 * parent from the trace context, and becomes the context until it ends. */
#ifndef SPAN_KEEPER_H
#define SPAN_KEEPER_H

#include "accel.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SPAN_KEEPER_MAX 256u

typedef struct kept_span {
  char name[32], area[65];
  accel_trace own, parent; /* parent: not set for a root */
  char notes[700];         /* "key=value;" in their order; of several the last one counts */
  accel_status status;
  bool is_ended;
  pthread_t thread;
} kept_span;

typedef struct span_keeper {
  pthread_mutex_t mutex;
  size_t count;
  bool is_odd; /* a note or an end of a span that is not open, or on another thread */
  bool leaves_context;
  accel_span_ops ops;
  kept_span spans[SPAN_KEEPER_MAX];
} span_keeper;

static inline void *span_keeper_begin(void *ctx, const char *name, const char *area)
{
  span_keeper *keeper = (span_keeper *)ctx;
  static const accel_trace none;
  pthread_mutex_lock(&keeper->mutex);
  const size_t number = keeper->count < SPAN_KEEPER_MAX - 1 ? keeper->count++ : keeper->count;
  kept_span *span = &keeper->spans[number];
  *span = (kept_span){.parent = accel_trace_current(), .thread = pthread_self()};
  snprintf(span->name, sizeof span->name, "%s", name);
  snprintf(span->area, sizeof span->area, "%s", area);
  span->own = accel_trace_is_set(&span->parent) ? span->parent : none;
  if (!accel_trace_is_set(&span->own)) memset(span->own.trace_id, 0xA0 | (int)number, 16);
  memset(span->own.span_id, (int)number + 1, sizeof span->own.span_id);
  pthread_mutex_unlock(&keeper->mutex);
  if (!keeper->leaves_context) accel_trace_enter(&span->own);
  return span;
}

static inline void span_keeper_check(span_keeper *keeper, const kept_span *span)
{
  keeper->is_odd |= span->is_ended || !pthread_equal(span->thread, pthread_self());
}

static inline void span_keeper_note(void *ctx, void *span_pointer, const char *key,
                                    const char *text_or_null, uint64_t number)
{
  span_keeper *keeper = (span_keeper *)ctx;
  kept_span *span = (kept_span *)span_pointer;
  const size_t used = strlen(span->notes);
  pthread_mutex_lock(&keeper->mutex);
  span_keeper_check(keeper, span);
  if (text_or_null != NULL)
    snprintf(span->notes + used, sizeof span->notes - used, "%s=%s;", key, text_or_null);
  else
    snprintf(span->notes + used, sizeof span->notes - used, "%s=%llu;", key,
             (unsigned long long)number);
  pthread_mutex_unlock(&keeper->mutex);
}

static inline void span_keeper_end(void *ctx, void *span_pointer, accel_status status)
{
  span_keeper *keeper = (span_keeper *)ctx;
  kept_span *span = (kept_span *)span_pointer;
  pthread_mutex_lock(&keeper->mutex);
  span_keeper_check(keeper, span);
  span->status = status;
  span->is_ended = true;
  pthread_mutex_unlock(&keeper->mutex);
}

static inline void span_keeper_open(span_keeper *keeper)
{
  memset(keeper, 0, sizeof *keeper);
  pthread_mutex_init(&keeper->mutex, NULL);
  keeper->ops = (accel_span_ops){keeper, span_keeper_begin, span_keeper_end, span_keeper_note};
}

/* Forgets the spans so far, which must have ended. */
static inline void span_keeper_clear(span_keeper *keeper)
{
  pthread_mutex_lock(&keeper->mutex);
  for (size_t i = 0; i < keeper->count; i++) keeper->is_odd |= !keeper->spans[i].is_ended;
  keeper->count = 0;
  pthread_mutex_unlock(&keeper->mutex);
}

/* The n-th span of this name, from 0; NULL: there is none. */
static inline kept_span *span_keeper_find(span_keeper *keeper, const char *name, size_t n)
{
  for (size_t i = 0; i < keeper->count; i++)
    if (strcmp(keeper->spans[i].name, name) == 0 && n-- == 0) return &keeper->spans[i];
  return NULL;
}

/* All names in the order of their begin, with a space behind each. */
static inline void span_keeper_names(const span_keeper *keeper, char *text, size_t size)
{
  text[0] = '\0';
  for (size_t i = 0; i < keeper->count; i++)
    snprintf(text + strlen(text), size - strlen(text), "%s ", keeper->spans[i].name);
}

static inline bool span_keeper_is_child(const kept_span *child, const kept_span *parent)
{
  return memcmp(&child->parent, &parent->own, sizeof child->parent) == 0;
}

static inline bool span_keeper_has(const kept_span *span, const char *note)
{
  return strstr(span->notes, note) != NULL;
}

#endif
