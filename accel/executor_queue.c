#include "executor_queue.h"

#include "platform/clock.h"

#include <stddef.h>
#include <string.h>

#define QUEUE_BACKGROUND_TURNS 16u
/* A load that waited for this part of its readers' time shows that there are too many. */
#define QUEUE_PATIENCE_PARTS 4u

/* ---- rings and lists ---- */

static void queue_ring_open(executor_ring *ring)
{
  ring->next = ring->previous = ring;
}

static bool queue_ring_is_alone(const executor_ring *link)
{
  return link->next == link;
}

/* Puts `link`, which is alone, at the end. */
static void queue_ring_push(executor_ring *ring, executor_ring *link)
{
  link->previous = ring->previous;
  link->next = ring;
  link->previous->next = link;
  ring->previous = link;
}

static void queue_ring_remove(executor_ring *link)
{
  link->previous->next = link->next;
  link->next->previous = link->previous;
  queue_ring_open(link);
}

static struct accel_executor_share *queue_ring_share(executor_ring *link, size_t offset)
{
  return (struct accel_executor_share *)(void *)((char *)link - offset);
}

static void queue_list_push(executor_list *list, accel_job *job)
{
  job->next = NULL;
  job->previous = list->last;
  if (list->last == NULL)
    list->first = job;
  else
    list->last->next = job;
  list->last = job;
  list->count++;
}

static void queue_list_remove(executor_list *list, accel_job *job)
{
  if (job->previous == NULL)
    list->first = job->next;
  else
    job->previous->next = job->next;
  if (job->next == NULL)
    list->last = job->previous;
  else
    job->next->previous = job->previous;
  list->count--;
}

static void queue_recent_push(struct accel_executor_share *share, accel_job *job)
{
  job->newer = NULL;
  job->older = share->newest;
  if (share->newest == NULL)
    share->oldest = job;
  else
    share->newest->newer = job;
  share->newest = job;
}

static void queue_recent_remove(struct accel_executor_share *share, accel_job *job)
{
  if (job->newer == NULL)
    share->newest = job->older;
  else
    job->newer->older = job->older;
  if (job->older == NULL)
    share->oldest = job->newer;
  else
    job->older->newer = job->newer;
}

/* ---- jobs that wait for their time: `next` is the heavier child, `previous` the other ---- */

/* Equal times keep their order. */
static bool queue_heap_is_before(const accel_job *a, const accel_job *b)
{
  return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->queued_ms < b->queued_ms;
}

/* Recurses along the lighter children, of which there are as many as the logarithm of all. */
static accel_job *queue_heap_merge(accel_job *a, accel_job *b)
{
  if (a == NULL) return b;
  if (b == NULL) return a;
  accel_job *top = queue_heap_is_before(b, a) ? b : a;
  accel_job *other = top == a ? b : a;
  accel_job *heavy = top->next;
  accel_job *light = queue_heap_merge(top->previous, other);
  const bool is_swapped = heavy == NULL || heavy->rank < light->rank;
  top->next = is_swapped ? light : heavy;
  top->previous = is_swapped ? heavy : light;
  top->rank = top->previous == NULL ? 1 : top->previous->rank + 1;
  return top;
}

static void queue_heap_push(accel_job **heap, accel_job *job)
{
  job->next = job->previous = NULL;
  job->rank = 1;
  *heap = queue_heap_merge(*heap, job);
}

static accel_job *queue_heap_pop(accel_job **heap)
{
  accel_job *top = *heap;
  *heap = queue_heap_merge(top->next, top->previous);
  return top;
}

/* ---- shares ---- */

void accel_executor_share_open(struct accel_executor_share *share)
{
  memset(share, 0, sizeof *share);
  queue_ring_open(&share->ready);
  queue_ring_open(&share->waiting);
}

void accel_executor_queue_open(executor_queue *queue)
{
  memset(queue, 0, sizeof *queue);
  queue_ring_open(&queue->ready);
  queue_ring_open(&queue->waiting);
  accel_executor_share_open(&queue->common);
  queue->next_due_ms = ACCEL_NO_DEADLINE;
}

static struct accel_executor_share *queue_share_of(executor_queue *queue, const accel_job *job)
{
  return job->share == NULL ? &queue->common : job->share;
}

static bool queue_share_has_ready(const struct accel_executor_share *share)
{
  return share->loads.count + share->due.count + share->background.count > 0;
}

static executor_list *queue_share_list(struct accel_executor_share *share, accel_job_place place)
{
  switch (place) {
    case ACCEL_JOB_LOADS: return &share->loads;
    case ACCEL_JOB_DUE: return &share->due;
    case ACCEL_JOB_BACKGROUND: return &share->background;
    case ACCEL_JOB_OUTSIDE:
    case ACCEL_JOB_WAITING: break;
  }
  return NULL;
}

