#include "invalidate.h"

#include "bytes.h"
#include "hash.h"
#include "platform/clock.h"
#include "platform/system.h"

#include <string.h>

#define INVALIDATE_HEAD 36
#define INVALIDATE_TAIL 8

#define INVALIDATE_VERSION 2

enum { INVALIDATE_OP_KEYS = 1, INVALIDATE_OP_AREA = 2, INVALIDATE_OP_HEARTBEAT = 3 };

/* Proves that a message came through unharmed, not who sent it. */
static const uint64_t invalidation_secret[2] = {0x6163636C2D627573u, 0x6D6573736167652Eu};

static uint64_t invalidation_hash(const void *data, size_t size)
{
  accel_siphash hash;
  accel_siphash_begin(&hash, invalidation_secret);
  accel_siphash_add(&hash, data, size);
  return accel_siphash_end(&hash);
}

bool accel_invalidation_open(accel_invalidation *invalidation, const char *area)
{
  memset(invalidation, 0, sizeof *invalidation);
  invalidation->area_hash = (uint32_t)invalidation_hash(area, strlen(area));
  for (size_t i = 0; i < ACCEL_REMOTE_LANES; i++)
    invalidation->lanes[i].quiet_ticks = UINT32_MAX; /* nothing was sent that could be lost */
  invalidation->since_ms = accel_clock_monotonic_ms();
  return accel_random_bytes(&invalidation->sender_id, sizeof invalidation->sender_id);
}

/* ---- sending ---- */

/* What stands in a message's head, but for the sender and the area. */
typedef struct invalidation_head {
  int op;
  uint32_t lane;
  uint64_t sequence;
  uint32_t before_ms; /* age of the number before, or of the one repeated; UINT32_MAX: none */
} invalidation_head;

static uint32_t invalidation_age(uint64_t sent_ms, uint64_t now_ms)
{
  const uint64_t age_ms = now_ms - sent_ms; /* of what is sent later than now: too much to fit */
  return sent_ms != 0 && age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX;
}

static bool invalidation_append(const accel_invalidation *invalidation,
                                const invalidation_head *what,
                                const accel_remote_item *const *items, size_t count,
                                accel_buffer *out)
{
  const size_t start = out->size;
  unsigned char head[INVALIDATE_HEAD] = {
      'A', 'C', 'I', '1', INVALIDATE_VERSION, (unsigned char)what->op};
  accel_bytes_put(head + 6, count, 2);
  accel_bytes_put(head + 8, invalidation->sender_id, 8);
  accel_bytes_put(head + 16, what->sequence, 8);
  accel_bytes_put(head + 24, invalidation->area_hash, 4);
  accel_bytes_put(head + 28, what->lane, 4);
  accel_bytes_put(head + 32, what->before_ms, 4);
  bool appended = accel_buffer_append(out, head, sizeof head);
  for (size_t i = 0; i < count && appended; i++) {
    unsigned char size[2];
    accel_bytes_put(size, items[i]->name_size, 2);
    appended = accel_buffer_append(out, size, sizeof size) &&
               accel_buffer_append(out, items[i]->name, items[i]->name_size);
  }
  if (appended) {
    unsigned char tail[INVALIDATE_TAIL];
    accel_bytes_put(tail, invalidation_hash(out->data + start, out->size - start), 8);
    appended = accel_buffer_append(out, tail, sizeof tail);
  }
  if (!appended) out->size = start;
  return appended;
}

/* How many of the items one message can name, from the first. */
static size_t invalidation_count_fitting(const accel_remote_item *const *items, size_t count)
{
  size_t room = ACCEL_INVALIDATION_SIZE_MAX - INVALIDATE_HEAD - INVALIDATE_TAIL;
  size_t fitting = 0;
  while (fitting < count && fitting < ACCEL_INVALIDATION_KEYS_MAX) {
    const size_t needed = 2 + items[fitting]->name_size;
    if (needed > room) break;
    room -= needed;
    fitting++;
  }
  return fitting;
}

size_t accel_invalidation_message(void *invalidation_pointer, uint32_t lane,
                                  const accel_remote_item *const *items, size_t count,
                                  accel_buffer *out)
{
  accel_invalidation *invalidation = (accel_invalidation *)invalidation_pointer;
  ACCEL_ASSERT(lane < ACCEL_REMOTE_LANES);
  accel_invalidation_lane *state = &invalidation->lanes[lane];
  const size_t named = invalidation_count_fitting(items, count);
  const int op = named == 0 ? INVALIDATE_OP_AREA : INVALIDATE_OP_KEYS;
  const uint64_t now_ms = accel_clock_monotonic_ms();
  const invalidation_head head = {
      op, lane, accel_add_relaxed(&state->sequence, 1u) + 1,
      invalidation_age(accel_load_relaxed(&state->sequence_ms), now_ms)};
  accel_store_relaxed(&state->sequence_ms, now_ms);
  accel_store_relaxed(&state->quiet_ticks, 0u);
  if (!invalidation_append(invalidation, &head, items, named, out)) return 0;
  return named == 0 ? 1 : named;
}

