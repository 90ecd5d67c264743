/* An entry's byte, so that the least byte of the main part is the least used entry:
 *
 *   bit 7       it is in the main part
 *   bits 4 to 6 how often it was asked for, saturating; halved from time to time
 *   bits 1 to 3 its youth, which sinks from 7 to 0 by one in a sixteenth of a turnover
 *   bit 0       used since its set was last looked at: all that a hit writes
 *
 * A set's policy[0] to [3] are its ghosts, the tags of the last four entries that went from it, the
 * latest first, and the low bits of [4] say which of them were in the main part; [5] and [6] are
 * the stripe's time and era when the set was last brought up to them.
 *
 * How the window finds its size: its target grows by one for each miss of a key that went from the
 * window a moment ago, for it would have been a hit with a larger window. It shrinks by one for
 * each key that went from the main part a moment ago, and for each hit of the entry that would
 * have been the next of the main part to go: those are the hits that a larger window costs. Both
 * sides are counted at their edge, so the target settles where one more entry is worth the same
 * on either side. (The ghosts are ARC's, Megiddo and Modha, 2003; here they fit into a set's line.)
 */
#include "policy_window.h"

#include "policy_lanes.h"
#include "policy_sketch.h"

#define POLICY_WINDOW_MAIN 0x80u
#define POLICY_WINDOW_YOUTH 7u
#define POLICY_WINDOW_COUNT 7u
#define POLICY_WINDOW_COUNT_SHIFT 4u
#define POLICY_WINDOW_GHOSTS 4u
#define POLICY_WINDOW_LEAD 2u       /* that many more requests let a newcomer in */
#define POLICY_WINDOW_TURNOVERS 10u /* until counts are halved */

/* Numbers of entries are kept in 256ths, so that small corrections add up. */
#define POLICY_WINDOW_UNIT 256

typedef struct policy_window {
  policy_sketch sketch; /* of the stripe; words NULL: nothing has happened yet */
  int64_t window;       /* how many entries are in the window: exact but for those that expire or
                         * are deleted, which nobody reports; corrected by what is seen in sets */
  int64_t target;       /* how many should be */
  int64_t slots;        /* of the stripe */
  uint32_t requests;    /* since counts were halved; of hits, those that left a trace */
  uint32_t turn;
  uint32_t until_tick;
  uint8_t time, era;
  uint8_t count; /* of the key that is about to be inserted */
  bool is_full;
} __attribute__((aligned(ACCEL_CACHE_LINE))) policy_window;

ACCEL_STATIC_ASSERT(sizeof(policy_window) == ACCEL_CACHE_LINE, "a stripe's state is one line");

size_t accel_policy_window_side_size(size_t capacity, size_t set_count, size_t stripe_count)
{
  (void)capacity;
  const uint64_t lines = policy_sketch_lines(set_count / stripe_count, stripe_count);
  return stripe_count * (sizeof(policy_window) + (size_t)lines * ACCEL_CACHE_LINE);
}

static void policy_window_open(policy_window *window, const accel_policy_view *view)
{
  const accel_flat_table *table = view->table;
  const uint64_t lines = policy_sketch_lines(table->stripe_sets, table->stripe_count);
  policy_window *end = (policy_window *)view->side + table->stripe_count;
  uint64_t *words = (uint64_t *)(void *)end;
  window->sketch.words = words + view->stripe * lines * POLICY_SKETCH_LINE_WORDS;
  window->sketch.line_count = lines;
  window->slots = (int64_t)(table->stripe_sets * ACCEL_FLAT_WAYS) * POLICY_WINDOW_UNIT;
  window->target = window->slots / 10;
}

static policy_window *policy_window_of(const accel_policy_view *view)
{
  policy_window *window = (policy_window *)view->side + view->stripe;
  if (ACCEL_UNLIKELY(window->sketch.words == NULL)) policy_window_open(window, view);
  return window;
}

