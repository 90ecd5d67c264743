/* policy_window.c: an entry's byte, so that the least byte of the main part is the least used
 * entry:
 *
 *   bit 7       it is in the main part
 *   bits 4 to 6 how often it was requested, saturating; halved from time to time
 *   bits 1 to 3 its recency counter: ages from 7 to 0, by one in a sixteenth of a turnover
 *   bit 0       used since its set was last looked at: all that a hit writes
 *
 * A set's policy[0] to [3] are its ghosts, the tags of the last four entries evicted from it, the
 * latest first, and the low bits of [4] say which of them were in the main part; [5] and [6] are
 * the stripe's time, and how often counts had been halved, when the set was last brought up to
 * them.
 *
 * How the window finds its size: its target grows by one for each ghost hit of the window, a miss
 * of a key that was evicted from it a moment ago and would have been a hit with a larger window.
 * It shrinks by one for each ghost hit of the main part, and for each hit of the entry that the
 * main part would have evicted next: those are the hits that a larger window costs. Both sides are
 * counted at their edge, so the target stays where one more entry is worth the same on either
 * side. (The ghosts are ARC's, Megiddo and Modha, 2003; here they fit into a set's line.)
 *
 * How the main part forgets: counts of what was popular once would keep newcomers out for many
 * turnovers. So uses are counted by part, and while an entry of the window is used more often than
 * one of the main part, that part is stale: the window's oldest is promoted without a comparison.
 * Where it is used twice as often, the main part evicts its oldest, not its least used.
 */
#include "policy_window.h"

#include "policy_simd.h"
#include "policy_sketch.h"

#define POLICY_WINDOW_MAIN 0x80u
#define POLICY_WINDOW_RECENCY 7u
#define POLICY_WINDOW_RECENCY_WIDTH 3u
#define POLICY_WINDOW_COUNT 7u
#define POLICY_WINDOW_COUNT_SHIFT 4u
#define POLICY_WINDOW_GHOSTS 4u
#define POLICY_WINDOW_LEAD 2u       /* that many more requests let a newcomer in */
#define POLICY_WINDOW_TURNOVERS 10u /* until counts are halved */
#define POLICY_WINDOW_MEMORY 64u    /* misses until the uses of both parts are halved */
#define POLICY_WINDOW_USES 8u       /* of the window meanwhile: fewer prove nothing */
#define POLICY_WINDOW_VERY_STALE 2  /* that many times more uses in the window */
#define POLICY_WINDOW_LEAST 20      /* of the slots, one in so many is always the window's, */
#define POLICY_WINDOW_MOST 12       /* and at most so many times as many are */
#define POLICY_WINDOW_FARTHER 3u    /* added to a recency in its place: a step and a half */
#define POLICY_WINDOW_LOOKS 4       /* misses until the window's entries are counted again */

/* Numbers of entries are kept in 256ths, so that small corrections add up. */
#define POLICY_WINDOW_UNIT 256

typedef struct policy_window {
  policy_sketch sketch; /* of the stripe; words NULL: nothing has happened yet */
  int64_t window;       /* how many entries are in the window: exact but for those that expire or
                         * are deleted, which is not reported; corrected by what is seen in sets */
  int64_t target;       /* how many should be */
  int64_t slots;        /* of the stripe */
  uint32_t requests;    /* since counts were halved; of hits, those that left a trace */
  uint32_t until_tick;
  uint8_t turn;
  uint8_t time, halvings;
  bool is_full : 1, is_adaptive : 1;
  uint16_t main_uses, window_uses; /* that misses saw lately */
} __attribute__((aligned(ACCEL_CACHE_LINE))) policy_window;

ACCEL_STATIC_ASSERT(sizeof(policy_window) == ACCEL_CACHE_LINE, "a stripe's state is one line");

size_t accel_policy_window_side_size(size_t capacity, size_t set_count, size_t stripe_count)
{
  (void)capacity;
  const uint64_t lines = policy_sketch_lines(set_count / stripe_count, stripe_count);
  return stripe_count * (sizeof(policy_window) + (size_t)lines * ACCEL_CACHE_LINE);
}

