#include "ab.h"

#include "harness/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t caught;

static void note_signal(int number)
{
  caught = number;
}

void gate_catch_signals(void)
{
  /* Without SA_RESTART: what waits is to wake. */
  struct sigaction action = {.sa_handler = note_signal};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < 3; i++) sigaction(ending_signals[i], &action, NULL);
}

int gate_interrupted(void)
{
  return caught;
}

int64_t gate_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child. Signals that this process ignores are as usual again. */
static void become(const char *const *argv, int in, int out, bool joins_errors)
{
  char *const *words;
  memcpy(&words, &argv, sizeof words); /* execvp changes no word, whatever its type says */
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  if (joins_errors) dup2(out, STDERR_FILENO);
  execvp(words[0], words);
  dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

bool gate_child_start(gate_child *child, const char *const *argv, bool joins_errors,
                      gate_problems *problems)
{
  int in[2] = {-1, -1}, out[2] = {-1, -1};
  *child = (gate_child){.to = -1, .from = -1, .output = {0}};
  child->name = arena_copy(argv[0]);
  const bool has_pipes = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0;
  child->id = has_pipes ? fork() : -1;
  if (child->id == 0) become(argv, in[0], out[1], joins_errors);
  const int error = errno;
  child->to = in[1];
  child->from = out[0];
  close(in[0]);
  close(out[1]);
  if (child->id > 0) return true;
  close(in[1]);
  close(out[0]);
  child->id = 0;
  return gate_wrong(problems, "cannot run %s: %s", argv[0], strerror(error));
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
  const char *line = arena_copy_bytes(text->bytes, length);
  text->length -= length + 1;
  memmove(text->bytes, end + 1, text->length + 1);
  return line;
}

const char *gate_child_ask(gate_child *child, const char *line, int timeout_ms,
                           gate_problems *problems)
{
  enum { LINE_BYTES_MAX = 16 * 1024 * 1024 };
  const int64_t deadline = gate_now_ms() + timeout_ms;
  const char *sent = line ? arena_format("%s\n", line) : "";
  if (!file_write_all(child->to, sent, strlen(sent))) {
    gate_wrong(problems, "%s takes no more commands", child->name);
    return NULL;
  }
  for (;;) {
    const char *answer = take_line(child);
    if (answer) return answer;
    const int64_t left = deadline - gate_now_ms();
    const int came =
        left > 0 && child->output.length < LINE_BYTES_MAX ? read_some(child, (int)left) : -1;
    if (came > 0) continue;
    gate_wrong(problems, "%s %s", child->name,
               caught      ? "was interrupted"
               : came == 0 ? "ended without an answer"
                           : "gave no answer in time");
    return NULL;
  }
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

static void close_stdin(gate_child *child)
{
  if (child->to >= 0) close(child->to);
  child->to = -1;
}

int gate_child_finish(gate_child *child, const char **output_out)
{
  int status = 0, came = 1;
  close_stdin(child);
  while (came > 0) came = read_some(child, -1);
  *output_out = gate_text_c(&child->output);
  if (came < 0) {
    kill(child->id, SIGTERM);
    gate_child_end(child);
    return -1;
  }
  close(child->from);
  while (waitpid(child->id, &status, 0) < 0 && errno == EINTR) continue;
  child->id = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void gate_child_end(gate_child *child)
{
  enum { END_MS = 2000, STEP_MS = 5 };
  const struct timespec step = {.tv_nsec = STEP_MS * 1000 * 1000};
  if (child->id == 0) return;
  close_stdin(child);
  close(child->from);
  if (caught) kill(child->id, SIGTERM);
  for (int waited_ms = 0; waitpid(child->id, NULL, WNOHANG) == 0; waited_ms += STEP_MS) {
    if (waited_ms == END_MS / 4) kill(child->id, SIGTERM);
    if (waited_ms == END_MS) kill(child->id, SIGKILL);
    nanosleep(&step, NULL);
  }
  child->id = 0;
}

int gate_run(const char *const *argv, const char **output_out, gate_problems *problems)
{
  gate_child child;
  *output_out = "";
  if (!gate_child_start(&child, argv, true, problems)) return -1;
  return gate_child_finish(&child, output_out);
}