static void policy_window_move(policy_window *window, int64_t change)
{
  if (!window->is_full || change == 0) return;
  const int64_t least = window->slots / 20, most = window->slots * 3 / 5;
  const int64_t target = window->target + change;
  window->target = target < least ? least : target > most ? most : target;
}

/* ---- a miss looks at the key's two sets ---- */

/* How many hits would have been misses, had the main part been smaller: entries that were used
 * though they were the next to go. */
static int policy_window_saved(const policy_pair *pair)
{
  uint64_t is_used = 0;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    is_used |= pair->words[i] & pair->words[i] >> 7 & POLICY_LANES(1);
  if (is_used == 0) return 0;
  policy_pair main_part;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    main_part.words[i] = pair->words[i] | ~policy_spread(pair->words[i]) | POLICY_LANES(1);
  /* Bit 0 is set in all of them now: of the least, those whose own was set count. */
  const uint8_t least = policy_least(&main_part);
  return least == POLICY_NO_LANE ? 0 : __builtin_popcount(policy_equal(pair, least));
}

/* Time passes, uses become counts. Returns how many uses there were. */
static unsigned policy_window_refresh(const policy_window *window, accel_flat_set *set)
{
  const uint8_t ticks = (uint8_t)(window->time - set->policy[5]);
  const uint8_t eras = (uint8_t)(window->era - set->policy[6]);
  const uint64_t is_any_used = (policy_load(set, 0) | policy_load(set, 1)) & POLICY_LANES(1);
  if (is_any_used == 0 && (ticks | eras) == 0) return 0;
  set->policy[5] = window->time;
  set->policy[6] = window->era;
  unsigned use_count = 0;
  for (unsigned i = 0; i < POLICY_SET_WORDS; i++) {
    const uint64_t word = policy_load(set, i);
    const uint64_t is_used = word & POLICY_LANES(1);
    const uint64_t youths =
        policy_sink(word >> 1 & POLICY_LANES(POLICY_WINDOW_YOUTH), POLICY_WINDOW_YOUTH, ticks);
    uint64_t counts = word >> POLICY_WINDOW_COUNT_SHIFT & POLICY_LANES(POLICY_WINDOW_COUNT);
    counts += is_used;
    counts -= counts >> 3 & POLICY_LANES(1);
    for (unsigned era = eras < 3 ? eras : 3; era > 0; era--)
      counts = counts >> 1 & POLICY_LANES(POLICY_WINDOW_COUNT >> 1);
    policy_store(set, i,
                 (word & POLICY_LANES(POLICY_WINDOW_MAIN)) | counts << POLICY_WINDOW_COUNT_SHIFT |
                     (youths | is_used * POLICY_WINDOW_YOUTH) << 1);
    use_count += policy_sum(is_used);
  }
  return use_count;
}

static void policy_window_pass_time(policy_window *window, const accel_policy_view *view)
{
  window->turn++;
  window->requests++;
  if (window->until_tick-- == 0) {
    window->until_tick = (uint32_t)view->table->stripe_sets - 1;
    window->time++;
  }
  const uint64_t limit = view->table->stripe_sets * ACCEL_FLAT_WAYS * POLICY_WINDOW_TURNOVERS;
  if (window->requests < limit) return;
  window->requests = 0;
  window->era++;
  policy_sketch_halve(&window->sketch);
}

static void policy_window_look(policy_window *window, const accel_policy_view *view)
{
  policy_window_pass_time(window, view);
  window->requests += policy_window_refresh(window, accel_policy_set(view, view->first));
  window->requests += policy_window_refresh(window, accel_policy_set(view, view->second));
  const unsigned count = policy_sketch_add(&window->sketch, view->mixed);
  window->count = (uint8_t)(count < POLICY_WINDOW_COUNT ? count : POLICY_WINDOW_COUNT);
}

/* ---- what a miss teaches ---- */