/* One, two and four ticks after the last message: then a loss of it has shown, or the channel is
 * so bad that its silence shows. */
bool accel_invalidation_heartbeat(accel_invalidation *invalidation, uint32_t lane,
                                  accel_buffer *out)
{
  ACCEL_ASSERT(lane < ACCEL_REMOTE_LANES);
  accel_invalidation_lane *state = &invalidation->lanes[lane];
  const uint32_t ticks = accel_load_relaxed(&state->quiet_ticks);
  if (ticks >= 4) return false;
  accel_add_relaxed(&state->quiet_ticks, 1u);
  if (ticks + 1 == 3) return false;
  const uint64_t sequence_ms = accel_load_relaxed(&state->sequence_ms);
  const invalidation_head head = {INVALIDATE_OP_HEARTBEAT, lane,
                                  accel_load_relaxed(&state->sequence),
                                  invalidation_age(sequence_ms, accel_clock_monotonic_ms())};
  return invalidation_append(invalidation, &head, NULL, 0, out);
}

/* ---- receiving ---- */

/* True: the number before was given out after this cache subscribed, from when it remembers
 * senders. */
static bool invalidation_should_know(const accel_invalidation *invalidation, uint32_t before_ms)
{
  return before_ms != UINT32_MAX && before_ms < accel_clock_monotonic_ms() - invalidation->since_ms;
}

