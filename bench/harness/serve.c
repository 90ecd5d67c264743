/* Commands from stdin, one a line, one line of JSON for each on stdout:
 *
 *   list                    what there is
 *   calibrate ID MS         warm up for MS milliseconds; how many iterations took how long
 *   run ID ITERS SAMPLES    the times of so many samples of so many iterations
 *   quit                    or the end of stdin
 *
 * Whatever is wrong is answered by {"error": …}, and the next command is awaited. ID is the folder
 * of the id. A bench stays open until another one is asked for, since benches may share what they
 * open. */
#include "result.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MOST 100000
#define OPERATIONS 200
#define SLOW_NS 1000.0
#define COUNTED_ITERATIONS 256

typedef struct server {
  results *all;
  const result *open; /* or NULL */
} server;

static void answer(json_t *what)
{
  char *const text = json_text(what, false);
  puts(text != NULL ? text : "{\"error\":\"no memory\"}");
  free(text);
  fflush(stdout);
}

static void answer_error(const char *message)
{
  answer(json_pack("{s:o}", "error", json_words(message)));
}

static json_t *about_case(const results *all, const result *one)
{
  return json_pack("{s:s, s:s, s:s, s:o*}", "id", one->id->directory, "full_id", one->id->full,
                   "bench_hash", identity_hash(all->arena, one->bench, one->id), "targets",
                   result_targets(one->bench));
}

static void list(const results *all)
{
  json_t *const benches = json_array(), *const skipped = json_array();
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state == RESULT_OK) json_array_append_new(benches, about_case(all, one));
    if (one->state == RESULT_SKIPPED)
      json_array_append_new(skipped, json_pack("{s:s, s:o}", "id", one->id->directory, "reason",
                                               json_words(one->reason)));
  }
  answer(json_pack("{s:o, s:o}", "benches", benches, "skipped", skipped));
}

static void close_open_case(server *self)
{
  const bench_case *const bench = self->open != NULL ? self->open->bench : NULL;
  if (bench != NULL && bench->close != NULL) bench->close(bench->ctx);
  self->open = NULL;
}

/* Opens the bench of that id, the first time after counting what it allocates. NULL: the reason was
 * answered. */
static const result *open_case(server *self, const char *id)
{
  results *const all = self->all;
  for (size_t i = 0; i < all->suite->count; i++) {
    result *const one = &all->list[i];
    const bench_case *const bench = one->bench;
    const bool is_known = one->state == RESULT_OK || one->state == RESULT_FAILED;
    if (!is_known || strcmp(one->id->directory, id) != 0) continue;
    if (self->open == one) return one;
    close_open_case(self);
    if (one->state == RESULT_OK && !one->is_counted)
      one->reason = measure_allocating(bench, COUNTED_ITERATIONS, &one->memory);
    one->is_counted = true;
    if (one->reason == NULL && bench->open != NULL) one->reason = bench->open(bench->ctx);
    if (one->reason == NULL) return self->open = one;
    one->state = RESULT_FAILED;
    answer_error(one->reason);
    return NULL;
  }
  answer_error("there is no such bench, or it is skipped; see list");
  return NULL;
}

static void calibrate(server *self, const char *id, uint64_t ms)
{
  uint64_t iterations = 0;
  double elapsed_ns = 0;
  const result *const one = open_case(self, id);
  if (one == NULL) return;
  const char *const failure =
      measure_warm_up(one->bench, (double)ms / 1e3, &iterations, &elapsed_ns);
  if (failure != NULL)
    answer_error(failure);
  else
    answer(json_pack("{s:s, s:I, s:o}", "id", id, "iters", (json_int_t)iterations, "ns",
                     json_figure(elapsed_ns)));
}

static json_t *figure_of(const measure_latency *latency, double ns)
{
  return json_figure(latency->count > 0 ? ns : NAN);
}

static void answer_run(const result *one, const measure_samples *samples,
                       const measure_latency *latency)
{
  answer(json_pack("{s:s, s:I, s:o, s:o, s:I, s:o, s:o}", "id", one->id->directory, "iters",
                   (json_int_t)samples->iterations[0], "times",
                   json_figures(samples->times, samples->count), "allocs",
                   json_figure(one->memory.allocations), "peak_bytes",
                   (json_int_t)one->memory.peak_bytes, "p95_op", figure_of(latency, latency->p95),
                   "p99_op", figure_of(latency, latency->p99)));
}

static void run(server *self, const char *id, uint64_t iterations, size_t count, bool has_tails)
{
  measure_samples samples = {.count = count};
  measure_latency latency = {0};
  const result *const one = open_case(self, id);
  if (one == NULL) return;
  bench_arena arena = {0};
  samples.iterations = (double *)arena_take(&arena, count, sizeof(double));
  samples.times = (double *)arena_take(&arena, count, sizeof(double));
  for (size_t i = 0; i < count; i++) samples.iterations[i] = (double)iterations;
  const char *failure = measure_repeat(one->bench, &samples);
  if (failure == NULL && has_tails && samples.times[0] / (double)iterations >= SLOW_NS)
    failure = measure_operations(one->bench, .05, OPERATIONS, &latency);
  if (failure != NULL)
    answer_error(failure);
  else
    answer_run(one, &samples, &latency);
  arena_release(&arena);
}

/* Cuts the last word off `line`, if it is a whole number. An id may hold blanks. */
static bool cut_number(char *line, uint64_t *out)
{
  char *end, *const blank = strrchr(line, ' ');
  if (blank == NULL || !isdigit((unsigned char)blank[1])) return false;
  *out = strtoull(blank + 1, &end, 10);
  if (*end != '\0') return false;
  *blank = '\0';
  return true;
}

static bool obey_calibrate(server *self, char *rest)
{
  uint64_t ms;
  if (!cut_number(rest, &ms) || ms > 60000) return false;
  calibrate(self, rest, ms);
  return true;
}

static bool obey_run(server *self, char *rest, bool has_tails)
{
  uint64_t samples, iterations;
  if (!cut_number(rest, &samples) || samples == 0 || samples > SAMPLES_MOST) return false;
  if (!cut_number(rest, &iterations) || iterations == 0) return false;
  run(self, rest, iterations, (size_t)samples, has_tails);
  return true;
}

static void obey(server *self, char *line)
{
  bool is_known = strcmp(line, "list") == 0;
  if (is_known)
    list(self->all);
  else if (strncmp(line, "calibrate ", 10) == 0)
    is_known = obey_calibrate(self, line + 10);
  else if (strncmp(line, "run ", 4) == 0)
    is_known = obey_run(self, line + 4, true);
  else if (strncmp(line, "turn ", 5) == 0)
    is_known = obey_run(self, line + 5, false);
  if (!is_known)
    answer_error("commands: list; calibrate ID MS; run ID ITERS SAMPLES; turn ID ITERS SAMPLES, "
                 "which is run without percentiles; quit");
}

int serve(results *all)
{
  char line[1024];
  server self = {all, NULL};
  answer(json_pack("{s:i, s:s, s:I, s:s, s:o}", "accel_bench", 1, "executable", all->suite->name,
                   "seed", (json_int_t)all->settings->statistics.seed, "run_id", all->run_id,
                   "build", result_build(all)));
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "quit") == 0) break;
    obey(&self, line);
  }
  close_open_case(&self);
  return 0;
}
