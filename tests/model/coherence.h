/* coherence.h: states, rules and the search of the protocol's model. */
#ifndef COHERENCE_MODEL_H
#define COHERENCE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ACTORS_MAX = 3 };
enum { L2_NOTHING, L2_LEASE, L2_VALUE };

/* How far an actor is, and what it holds. */
typedef struct actor {
  uint8_t step, generation, value, token;
} actor;

/* Every byte is part of what makes two states different: no padding, unused bytes are zero. */
typedef struct state {
  uint8_t source;         /* the version that is true */
  uint8_t l2, l2_value;   /* L2_*, and the version or the lease's token */
  uint8_t l2_value_token; /* only where there are refreshes */
  uint8_t l1;             /* the version + 1; 0: nothing */
  uint8_t generation;     /* with the epoch */
  uint8_t messages;       /* on their way to this process */
  bool is_connected, is_gap_known, has_repair;
  uint8_t tokens, own_under_way;
  uint8_t late; /* the version + 1 that a set which was given up still brings to L2; 0: none */
  uint8_t late_messages; /* of such sets, on their way to this process */
  bool was_repaired;     /* and may be overwritten once more by what is late */
  uint8_t evictions_left, expiries_left, losses_left, failures_left;
  actor readers[ACTORS_MAX], refreshers[1], writers[ACTORS_MAX], owners[2];
} state;

typedef enum store_rule { STORE_UNDER_LEASE, STORE_ALWAYS, STORE_IF_NOTHING } store_rule;
typedef enum write_order {
  AT_ONCE,          /* source; then L2 and message as one step */
  DEL_THEN_PUBLISH, /* source, L2, message */
  PUBLISH_THEN_DEL, /* source, message, L2 */
  L2_FIRST          /* L2 and message, source */
} write_order;

/* Which actors take part, what may happen, and which rule of the protocol is left out. */
typedef struct rules {
  const char *name;
  unsigned expected; /* faults that must be found, all of them and no others */
  uint8_t readers, writers, owners, refreshers;
  uint8_t evictions, expiries, losses, failures;
  store_rule store;
  write_order order;
  bool writers_die, writers_set, owners_set;
  bool is_tracking, is_deaf_to_own, ignores_generations, gate_after_reply, ignores_gaps;
  bool drops_before_only, drops_after_only, overlaps_fill;
  bool forgets_failures, believes_in_doubt, repair_writes, refresh_is_blind;
  bool owners_in_turn, sets_are_late, repair_overtakes;
  bool closed_delivers; /* what was sent on a connection that is closed may arrive after a repair */
  bool deaf_to_late, forgets_repaired;
} rules;

enum { STALE_L1 = 1, STALE_L2 = 2, LEVELS_DIFFER = 4 };

typedef struct search search;

/* A state that can be reached from the one being looked at, and by what step. */
void reach(search *found, const state *s, const char *by);

/* Calls reach for every step that anybody can take. */
void step_all(const rules *r, const state *from, search *found);
/* The faults of a state in which nobody can move. */
unsigned judge(const state *s);

#endif
