/* Commands from stdin, one a line, one line of JSON for each on stdout:
 *
 *   list                    what there is
 *   calibrate MS ID         warm up for MS milliseconds; how many iterations took how long
 *   run ITERS SAMPLES ID    the times of so many samples of so many iterations
 *   turn ITERS SAMPLES ID   the same without percentiles of single operations
 *   quit                    or the end of stdin
 *
 * Whatever is wrong is answered by {"error": …}, and the next command is awaited. ID is the folder
 * of the id. A bench stays open until another one is asked for, since benches may share what they
 * open. */
#include "result.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_MOST 100000
#define OPERATIONS 200

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

static json_t *about_case(const result *one)
{
  return json_pack("{s:s, s:s, s:s, s:o*}", "id", one->id->directory, "full_id", one->id->full,
                   "bench_hash", identity_hash(one->bench, one->id), "targets",
                   result_targets(one->bench));
}

static void list(const results *all)
{
  json_t *const benches = json_array(), *const skipped = json_array();
  for (size_t i = 0; i < all->suite->count; i++) {
    const result *const one = &all->list[i];
    if (one->state == RESULT_OK) json_array_append_new(benches, about_case(one));
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
      one->reason = measure_allocating(bench, MEASURE_COUNTED, &one->memory);
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

static void calibrate(server *self, const char *id, long long ms)
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

static void answer_run(const result *one, const measure_samples *samples,
                       const stats_percentiles *tails)
{
  answer(json_pack("{s:s, s:I, s:o, s:o, s:I, s:o}", "id", one->id->directory, "iters",
                   (json_int_t)samples->iterations[0], "times",
                   json_figures(samples->times, samples->count), "allocs",
                   json_figure(one->memory.allocations), "peak_bytes",
                   (json_int_t)one->memory.peak_bytes, "p95_op",
                   tails->count > 0 ? json_figure(tails->p95) : json_null()));
}

static void run(server *self, const char *id, uint64_t iterations, size_t count, bool has_tails)
{
  measure_samples samples = measure_samples_of(count, (double)iterations);
  stats_percentiles tails = {0};
  const result *const one = open_case(self, id);
  if (one == NULL) return;
  const char *failure = measure_repeat(one->bench, &samples);
  if (failure == NULL && has_tails && samples.times[0] / (double)iterations >= MEASURE_SLOW_NS)
    failure = measure_operations(one->bench, .05, OPERATIONS, &tails);
  if (failure != NULL)
    answer_error(failure);
  else
    answer_run(one, &samples, &tails);
}

static void obey(server *self, const char *line)
{
  long long ms, iterations;
  size_t count;
  int at = 0; /* where the id begins */
  const bool has_tails = strncmp(line, "run ", 4) == 0;
  if (strcmp(line, "list") == 0)
    list(self->all);
  else if (sscanf(line, "calibrate %lld %n", &ms, &at) == 1 && at > 0 && ms >= 0 && ms <= 60000)
    calibrate(self, line + at, ms);
  else if (sscanf(line, has_tails ? "run %lld %zu %n" : "turn %lld %zu %n", &iterations, &count,
                  &at) == 2 &&
           at > 0 && iterations > 0 && count > 0 && count <= SAMPLES_MOST)
    run(self, line + at, (uint64_t)iterations, count, has_tails);
  else
    answer_error("commands: list; calibrate MS ID; run ITERS SAMPLES ID; turn ITERS SAMPLES ID, "
                 "which is run without percentiles; quit");
}

int serve(results *all)
{
  char line[1024];
  server self = {all, NULL};
  answer(json_pack("{s:i, s:s, s:o}", "accel_bench", 1, "executable", all->suite->name, "build",
                   result_build(all)));
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "quit") == 0) break;
    obey(&self, line);
  }
  close_open_case(&self);
  return 0;
}
