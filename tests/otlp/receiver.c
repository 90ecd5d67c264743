#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "receiver.h"

#include "patience.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t receiver_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool receiver_available(void)
{
  struct stat about;
  if (stat(RECEIVER_MODULES "/node_modules/@opentelemetry", &about) == 0) return true;
  fprintf(stderr, "skipped: the official decoder of OTLP is not installed, because npm or node is "
                  "not (apt-get install npm)\n");
  return false;
}

/* ---- life ---- */

/* Neither end goes to a program that is started later. */
static bool receiver_pipe(int ends[2])
{
  return pipe(ends) == 0 && fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
}

static bool receiver_run(receiver *self, int port)
{
  int orders[2], lines[2];
  char number[16];
  snprintf(number, sizeof number, "%d", port);
  if (!receiver_pipe(orders) || !receiver_pipe(lines)) return false;
  self->pid = fork();
  if (self->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(orders[0], STDIN_FILENO);
    dup2(lines[1], STDOUT_FILENO);
    setenv("NODE_PATH", RECEIVER_MODULES "/node_modules", 1);
    execlp("node", "node", RECEIVER_SCRIPT, number, (char *)NULL);
    _exit(127);
  }
  close(orders[0]);
  close(lines[1]);
  self->in = orders[1];
  self->out = lines[0];
  return self->pid > 0;
}

/* More of what it prints. False: not by the deadline, or it has ended. */
static bool receiver_read(receiver *self, uint64_t until_ms)
{
  char bytes[65536];
  const uint64_t now_ms = receiver_now_ms();
  struct pollfd polled = {.fd = self->out, .events = POLLIN};
  if (poll(&polled, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0) != 1) return false;
  const ssize_t size = read(self->out, bytes, sizeof bytes);
  if (size <= 0) return false;
  self->text = realloc(self->text, self->size + (size_t)size + 1);
  memcpy(self->text + self->size, bytes, (size_t)size);
  self->size += (size_t)size;
  self->text[self->size] = '\0';
  return true;
}

/* The next line; the caller frees it. NULL: none by the deadline. */
static char *receiver_line(receiver *self, uint64_t until_ms)
{
  char *end;
  while (self->text == NULL || (end = strchr(self->text, '\n')) == NULL)
    if (!receiver_read(self, until_ms)) return NULL;
  char *line = strndup(self->text, (size_t)(end - self->text));
  self->size -= (size_t)(end + 1 - self->text);
  memmove(self->text, end + 1, self->size + 1);
  return line;
}

static bool receiver_begin(receiver *self, int port)
{
  self->size = 0;
  if (!receiver_run(self, port)) return false;
  char *line = receiver_line(self, receiver_now_ms() + patience_ms());
  const bool is_ready = line != NULL && sscanf(line, "ready %d", &self->port) == 1;
  free(line);
  snprintf(self->url, sizeof self->url, "%s://127.0.0.1:%d",
           getenv("RECEIVER_CERTIFICATE") == NULL ? "http" : "https", self->port);
  if (!is_ready) receiver_stop(self);
  return is_ready;
}

bool receiver_start(receiver *self)
{
  memset(self, 0, sizeof *self);
  self->kept = json_array();
  signal(SIGPIPE, SIG_IGN); /* an order to one that was killed */
  setenv("no_proxy", "*", 1);
  return receiver_begin(self, 0);
}

/* ---- lines ---- */

/* Reads one line. True: it confirms an order. */
static bool receiver_keep(receiver *self, char *line)
{
  json_error_t error;
  json_t *said = json_loads(line, 0, &error);
  if (said == NULL) fail_msg("the receiver says %s", line);
  free(line);
  const bool is_order = json_object_get(said, "order") != NULL;
  const char *wrong = json_string_value(json_object_get(said, "wrong"));
  if (wrong != NULL) fail_msg("a request was wrong: %s", wrong);
  if (is_order)
    json_decref(said);
  else
    json_array_append_new(self->kept, said);
  return is_order;
}

bool receiver_order(receiver *self, const char *order)
{
  const uint64_t until_ms = receiver_now_ms() + patience_ms();
  if (dprintf(self->in, "%s\n", order) < 0) return false;
  for (char *line; (line = receiver_line(self, until_ms)) != NULL;)
    if (receiver_keep(self, line)) return true;
  return false;
}

static json_t *receiver_take_kept(receiver *self, const char *path)
{
  size_t i;
  json_t *request;
  json_array_foreach(self->kept, i, request)
  {
    if (strcmp(json_string_value(json_object_get(request, "path")), path) != 0) continue;
    json_incref(request);
    json_array_remove(self->kept, i);
    return request;
  }
  return NULL;
}

