/* Random operations on a cache against a model (model.h): every kind of value in every shape of
 * cache. A difference is printed as the shortest list of operations that still shows it.
 *
 * usage: test_model [--seed N] [--operations N] [--only KIND_SHAPE]
 *
 * Without --seed there are two: 1, and the time, which is printed. ACCEL_SOAK_SECONDS, shared by
 * all cases, lets them go on to further seeds after their operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_run.h"

#include <time.h>

#define LIST_LENGTH 20000u    /* operations on one cache */
#define SHRINK_RUNS_MAX 3000u /* then it is short enough */

const model_kind *const model_kinds[] = {&model_plain, &model_heavy, &model_text, &model_owned,
                                         NULL};

static const model_shape shapes[] = {
    {"roomy", 60, 1000, 2000, 0, 5000, 400, true},
    {"tight", 100, 24, 24, 0, 100000, 50, false},
    {"brief", 80, 64, 64, 0, 40, 15, false},
    {"resized", 200, 16, 150, 0, 100000, 50, false},
    {"weighed", 60, 50, 80, 300, 20000, 200, false},
    {"light", 40, 32, 32, 40, 20000, 200, false},
};

static uint64_t given_seed;
static size_t operations_per_case = 40000;
static const char *only;
static uint64_t soak_ms_per_case;
static uint64_t operations_done;

/* ---- lists ---- */

static const struct {
  model_verb verb;
  unsigned share; /* of 1000 */
} verbs[MODEL_VERBS] = {
    {MODEL_GET, 390},  {MODEL_SET, 230}, {MODEL_SET_WITH, 60}, {MODEL_SET_NULL, 40},
    {MODEL_DEL, 50},   {MODEL_MGET, 30}, {MODEL_MSET, 20},     {MODEL_MDEL, 10},
    {MODEL_LOAD, 60},  {MODEL_PIN, 50},  {MODEL_CLEAR, 1},     {MODEL_WAIT, 44},
    {MODEL_RESIZE, 3}, {MODEL_EACH, 6},  {MODEL_HOTTEST, 6},
};

static model_verb draw_verb(uint64_t random)
{
  unsigned left = (unsigned)(random % 1000);
  for (size_t i = 0; i < MODEL_VERBS; i++) {
    if (left < verbs[i].share) return verbs[i].verb;
    left -= verbs[i].share;
  }
  return MODEL_GET;
}

/* Some keys are asked for more than others. */
static uint16_t draw_key(uint64_t random, size_t keys)
{
  const size_t some = random % 4 == 0 ? keys : keys / 4;
  return (uint16_t)((random >> 2) % some);
}

static uint32_t draw_amount(model_verb verb, const model_shape *shape, uint64_t random)
{
  if (verb == MODEL_WAIT) return (uint32_t)(random % shape->wait_ms);
  if (verb != MODEL_SET_WITH) return (uint32_t)random;
  return random % 8 == 0 ? ACCEL_FOREVER : 1 + (uint32_t)(random >> 3) % (2 * shape->ttl_ms);
}

void model_draw(const model_case *what, model_operation *operations, size_t count)
{
  uint64_t state = what->seed * 2 + 1;
  for (size_t i = 0; i < count; i++) {
    const model_verb verb = draw_verb(model_random(&state));
    operations[i].verb = (uint8_t)verb;
    operations[i].detail = (uint8_t)(model_random(&state) >> 32);
    operations[i].key = draw_key(model_random(&state) >> 16, what->shape->keys);
    operations[i].amount = draw_amount(verb, what->shape, model_random(&state) >> 16);
    operations[i].version = (model_random(&state) >> 20 << 20) + i * 8;
  }
}

void model_print(const model_operation *operations, size_t count)
{
  static const char *const names[MODEL_VERBS] = {
      "get",   "set",  "set_with", "set_null",    "del",
      "mget",  "mset", "mdel",     "get_or_load", "get_ref or release",
      "clear", "wait", "resize",   "each",        "hottest"};
  for (size_t i = 0; i < count; i++)
    fprintf(stderr, "  %-18s key %3u  detail %3u  amount %10u  version %llx\n",
            names[operations[i].verb], operations[i].key, operations[i].detail,
            operations[i].amount, (unsigned long long)operations[i].version);
}

/* ---- shrinking: leave out ever smaller pieces, as long as a difference stays ---- */

static bool fails_without(const model_case *what, const model_operation *operations, size_t count,
                          size_t from, size_t length, model_operation *shorter)
{
  char text[160];
  memcpy(shorter, operations, from * sizeof *shorter);
  memcpy(shorter + from, operations + from + length, (count - from - length) * sizeof *shorter);
  return model_run(what, shorter, count - length, text, sizeof text) < count - length;
}

