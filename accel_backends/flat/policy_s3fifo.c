/* policy_s3fifo.c: an entry's byte: bit 7, it is in the main queue; bits 2 to 6, its recency
 * counter: 31 when it enters its queue, one less each sixteenth of a turnover; bits 0 and 1, its
 * hits. A set's policy[0] is the stripe's time when the set was last brought up to it, [1] where
 * its next ghost is put. */
#include "policy_s3fifo.h"

#include "policy_simd.h"

#define POLICY_S3FIFO_MAIN 0x80u
#define POLICY_S3FIFO_RECENCY 31u
#define POLICY_S3FIFO_RECENCY_WIDTH 5u
#define POLICY_S3FIFO_RECENCY_SHIFT 2u
#define POLICY_S3FIFO_RECENCY_BITS (POLICY_S3FIFO_RECENCY << POLICY_S3FIFO_RECENCY_SHIFT)

typedef struct policy_s3fifo_stripe {
  int64_t small; /* entries of the small queue, in 256ths; follows what is seen in sets */
  uint32_t turn;
  uint32_t until_tick;
  uint8_t time;
} __attribute__((aligned(ACCEL_CACHE_LINE))) policy_s3fifo_stripe;

static policy_s3fifo_stripe *policy_s3fifo_stripe_of(const accel_flat_view *view)
{
  return (policy_s3fifo_stripe *)view->table->policy_side + view->stripe_index;
}

/* A tag for each way of one of the view's sets. */
static uint8_t *policy_s3fifo_ghosts(const accel_flat_view *view, unsigned which)
{
  policy_s3fifo_stripe *stripes = (policy_s3fifo_stripe *)view->table->policy_side;
  return (uint8_t *)(void *)(stripes + view->table->stripe_count) +
         view->indices[which] * ACCEL_FLAT_WAYS;
}

size_t accel_policy_s3fifo_side_size(size_t capacity, size_t set_count, size_t stripe_count)
{
  (void)capacity;
  return stripe_count * sizeof(policy_s3fifo_stripe) + set_count * ACCEL_FLAT_WAYS;
}

static void policy_s3fifo_refresh(accel_flat_set *set, uint8_t time)
{
  const uint8_t ticks = (uint8_t)(time - set->policy[0]);
  set->policy[0] = time;
  if (ticks == 0) return;
  const policy_word word = policy_load(set);
  const policy_word recencies =
      word >> POLICY_S3FIFO_RECENCY_SHIFT & POLICY_LANES(POLICY_S3FIFO_RECENCY);
  const policy_word aged = policy_age(recencies, POLICY_S3FIFO_RECENCY_WIDTH, ticks);
  policy_store(set, (word & ~POLICY_LANES(POLICY_S3FIFO_RECENCY_BITS)) |
                        aged << POLICY_S3FIFO_RECENCY_SHIFT);
}

/* True: the tag was there, and is forgotten. */
static bool policy_s3fifo_recall(uint8_t *ghosts, uint64_t tag)
{
  uint8_t *ghost = (uint8_t *)memchr(ghosts, (int)tag, ACCEL_FLAT_WAYS);
  if (ghost == NULL) return false;
  *ghost = ACCEL_FLAT_EMPTY;
  return true;
}

void accel_policy_s3fifo_missed(const accel_flat_view *view)
{
  policy_s3fifo_stripe *stripe = policy_s3fifo_stripe_of(view);
  stripe->turn++;
  if (stripe->until_tick-- == 0) {
    stripe->until_tick = (uint32_t)view->table->stripe_sets - 1;
    stripe->time++;
  }
  policy_s3fifo_refresh(view->sets[0], stripe->time);
  policy_s3fifo_refresh(view->sets[1], stripe->time);
  view->newcomer->note = policy_s3fifo_recall(policy_s3fifo_ghosts(view, 0), view->tag) ||
                         policy_s3fifo_recall(policy_s3fifo_ghosts(view, 1), view->tag);
}

/* The number of the oldest of those that may go: of the queue that should give something up, else
 * of the other one. */
