/* redis_cluster.h: several Redis servers of a test's own: a cluster, or a master that Sentinels
 * watch. Loopback, free ports, nothing on disk that outlives the test.
 */
#ifndef REDIS_CLUSTER_H
#define REDIS_CLUSTER_H

#include "redis_server.h"

enum { REDIS_CLUSTER_SERVERS = 6, REDIS_CLUSTER_ID = 41 };

/* Masters share the slots in equal runs; behind them stand the replicas, the first one that of
 * the first master. */
typedef struct redis_cluster {
  redis_server servers[REDIS_CLUSTER_SERVERS];
  char ids[REDIS_CLUSTER_SERVERS][REDIS_CLUSTER_ID];
  int bus_ports[REDIS_CLUSTER_SERVERS];
  size_t masters, replicas;
  char url[256];
} redis_cluster;

/* Starts it and waits until every server says that the cluster is whole. `options`: as for
 * redis_server_start. */
bool redis_cluster_start(redis_cluster *cluster, size_t masters, size_t replicas,
                         const char *options);
void redis_cluster_stop(redis_cluster *cluster);

/* Which master was given the slot at the start. */
size_t redis_cluster_first_owner(const redis_cluster *cluster, unsigned slot);

/* Moving a slot, as an operator does: begin, keys (so often as wanted), end. Between begin and
 * end the servers answer ASK and TRYAGAIN. */
bool redis_cluster_move_begin(redis_cluster *cluster, unsigned slot, size_t from, size_t to);
bool redis_cluster_move_keys(redis_cluster *cluster, unsigned slot, size_t from, size_t to);
bool redis_cluster_move_end(redis_cluster *cluster, unsigned slot, size_t from, size_t to);

/* A master with one replica, and three Sentinels that agree after three seconds of silence. */
typedef struct redis_watched {
  redis_server master, replica, sentinels[3];
  char url[256];
} redis_watched;

#define REDIS_WATCHED_NAME "the-master"

bool redis_watched_start(redis_watched *watched, const char *options);
void redis_watched_stop(redis_watched *watched);
/* The port of the server that the Sentinels call the master. */
int redis_watched_master_port(const redis_watched *watched);

#endif
