/* service.c: a small service with caches, whose observer answers over HTTP.
 *
 * usage: service COUNT
 *
 * Prints its port and serves until its input ends. Each line of input is a command, which a line
 * answers: "read CACHE FROM TO" reads keys, "fail" and "mend" decide what loads do, "down CACHE"
 * and "up CACHE" break and mend the channel, "asked" prints the targets that were asked for.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel.h"
#include "accel_backends/fake.h"

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

#define SERVICE_CACHES_MAX 100

static row_cache caches[SERVICE_CACHES_MAX];
static accel_fake fake;
static accel_observer observer;
static bool loads_fail;
static char asked[100000];

static accel_status load_row(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  *out = id;
  return loads_fail ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static void demand(bool is_right, const char *what)
{
  if (is_right) return;
  fprintf(stderr, "service: %s\n", what);
  exit(1);
}

/* Answers one request. Any HTTP server does: it needs the method and the target. */
static void answer(FILE *connection, const char *method, const char *target)
{
  accel_answer answer;
  if (!accel_observer_answer(&observer, method, target, &answer)) {
    fprintf(connection, "HTTP/1.0 404 Not Found\r\n\r\n");
    return;
  }
  fprintf(connection, "HTTP/1.0 %d \r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
          answer.status, answer.content_type, answer.body.size);
  fwrite(answer.body.data, 1, answer.body.size, connection);
  accel_answer_release(&answer);
}

static void serve(int listener)
{
  const int accepted = accept(listener, NULL, NULL);
  FILE *connection = accepted < 0 ? NULL : fdopen(accepted, "r+");
  if (connection == NULL) return;
  char line[2000], method[16], target[1000];
  const bool is_request = fgets(line, sizeof line, connection) != NULL &&
                          sscanf(line, "%15s %999s", method, target) == 2;
  while (fgets(line, sizeof line, connection) != NULL && strcmp(line, "\r\n") != 0) continue;
  if (is_request) {
    const size_t used = strlen(asked);
    snprintf(asked + used, sizeof asked - used, " %s", target);
    fseek(connection, 0, SEEK_CUR); /* from reading to writing */
    answer(connection, method, target);
  }
  fclose(connection);
}

static void read_rows(int cache, int from, int to)
{
  for (uint64_t id = (uint64_t)from; id < (uint64_t)to; id++) {
    uint64_t row;
    (void)!row_cache_get(&caches[cache], id, &row);
  }
}

static void obey(const char *command)
{
  int cache = 0, from = 0, to = 0;
  if (sscanf(command, "read %d %d %d", &cache, &from, &to) == 3)
    read_rows(cache, from, to);
  else if (sscanf(command, "down %d", &cache) == 1)
    accel_fake_channel_down(&fake, (size_t)cache);
  else if (sscanf(command, "up %d", &cache) == 1)
    accel_fake_channel_up(&fake, (size_t)cache);
  else if (strncmp(command, "asked", 5) == 0)
    printf("%s", asked);
  else
    loads_fail = strncmp(command, "fail", 4) == 0;
  printf("\n");
  fflush(stdout);
}

static int listen_anywhere(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  demand(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0, "no port");
  demand(listen(listener, 16) == 0, "no listener");
  demand(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "no address");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void open_caches(int count)
{
  demand(accel_fake_open(&fake, NULL) == ACCEL_OK, "no fake");
  demand(accel_observer_open(&observer, NULL) == ACCEL_OK, "no observer");
  for (int i = 0; i < count; i++) {
    char area[16];
    snprintf(area, sizeof area, "area_%d", i);
    const accel_config config = {.area = area,
                                 .observer = &observer,
                                 .capacity = 5000,
                                 .loader_timeout_ms = ACCEL_FOREVER,
                                 .remote = &fake};
    demand(row_cache_open(&caches[i], &config) == ACCEL_OK, row_cache_last_error(&caches[i]));
    row_cache_set_loader(&caches[i], load_row, NULL);
  }
}

int main(int argument_count, char **arguments)
{
  const int count = argument_count == 2 ? atoi(arguments[1]) : 0;
  demand(count > 0 && count <= SERVICE_CACHES_MAX, "usage: service COUNT");
  signal(SIGPIPE, SIG_IGN);
  open_caches(count);
  const int listener = listen_anywhere();
  char command[100];
  setvbuf(stdin, NULL, _IONBF, 0); /* what was read ahead would not wake poll */
  for (;;) {
    struct pollfd ready[] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    demand(poll(ready, 2, -1) > 0, "poll failed");
    if (ready[1].revents != 0) serve(listener);
    if (ready[0].revents == 0) continue;
    if (fgets(command, sizeof command, stdin) == NULL) break;
    obey(command);
  }
  for (int i = 0; i < count; i++) row_cache_close(&caches[i]);
  accel_observer_close(&observer);
  accel_fake_close(&fake);
  return 0;
}