/* What a key's return says: 1, the window was too small; -1, the main part was; 0, nothing. */
static int policy_window_regret(const accel_flat_set *set, uint64_t tag)
{
  for (unsigned i = 0; i < POLICY_WINDOW_GHOSTS; i++)
    if (set->policy[i] == tag) return (set->policy[4] >> i & 1) != 0 ? -1 : 1;
  return 0;
}

/* A ghost has a key's tag by chance once in 256 times: what that adds up to, in units. */
static int policy_window_chance(const accel_flat_set *set)
{
  const unsigned of_main = (unsigned)(0x4332322132212110u >> (set->policy[4] & 15) * 4) & 7;
  return (int)POLICY_WINDOW_GHOSTS - 2 * (int)of_main;
}

static int policy_window_learn(const accel_policy_view *view)
{
  const accel_flat_set *first = accel_policy_set(view, view->first);
  const accel_flat_set *second = accel_policy_set(view, view->second);
  const uint64_t tag = accel_flat_tag(view->mixed);
  const int regret = policy_window_regret(first, tag);
  const int regrets = regret != 0 ? regret : policy_window_regret(second, tag);
  return regrets * POLICY_WINDOW_UNIT - policy_window_chance(first) - policy_window_chance(second);
}

void accel_policy_tinylfu_missed(const accel_policy_view *view)
{
  policy_window_look(policy_window_of(view), view);
}

void accel_policy_adaptive_missed(const accel_policy_view *view)
{
  policy_window *window = policy_window_of(view);
  const policy_pair pair = policy_load_pair(view);
  const int saved = policy_window_saved(&pair) * POLICY_WINDOW_UNIT;
  policy_window_look(window, view);
  policy_window_move(window, policy_window_learn(view) - saved);
}

/* ---- who goes ---- */

static unsigned policy_window_count_of(uint8_t used)
{
  return used >> POLICY_WINDOW_COUNT_SHIFT & POLICY_WINDOW_COUNT;
}

static void policy_window_promote(policy_window *window, const accel_policy_view *view,
                                  unsigned number)
{
  uint8_t *used = &policy_set_of(view, number)->used[number % ACCEL_FLAT_WAYS];
  accel_store_relaxed(used, (uint8_t)(accel_load_relaxed(used) | POLICY_WINDOW_MAIN));
  window->window -= POLICY_WINDOW_UNIT;
}

/* The number of the window's oldest of those that may go, or POLICY_PAIR_WAYS. */
static unsigned policy_window_oldest(const policy_window *window, const policy_pair *pair,
                                     const policy_pair *may_go)
{
  policy_pair youths;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const uint64_t word = pair->words[i];
    const uint64_t youth = word & POLICY_LANES(POLICY_WINDOW_YOUTH << 1);
    youths.words[i] = youth | ~may_go->words[i] | policy_spread(word);
  }
  return policy_find_least(&youths, window->turn);
}

static unsigned policy_window_least_used(const policy_window *window, const policy_pair *pair,
                                         const policy_pair *may_go)
{
  policy_pair uses;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const uint64_t word = pair->words[i];
    uses.words[i] = (word & POLICY_LANES(0xFE)) | ~may_go->words[i] | ~policy_spread(word);
  }
  return policy_find_least(&uses, window->turn);
}

/* Lets the number of the window's entries follow what these two sets suggest. */
static void policy_window_correct(policy_window *window, const policy_pair *pair,
                                  const policy_pair *may_go, bool is_one_set)
{
  uint64_t lanes = 0;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    lanes += (~pair->words[i] & may_go->words[i]) >> 7 & POLICY_LANES(1);
  const int64_t seen = (int64_t)policy_sum(lanes) * (window->slots / (is_one_set ? 16 : 32));
  window->window += (seen - window->window) / 256;
}

/* A window of its target's size gives up its oldest entry, if that does not get the better of the
 * main part's least used one; a smaller window takes that one's place. */
