#include "queue.h"

#include <stdlib.h>
#include <string.h>

void accel_otlp_queue_add(otlp_queue *queue, otlp_item *item)
{
  item->next = NULL;
  if (queue->last == NULL)
    queue->first = item;
  else
    queue->last->next = item;
  queue->last = item;
  queue->count++;
}

otlp_queue accel_otlp_queue_take(otlp_queue *queue, size_t most)
{
  otlp_queue taken = {NULL, NULL, 0};
  while (queue->first != NULL && taken.count < most) {
    otlp_item *item = queue->first;
    queue->first = item->next;
    queue->count--;
    accel_otlp_queue_add(&taken, item);
  }
  if (queue->first == NULL) queue->last = NULL;
  return taken;
}

void accel_otlp_queue_clear(otlp_queue *queue)
{
  for (otlp_item *item = queue->first, *next; item != NULL; item = next) {
    next = item->next;
    ACCEL_FREE(item);
  }
  memset(queue, 0, sizeof *queue);
}