size_t model_shrink(const model_case *what, model_operation *operations, size_t count)
{
  model_operation *shorter = (model_operation *)malloc((count + 1) * sizeof *shorter);
  size_t runs = 0;
  for (size_t piece = count / 2; shorter != NULL && piece > 0; piece /= 2) {
    for (size_t from = 0; from + piece <= count && runs < SHRINK_RUNS_MAX; runs++) {
      if (!fails_without(what, operations, count, from, piece, shorter)) {
        from += piece;
        continue;
      }
      count -= piece;
      memcpy(operations, shorter, count * sizeof *shorter);
    }
  }
  free(shorter);
  return count;
}

/* ---- cases ---- */

static void report(const model_case *what, model_operation *operations, size_t count,
                   const char *text)
{
  char shortest[160];
  fprintf(stderr, "%s_%s --seed %llu: after %zu operations: %s\n", what->kind->name,
          what->shape->name, (unsigned long long)what->seed, count, text);
  count = model_shrink(what, operations, count);
  model_run(what, operations, count, shortest, sizeof shortest);
  fprintf(stderr, "as few as %zu show: %s\n", count, shortest);
  model_print(operations, count);
}

/* Lists of successive seeds: of `total` operations in all, and then until the time is over. */
static void run_case(const model_case *given, size_t total, uint64_t end_ms)
{
  static model_operation operations[LIST_LENGTH];
  model_case what = *given;
  char text[160];
  for (; total > 0 || accel_clock_monotonic_ms() < end_ms; what.seed++) {
    const size_t count = total > 0 && total < LIST_LENGTH ? total : LIST_LENGTH;
    model_draw(&what, operations, count);
    const size_t done = model_run(&what, operations, count, text, sizeof text);
    if (done < count) {
      report(&what, operations, done + 1, text);
      fail_msg("cache and model differ");
    }
    total -= total > 0 ? count : 0;
    operations_done += count;
  }
}

static void cache_and_model_agree(void **state)
{
  model_case what = *(const model_case *)*state;
  what.seed = given_seed != 0 ? given_seed : 1;
  run_case(&what, operations_per_case / 2, 0);
  if (given_seed != 0) {
    what.seed += operations_per_case / 2 / LIST_LENGTH + 1;
  } else {
    what.seed = (uint64_t)time(NULL) * 1000;
    printf("seed %llu\n", (unsigned long long)what.seed);
  }
  run_case(&what, operations_per_case - operations_per_case / 2,
           accel_clock_monotonic_ms() + soak_ms_per_case);
}

/* A model that errs where key 3 is fresh: one write and one read are enough to show it. */
static void a_difference_is_found_and_made_short(void **state)
{
  static model_operation operations[2000];
  const model_case what = {&model_plain, &shapes[0], 1, true};
  char text[160];
  (void)state;
  model_draw(&what, operations, 2000);
  const size_t done = model_run(&what, operations, 2000, text, sizeof text);
  assert_true(done > 10 && done < 2000);
  assert_string_equal(text, "a lie");
  assert_true(model_shrink(&what, operations, done + 1) <= 2);
}

static size_t make_cases(struct CMUnitTest *tests, model_case *cases, char (*names)[32])
{
  size_t count = 0;
  for (size_t i = 0; model_kinds[i] != NULL; i++) {
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
      if (shapes[j].max_weight != 0 && !model_kinds[i]->weighs) continue;
      snprintf(names[count], sizeof names[count], "%s_%s", model_kinds[i]->name, shapes[j].name);
      if (only != NULL && strcmp(only, names[count]) != 0) continue;
      cases[count] = (model_case){model_kinds[i], &shapes[j], 0, false};
      tests[count] = (struct CMUnitTest){
          .name = names[count], .test_func = cache_and_model_agree, .initial_state = &cases[count]};
      count++;
    }
  }
  return count;
}

int main(int count, char **arguments)
{
  static struct CMUnitTest tests[32];
  static model_case cases[32];
  static char names[32][32];
  for (int i = 1; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "--seed") == 0)
      given_seed = strtoull(arguments[i + 1], NULL, 10);
    else if (strcmp(arguments[i], "--operations") == 0)
      operations_per_case = strtoull(arguments[i + 1], NULL, 10);
    else if (strcmp(arguments[i], "--only") == 0)
      only = arguments[i + 1];
  }
  size_t made = make_cases(tests, cases, names);
  tests[made++] = (struct CMUnitTest){.name = "a_difference_is_found_and_made_short",
                                      .test_func = a_difference_is_found_and_made_short};
  const char *soak_seconds = getenv("ACCEL_SOAK_SECONDS");
  if (soak_seconds != NULL) soak_ms_per_case = strtoull(soak_seconds, NULL, 10) * 1000 / made;
  const int failed = _cmocka_run_group_tests("model", tests, made, NULL, NULL);
  printf("%llu operations\n", (unsigned long long)operations_done);
  return failed;
}