static uint64_t invalidation_mix(uint64_t id, uint32_t lane, uint64_t sequence)
{
  const uint64_t mixed = (id + lane * 0x9E3779B97F4A7C15u + sequence) * 0xD1B54A32D192ED03u;
  return (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15u >> 20;
}

/* The places in which the sender's lane may be noted. */
static accel_invalidation_sender *invalidation_places(accel_invalidation *invalidation, uint64_t id,
                                                      uint32_t lane)
{
  const uint64_t sets = ACCEL_INVALIDATION_SENDERS / ACCEL_INVALIDATION_WAYS;
  const uint64_t set = invalidation_mix(id, lane, 0) % sets;
  return &invalidation->senders[set * ACCEL_INVALIDATION_WAYS];
}

static uint32_t *invalidation_trace(accel_invalidation *invalidation, uint64_t id, uint32_t lane)
{
  return &invalidation->traces[invalidation_mix(id, lane, 0) % ACCEL_INVALIDATION_TRACES];
}

static void invalidation_forget(accel_invalidation *invalidation,
                                const accel_invalidation_sender *sender)
{
  if (sender->used == 0) return;
  *invalidation_trace(invalidation, sender->id, sender->lane) =
      (uint32_t)invalidation_mix(sender->id, sender->lane, sender->sequence);
  invalidation->forgotten++;
}

/* True: of a sender that is not noted the number before was lost, or may have been. */
static bool invalidation_lacks_before(accel_invalidation *invalidation, uint64_t id,
                                      const invalidation_head *head)
{
  const uint64_t before = head->sequence - (head->op == INVALIDATE_OP_HEARTBEAT ? 0 : 1);
  if (!invalidation_should_know(invalidation, head->before_ms)) return false;
  return *invalidation_trace(invalidation, id, head->lane) !=
         (uint32_t)invalidation_mix(id, head->lane, before);
}

/* Notes the sender's number; true: one or more before it are missing, or it cannot be. */
static bool invalidation_note_sequence(accel_invalidation *invalidation, uint64_t id,
                                       const invalidation_head *head)
{
  accel_invalidation_sender *places = invalidation_places(invalidation, id, head->lane);
  accel_invalidation_sender *oldest = places;
  const bool is_heartbeat = head->op == INVALIDATE_OP_HEARTBEAT;
  if (++invalidation->received == 0) invalidation->received = 1;
  for (accel_invalidation_sender *sender = places; sender < places + ACCEL_INVALIDATION_WAYS;
       sender++) {
    if (sender->used < oldest->used) oldest = sender;
    if (sender->id != id || sender->lane != head->lane || sender->used == 0) continue;
    const uint64_t expected = is_heartbeat ? sender->sequence : sender->sequence + 1;
    const bool is_next = head->sequence == expected || head->sequence == sender->sequence;
    sender->sequence = head->sequence;
    sender->used = invalidation->received;
    return !is_next;
  }
  invalidation_forget(invalidation, oldest);
  const bool is_missing = invalidation_lacks_before(invalidation, id, head);
  *oldest = (accel_invalidation_sender){
      .id = id, .lane = head->lane, .sequence = head->sequence, .used = invalidation->received};
  return is_missing;
}

static bool invalidation_is_whole(const accel_invalidation *invalidation, const unsigned char *data,
                                  size_t size)
{
  static const unsigned char start[5] = {'A', 'C', 'I', '1', INVALIDATE_VERSION};
  if (size < INVALIDATE_HEAD + INVALIDATE_TAIL) return false;
  if (memcmp(data, start, sizeof start) != 0) return false;
  if (accel_bytes_take(data + 24, 4) != invalidation->area_hash) return false;
  const size_t body = size - INVALIDATE_TAIL;
  return accel_bytes_take(data + body, 8) == invalidation_hash(data, body);
}

/* Walks the names; with a handler of NULL it only checks them. False: they do not fill the body. */
static bool invalidation_walk_names(const unsigned char *names, size_t size, size_t count,
                                    const accel_invalidation_handler *handler_or_null)
{
  for (size_t i = 0; i < count; i++) {
    if (size < 2) return false;
    const size_t name_size = (size_t)accel_bytes_take(names, 2);
    if (size - 2 < name_size) return false;
    if (handler_or_null != NULL)
      handler_or_null->key(handler_or_null->ctx, (const char *)names + 2, name_size);
    names += 2 + name_size;
    size -= 2 + name_size;
  }
  return size == 0;
}

accel_invalidation_result accel_invalidation_receive(accel_invalidation *invalidation,
                                                     const void *data_pointer, size_t size,
                                                     const accel_invalidation_handler *handler)
{
  const unsigned char *data = (const unsigned char *)data_pointer;
  const bool is_whole = invalidation_is_whole(invalidation, data, size);
  const int op = is_whole ? data[5] : 0;
  const size_t count = is_whole ? (size_t)accel_bytes_take(data + 6, 2) : 0;
  const uint32_t lane = is_whole ? (uint32_t)accel_bytes_take(data + 28, 4) : 0;
  const unsigned char *names = data + INVALIDATE_HEAD;
  const size_t names_size = is_whole ? size - INVALIDATE_HEAD - INVALIDATE_TAIL : 0;
  const bool names_keys = count > 0 && count <= ACCEL_INVALIDATION_KEYS_MAX;
  const bool is_known = op == INVALIDATE_OP_KEYS ? names_keys : count == 0;
  if (!is_whole || !is_known || op < INVALIDATE_OP_KEYS || op > INVALIDATE_OP_HEARTBEAT ||
      lane >= ACCEL_REMOTE_LANES || !invalidation_walk_names(names, names_size, count, NULL)) {
    handler->everything(handler->ctx);
    return ACCEL_INVALIDATION_INVALID;
  }
  const uint64_t id = accel_bytes_take(data + 8, 8);
  const invalidation_head head = {op, lane, accel_bytes_take(data + 16, 8),
                                  (uint32_t)accel_bytes_take(data + 32, 4)};
  if (id == invalidation->sender_id) {
    const bool is_late = head.sequence <= accel_load_acquire(&invalidation->lanes[lane].passed);
    return is_late && op == INVALIDATE_OP_KEYS ? ACCEL_INVALIDATION_LATE : ACCEL_INVALIDATION_OWN;
  }
  invalidation->heard_sender = id;
  invalidation->heard_keys = count;
  const bool has_gap = invalidation_note_sequence(invalidation, id, &head);
  if (has_gap || op == INVALIDATE_OP_AREA) handler->everything(handler->ctx);
  if (op == INVALIDATE_OP_KEYS) invalidation_walk_names(names, names_size, count, handler);
  return ACCEL_INVALIDATION_APPLIED;
}

void accel_invalidation_each_name(const void *data, size_t size,
                                  const accel_invalidation_handler *handler)
{
  const unsigned char *bytes = (const unsigned char *)data;
  invalidation_walk_names(bytes + INVALIDATE_HEAD, size - INVALIDATE_HEAD - INVALIDATE_TAIL,
                          (size_t)accel_bytes_take(bytes + 6, 2), handler);
}

/* ---- writes that failed ---- */

void accel_invalidation_note_failure(accel_invalidation *invalidation)
{
  for (size_t i = 0; i < ACCEL_REMOTE_LANES; i++) {
    accel_invalidation_lane *lane = &invalidation->lanes[i];
    accel_store_release(&lane->failed, accel_load_acquire(&lane->sequence));
  }
}

void accel_invalidation_pass_failures(accel_invalidation *invalidation)
{
  for (size_t i = 0; i < ACCEL_REMOTE_LANES; i++) {
    accel_invalidation_lane *lane = &invalidation->lanes[i];
    accel_store_release(&lane->passed, accel_load_acquire(&lane->failed));
  }
}

void accel_invalidation_reset(accel_invalidation *invalidation)
{
  memset(invalidation->senders, 0, sizeof invalidation->senders);
  memset(invalidation->traces, 0, sizeof invalidation->traces);
  invalidation->since_ms = accel_clock_monotonic_ms();
}
