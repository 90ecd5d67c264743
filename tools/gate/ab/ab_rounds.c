#include "ab.h"

#include "forms/forms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 120 * 1000, TURN_SAMPLES = 2, SAMPLE_MS = 4, TURNS_MIN = 4 };

/* Starts a side's process and returns its greeting, or NULL. Addresses, heap and stack differ from
 * process to process, so each round is a fresh draw of where things lie; the padding moves the
 * stack further. */
static const char *start_side(ab_run *run, gate_child *child, const char *path)
{
  enum { PADDING_MAX = 4096 };
  char padding[PADDING_MAX] = "";
  const char *seed = arena_format("%zu", run->options->seed);
  const char *const argv[] = {path, "--serve", "--seed", seed, NULL};
  memset(padding, 'x', stats_below(&run->random, PADDING_MAX));
  setenv("ACCEL_BENCH_PAD", padding, 1);
  if (!gate_child_start(child, argv, false, run->problems)) return NULL;
  return gate_child_ask(child, NULL, ANSWER_MS, run->problems);
}

/* False if the answer is an error, which *failure_out then says, or if the program broke, which is
 * a problem. */
static bool ask(ab_run *run, gate_child *child, const char *line, gate_json *json,
                const char **failure_out)
{
  const char *answer = gate_child_ask(child, line, ANSWER_MS, run->problems);
  *failure_out = NULL;
  if (!answer || !gate_json_open(json, child->name, answer, strlen(answer), run->problems))
    return false;
  const char *error = gate_json_text(json, json->root, "error");
  if (!error) return true;
  *failure_out = arena_copy(error);
  gate_json_release(json);
  return false;
}

/* ---- what there is ---- */

static ab_bench *find_bench(ab_run *run, const char *id)
{
  for (size_t i = 0; i < run->count; i++)
    if (strcmp(run->benches[i].about.id, id) == 0) return &run->benches[i];
  run->benches = arena_grow(run->benches, run->count, &run->capacity, sizeof *run->benches);
  ab_bench *bench = &run->benches[run->count++];
  *bench = (ab_bench){.about = {.id = arena_copy(id)}};
  for (int side = 0; side < AB_SIDES; side++) bench->allocs[side] = bench->peak_bytes[side] = NAN;
  return bench;
}

/* What both sides say of a bench, the current one last. */
static void list_bench(ab_run *run, gate_json *json, json_t *object, int side)
{
  const char *id = gate_json_text(json, object, "id");
  if (!id || gate_id_fault(id) || !gate_limits_judges(run->limits, id)) return;
  ab_bench *bench = find_bench(run, id);
  bench->about.full_id = bench->about.id;
  gate_read_about(&bench->about, json, object);
  bench->is_on[side] = true;
}

static bool list_side(ab_run *run, gate_child *child, int side)
{
  gate_json json;
  size_t index;
  json_t *object;
  const char *failure;
  if (!ask(run, child, "list", &json, &failure)) return false;
  json_array_foreach(gate_json_array(&json, json.root, "benches"), index, object)
      list_bench(run, &json, object, side);
  json_array_foreach(gate_json_array(&json, json.root, "skipped"), index, object)
  {
    const char *id = gate_json_text(&json, object, "id");
    const char *reason = gate_json_text(&json, object, "reason");
    if (id && !gate_id_fault(id)) gate_pairs_set(&run->skipped, id, reason ? reason : "");
  }
  gate_json_release(&json);
  return !json.is_wrong;
}

static bool check_greeting(ab_run *run, const char *text, const char *path)
{
  gate_json greeting;
  if (!gate_json_open(&greeting, path, text, strlen(text), run->problems)) return false;
  gate_pairs_read(&run->build, gate_json_object(&greeting, greeting.root, "build"));
  gate_json_release(&greeting);
  const char *type = gate_pairs_get(&run->build, "type");
  return !type || strcmp(type, "release") == 0 ||
         gate_wrong(run->problems, "%s is a %s build; only release builds are measured", path,
                    type);
}

static bool list_program(ab_run *run, int side)
{
  gate_child child;
  const char *path = run->programs[side];
  if (!path) return true;
  const char *greeting = start_side(run, &child, path);
  const bool is_listed =
      greeting && check_greeting(run, greeting, path) && list_side(run, &child, side);
  gate_child_end(&child);
  return is_listed;
}

bool ab_list(ab_run *run)
{
  return list_program(run, AB_BASE) && list_program(run, AB_NOW);
}

/* ---- one slice ---- */

static bool calibrate(ab_run *run, gate_child *child, ab_bench *bench, double *ns_out)
{
  gate_json json;
  const char *line = arena_format("calibrate %zu %s", run->options->warm_up_ms, bench->about.id);
  if (!ask(run, child, line, &json, &bench->failure)) return false;
  const double iterations = gate_json_number(&json, json.root, "iters", GATE_POSITIVE);
  *ns_out = gate_json_number(&json, json.root, "ns", GATE_POSITIVE) / iterations;
  gate_json_release(&json);
  return isfinite(*ns_out) || gate_wrong(run->problems, "%s answered no usable time for %s",
                                         child->name, bench->about.id);
}

/* What one side measured in its turns of a round. */
typedef struct slice {
  gate_numbers times;
  gate_numbers tails;
} slice;

