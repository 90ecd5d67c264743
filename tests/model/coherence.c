/* coherence.c: every interleaving of the protocol's steps, for one key.
 *
 * A state holds the source of truth, what L2 has of the key, what one process' L1 has of it, the
 * messages on their way to that process, and how far everybody is: readers and own writers of that
 * process, writers of others. From the first state on every step that anybody can take is taken,
 * until no new state is found. Where nobody can move any more, all is at rest: then L1 and L2 must
 * have what the source has, or nothing.
 *
 * The search is by breadth, so the trace of the first bad state is as short as any. Variants that
 * lack a rule must be found broken: a model that finds nothing proves nothing.
 *
 * usage: coherence [--quiet]
 */
#include "coherence.h"

/* ---- what happens to the parts of a state ---- */

static void publish(state *s)
{
  if (s->is_connected) s->messages++;
}

/* In tracking the server itself tells of every change. */
static void l2_changed(const rules *r, state *s)
{
  if (r->is_tracking) publish(s);
}

static void l2_changed_by_own(const rules *r, state *s)
{
  if (!r->is_deaf_to_own) l2_changed(r, s);
}

static void l2_put(const rules *r, state *s, uint8_t kind, uint8_t value)
{
  s->l2 = kind;
  s->l2_value = value;
  if (kind == L2_VALUE && r->refreshers > 0) s->l2_value_token = ++s->tokens;
}

static void l1_fill(const rules *r, state *s, uint8_t value, uint8_t generation)
{
  if (r->ignores_generations || s->generation == generation) s->l1 = (uint8_t)(value + 1);
}

static void l1_drop(state *s)
{
  s->generation++;
  s->l1 = 0;
}

/* ---- a read of this process ---- */

enum {
  READ_BEGIN,
  READ_GET,
  READ_LATE_GATE,
  READ_FILL,
  READ_ASK,
  READ_LOAD,
  READ_STORE,
  READ_DONE
};

static void read_get(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.readers[i];
  if (s.has_repair && !r->believes_in_doubt) {
    a->step = READ_LOAD;
    a->token = 0;
    reach(found, &s, "reader leaves L2 out: a repair is due");
  } else if (s.l2 == L2_VALUE) {
    a->step = r->gate_after_reply ? READ_LATE_GATE : READ_FILL;
    a->value = s.l2_value;
    reach(found, &s, "reader gets the value from L2");
  } else if (s.l2 == L2_NOTHING) {
    a->step = READ_ASK;
    reach(found, &s, "reader finds nothing in L2");
  } else {
    a->step = READ_LOAD;
    a->token = 0;
    reach(found, &s, "reader finds a lease, and has waited long enough");
  }
}

static void read_ask(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.readers[i];
  if (r->store != STORE_UNDER_LEASE) {
    a->step = READ_LOAD;
    reach(found, &s, "reader will load without a lease");
  } else if (s.l2 != L2_NOTHING) {
    a->step = READ_GET; /* waits: looks again */
    reach(found, &s, "reader is refused the lease");
  } else {
    s.l2 = L2_LEASE;
    s.l2_value = a->token = ++s.tokens;
    l2_changed_by_own(r, &s);
    a->step = READ_LOAD;
    reach(found, &s, "reader is granted the lease");
  }
}

static void read_store(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.readers[i];
  bool stores = true;
  if (r->store == STORE_UNDER_LEASE)
    stores = a->token != 0 && s.l2 == L2_LEASE && s.l2_value == a->token;
  if (r->store == STORE_IF_NOTHING) stores = s.l2 == L2_NOTHING;
  a->step = READ_FILL;
  if (stores) {
    l2_put(r, &s, L2_VALUE, a->value);
    l2_changed_by_own(r, &s);
  }
  reach(found, &s, stores ? "reader stores in L2" : "reader may not store in L2");
}

static void step_reader(const rules *r, const state *from, size_t i, search *found)
{
  state s = *from;
  actor *a = &s.readers[i];
  switch (a->step) {
    case READ_BEGIN:
      a->step = s.l1 != 0 ? READ_DONE : READ_GET;
      a->generation = s.l1 != 0 ? 0 : s.generation;
      reach(found, &s, s.l1 != 0 ? "reader hits L1" : "reader misses L1, notes the gate");
      return;
    case READ_GET: read_get(r, s, i, found); return;
    case READ_LATE_GATE:
      a->step = READ_FILL;
      a->generation = s.generation;
      reach(found, &s, "reader notes the gate");
      return;
    case READ_ASK: read_ask(r, s, i, found); return;
    case READ_LOAD:
      a->step = READ_STORE;
      a->value = s.source;
      reach(found, &s, "reader asks the source");
      return;
    case READ_STORE: read_store(r, s, i, found); return;
    case READ_FILL:
      l1_fill(r, &s, a->value, a->generation);
      *a = (actor){.step = READ_DONE};
      reach(found, &s, "reader fills L1 if the gate stands");
      return;
    default: return;
  }
}

/* ---- a refresh of this process: replaces the value that it saw ---- */