static void queue_push_ready(executor_queue *queue, accel_job *job, accel_job_place place)
{
  struct accel_executor_share *share = queue_share_of(queue, job);
  if (!queue_share_has_ready(share)) queue_ring_push(&queue->ready, &share->ready);
  job->place = place;
  queue_list_push(queue_share_list(share, place), job);
  if (place == ACCEL_JOB_LOADS) queue_recent_push(share, job);
  queue->ready_count++;
}

static void queue_push_waiting(executor_queue *queue, accel_job *job)
{
  struct accel_executor_share *share = queue_share_of(queue, job);
  if (share->heap == NULL) queue_ring_push(&queue->waiting, &share->waiting);
  job->place = ACCEL_JOB_WAITING;
  queue_heap_push(&share->heap, job);
  if (job->due_ms < queue->next_due_ms) queue->next_due_ms = job->due_ms;
}

void accel_executor_queue_push(executor_queue *queue, accel_job *job)
{
  job->queued_ms = accel_clock_monotonic_ms();
  if (job->due_ms != 0)
    queue_push_waiting(queue, job);
  else
    queue_push_ready(queue, job, job->is_background ? ACCEL_JOB_BACKGROUND : ACCEL_JOB_LOADS);
}

void accel_executor_queue_remove(executor_queue *queue, accel_job *job)
{
  struct accel_executor_share *share = queue_share_of(queue, job);
  if (job->place == ACCEL_JOB_LOADS) queue_recent_remove(share, job);
  queue_list_remove(queue_share_list(share, job->place), job);
  job->place = ACCEL_JOB_OUTSIDE;
  queue->ready_count--;
  if (!queue_share_has_ready(share)) queue_ring_remove(&share->ready);
}

/* A heap gives up its top alone. */
static void queue_remove_waiting(executor_queue *queue, accel_job *job)
{
  struct accel_executor_share *share = queue_share_of(queue, job);
  accel_job *others = NULL;
  while (share->heap != NULL) {
    accel_job *top = queue_heap_pop(&share->heap);
    if (top != job) queue_heap_push(&others, top);
  }
  share->heap = others;
  job->place = ACCEL_JOB_OUTSIDE;
  if (others == NULL) queue_ring_remove(&share->waiting);
}

void accel_executor_queue_take_back(executor_queue *queue, accel_job *job)
{
  if (job->place == ACCEL_JOB_WAITING)
    queue_remove_waiting(queue, job);
  else
    accel_executor_queue_remove(queue, job);
}

bool accel_executor_queue_has_room(executor_queue *queue, accel_job *job,
                                   accel_job **displaced_or_null)
{
  const struct accel_executor_share *share = queue_share_of(queue, job);
  *displaced_or_null = NULL;
  if (job->due_ms != 0) return true;
  if (job->is_background) return share->background.count < queue->queue_size;
  if (share->loads.count < queue->queue_size) return true;
  if (share->oldest->drop == NULL || job->patience_ms == 0) return false;
  *displaced_or_null = share->oldest;
  return true;
}

void accel_executor_queue_prefer(executor_queue *queue, accel_job *job)
{
  job->is_background = false;
  if (job->place == ACCEL_JOB_BACKGROUND) {
    accel_executor_queue_remove(queue, job);
    job->queued_ms = accel_clock_monotonic_ms();
    queue_push_ready(queue, job, ACCEL_JOB_LOADS);
  } else if (job->place == ACCEL_JOB_LOADS) {
    queue_recent_remove(queue_share_of(queue, job), job);
    queue_recent_push(queue_share_of(queue, job), job);
  }
}

bool accel_executor_queue_defer(executor_queue *queue, accel_job *job)
{
  job->is_background = true;
  if (job->place != ACCEL_JOB_LOADS) return true;
  const bool has_room = queue_share_of(queue, job)->background.count < queue->queue_size;
  accel_executor_queue_remove(queue, job);
  if (has_room) queue_push_ready(queue, job, ACCEL_JOB_BACKGROUND);
  return has_room;
}

/* ---- what becomes due ---- */

static void queue_share_promote(executor_queue *queue, struct accel_executor_share *share,
                                uint64_t now_ms)
{
  while (share->heap != NULL && (queue->is_closing || share->heap->due_ms <= now_ms))
    queue_push_ready(queue, queue_heap_pop(&share->heap), ACCEL_JOB_DUE);
  if (share->heap == NULL) queue_ring_remove(&share->waiting);
}

void accel_executor_queue_promote(executor_queue *queue)
{
  if (queue->next_due_ms == ACCEL_NO_DEADLINE) return;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (now_ms < queue->next_due_ms && !queue->is_closing) return;
  queue->next_due_ms = ACCEL_NO_DEADLINE;
  for (executor_ring *each = queue->waiting.next, *next; each != &queue->waiting; each = next) {
    next = each->next;
    struct accel_executor_share *share =
        queue_ring_share(each, offsetof(struct accel_executor_share, waiting));
    queue_share_promote(queue, share, now_ms);
    if (share->heap != NULL && share->heap->due_ms < queue->next_due_ms)
      queue->next_due_ms = share->heap->due_ms;
  }
}