static ACCEL_COLD void policy_window_open(policy_window *window, const accel_flat_view *view)
{
  const accel_flat_table *table = view->table;
  const uint64_t lines = policy_sketch_lines(table->stripe_sets, table->stripe_count);
  policy_window *end = (policy_window *)view->table->policy_side + table->stripe_count;
  uint64_t *words = (uint64_t *)(void *)end;
  window->sketch.words = words + view->stripe_index * lines * POLICY_SKETCH_LINE_WORDS;
  window->sketch.word_count = (uint32_t)(lines * POLICY_SKETCH_LINE_WORDS);
  window->slots = (int64_t)(table->stripe_sets * ACCEL_FLAT_WAYS) * POLICY_WINDOW_UNIT;
  window->target = window->slots / 10;
}

static inline policy_window *policy_window_of(const accel_flat_view *view)
{
  policy_window *window = (policy_window *)view->table->policy_side + view->stripe_index;
  if (ACCEL_UNLIKELY(window->sketch.words == NULL)) policy_window_open(window, view);
  return window;
}

static void policy_window_move(policy_window *window, int64_t change)
{
  if (!window->is_full || change == 0) return;
  const int64_t least = window->slots / POLICY_WINDOW_LEAST, most = least * POLICY_WINDOW_MOST;
  const int64_t target = window->target + change;
  window->target = target < least ? least : target > most ? most : target;
}

/* ---- a miss looks at the key's two sets ---- */

/* Hits at the main part's edge, that a smaller main part would have missed: entries that were used
 * though they were the next to be evicted. */
static int policy_window_hit_density(const policy_pair *pair)
{
  const policy_word first = pair->words[0], second = pair->words[1];
  const policy_word is_used = (first & first >> 7) | (second & second >> 7);
  if (!policy_is_any(is_used & POLICY_LANES(1))) return 0;
  policy_pair main_part;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    main_part.words[i] = pair->words[i] | ~policy_spread(pair->words[i]) | POLICY_LANES(1);
  /* Bit 0 is set in all of them now: of the least, those whose own was set count. */
  const uint8_t least = policy_least(&main_part);
  return least == POLICY_NO_LANE ? 0 : __builtin_popcount(policy_equal(pair, least));
}

static bool policy_window_is_late(const policy_window *window, const accel_flat_set *set)
{
  return ((set->policy[5] ^ window->time) | (set->policy[6] ^ window->halvings)) != 0;
}

/* Time passes, uses become counts. Returns what becomes of the set's bytes. */
static policy_word policy_window_refresh(const policy_window *window, accel_flat_set *set,
                                         policy_word word)
{
  const uint8_t ticks = (uint8_t)(window->time - set->policy[5]);
  const uint8_t halvings = (uint8_t)(window->halvings - set->policy[6]);
  const policy_word is_used = word & POLICY_LANES(1);
  set->policy[5] = window->time;
  set->policy[6] = window->halvings;
  policy_word recencies = word >> 1 & POLICY_LANES(POLICY_WINDOW_RECENCY);
  if (ticks != 0) recencies = policy_age(recencies, POLICY_WINDOW_RECENCY_WIDTH, ticks);
  recencies |= policy_widen(is_used, POLICY_WINDOW_RECENCY_WIDTH);
  policy_word counts = word >> POLICY_WINDOW_COUNT_SHIFT & POLICY_LANES(POLICY_WINDOW_COUNT);
  counts += is_used;
  counts -= counts >> 3 & POLICY_LANES(1);
  for (unsigned i = halvings < 3 ? halvings : 3; i > 0; i--)
    counts = counts >> 1 & POLICY_LANES(POLICY_WINDOW_COUNT >> 1);
  const policy_word now = (word & POLICY_LANES(POLICY_WINDOW_MAIN)) |
                          counts << POLICY_WINDOW_COUNT_SHIFT | recencies << 1;
  policy_store(set, now);
  return now;
}

/* Counts what was used in either part. */
static void policy_window_count_uses(policy_window *window, const policy_pair *pair)
{
  const policy_word first = pair->words[0] & POLICY_LANES(1);
  const policy_word second = pair->words[1] & POLICY_LANES(1);
  const unsigned uses = policy_sum(first + second);
  const unsigned of_main =
      policy_sum((first & pair->words[0] >> 7) + (second & pair->words[1] >> 7));
  window->main_uses = (uint16_t)(window->main_uses + of_main);
  window->window_uses = (uint16_t)(window->window_uses + uses - of_main);
  window->requests += uses;
}