enum { REFRESH_BEGIN, REFRESH_LOOK, REFRESH_LOAD, REFRESH_STORE, REFRESH_FILL, REFRESH_DONE };

static void step_refresher(const rules *r, const state *from, size_t i, search *found)
{
  state s = *from;
  actor *a = &s.refreshers[i];
  switch (a->step) {
    case REFRESH_BEGIN:
      a->step = REFRESH_LOOK;
      a->generation = s.generation;
      reach(found, &s, "refresh notes the gate");
      return;
    case REFRESH_LOOK:
      a->step = s.l2 == L2_VALUE ? REFRESH_LOAD : REFRESH_DONE;
      a->token = s.l2 == L2_VALUE ? s.l2_value_token : 0;
      reach(found, &s, "refresh looks at L2's token");
      return;
    case REFRESH_LOAD:
      a->step = REFRESH_STORE;
      a->value = s.source;
      reach(found, &s, "refresh asks the source");
      return;
    case REFRESH_STORE:
      a->step = REFRESH_FILL;
      if (r->refresh_is_blind || (s.l2 == L2_VALUE && s.l2_value_token == a->token)) {
        l2_put(r, &s, L2_VALUE, a->value);
        l2_changed_by_own(r, &s);
      }
      reach(found, &s, "refresh stores in L2 if the token still lies there");
      return;
    case REFRESH_FILL:
      l1_fill(r, &s, a->value, a->generation);
      *a = (actor){.step = REFRESH_DONE};
      reach(found, &s, "refresh fills L1 if the gate stands");
      return;
    default: return;
  }
}

/* ---- a write of another process ---- */

enum { WRITE_SOURCE, WRITE_L2, WRITE_SECOND, WRITE_DONE };

static void write_l2(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.writers[i];
  const bool had_any = s.l2 != L2_NOTHING;
  const bool removes = r->order != PUBLISH_THEN_DEL;
  const bool tells = r->order == AT_ONCE || r->order == PUBLISH_THEN_DEL || r->order == L2_FIRST;
  if (removes && r->writers_set) l2_put(r, &s, L2_VALUE, a->value);
  if (removes && !r->writers_set) s.l2 = L2_NOTHING;
  if (r->is_tracking ? removes && had_any : tells) publish(&s);
  a->step = r->order == AT_ONCE || r->is_tracking ? WRITE_DONE : WRITE_SECOND;
  if (a->step == WRITE_DONE) a->value = 0;
  reach(found, &s, removes ? "writer changes L2 and tells" : "writer tells");
}

static void write_second(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.writers[i];
  *a = (actor){.step = WRITE_DONE};
  if (r->order == DEL_THEN_PUBLISH && r->writers_die)
    reach(found, &s, "writer dies before it tells");
  if (r->order == DEL_THEN_PUBLISH) publish(&s);
  if (r->order == PUBLISH_THEN_DEL) s.l2 = L2_NOTHING;
  if (r->order == L2_FIRST) s.source++;
  reach(found, &s, "writer takes the second step");
}

static void step_writer(const rules *r, const state *from, size_t i, search *found)
{
  state s = *from;
  actor *a = &s.writers[i];
  if (a->step == WRITE_SOURCE) {
    a->step = WRITE_L2;
    if (r->order == L2_FIRST) {
      write_l2(r, s, i, found);
      return;
    }
    a->value = r->writers_set ? (uint8_t)(s.source + 1) : 0;
    s.source++;
    reach(found, &s, "writer changes the source");
  } else if (a->step == WRITE_L2) {
    write_l2(r, s, i, found);
  } else if (a->step == WRITE_SECOND) {
    write_second(r, s, i, found);
  }
}

/* ---- a write of this process, whose own messages it does not hear ---- */

enum { OWN_SOURCE, OWN_BEGIN, OWN_SEND, OWN_END, OWN_END_FAILED, OWN_DONE };

static void own_send(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.owners[i];
  if (s.failures_left > 0) { /* refused; or done, and the reply is lost */
    state failed = s;
    failed.failures_left--;
    failed.owners[i].step = OWN_END_FAILED;
    reach(found, &failed, "own write fails in L2");
    if (r->sets_are_late) {
      state later = failed;
      later.late = (uint8_t)(a->value + 1);
      reach(found, &later, "own set is given up, and on its way");
    }
    if (r->owners_set)
      l2_put(r, &failed, L2_VALUE, a->value);
    else
      failed.l2 = L2_NOTHING;
    reach(found, &failed, "own write is done in L2, its reply lost");
  }
  if (r->owners_set)
    l2_put(r, &s, L2_VALUE, a->value);
  else
    s.l2 = L2_NOTHING;
  a->step = OWN_END;
  reach(found, &s, "own write is done in L2");
}