json_t *receiver_take(receiver *self, const char *path, uint32_t ms)
{
  const uint64_t until_ms = receiver_now_ms() + ms;
  for (;;) {
    json_t *request = receiver_take_kept(self, path);
    if (request != NULL) return request;
    char *line = receiver_line(self, until_ms);
    if (line == NULL) return NULL;
    receiver_keep(self, line);
  }
}

void receiver_sync(receiver *self)
{
  if (self->pid > 0 && !receiver_order(self, "sync")) fail_msg("the receiver does not answer");
}

size_t receiver_drain(receiver *self, const char *path)
{
  size_t count = 0;
  receiver_sync(self);
  for (json_t *request; (request = receiver_take(self, path, 0)) != NULL; count++)
    json_decref(request);
  return count;
}

static void receiver_read_rest(receiver *self)
{
  for (char *line; (line = receiver_line(self, receiver_now_ms() + patience_ms())) != NULL;)
    receiver_keep(self, line);
}

void receiver_kill(receiver *self)
{
  int status;
  if (self->pid <= 0) return;
  kill(self->pid, SIGKILL);
  waitpid(self->pid, &status, 0);
  self->pid = 0;
  receiver_read_rest(self);
  close(self->in);
  close(self->out);
}

bool receiver_restart(receiver *self)
{
  return receiver_begin(self, self->port);
}

void receiver_stop(receiver *self)
{
  receiver_kill(self);
  json_decref(self->kept);
  free(self->text);
  memset(self, 0, sizeof *self);
}

/* ---- reading what was sent ---- */

static json_t *receiver_only(const json_t *object, const char *a, const char *b, const char *c)
{
  const char *const names[] = {a, b, c};
  for (int i = 0; i < 3; i++) {
    json_t *list = json_object_get(object, names[i]);
    if (list != NULL) return list;
  }
  fail_msg("there is no %s, %s or %s", a, b, c);
  return NULL;
}

static json_t *receiver_of_resource(const json_t *request)
{
  const json_t *message = json_object_get(request, "message");
  return json_array_get(receiver_only(message, "resourceMetrics", "resourceSpans", "resourceLogs"),
                        0);
}

json_t *receiver_items(const json_t *request)
{
  const json_t *resource = receiver_of_resource(request);
  const json_t *scope =
      json_array_get(receiver_only(resource, "scopeMetrics", "scopeSpans", "scopeLogs"), 0);
  return receiver_only(scope, "metrics", "spans", "logRecords");
}

json_t *receiver_metric(const json_t *request, const char *name)
{
  size_t i;
  json_t *metric;
  json_array_foreach(receiver_items(request), i, metric)
  {
    if (strcmp(json_string_value(json_object_get(metric, "name")), name) == 0) return metric;
  }
  return NULL;
}

const char *receiver_attribute(const json_t *item, const char *key)
{
  size_t i;
  json_t *attribute;
  json_array_foreach(json_object_get(item, "attributes"), i, attribute)
  {
    if (strcmp(json_string_value(json_object_get(attribute, "key")), key) != 0) continue;
    const json_t *value = json_object_get(attribute, "value");
    const json_t *text = json_object_get(value, "stringValue");
    return json_string_value(text != NULL ? text : json_object_get(value, "intValue"));
  }
  return NULL;
}

json_t *receiver_point(const json_t *request, const char *name, const char *key, const char *value)
{
  size_t i;
  json_t *point;
  const json_t *metric = receiver_metric(request, name);
  if (metric == NULL) return NULL;
  const json_t *data = receiver_only(metric, "sum", "gauge", "exponentialHistogram");
  json_array_foreach(json_object_get(data, "dataPoints"), i, point)
  {
    const char *found = receiver_attribute(point, key);
    if (found != NULL && strcmp(found, value) == 0) return point;
  }
  return NULL;
}

int64_t receiver_value(const json_t *request, const char *name, const char *key, const char *value)
{
  const json_t *point = receiver_point(request, name, key, value);
  const char *number = json_string_value(json_object_get(point, "asInt"));
  return number == NULL ? -1 : strtoll(number, NULL, 10);
}

const char *receiver_resource(const json_t *request, const char *key)
{
  return receiver_attribute(json_object_get(receiver_of_resource(request), "resource"), key);
}

const char *receiver_header(const json_t *request, const char *name)
{
  return json_string_value(json_object_get(json_object_get(request, "headers"), name));
}