void accel_policy_window_choose(const accel_policy_view *view, unsigned first_ways,
                                unsigned second_ways, accel_policy_choice *choice)
{
  policy_window *window = policy_window_of(view);
  const policy_pair pair = policy_load_pair(view);
  const policy_pair may_go = policy_name_pair(first_ways, second_ways);
  policy_window_correct(window, &pair, &may_go, view->first == view->second);
  window->is_full = true;
  const unsigned oldest = policy_window_oldest(window, &pair, &may_go);
  const unsigned least = policy_window_least_used(window, &pair, &may_go);
  unsigned loser = least == POLICY_PAIR_WAYS ? oldest : least;
  const bool is_contest = oldest != POLICY_PAIR_WAYS && least != POLICY_PAIR_WAYS;
  if (is_contest && window->window >= window->target) {
    const unsigned newcomer = policy_window_count_of(policy_byte(&pair, oldest));
    const unsigned resident = policy_window_count_of(policy_byte(&pair, least));
    if (newcomer >= resident + POLICY_WINDOW_LEAD) {
      policy_window_promote(window, view, oldest);
    } else {
      loser = oldest;
    }
  }
  policy_choose_number(view, loser, choice);
}

/* A ghost is left, and what a sketch should know is put there. */
void accel_policy_window_evicted(const accel_policy_view *view, uint64_t set_index, unsigned way)
{
  policy_window *window = policy_window_of(view);
  accel_flat_set *set = accel_policy_set(view, set_index);
  const uint8_t used = accel_load_relaxed(&set->used[way]);
  const bool is_main = (used & POLICY_WINDOW_MAIN) != 0;
  if (!is_main) window->window -= POLICY_WINDOW_UNIT;
  memmove(set->policy + 1, set->policy, POLICY_WINDOW_GHOSTS - 1);
  set->policy[0] = policy_tag(set, way);
  set->policy[4] = (uint8_t)(set->policy[4] << 1 | is_main);
  const unsigned count = policy_window_count_of(used);
  if (count > 1) policy_sketch_raise(&window->sketch, view->hash_at(view, set_index, way), count);
}

/* ---- who comes ---- */

/* The oldest of the window goes over unasked while there is room, and, where the window should
 * be smaller, until it nearly is. Nearly: it is never exact, and those who go over unasked are no
 * better than those who are there. */
static void policy_window_overflow(policy_window *window, const accel_policy_view *view)
{
  const policy_pair pair = policy_load_pair(view);
  policy_pair is_live;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const accel_flat_set *set = accel_policy_set(view, i < 2 ? view->first : view->second);
    const uint64_t high = set->tags[i % 2] & POLICY_LANES(0xFE); /* 0 below ACCEL_FLAT_TAG_MIN */
    is_live.words[i] = policy_spread(((high & POLICY_LANES(0x7F)) + POLICY_LANES(0x7F)) | high);
  }
  const unsigned oldest = policy_window_oldest(window, &pair, &is_live);
  if (oldest != POLICY_PAIR_WAYS) policy_window_promote(window, view, oldest);
}

void accel_policy_window_inserted(const accel_policy_view *view, uint64_t set, unsigned way)
{
  policy_window *window = policy_window_of(view);
  const unsigned used = (unsigned)window->count << POLICY_WINDOW_COUNT_SHIFT | POLICY_WINDOW_YOUTH
                                                                                   << 1;
  accel_store_relaxed(&accel_policy_set(view, set)->used[way], (uint8_t)used);
  window->window += POLICY_WINDOW_UNIT;
  const int64_t tolerance = window->is_full ? window->slots / 20 : 0;
  if (window->window > window->target + tolerance + POLICY_WINDOW_UNIT)
    policy_window_overflow(window, view);
}

/* What was hit since it was last looked at comes first, then what is asked for often. */
unsigned accel_policy_window_rank(const accel_flat_set *set, unsigned way)
{
  const uint8_t used = accel_load_relaxed(&set->used[way]);
  const unsigned count = policy_window_count_of(used);
  const unsigned rank = count > 2 ? 2 : count > 1 ? 1 : 0;
  return (used & 1) == 0 ? rank : rank == 2 ? 3 : 2;
}
