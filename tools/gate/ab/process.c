#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN_MAX = 16, END_MS = 2000 };

static pid_t children[CHILDREN_MAX];
static volatile sig_atomic_t caught;

static void note_signal(int number)
{
  caught = number;
}

void gate_catch_signals(void)
{
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  /* Without SA_RESTART: what waits is to wake. */
  struct sigaction action = {.sa_handler = note_signal};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
}

int gate_interrupted(void)
{
  return caught;
}

static void know(pid_t from, pid_t to)
{
  for (size_t i = 0; i < CHILDREN_MAX; i++) {
    if (children[i] != from) continue;
    children[i] = to;
    return;
  }
}

/* In the child. Signals that the parent ignores or catches are as usual again. */
static void become(const char *const *argv, const char *environment, int in, int out,
                   bool joins_errors)
{
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], SIG_DFL);
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) _exit(126);
  if (joins_errors && dup2(out, STDERR_FILENO) < 0) _exit(126);
  char pair[8192];
  if (environment && strlen(environment) < sizeof pair) {
    strcpy(pair, environment);
    putenv(pair);
  }
  enum { WORDS_MAX = 256 };
  char *words[WORDS_MAX] = {NULL}; /* exec promises not to change them, but its type does not */
  size_t count = 0;
  while (argv[count] && count + 1 < WORDS_MAX) count++;
  if (argv[count]) _exit(126);
  memcpy(words, argv, count * sizeof *words);
  execvp(words[0], words);
  fprintf(stderr, "error: cannot run %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

static void close_all(int *pipes)
{
  for (int i = 0; i < 4; i++)
    if (pipes[i] >= 0) close(pipes[i]);
}

bool gate_child_start(gate_child *child, bench_arena *arena, const char *const *argv,
                      const char *environment, bool joins_errors, gate_problems *problems)
{
  int pipes[4] = {-1, -1, -1, -1};
  *child = (gate_child){.to = -1, .from = -1, .output = {.arena = arena}};
  child->name = arena_copy(arena, argv[0]);
  if (pipe2(pipes, O_CLOEXEC) != 0 || pipe2(pipes + 2, O_CLOEXEC) != 0) {
    const int error = errno;
    close_all(pipes);
    return gate_wrong(problems, NULL, "cannot run %s: %s", argv[0], strerror(error));
  }
  fflush(stdout);
  const pid_t id = fork();
  if (id == 0) become(argv, environment, pipes[0], pipes[3], joins_errors);
  if (id < 0) {
    close_all(pipes);
    return gate_wrong(problems, NULL, "cannot run %s: %s", argv[0], strerror(errno));
  }
  close(pipes[0]);
  close(pipes[3]);
  know(0, id);
  child->id = id;
  child->to = pipes[1];
  child->from = pipes[2];
  return true;
}

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads once: 1 if something came, 0 at the end, -1 if a signal came or time is up. */
static int read_some(gate_child *child, int timeout_ms)
{
  char bytes[16384];
  struct pollfd waited = {.fd = child->from, .events = POLLIN};
  if (caught || poll(&waited, 1, timeout_ms) <= 0) return -1;
  const ssize_t count = read(child->from, bytes, sizeof bytes);
  if (count < 0) return errno == EINTR && !caught ? 1 : -1;
  gate_text_add_bytes(&child->output, bytes, (size_t)count);
  return count > 0;
}

static const char *take_line(gate_child *child)
{
  gate_text *text = &child->output;
  char *end = text->length > 0 ? memchr(text->bytes, '\n', text->length) : NULL;
  if (!end) return NULL;
  const size_t length = (size_t)(end - text->bytes);
  const char *line = arena_copy_bytes(text->arena, text->bytes, length);
  text->length -= length + 1;
  memmove(text->bytes, end + 1, text->length);
  text->bytes[text->length] = '\0';
  return line;
}

const char *gate_child_line(gate_child *child, int timeout_ms, gate_problems *problems)
{
  enum { LINE_BYTES_MAX = 16 * 1024 * 1024 };
  const int64_t deadline = now_ms() + timeout_ms;
  for (;;) {
    const char *line = take_line(child);
    if (line) return line;
    const int64_t left = deadline - now_ms();
    const int came =
        left > 0 && child->output.length < LINE_BYTES_MAX ? read_some(child, (int)left) : -1;
    if (came > 0) continue;
    gate_wrong(problems, NULL, "%s %s", child->name,
               caught      ? "was interrupted"
               : came == 0 ? "ended without an answer"
                           : "gave no answer in time");
    return NULL;
  }
}

const char *gate_child_ask(gate_child *child, const char *line, int timeout_ms,
                           gate_problems *problems)
{
  const char *text = arena_format(child->output.arena, "%s\n", line);
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t count = write(child->to, text, left);
    if (count < 0 && errno == EINTR && !caught) continue;
    if (count <= 0) {
      gate_wrong(problems, NULL, "%s takes no more commands", child->name);
      return NULL;
    }
    text += count;
    left -= (size_t)count;
  }
  return gate_child_line(child, timeout_ms, problems);
}

bool gate_child_keep(const gate_child *child, size_t turn)
{
  cpu_set_t all, one;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return false;
  size_t left = turn % (size_t)CPU_COUNT(&all), processor = 0;
  while (!CPU_ISSET(processor, &all) || left-- > 0) processor++;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  return sched_setaffinity(child->id, sizeof one, &one) == 0;
}

static void close_ends(gate_child *child)
{
  if (child->to >= 0) close(child->to);
  if (child->from >= 0) close(child->from);
  child->to = child->from = -1;
}

int gate_child_finish(gate_child *child, int timeout_ms, const char **output_out)
{
  const int64_t end_ms = now_ms() + timeout_ms;
  int status = 0, came;
  if (child->to >= 0) close(child->to);
  child->to = -1;
  do {
    const int64_t left_ms = end_ms - now_ms();
    came = read_some(child, timeout_ms < 0 ? -1 : left_ms > 0 ? (int)left_ms : 0);
  } while (came > 0);
  *output_out = gate_text_c(&child->output);
  if (came < 0) {
    kill(child->id, SIGTERM);
    gate_child_end(child);
    return -1;
  }
  while (waitpid(child->id, &status, 0) < 0 && errno == EINTR) continue;
  know(child->id, 0);
  child->id = 0;
  close_ends(child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void end_process(pid_t id)
{
  const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
  int status;
  for (int waited_ms = 0; waited_ms < END_MS; waited_ms += 5) {
    if (waitpid(id, &status, WNOHANG) != 0) return;
    if (waited_ms == END_MS / 4) kill(id, SIGTERM);
    nanosleep(&moment, NULL);
  }
  kill(id, SIGKILL);
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) continue;
}

void gate_child_end(gate_child *child)
{
  if (child->id == 0) return;
  close_ends(child);
  if (caught) kill(child->id, SIGTERM);
  end_process(child->id);
  know(child->id, 0);
  child->id = 0;
}

void gate_children_end(void)
{
  for (size_t i = 0; i < CHILDREN_MAX; i++) {
    if (children[i] == 0) continue;
    kill(children[i], SIGTERM);
    end_process(children[i]);
    children[i] = 0;
  }
}

int gate_run(bench_arena *arena, const char *const *argv, const char **output_out,
             gate_problems *problems)
{
  gate_child child;
  *output_out = "";
  if (!gate_child_start(&child, arena, argv, NULL, true, problems)) return -1;
  return gate_child_finish(&child, -1, output_out);
}
