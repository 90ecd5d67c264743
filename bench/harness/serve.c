/* Commands from stdin, one a line, one line of JSON for each on stdout:
 *
 *   list                    what there is
 *   calibrate ID MS         warm up for MS milliseconds; how many iterations took how long
 *   run ID ITERS SAMPLES    the times of so many samples of so many iterations
 *   quit                    or the end of stdin
 *
 * Whatever is wrong is answered by {"error": …}, and the next command is awaited. ID is the folder
 * of the id. A bench stays open from its first command on. */
#include "result.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MOST 100000
#define OPERATIONS 200
#define SLOW_NS 1000.0
#define COUNTED_ITERATIONS 256

typedef struct served {
  bool is_open;
  const char *failure; /* of the first attempt to open it */
} served;

typedef struct server {
  results *all;
  served *cases; /* as many as the suite has */
} server;

static void answer(json *to)
{
  json_end(to);
  char *const text = json_finish(to);
  puts(text != NULL ? text : "{\"error\":\"no memory\"}");
  free(text);
  fflush(stdout);
}

static void answer_error(const char *message)
{
  json to;
  if (!json_open(&to, false)) {
    puts("{\"error\":\"no memory\"}");
    fflush(stdout);
    return;
  }
  json_object(&to, NULL);
  json_string(&to, "error", message);
  answer(&to);
}

static void greet(const results *all)
{
  json to;
  if (!json_open(&to, false)) return;
  json_object(&to, NULL);
  json_integer(&to, "accel_bench", 1);
  json_string(&to, "executable", all->suite->name);
  json_integer(&to, "seed", all->settings->statistics.seed);
  json_string(&to, "run_id", all->run_id);
  result_write_build(&to, all);
  answer(&to);
}

static void list_case(json *to, const results *all, const result *one)
{
  char hash[17];
  const bench_case *const bench = one->bench;
  const unsigned long long hashed = identity_hash(bench, one->id);
  snprintf(hash, sizeof hash, "%016llx", hashed);
  json_object(to, NULL);
  json_string(to, "id", one->id->directory);
  json_string(to, "full_id", one->id->full);
  json_integer(to, "threads", all->settings->plan.threads);
  json_bool(to, "is_local", !bench->is_remote);
  json_integer(to, "elements", bench->elements);
  json_integer(to, "bytes", bench->bytes);
  json_string(to, "bench_hash", hash);
  json_object(to, "params");
  json_integer(to, "seed", all->settings->statistics.seed);
  if (bench->definition != NULL) json_string(to, "definition", bench->definition);
  json_end(to);
  if (bench->target_ns > 0) {
    json_object(to, "targets");
    json_object(to, "time");
    json_number(to, "target", bench->target_ns);
    json_number(to, "acceptable", bench->acceptable_ns);
    json_end(to);
    json_end(to);
  }
  json_end(to);
}

static void list(const results *all)
{
  json to;
  if (!json_open(&to, false)) return;
  json_object(&to, NULL);
  json_array(&to, "benches");
  for (size_t i = 0; i < all->suite->count; i++)
    if (all->list[i].state == RESULT_OK) list_case(&to, all, &all->list[i]);
  json_end(&to);
  json_array(&to, "skipped");
  for (size_t i = 0; i < all->suite->count; i++) {
    if (all->list[i].state != RESULT_SKIPPED) continue;
    json_object(&to, NULL);
    json_string(&to, "id", all->list[i].id->directory);
    json_string(&to, "reason", all->list[i].reason);
    json_end(&to);
  }
  json_end(&to);
  answer(&to);
}

/* Opens the bench of that id, once, after counting what it allocates. NULL: it was answered why. */
static result *open_case(server *self, const char *id)
{
  results *const all = self->all;
  size_t i = 0;
  while (i < all->suite->count &&
         (all->list[i].state != RESULT_OK || strcmp(all->list[i].id->directory, id) != 0))
    i++;
  if (i == all->suite->count) {
    answer_error("there is no such bench, or it is skipped; see list");
    return NULL;
  }
  served *const state = &self->cases[i];
  result *const one = &all->list[i];
  if (!state->is_open && state->failure == NULL) {
    state->failure = measure_allocating(one->bench, COUNTED_ITERATIONS, &one->memory);
    if (state->failure == NULL && one->bench->open != NULL)
      state->failure = one->bench->open(one->bench->ctx);
    state->is_open = state->failure == NULL;
  }
  if (state->is_open) return one;
  answer_error(state->failure);
  return NULL;
}

static void calibrate(server *self, const char *id, uint64_t ms)
{
  json to;
  uint64_t iterations = 0;
  double elapsed_ns = 0;
  const unsigned threads = self->all->settings->plan.threads;
  const result *const one = open_case(self, id);
  if (one == NULL) return;
  const char *const failure =
      measure_warm_up(one->bench, (double)ms / 1e3, threads, &iterations, &elapsed_ns);
  if (failure != NULL || !json_open(&to, false)) {
    answer_error(failure != NULL ? failure : "no memory");
    return;
  }
  json_object(&to, NULL);
  json_string(&to, "id", id);
  json_integer(&to, "iters", iterations);
  json_number(&to, "ns", elapsed_ns);
  answer(&to);
}

static void answer_run(const result *one, const measure_samples *samples,
                       const measure_latency *latency)
{
  json to;
  if (!json_open(&to, false)) return;
  json_object(&to, NULL);
  json_string(&to, "id", one->id->directory);
  json_integer(&to, "iters", (uint64_t)samples->iterations[0]);
  json_array(&to, "times");
  for (size_t i = 0; i < samples->count; i++) json_number(&to, NULL, samples->times[i]);
  json_end(&to);
  json_number(&to, "allocs", one->memory.allocations);
  json_integer(&to, "peak_bytes", one->memory.peak_bytes);
  if (latency->count > 0) {
    json_number(&to, "p95_op", latency->p95);
    json_number(&to, "p99_op", latency->p99);
  } else {
    json_null(&to, "p95_op");
    json_null(&to, "p99_op");
  }
  json_integer(&to, "involuntary", samples->involuntary_switches);
  json_number(&to, "steal_ratio", samples->steal_ratio);
  answer(&to);
}

static void run(server *self, const char *id, uint64_t iterations, size_t count, bool has_tails)
{
  measure_samples samples = {.count = count};
  measure_latency latency = {0};
  const result *const one = open_case(self, id);
  if (one == NULL) return;
  samples.iterations = (double *)malloc(count * sizeof(double));
  samples.times = (double *)malloc(count * sizeof(double));
  const char *failure = "no memory";
  if (samples.iterations != NULL && samples.times != NULL) {
    for (size_t i = 0; i < count; i++) samples.iterations[i] = (double)iterations;
    failure = measure_repeat(one->bench, self->all->settings->plan.threads, &samples);
  }
  if (failure == NULL && has_tails && samples.times[0] / (double)iterations >= SLOW_NS)
    failure = measure_operations(one->bench, .05, OPERATIONS, &latency);
  if (failure != NULL)
    answer_error(failure);
  else
    answer_run(one, &samples, &latency);
  free(samples.iterations);
  free(samples.times);
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
  server self = {all, (served *)calloc(all->suite->count, sizeof(served))};
  if (self.cases == NULL) return 1;
  greet(all);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "quit") == 0) break;
    obey(&self, line);
  }
  for (size_t i = 0; i < all->suite->count; i++) {
    const bench_case *const bench = all->list[i].bench;
    if (self.cases[i].is_open && bench->close != NULL) bench->close(bench->ctx);
  }
  free(self.cases);
  return 0;
}
