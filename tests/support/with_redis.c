/* with_redis: runs a program with a Redis server, whose URL stands in ACCEL_REDIS_URL.
 *
 * usage: with_redis PROGRAM [ARGUMENT...]
 *
 * Its exit status is the program's; 77 where no server is installed.
 */
#include "redis_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char **command)
{
  int status = -1;
  const pid_t child = fork();
  if (child == 0) {
    execv(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return EXIT_FAILURE;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
  redis_server server;
  if (argc < 2) return 2;
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  if (!redis_server_start(&server, NULL)) return EXIT_FAILURE;
  const bool is_told = setenv("ACCEL_REDIS_URL", server.url, 1) == 0;
  const int status = is_told ? run(argv + 1) : EXIT_FAILURE;
  redis_server_stop(&server);
  return status;
}