static bool run_turn(ab_run *run, gate_child *child, ab_bench *bench, slice *found, int side)
{
  gate_json json;
  /* Percentiles of single operations take their time: once in a round. */
  const char *command = found->times.count == 0 ? "run" : "turn";
  const char *line =
      arena_format("%s %zu %d %s", command, bench->iterations, TURN_SAMPLES, bench->about.id);
  if (!ask(run, child, line, &json, &bench->failure)) return false;
  const gate_numbers times = gate_json_numbers(&json, json.root, "times", GATE_POSITIVE);
  const double tail = gate_json_number(&json, json.root, "p95_op", GATE_POSITIVE);
  bench->allocs[side] = gate_json_number(&json, json.root, "allocs", GATE_NOT_NEGATIVE);
  bench->peak_bytes[side] = gate_json_number(&json, json.root, "peak_bytes", GATE_NOT_NEGATIVE);
  const bool is_usable = !json.is_wrong && times.count > 0;
  gate_json_release(&json);
  if (!is_usable)
    return gate_wrong(run->problems, "%s answered no usable times for %s", child->name,
                      bench->about.id);
  for (size_t i = 0; i < times.count; i++)
    gate_numbers_add(&found->times, times.values[i] / (double)bench->iterations);
  if (isfinite(tail)) gate_numbers_add(&found->tails, tail);
  return true;
}

static void add_round(ab_series *series, int side, const slice *found)
{
  const gate_numbers *times = &found->times, *tails = &found->tails;
  gate_numbers_add(&series->medians[side], stats_median(times->values, times->count));
  gate_numbers_add(&series->means[side], stats_mean(times->values, times->count));
  if (tails->count > 0)
    gate_numbers_add(&series->tails[side], stats_median(tails->values, tails->count));
}

/* Of one side in a round. */
static size_t turns_of(const ab_options *options)
{
  const size_t fitting = options->slice_ms / (TURN_SAMPLES * SAMPLE_MS);
  return fitting < TURNS_MIN ? TURNS_MIN : fitting / 2 * 2;
}

/* Both sides warm up, then take turns: ABBA and so on in one round, BAAB in the next, so that a
 * drift within a round falls on both alike. The number of iterations is found once, by the slower
 * side, and stays: both do the same work. */
static bool run_bench(ab_run *run, gate_child *children, ab_bench *bench, ab_series *series)
{
  double ns[AB_SIDES];
  slice found[AB_SIDES] = {0};
  const size_t round = series->medians[AB_BASE].count, turns = turns_of(run->options);
  /* A shared machine changes its speed by a third, on each processor by itself and for tens of
   * milliseconds. Both sides on one processor, in turns of a few milliseconds, see the same of it.
   * Two rounds, one in either order, are on one processor, the next two on the next. */
  for (int side = 0; side < AB_SIDES; side++)
    if (!gate_child_keep(&children[side], round / 2)) run->is_unplaced = true;
  for (int side = 0; side < AB_SIDES; side++)
    if (!calibrate(run, &children[side], bench, &ns[side])) return false;
  if (bench->iterations == 0) {
    const double slice_ns = (double)run->options->slice_ms * 1e6;
    const double samples = (double)(turns * TURN_SAMPLES);
    const double fitting = slice_ns / samples / fmax(ns[AB_BASE], ns[AB_NOW]);
    bench->iterations = fitting < 1 ? 1 : fitting > 1e12 ? (size_t)1e12 : (size_t)fitting;
  }
  for (size_t turn = 0; turn < AB_SIDES * turns; turn++) {
    const bool is_outer = turn % 4 == 0 || turn % 4 == 3;
    const int side = is_outer == (round % 2 == 0) ? AB_BASE : AB_NOW;
    if (!run_turn(run, &children[side], bench, &found[side], side)) return false;
  }
  for (int side = 0; side < AB_SIDES; side++) add_round(series, side, &found[side]);
  return true;
}

/* ---- a round ---- */

static bool run_round(ab_run *run, const bool *is_active, bool is_again, const size_t *order)
{
  gate_child children[AB_SIDES] = {{.to = -1, .from = -1}, {.to = -1, .from = -1}};
  bool is_fine = true;
  for (size_t i = 0; i < run->count && is_fine; i++) {
    ab_bench *bench = &run->benches[order[i]];
    if (!is_active[order[i]] || bench->failure) continue;
    for (int side = 0; side < AB_SIDES && is_fine; side++)
      if (children[side].id == 0)
        is_fine = start_side(run, &children[side], run->programs[side]) != NULL;
    ab_series *series = &bench->series[is_again];
    const bool is_run = is_fine && run_bench(run, children, bench, series);
    is_fine = is_run || bench->failure != NULL;
  }
  for (int side = 0; side < AB_SIDES; side++) gate_child_end(&children[side]);
  return is_fine;
}

bool ab_rounds(ab_run *run, const bool *is_active, bool is_again, size_t rounds)
{
  size_t *order = arena_take(run->count, sizeof *order);
  const int64_t end_ms = is_again ? run->deadline_ms : run->unclear_end_ms;
  int64_t round_ms = 0;
  for (size_t i = 0; i < run->count; i++) order[i] = i;
  for (size_t round = 0; round < rounds; round++) {
    const int64_t start_ms = gate_now_ms();
    const bool is_enough =
        round >= GATE_ROUNDS_MIN || (!is_again && run->rounds_done >= GATE_ROUNDS_MIN);
    if (is_enough && start_ms + round_ms > end_ms) return true;
    for (size_t i = run->count; i > 1; i--) {
      const size_t other = stats_below(&run->random, (uint32_t)i), kept = order[i - 1];
      order[i - 1] = order[other];
      order[other] = kept;
    }
    if (!run_round(run, is_active, is_again, order)) return false;
    if (!is_again) run->rounds_done++;
    round_ms = gate_now_ms() - start_ms;
  }
  return true;
}
