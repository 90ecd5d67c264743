/* redis_server.h: a Redis server of a test's own.
 *
 * It listens on a free loopback port, or on a unix socket, in a directory of its own, keeps
 * nothing on disk, and ends with the test. Only its own process is ever signalled.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct redis_server {
  pid_t pid; /* 0: not running */
  int port;  /* 0: a unix socket */
  char directory[64];
  char url[128]; /* for accel_redis_config */
  char options[512];
  bool is_sentinel;
} redis_server;

/* Whether redis-server is installed; if not, says so on stderr, so that the test can end with
 * REDIS_SERVER_SKIP. */
#define REDIS_SERVER_SKIP 77
bool redis_server_available(void);

/* Starts it and waits until it answers. `options`: more lines for its configuration file, or
 * NULL. */
bool redis_server_start(redis_server *server, const char *options);
bool redis_server_start_unix(redis_server *server, const char *options);
bool redis_server_start_sentinel(redis_server *server, const char *options);
/* Ends it and removes its directory. */
void redis_server_stop(redis_server *server);

void redis_server_kill(redis_server *server);    /* kill -9, and waits for its end */
bool redis_server_restart(redis_server *server); /* after kill: at the same place, empty */
void redis_server_freeze(redis_server *server);  /* SIGSTOP */
void redis_server_thaw(redis_server *server);    /* SIGCONT */

/* Sends one command, words separated by single spaces, over a connection of its own and copies
 * the raw reply. False: no reply within twenty seconds. */
bool redis_server_ask(const redis_server *server, const char *command, char *reply, size_t size);
/* Whether the server's reply to `command` contains `text` before `wait_ms` are over. */
bool redis_server_comes_to_say(const redis_server *server, const char *command, const char *text,
                               long wait_ms);
/* How often the server ran `command` (lower case), by its own count. */
long redis_server_calls(const redis_server *server, const char *command);
/* How many connections it has accepted, that of this question included. */
long redis_server_connections(const redis_server *server);

/* A port of the loopback interface that nobody uses at the moment. 0: none. */
int redis_server_free_port(void);

#endif
