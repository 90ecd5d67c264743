/* Traces that are made up. Everything follows from the description: the same one gives the same
 * trace everywhere. */
#include "numbers.h"
#include "trace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 100000000u
#define LENGTH_MAX 4000000000u

/* What a description says; each maker uses some of it. */
typedef struct recipe {
  double keys, length, exponent, seed, period, share, scan;
} recipe;

typedef struct source {
  recipe recipe;
  uint64_t random;
  double *sums; /* of the weights of ranks, for zipf */
  uint64_t at;
} source;

static uint64_t source_random(source *from)
{
  from->random += 0x9E3779B97F4A7C15u;
  return sim_hash_word(from->random);
}

static double source_fraction(source *from)
{
  return (double)(source_random(from) >> 11) / 9007199254740992.0;
}

static uint32_t source_below(source *from, uint32_t count)
{
  return (uint32_t)(source_fraction(from) * count);
}

static bool source_open_ranks(source *from)
{
  const uint32_t count = (uint32_t)from->recipe.keys;
  from->sums = (double *)malloc(count * sizeof *from->sums);
  if (from->sums == NULL) return false;
  double sum = 0;
  for (uint32_t i = 0; i < count; i++)
    from->sums[i] = sum += pow((double)i + 1, -from->recipe.exponent);
  return true;
}