static void policy_window_pass_time(policy_window *window, const accel_flat_view *view)
{
  window->requests++;
  if (++window->turn % POLICY_WINDOW_MEMORY == 0) {
    window->main_uses /= 2;
    window->window_uses /= 2;
  }
  if (window->until_tick-- == 0) {
    window->until_tick = (uint32_t)view->table->stripe_sets - 1;
    window->time++;
  }
  const uint64_t limit = view->table->stripe_sets * ACCEL_FLAT_WAYS * POLICY_WINDOW_TURNOVERS;
  if (window->requests < limit) return;
  window->requests = 0;
  window->halvings++;
  policy_sketch_halve(&window->sketch);
}

/* Counts the key, lets time pass, and brings the two sets up to date, whose bytes *pair holds,
 * before and afterwards. */
static void policy_window_look(policy_window *window, const accel_flat_view *view,
                               policy_pair *pair)
{
  policy_sketch_apply_pending(&window->sketch);
  view->newcomer->note = (uint8_t)policy_sketch_add(&window->sketch, view->mixed);
  policy_window_pass_time(window, view);
  const bool is_used = policy_is_any((pair->words[0] | pair->words[1]) & POLICY_LANES(1));
  if (is_used) policy_window_count_uses(window, pair);
  if (!is_used && !policy_window_is_late(window, view->sets[0]) &&
      !policy_window_is_late(window, view->sets[1]))
    return;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    pair->words[i] = policy_window_refresh(window, view->sets[i], pair->words[i]);
}

/* ---- what a miss teaches ---- */

static uint32_t policy_window_ghosts(const accel_flat_set *set)
{
  uint32_t ghosts;
  memcpy(&ghosts, set->policy, POLICY_WINDOW_GHOSTS);
  return ghosts;
}

/* 1: a ghost hit of the window, which was too small; -1: of the main part; 0: none. */
static int policy_window_ghost_hit(const accel_flat_set *set, uint64_t tag)
{
  const uint32_t unlike = policy_window_ghosts(set) ^ (uint32_t)POLICY_LANES(tag);
  /* The lowest top bit that is set is that of the first byte which is 0. */
  const uint32_t tops = (uint32_t)POLICY_LANES(0x80);
  const uint32_t is_same = (unlike - (uint32_t)POLICY_LANES(1)) & ~unlike & tops;
  if (is_same == 0) return 0;
  const unsigned ghost = (unsigned)__builtin_ctz(is_same) / 8;
  return (set->policy[4] >> ghost & 1) != 0 ? -1 : 1;
}

/* A ghost has another key's tag once in 256 times: what such false ghost hits add up to in both
 * sets, in units. (Counted by hand: without -march a popcount is a call.) */
static int policy_window_expected_false_ghosts(const accel_flat_set *first,
                                               const accel_flat_set *second)
{
  unsigned of_main = (first->policy[4] & 15u) | (second->policy[4] & 15u) << 4; /* as bits: */
  of_main -= of_main >> 1 & 0x55;
  of_main = (of_main & 0x33) + (of_main >> 2 & 0x33);
  of_main = (of_main & 0x0F) + (of_main >> 4); /* counted */
  return (int)(2 * POLICY_WINDOW_GHOSTS) - 2 * (int)of_main;
}

static int policy_window_learn(const accel_flat_view *view)
{
  const accel_flat_set *first = view->sets[0], *second = view->sets[1];
  const int ghost_hit = policy_window_ghost_hit(first, view->tag);
  const int ghost_hits = ghost_hit != 0 ? ghost_hit : policy_window_ghost_hit(second, view->tag);
  return ghost_hits * POLICY_WINDOW_UNIT - policy_window_expected_false_ghosts(first, second);
}

void accel_policy_tinylfu_missed(const accel_flat_view *view)
{
  policy_pair pair = policy_load_pair(view);
  policy_window_look(policy_window_of(view), view, &pair);
}

static policy_pair policy_window_miss(policy_window *window, const accel_flat_view *view)
{
  policy_pair pair = policy_load_pair(view);
  const int hit_density = policy_window_hit_density(&pair);
  window->is_adaptive = true;
  policy_window_look(window, view, &pair);
  policy_window_move(window, policy_window_learn(view) - hit_density * POLICY_WINDOW_UNIT);
  return pair;
}

ACCEL_FLATTEN void accel_policy_adaptive_missed(const accel_flat_view *view)
{
  policy_window_miss(policy_window_of(view), view);
}

/* ---- eviction ---- */