static void own_end(const rules *r, state s, size_t i, search *found)
{
  actor *a = &s.owners[i];
  const bool was_failed = a->step == OWN_END_FAILED;
  const bool was_alone = r->overlaps_fill || a->token != 0;
  const bool enters = r->owners_set && !was_failed && was_alone &&
                      (r->overlaps_fill || s.generation == a->generation);
  const uint8_t value = a->value;
  if (was_failed && !r->forgets_failures) s.has_repair = true;
  if (!r->drops_before_only) l1_drop(&s);
  if (enters) s.l1 = (uint8_t)(value + 1);
  s.own_under_way--;
  *a = (actor){.step = OWN_DONE};
  reach(found, &s, enters ? "own write ends, fills L1" : "own write ends");
}

static void step_owner(const rules *r, const state *from, size_t i, search *found)
{
  state s = *from;
  actor *a = &s.owners[i];
  switch (a->step) {
    case OWN_SOURCE:
      if (r->owners_in_turn && i > 0 && s.owners[i - 1].step != OWN_DONE) return;
      a->step = OWN_BEGIN;
      s.source++;
      a->value = r->owners_set || r->repair_writes ? s.source : 0;
      reach(found, &s, "own write changes the source");
      return;
    case OWN_BEGIN:
      a->step = OWN_SEND;
      a->token = s.own_under_way++ == 0;
      if (!r->drops_after_only) l1_drop(&s);
      a->generation = r->owners_set ? s.generation : 0;
      reach(found, &s, "own write empties L1");
      return;
    case OWN_SEND: own_send(r, s, i, found); return;
    case OWN_END:
    case OWN_END_FAILED: own_end(r, s, i, found); return;
    default: return;
  }
}

/* ---- what nobody decides ---- */

static void step_channel(const rules *r, const state *from, search *found)
{
  state s = *from;
  if (s.messages > 0) {
    s.messages--;
    l1_drop(&s);
    reach(found, &s, "a message arrives");
  }
  s = *from;
  if (s.late_messages > 0) { /* its number was given up: forget the key, and repair again */
    s.late_messages--;
    if (!r->deaf_to_late) {
      l1_drop(&s);
      s.has_repair = true;
    }
    reach(found, &s, "its own message arrives, late");
  }
  s = *from;
  if (s.losses_left > 0 && s.is_connected) {
    s.is_connected = false;
    s.messages = s.late_messages = 0;
    s.losses_left--;
    reach(found, &s, "the channel breaks");
  }
  s = *from;
  if (s.is_connected) return;
  if (r->ignores_gaps) {
    s.is_connected = true;
    reach(found, &s, "the channel is back");
  } else if (!s.is_gap_known) {
    s.is_gap_known = true;
    l1_drop(&s);
    reach(found, &s, "the gap is noticed: the epoch rises");
  } else {
    s.is_gap_known = false;
    s.is_connected = true;
    if (s.was_repaired && !r->forgets_repaired) s.has_repair = true;
    l1_drop(&s);
    reach(found, &s, "the channel is back: the epoch rises");
  }
}

static void step_server(const rules *r, const state *from, search *found)
{
  state s = *from;
  if (s.evictions_left > 0 && s.l2 == L2_VALUE) {
    s.evictions_left--;
    s.l2 = L2_NOTHING;
    l2_changed(r, &s);
    reach(found, &s, "L2 evicts the value");
  }
  s = *from;
  if (s.expiries_left > 0 && s.l2 == L2_LEASE) {
    s.expiries_left--;
    s.l2 = L2_NOTHING;
    l2_changed(r, &s);
    reach(found, &s, "the lease expires");
  }
  s = *from;
  if (s.late != 0) {
    l2_put(r, &s, L2_VALUE, (uint8_t)(s.late - 1));
    s.late = 0;
    if (s.is_connected && r->closed_delivers) s.late_messages++;
    reach(found, &s, "the set that was given up arrives");
  }
  s = *from;
  if (!s.has_repair || s.failures_left > 0) return;
  /* It follows on the same connection, unless that is closed. */
  if (s.late != 0 && !r->repair_overtakes && !r->closed_delivers) return;
  s.has_repair = false;
  s.was_repaired = r->closed_delivers;
  if (r->repair_writes)
    l2_put(r, &s, L2_VALUE, 1); /* what the first write was to write */
  else
    s.l2 = L2_NOTHING;
  if (!r->believes_in_doubt) l1_drop(&s);
  reach(found, &s, "the repair is made");
}

void step_all(const rules *r, const state *from, search *found)
{
  for (size_t i = 0; i < r->readers; i++) step_reader(r, from, i, found);
  for (size_t i = 0; i < r->refreshers; i++) step_refresher(r, from, i, found);
  for (size_t i = 0; i < r->writers; i++) step_writer(r, from, i, found);
  for (size_t i = 0; i < r->owners; i++) step_owner(r, from, i, found);
  step_channel(r, from, found);
  step_server(r, from, found);
}

/* ---- at rest ---- */

unsigned judge(const state *s)
{
  unsigned faults = 0;
  const bool has_value = s->l2 == L2_VALUE;
  if (s->l1 != 0 && s->l1 != s->source + 1) faults |= STALE_L1;
  if (has_value && s->l2_value != s->source) faults |= STALE_L2;
  if (s->l1 != 0 && has_value && s->l1 != s->l2_value + 1) faults |= LEVELS_DIFFER;
  return faults;
}
