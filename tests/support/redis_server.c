#include "redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_ATTEMPTS = 5, START_WAIT_MS = 60000, ASK_WAIT_MS = 20000 };

static void sleep_ms(long ms)
{
  const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

bool redis_server_available(void)
{
  const char *path = getenv("PATH");
  char program[512];
  for (const char *from = path; from != NULL && *from != '\0';) {
    const size_t size = strcspn(from, ":");
    snprintf(program, sizeof program, "%.*s/redis-server", (int)size, from);
    if (access(program, X_OK) == 0) return true;
    from += size + (from[size] == ':');
  }
  fprintf(stderr, "SKIPPED: redis-server is not installed, so nothing was tested\n");
  return false;
}

int redis_server_free_port(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const bool bound = bind(fd, (struct sockaddr *)&address, size) == 0 &&
                     getsockname(fd, (struct sockaddr *)&address, &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

static bool write_configuration(const redis_server *server)
{
  char name[96];
  snprintf(name, sizeof name, "%s/conf", server->directory);
  FILE *file = fopen(name, "w");
  if (file == NULL) return false;
  fprintf(file, "dir %s\nlogfile %s/log\n", server->directory, server->directory);
  if (!server->is_sentinel) fprintf(file, "save \"\"\nappendonly no\ndatabases 16\n");
  fprintf(file, "bind 127.0.0.1\nport %d\nprotected-mode no\n", server->port);
  if (server->port == 0) fprintf(file, "unixsocket %s/socket\n", server->directory);
  fprintf(file, "%s\n", server->options);
  return fclose(file) == 0;
}

static int connect_to(const redis_server *server)
{
  const bool is_unix = server->port == 0;
  struct sockaddr_in inet = {.sin_family = AF_INET};
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  inet.sin_port = htons((unsigned short)server->port);
  inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  snprintf(local.sun_path, sizeof local.sun_path, "%s/socket", server->directory);
  const int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct timeval limit = {ASK_WAIT_MS / 1000, 0};
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int failed = is_unix ? connect(fd, (struct sockaddr *)&local, sizeof local)
                             : connect(fd, (struct sockaddr *)&inet, sizeof inet);
  if (failed == 0) return fd;
  close(fd);
  return -1;
}

bool redis_server_ask(const redis_server *server, const char *command, char *reply, size_t size)
{
  char line[512];
  const int fd = connect_to(server);
  if (fd < 0) return false;
  const int length = snprintf(line, sizeof line, "%s\r\nQUIT\r\n", command);
  bool asked = send(fd, line, (size_t)length, MSG_NOSIGNAL) == length;
  if (server->is_sentinel) shutdown(fd, SHUT_WR); /* it does not know QUIT */
  size_t got = 0;
  while (asked && got + 1 < size) {
    const ssize_t received = recv(fd, reply + got, size - 1 - got, 0);
    if (received < 0) asked = false;
    if (received <= 0) break;
    got += (size_t)received;
  }
  reply[got] = '\0';
  close(fd);
  return asked && got > 0;
}

bool redis_server_comes_to_say(const redis_server *server, const char *command, const char *text,
                               long wait_ms)
{
  static char reply[65536];
  for (long waited_ms = 0; waited_ms <= wait_ms; waited_ms += 10) {
    if (redis_server_ask(server, command, reply, sizeof reply) && strstr(reply, text) != NULL)
      return true;
    sleep_ms(10);
  }
  return false;
}

/* The number behind `name` in a section of INFO; 0: it has none, -1: no reply. */
static long info_number(const redis_server *server, const char *section, const char *name)
{
  char reply[16384], command[64];
  snprintf(command, sizeof command, "INFO %s", section);
  if (!redis_server_ask(server, command, reply, sizeof reply)) return -1;
  const char *found = strstr(reply, name);
  return found == NULL ? 0 : strtol(found + strlen(name), NULL, 10);
}

long redis_server_calls(const redis_server *server, const char *command)
{
  char name[64];
  snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
  return info_number(server, "commandstats", name);
}

long redis_server_connections(const redis_server *server)
{
  return info_number(server, "stats", "total_connections_received:");
}

static bool spawn(redis_server *server)
{
  char conf[96], reply[256];
  snprintf(conf, sizeof conf, "%s/conf", server->directory);
  const pid_t pid = fork();
  if (pid < 0) return false;
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no server */
    const int nothing = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2 && nothing >= 0; fd++) dup2(nothing, fd);
    execlp("redis-server", "redis-server", conf, server->is_sentinel ? "--sentinel" : NULL,
           (char *)NULL);
    _exit(127);
  }
  server->pid = pid;
  for (int waited = 0; waited < START_WAIT_MS; waited += 5) {
    /* An error is an answer too: it may want a password. */
    if (redis_server_ask(server, "PING", reply, sizeof reply) && reply[0] != '\0' &&
        strstr(reply, "LOADING") == NULL)
      return true;
    if (waitpid(pid, NULL, WNOHANG) == pid) break;
    sleep_ms(5);
  }
  redis_server_kill(server);
  return false;
}

typedef enum server_kind { SERVER_INET, SERVER_UNIX, SERVER_SENTINEL } server_kind;

static bool start(redis_server *server, const char *options, server_kind kind)
{
  const bool is_unix = kind == SERVER_UNIX;
  memset(server, 0, sizeof *server);
  server->is_sentinel = kind == SERVER_SENTINEL;
  const char *base = getenv("TMPDIR");
  snprintf(server->directory, sizeof server->directory, "%.30s/accel-redis-XXXXXX",
           base == NULL ? "/tmp" : base);
  snprintf(server->options, sizeof server->options, "%s", options == NULL ? "" : options);
  if (mkdtemp(server->directory) == NULL) return false;
  for (int attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    server->port =
        is_unix ? 0 : redis_server_free_port(); /* another may take it meanwhile: again */
    if (is_unix)
      snprintf(server->url, sizeof server->url, "unix://%s/socket", server->directory);
    else
      snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
    if (write_configuration(server) && spawn(server)) return true;
  }
  redis_server_stop(server);
  return false;
}

bool redis_server_start(redis_server *server, const char *options)
{
  return start(server, options, SERVER_INET);
}

bool redis_server_start_unix(redis_server *server, const char *options)
{
  return start(server, options, SERVER_UNIX);
}

bool redis_server_start_sentinel(redis_server *server, const char *options)
{
  return start(server, options, SERVER_SENTINEL);
}

bool redis_server_restart(redis_server *server)
{
  return spawn(server);
}

void redis_server_kill(redis_server *server)
{
  if (server->pid == 0) return;
  kill(server->pid, SIGKILL);
  while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) continue;
  server->pid = 0;
}

void redis_server_freeze(redis_server *server)
{
  int status = 0;
  kill(server->pid, SIGSTOP);
  waitpid(server->pid, &status, WUNTRACED);
}

void redis_server_thaw(redis_server *server)
{
  kill(server->pid, SIGCONT);
}

void redis_server_stop(redis_server *server)
{
  static const char *const names[] = {"conf", "log", "socket", "nodes.conf", "dump.rdb"};
  char name[96];
  redis_server_kill(server);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(name, sizeof name, "%s/%s", server->directory, names[i]);
    unlink(name);
  }
  if (server->directory[0] != '\0') rmdir(server->directory);
  memset(server, 0, sizeof *server);
}