/* A rank by Zipf's law: the first whose sum is above a random part of the whole. */
static uint32_t source_rank(source *from)
{
  uint32_t first = 0, last = (uint32_t)from->recipe.keys - 1;
  const double wanted = source_fraction(from) * from->sums[last];
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    if (from->sums[middle] > wanted) {
      last = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

static uint32_t make_zipf(source *from)
{
  return source_rank(from);
}

static uint32_t make_uniform(source *from)
{
  return source_below(from, (uint32_t)from->recipe.keys);
}

static uint32_t make_scan(source *from)
{
  return (uint32_t)from->at;
}

static uint32_t make_loop(source *from)
{
  return (uint32_t)(from->at % (uint64_t)from->recipe.keys);
}

/* Zipf, whose popular keys are others every period: each time, a tenth of the keys moves on. */
static uint32_t make_shift(source *from)
{
  const uint32_t keys = (uint32_t)from->recipe.keys;
  const uint64_t phase = from->at / (uint64_t)from->recipe.period;
  return (uint32_t)((source_rank(from) + phase * (keys / 10 + 1)) % keys);
}

/* Zipf, and every period a scan over keys that nobody asks for again. */
static uint32_t make_mixed(source *from)
{
  const uint64_t period = (uint64_t)from->recipe.period, scan = (uint64_t)from->recipe.scan;
  const uint64_t round = from->at / period, place = from->at % period;
  if (place >= scan) return source_rank(from);
  return (uint32_t)((uint64_t)from->recipe.keys + round * scan + place);
}

/* By turns, a period each: Zipf, and a loop over a share of as many other keys. */
static uint32_t make_phases(source *from)
{
  const uint64_t phase = from->at / (uint64_t)from->recipe.period;
  if (phase % 2 == 0) return source_rank(from);
  const uint64_t count = (uint64_t)(from->recipe.keys * from->recipe.share) + 1;
  return (uint32_t)((uint64_t)from->recipe.keys + from->at % count);
}

typedef struct maker {
  const char *name;
  uint32_t (*next)(source *from);
  bool has_ranks;
} maker;

static const maker makers[] = {
    {"zipf", make_zipf, true},     {"uniform", make_uniform, false}, {"scan", make_scan, false},
    {"loop", make_loop, false},    {"shift", make_shift, true},      {"mixed", make_mixed, true},
    {"phases", make_phases, true},
};

const char *sim_trace_makers(void)
{
  return "zipf     keys, length, exponent, seed   by Zipf's law\n"
         "uniform  keys, length, seed             all keys alike\n"
         "scan     length                         every key once\n"
         "loop     keys, length                   the keys in turn, again and again\n"
         "shift    as zipf, and period            other keys are popular every period\n"
         "mixed    as shift, and scan             every period begins with a scan of new keys\n"
         "phases   as shift, and share            zipf and a loop over a share of keys, by turns\n";
}

/* ---- descriptions ---- */

typedef struct option {
  const char *name;
  double *value;
  double least, most;
} option;

static bool option_read(const option *to, const char *text, size_t size, sim_error *error)
{
  char copy[64], *end;
  if (size == 0 || size >= sizeof copy)
    return sim_fail(error, "%s is \"%.40s\", which is no number", to->name, text);
  memcpy(copy, text, size);
  copy[size] = '\0';
  errno = 0;
  const double value = strtod(copy, &end);
  if (*end != '\0' || errno != 0 || !isfinite(value))
    return sim_fail(error, "%s is \"%s\", which is no number", to->name, copy);
  if (value < to->least || value > to->most)
    return sim_fail(error, "%s is %s; it may be from %.10g to %.10g", to->name, copy, to->least,
                    to->most);
  *to->value = value;
  return true;
}

static bool recipe_read_one(recipe *to, const char *text, size_t size, sim_error *error)
{
  const option options[] = {
      {"keys", &to->keys, 1, KEYS_MAX},       {"length", &to->length, 1, LENGTH_MAX},
      {"exponent", &to->exponent, 0, 10},     {"seed", &to->seed, 0, 9007199254740992.0},
      {"period", &to->period, 1, LENGTH_MAX}, {"share", &to->share, 0, 10},
      {"scan", &to->scan, 0, LENGTH_MAX},
  };
  const char *equals = (const char *)memchr(text, '=', size);
  if (equals == NULL)
    return sim_fail(error, "\"%.*s\" should be name=value", (int)(size < 60 ? size : 60), text);
  const size_t name_size = (size_t)(equals - text);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strlen(options[i].name) == name_size && memcmp(options[i].name, text, name_size) == 0)
      return option_read(&options[i], equals + 1, size - name_size - 1, error);
  return sim_fail(error,
                  "\"%.*s\" is not known; these are: keys, length, exponent, seed, period, "
                  "share, scan",
                  (int)(name_size < 60 ? name_size : 60), text);
}

static bool recipe_read(recipe *to, const char *text, sim_error *error)
{
  while (*text != '\0') {
    const size_t size = strcspn(text, ",");
    if (!recipe_read_one(to, text, size, error)) return false;
    text += size;
    if (*text == ',') text++;
  }
  if (to->period == 0) to->period = floor(to->length / 20) + 1;
  if (to->scan == 0) to->scan = floor(to->period / 4);
  if (to->scan > to->period)
    return sim_fail(error, "scan is %.0f, more than the period of %.0f", to->scan, to->period);
  return true;
}

static bool source_run(source *from, const maker *by, sim_trace *trace, sim_error *error)
{
  sim_numbers numbers = {0};
  size_t space = 0;
  bool is_made = true;
  for (; is_made && from->at < (uint64_t)from->recipe.length; from->at++) {
    uint32_t number;
    is_made = sim_numbers_find(&numbers, by->next(from), &number) &&
              sim_trace_append(trace, number, &space);
  }
  sim_numbers_release(&numbers);
  return is_made || sim_fail(error, "no memory for %.0f requests", from->recipe.length);
}

bool sim_trace_make(const char *description, sim_trace *trace, sim_error *error)
{
  const size_t name_size = strcspn(description, ":");
  const maker *by = NULL;
  for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
    if (strlen(makers[i].name) == name_size && memcmp(makers[i].name, description, name_size) == 0)
      by = &makers[i];
  if (by == NULL)
    return sim_fail(error, "\"%.60s\" cannot be made; these can:\n%s", description,
                    sim_trace_makers());
  source from = {.recipe = {.keys = 100000, .length = 1000000, .exponent = 0.99, .seed = 1}};
  from.recipe.share = 0.1;
  const char *rest = description + name_size;
  if (!recipe_read(&from.recipe, *rest == ':' ? rest + 1 : rest, error)) return false;
  from.random = sim_hash_word((uint64_t)from.recipe.seed);
  if (by->has_ranks && !source_open_ranks(&from))
    return sim_fail(error, "no memory for %.0f keys", from.recipe.keys);
  const bool is_made = source_run(&from, by, trace, error);
  free(from.sums);
  return is_made;
}
