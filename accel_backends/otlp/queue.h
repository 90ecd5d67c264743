/* queue.h: what waits to be sent: spans, or log records (backend otlp).
 *
 * An item begins with an otlp_item, lies in one allocation, and belongs to whoever has taken it off
 * the queue. Threads: the owner of a queue guards it.
 */
#ifndef ACCEL_BACKENDS_OTLP_QUEUE_H
#define ACCEL_BACKENDS_OTLP_QUEUE_H

#include "../../accel/base.h"

typedef struct otlp_item {
  struct otlp_item *next;
} otlp_item;

/* Zeroed: empty. */
typedef struct otlp_queue {
  otlp_item *first, *last;
  size_t count;
} otlp_queue;

ACCEL_EXTERN_C_BEGIN

/* Appends the item. */
void accel_otlp_queue_add(otlp_queue *queue, otlp_item *item);
/* Takes the first `most` items off, in their order. */
otlp_queue accel_otlp_queue_take(otlp_queue *queue, size_t most);
/* Frees all items. */
void accel_otlp_queue_clear(otlp_queue *queue);

ACCEL_EXTERN_C_END

#endif