static unsigned policy_window_count_of(uint8_t used)
{
  return used >> POLICY_WINDOW_COUNT_SHIFT & POLICY_WINDOW_COUNT;
}

static void policy_window_promote(policy_window *window, const accel_flat_view *view,
                                  unsigned number)
{
  uint8_t *used = &policy_set_of(view, number)->used[number % ACCEL_FLAT_WAYS];
  accel_store_relaxed(used, (uint8_t)(accel_load_relaxed(used) | POLICY_WINDOW_MAIN));
  window->window -= POLICY_WINDOW_UNIT;
}

/* The number of the window's oldest of those that may go, or POLICY_PAIR_WAYS. One of the second
 * set has to be older by two steps: the newcomer gets the place of the evicted entry, and a hit in
 * the first set is cheaper. */
static unsigned policy_window_oldest(const policy_window *window, const policy_pair *pair,
                                     const policy_pair *may_go)
{
  policy_pair recencies;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const policy_word word = pair->words[i];
    const policy_word recency = word & POLICY_LANES(POLICY_WINDOW_RECENCY << 1);
    recencies.words[i] = (recency + POLICY_LANES(i * POLICY_WINDOW_FARTHER)) | ~may_go->words[i] |
                         policy_spread(word);
  }
  return policy_find_least(&recencies, window->turn);
}

/* Whether an entry of the window is used more often than one of the main part, by that many times:
 * then the counts there are of another time. A few hits among many misses do not show that. */
static bool policy_window_is_main_stale(const policy_window *window, int64_t times)
{
  return window->is_adaptive && window->window_uses >= POLICY_WINDOW_USES &&
         window->window_uses * (window->slots - window->window) >
             times * window->main_uses * window->window;
}

/* The number of the main part's entry that should go first, of those that may, or POLICY_PAIR_WAYS:
 * the least used one, or, where counts mean nothing any more, the oldest; of equals one of the
 * first set, which bit 0 sees to. */
static unsigned policy_window_least_used(const policy_window *window, const policy_pair *pair,
                                         const policy_pair *may_go)
{
  const bool is_by_recency = policy_window_is_main_stale(window, POLICY_WINDOW_VERY_STALE);
  policy_pair uses = *pair;
  for (unsigned i = 0; is_by_recency && i < POLICY_PAIR_WORDS; i++) {
    const policy_word word = pair->words[i];
    uses.words[i] = (word & POLICY_LANES(POLICY_WINDOW_RECENCY << 1)) << 3 |
                    (word >> 3 & POLICY_LANES(POLICY_WINDOW_COUNT << 1));
  }
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    uses.words[i] = (uses.words[i] & POLICY_LANES(0x7E)) | POLICY_LANES(i) | ~may_go->words[i] |
                    ~policy_spread(pair->words[i]);
  return policy_find_least(&uses, window->turn);
}

/* Lets the number of the window's entries follow what these two sets suggest. */
static void policy_window_correct(policy_window *window, const policy_pair *pair,
                                  const policy_pair *may_go, bool is_one_set)
{
  policy_word lanes = {0, 0};
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    lanes += (~pair->words[i] & may_go->words[i]) >> 7 & POLICY_LANES(1);
  const int64_t seen = (int64_t)policy_sum(lanes) * (window->slots / (is_one_set ? 16 : 32));
  window->window += (seen - window->window) * POLICY_WINDOW_LOOKS / 256;
}

/* Whether the newcomer takes the resident's place. */
static bool policy_window_wins(const policy_window *window, const policy_pair *pair,
                               unsigned newcomer, unsigned resident)
{
  if (policy_window_is_main_stale(window, 1)) return true;
  return policy_window_count_of(policy_byte(pair, newcomer)) >=
         policy_window_count_of(policy_byte(pair, resident)) + POLICY_WINDOW_LEAD;
}

/* The number of the one to go. A window of its target's size gives up its oldest entry, if that
 * does not win against the main part's least used one; a smaller window takes that one's place. */
static unsigned policy_window_loser(policy_window *window, const accel_flat_view *view,
                                    const policy_pair *pair, const policy_pair *may_go)
{
  const unsigned least = policy_window_least_used(window, pair, may_go);
  const bool has_least = least != POLICY_PAIR_WAYS;
  if (has_least && window->window < window->target) return least;
  const unsigned oldest = policy_window_oldest(window, pair, may_go);
  if (oldest == POLICY_PAIR_WAYS) return least;
  if (!has_least || !policy_window_wins(window, pair, oldest, least)) return oldest;
  policy_window_promote(window, view, oldest);
  return least;
}

