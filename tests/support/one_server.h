/* one_server.h: one Redis server for all tests of a file, as their set-up and tear-down. */
#ifndef ONE_SERVER_H
#define ONE_SERVER_H

#include "redis_server.h"

static redis_server server;

static int start_server(void **state)
{
  (void)state;
  return redis_server_start(&server, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
  (void)state;
  redis_server_stop(&server);
  return 0;
}

#endif