static unsigned policy_s3fifo_oldest(const policy_pair *pair, const policy_pair *may_go,
                                     bool is_of_main, unsigned turn)
{
  const uint64_t first = is_of_main ? POLICY_LANES(POLICY_S3FIFO_MAIN) : 0;
  policy_pair recencies;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++) {
    const uint64_t recency_in_queue = POLICY_LANES(POLICY_S3FIFO_MAIN | POLICY_S3FIFO_RECENCY_BITS);
    recencies.words[i] = ((pair->words[i] ^ first) & recency_in_queue) | ~may_go->words[i];
  }
  return policy_take_least(&recencies, turn);
}

static void policy_s3fifo_correct(policy_s3fifo_stripe *stripe, const accel_flat_view *view,
                                  const policy_pair *pair, const policy_pair *may_go)
{
  int in_small = 0;
  for (unsigned i = 0; i < POLICY_PAIR_WORDS; i++)
    in_small += (int)policy_sum((~pair->words[i] & may_go->words[i]) >> 7 & POLICY_LANES(1));
  const int64_t sets = view->sets[0] == view->sets[1] ? 1 : 2;
  const int64_t seen = (int64_t)view->table->stripe_sets * 256 / sets * in_small;
  stripe->small += (seen - stripe->small) / 256;
}

/* Gives an entry its next round: in the main queue, with that many hits left. */
static void policy_s3fifo_reinsert(const accel_flat_view *view, policy_pair *pair, unsigned number,
                                   unsigned hits)
{
  const unsigned used = POLICY_S3FIFO_MAIN | POLICY_S3FIFO_RECENCY_BITS | hits;
  policy_set_byte(pair, number, (uint8_t)used);
  accel_store_relaxed(&policy_set_of(view, number)->used[number % ACCEL_FLAT_WAYS], (uint8_t)used);
}

/* A ghost is left of what goes from the small queue. */
static void policy_s3fifo_forget(policy_s3fifo_stripe *stripe, const accel_flat_view *view,
                                 unsigned number)
{
  accel_flat_set *set = policy_set_of(view, number);
  const unsigned way = number % ACCEL_FLAT_WAYS;
  if ((accel_load_relaxed(&set->used[way]) & POLICY_S3FIFO_MAIN) != 0) return;
  stripe->small -= 256;
  uint8_t *ghosts = policy_s3fifo_ghosts(view, number / ACCEL_FLAT_WAYS);
  ghosts[set->policy[1]] = policy_tag(set, way);
  set->policy[1] = (uint8_t)((set->policy[1] + 1) % ACCEL_FLAT_WAYS);
}

unsigned accel_policy_s3fifo_choose(const accel_flat_view *view, unsigned first_ways,
                                    unsigned second_ways)
{
  policy_s3fifo_stripe *stripe = policy_s3fifo_stripe_of(view);
  policy_pair pair = policy_load_pair(view);
  const policy_pair may_go = policy_name_pair(first_ways, second_ways);
  policy_s3fifo_correct(stripe, view, &pair, &may_go);
  const int64_t limit = (int64_t)(view->table->stripe_sets * ACCEL_FLAT_WAYS) * 256 / 10;
  for (;;) {
    const bool is_small_full = stripe->small >= limit;
    const unsigned number = policy_s3fifo_oldest(&pair, &may_go, !is_small_full, stripe->turn);
    const uint8_t used = policy_byte(&pair, number);
    const unsigned hits = used & ACCEL_POLICY_S3FIFO_HITS;
    const bool is_main = (used & POLICY_S3FIFO_MAIN) != 0;
    if (hits == 0 || (!is_main && hits == 1)) {
      policy_s3fifo_forget(stripe, view, number);
      return number;
    }
    policy_s3fifo_reinsert(view, &pair, number, is_main ? hits - 1 : 0);
    if (!is_main) stripe->small -= 256;
  }
}

void accel_policy_s3fifo_inserted(const accel_flat_view *view, accel_flat_set *set, unsigned way)
{
  policy_s3fifo_stripe *stripe = policy_s3fifo_stripe_of(view);
  const bool is_ghost = view->newcomer->note != 0;
  const unsigned queue = is_ghost ? POLICY_S3FIFO_MAIN : 0;
  accel_store_relaxed(&set->used[way], (uint8_t)(queue | POLICY_S3FIFO_RECENCY_BITS));
  if (!is_ghost) stripe->small += 256;
}

unsigned accel_policy_s3fifo_rank(const accel_flat_set *set, unsigned way)
{
  return accel_load_relaxed(&set->used[way]) & ACCEL_POLICY_S3FIFO_HITS;
}