/* Leaves a ghost, and the count to the sketch. */
static void policy_window_forget(policy_window *window, const accel_flat_view *view,
                                 const policy_pair *pair, unsigned number)
{
  accel_flat_set *set = policy_set_of(view, number);
  const unsigned way = number % ACCEL_FLAT_WAYS;
  const uint8_t used = policy_byte(pair, number);
  const bool is_main = (used & POLICY_WINDOW_MAIN) != 0;
  if (!is_main) window->window -= POLICY_WINDOW_UNIT;
  const uint32_t ghosts = policy_window_ghosts(set) << 8 | policy_tag(set, way);
  memcpy(set->policy, &ghosts, POLICY_WINDOW_GHOSTS);
  set->policy[4] = (uint8_t)(set->policy[4] << 1 | is_main);
  const unsigned count = policy_window_count_of(used);
  if (count > 1) policy_sketch_defer(&window->sketch, accel_flat_hash_at(view, number), count);
}

static unsigned policy_window_choose(policy_window *window, const accel_flat_view *view,
                                     const policy_pair *pair, unsigned first_ways,
                                     unsigned second_ways)
{
  const policy_pair may_go = policy_name_pair(first_ways, second_ways);
  if (window->turn % POLICY_WINDOW_LOOKS == 0)
    policy_window_correct(window, pair, &may_go, view->sets[0] == view->sets[1]);
  window->is_full = true;
  const unsigned number = policy_window_loser(window, view, pair, &may_go);
  policy_window_forget(window, view, pair, number);
  return number;
}

ACCEL_FLATTEN unsigned accel_policy_window_choose(const accel_flat_view *view, unsigned first_ways,
                                                  unsigned second_ways)
{
  const policy_pair pair = policy_load_pair(view);
  return policy_window_choose(policy_window_of(view), view, &pair, first_ways, second_ways);
}

ACCEL_FLATTEN unsigned accel_policy_adaptive_replace(const accel_flat_view *view,
                                                     unsigned first_ways, unsigned second_ways)
{
  policy_window *window = policy_window_of(view);
  const policy_pair pair = policy_window_miss(window, view);
  return policy_window_choose(window, view, &pair, first_ways, second_ways);
}

/* ---- insertion ---- */

/* Promotes the window's oldest without a comparison while there is room, and, where the window
 * should be smaller, until it nearly is. Nearly: its size is never exact, and entries promoted in
 * this way are no better than those of the main part. */
static ACCEL_NOINLINE void policy_window_overflow(policy_window *window,
                                                  const accel_flat_view *view)
{
  const policy_pair pair = policy_load_pair(view);
  policy_pair is_live;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const accel_flat_set *set = view->sets[i];
    const policy_word tags = {set->tags[0], set->tags[1]};
    is_live.words[i] = policy_spread_any(tags & POLICY_LANES(0xFE)); /* ACCEL_FLAT_TAG_MIN and up */
  }
  const unsigned oldest = policy_window_oldest(window, &pair, &is_live);
  if (oldest != POLICY_PAIR_WAYS) policy_window_promote(window, view, oldest);
}

void accel_policy_window_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way)
{
  policy_window *window = policy_window_of(view);
  const unsigned asked = view->newcomer->note;
  const unsigned count = asked < POLICY_WINDOW_COUNT ? asked : POLICY_WINDOW_COUNT;
  const unsigned used = count << POLICY_WINDOW_COUNT_SHIFT | POLICY_WINDOW_RECENCY << 1;
  accel_store_relaxed(&set->used[way], (uint8_t)used);
  window->window += POLICY_WINDOW_UNIT;
  const int64_t excess = window->window - window->target - POLICY_WINDOW_UNIT;
  if (excess > 0 && (!window->is_full || excess > window->slots / POLICY_WINDOW_LEAST))
    policy_window_overflow(window, view);
}

/* What was hit since it was last looked at comes first, then what is requested often. */
unsigned accel_policy_window_rank(const accel_flat_set *set, unsigned way)
{
  const uint8_t used = accel_load_relaxed(&set->used[way]);
  const unsigned count = policy_window_count_of(used);
  const unsigned rank = count > 2 ? 2 : count > 1 ? 1 : 0;
  return (used & 1) == 0 ? rank : rank == 2 ? 3 : 2;
}