/* The next promotion may find nothing to do, and then knows the time again. */
void accel_executor_queue_hasten(executor_queue *queue, struct accel_executor_share *share,
                                 const void *owner_or_null)
{
  accel_job *others = NULL;
  if (share == NULL) share = &queue->common;
  while (share->heap != NULL) {
    accel_job *job = queue_heap_pop(&share->heap);
    if (owner_or_null == NULL || job->owner == owner_or_null)
      queue_push_ready(queue, job, ACCEL_JOB_DUE);
    else
      queue_heap_push(&others, job);
  }
  share->heap = others;
  if (others == NULL && !queue_ring_is_alone(&share->waiting)) queue_ring_remove(&share->waiting);
}

/* ---- which job is next ---- */

/* Up to the limit of one share they take what they need. Beyond it are threads for shares that come
 * when others hold so many: each gets as many as it then leaves to the next (A. Choudhury and
 * E. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998). */
static bool queue_share_may_run(const executor_queue *queue,
                                const struct accel_executor_share *share)
{
  if (queue->is_closing || queue->busy < queue->share_threads_max) return true;
  const uint32_t left = queue->threads_max - queue->busy;
  if (left == 0 || share->running >= queue->share_threads_max) return false;
  if (share->running == queue->busy) return false; /* nobody else holds any */
  return share->running == 0 || share->running + 1 < left;
}

static bool queue_share_may_run_background(const executor_queue *queue,
                                           const struct accel_executor_share *share)
{
  if (share->background.count == 0) return false;
  return queue->is_closing || share->background_running == 0 ||
         share->background_running < queue->share_threads_max / 2;
}

static bool queue_share_has_work(const executor_queue *queue,
                                 const struct accel_executor_share *share)
{
  if (!queue_share_may_run(queue, share)) return false;
  return share->loads.count + share->due.count > 0 || queue_share_may_run_background(queue, share);
}

static struct accel_executor_share *queue_next_share(executor_queue *queue)
{
  for (executor_ring *each = queue->ready.next; each != &queue->ready; each = each->next) {
    struct accel_executor_share *share =
        queue_ring_share(each, offsetof(struct accel_executor_share, ready));
    if (queue_share_has_work(queue, share)) return share;
  }
  return NULL;
}

bool accel_executor_queue_has_work(executor_queue *queue)
{
  accel_executor_queue_promote(queue);
  return queue_next_share(queue) != NULL;
}

static accel_job *queue_share_next_load(const struct accel_executor_share *share)
{
  accel_job *first = share->loads.first;
  if (first == NULL || first->patience_ms == 0) return first;
  const uint64_t waited_ms = accel_clock_monotonic_ms() - first->queued_ms;
  return waited_ms * QUEUE_PATIENCE_PARTS < first->patience_ms ? first : share->newest;
}

static accel_job *queue_share_next(struct accel_executor_share *share, bool may_run_background)
{
  const uint32_t turn = share->turns++;
  const bool has_other = share->loads.count + share->due.count > 0;
  if (may_run_background && (!has_other || turn % QUEUE_BACKGROUND_TURNS == 0))
    return share->background.first;
  if (share->due.count > 0 && (share->loads.count == 0 || turn % 2 == 1)) return share->due.first;
  return queue_share_next_load(share);
}

accel_job *accel_executor_queue_take(executor_queue *queue, struct accel_executor_share **share_out,
                                     bool *is_background)
{
  accel_executor_queue_promote(queue);
  struct accel_executor_share *share = queue_next_share(queue);
  if (share == NULL) return NULL;
  accel_job *job = queue_share_next(share, queue_share_may_run_background(queue, share));
  *is_background = job->place == ACCEL_JOB_BACKGROUND;
  *share_out = share;
  accel_executor_queue_remove(queue, job);
  if (queue_share_has_ready(share)) { /* behind those without a turn so far */
    queue_ring_remove(&share->ready);
    queue_ring_push(&queue->ready, &share->ready);
  }
  queue->busy++;
  share->running++;
  share->background_running += *is_background;
  return job;
}

void accel_executor_queue_done(executor_queue *queue, struct accel_executor_share *share,
                               bool is_background)
{
  queue->busy--;
  share->running--;
  share->background_running -= is_background;
}

accel_job *accel_executor_queue_take_of(executor_queue *queue, struct accel_executor_share *share)
{
  accel_executor_queue_hasten(queue, share, NULL);
  if (!queue_share_has_ready(share)) return NULL;
  accel_job *job = queue_share_next(share, share->background.count > 0);
  accel_executor_queue_remove(queue, job);
  return job;
}
