#include "redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 16384, WAIT_MS = 120000 };

/* ---- a cluster ---- */

static bool says_ok(const redis_server *server, const char *command)
{
  char reply[256];
  if (redis_server_ask(server, command, reply, sizeof reply) && strncmp(reply, "+OK", 3) == 0)
    return true;
  fprintf(stderr, "port %d, %s: %s\n", server->port, command, reply);
  return false;
}

static bool start_server(redis_cluster *cluster, size_t i, const char *options)
{
  char all_options[512], reply[128];
  cluster->bus_ports[i] = redis_server_free_port();
  snprintf(all_options, sizeof all_options,
           "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 3000\n"
           "cluster-require-full-coverage no\ncluster-port %d\nrepl-diskless-sync-delay 0\n%s",
           cluster->bus_ports[i], options == NULL ? "" : options);
  if (!redis_server_start(&cluster->servers[i], all_options)) return false;
  if (!redis_server_ask(&cluster->servers[i], "CLUSTER MYID", reply, sizeof reply)) return false;
  return sscanf(reply, "$40 %40[0-9a-f]", cluster->ids[i]) == 1;
}

static bool share_slots(redis_cluster *cluster)
{
  char command[128];
  for (size_t i = 0; i < cluster->masters; i++) {
    snprintf(command, sizeof command, "CLUSTER ADDSLOTSRANGE %zu %zu", SLOTS * i / cluster->masters,
             SLOTS * (i + 1) / cluster->masters - 1);
    if (!says_ok(&cluster->servers[i], command)) return false;
  }
  return true;
}

static bool introduce(redis_cluster *cluster)
{
  char command[128], known[64];
  const size_t count = cluster->masters + cluster->replicas;
  for (size_t i = 0; i < count; i++) {
    snprintf(command, sizeof command, "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
    if (!says_ok(&cluster->servers[i], command)) return false;
  }
  for (size_t i = 1; i < count; i++) {
    snprintf(command, sizeof command, "CLUSTER MEET 127.0.0.1 %d %d", cluster->servers[i].port,
             cluster->bus_ports[i]);
    if (!says_ok(&cluster->servers[0], command)) return false;
  }
  snprintf(known, sizeof known, "cluster_known_nodes:%zu\r", count);
  for (size_t i = 0; i < count; i++)
    if (!redis_server_comes_to_say(&cluster->servers[i], "CLUSTER INFO", known, WAIT_MS))
      return false;
  return true;
}

static bool attach_replicas(redis_cluster *cluster)
{
  char command[128];
  for (size_t i = 0; i < cluster->replicas; i++) {
    const redis_server *replica = &cluster->servers[cluster->masters + i];
    snprintf(command, sizeof command, "CLUSTER REPLICATE %s", cluster->ids[i]);
    if (!says_ok(replica, command)) return false;
    if (!redis_server_comes_to_say(replica, "INFO replication", "master_link_status:up", WAIT_MS))
      return false;
  }
  return true;
}

static bool is_whole(redis_cluster *cluster)
{
  char owned[64];
  snprintf(owned, sizeof owned, "cluster_slots_ok:%d\r", SLOTS);
  for (size_t i = 0; i < cluster->masters + cluster->replicas; i++) {
    const redis_server *server = &cluster->servers[i];
    if (!redis_server_comes_to_say(server, "CLUSTER INFO", owned, WAIT_MS)) return false;
    if (!redis_server_comes_to_say(server, "CLUSTER INFO", "cluster_state:ok", WAIT_MS))
      return false;
  }
  return true;
}

bool redis_cluster_start(redis_cluster *cluster, size_t masters, size_t replicas,
                         const char *options)
{
  memset(cluster, 0, sizeof *cluster);
  cluster->masters = masters;
  cluster->replicas = replicas;
  int size = snprintf(cluster->url, sizeof cluster->url, "redis+cluster://");
  for (size_t i = 0; i < masters + replicas; i++) {
    if (!start_server(cluster, i, options)) goto fail;
    size += snprintf(cluster->url + size, sizeof cluster->url - (size_t)size, "%s127.0.0.1:%d",
                     i == 0 ? "" : ",", cluster->servers[i].port);
  }
  if (share_slots(cluster) && introduce(cluster) && attach_replicas(cluster) && is_whole(cluster))
    return true;
fail:
  redis_cluster_stop(cluster);
  return false;
}

void redis_cluster_stop(redis_cluster *cluster)
{
  for (size_t i = 0; i < cluster->masters + cluster->replicas; i++)
    redis_server_stop(&cluster->servers[i]);
}

size_t redis_cluster_first_owner(const redis_cluster *cluster, unsigned slot)
{
  size_t i = 0;
  while (slot >= SLOTS * (i + 1) / cluster->masters) i++;
  return i;
}

static unsigned long epoch_of(const redis_server *server, const char *which)
{
  char reply[2048];
  if (!redis_server_ask(server, "CLUSTER INFO", reply, sizeof reply)) return 0;
  const char *found = strstr(reply, which);
  return found == NULL ? 0 : strtoul(found + strlen(which), NULL, 10);
}

/* A server that has not heard yet of its predecessor's epoch takes a slot under a lower one, and
 * loses it again to words that the predecessor sent before: then each sends to the other for
 * good. */
static bool knows_epoch(redis_cluster *cluster, size_t from, size_t to)
{
  for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 10) {
    if (epoch_of(&cluster->servers[to], "cluster_current_epoch:") >=
        epoch_of(&cluster->servers[from], "cluster_my_epoch:"))
      return true;
    usleep(10000);
  }
  return false;
}

bool redis_cluster_move_begin(redis_cluster *cluster, unsigned slot, size_t from, size_t to)
{
  char command[128];
  if (!knows_epoch(cluster, from, to)) return false;
  snprintf(command, sizeof command, "CLUSTER SETSLOT %u IMPORTING %s", slot, cluster->ids[from]);
  if (!says_ok(&cluster->servers[to], command)) return false;
  snprintf(command, sizeof command, "CLUSTER SETSLOT %u MIGRATING %s", slot, cluster->ids[to]);
  return says_ok(&cluster->servers[from], command);
}

bool redis_cluster_move_keys(redis_cluster *cluster, unsigned slot, size_t from, size_t to)
{
  char command[512], reply[4096], key[256];
  snprintf(command, sizeof command, "CLUSTER GETKEYSINSLOT %u 10", slot);
  for (;;) {
    if (!redis_server_ask(&cluster->servers[from], command, reply, sizeof reply)) return false;
    if (sscanf(reply, "*%*d $%*d %255s", key) != 1) return reply[0] == '*';
    char migrate[512];
    snprintf(migrate, sizeof migrate, "MIGRATE 127.0.0.1 %d %s 0 5000", cluster->servers[to].port,
             key);
    /* +NOKEY: it expired or was removed meanwhile. */
    char answer[256];
    if (!redis_server_ask(&cluster->servers[from], migrate, answer, sizeof answer)) return false;
    if (answer[0] != '+') return false;
  }
}

/* Every master is told, as redis-cli does: one that was not may contradict. */
bool redis_cluster_move_end(redis_cluster *cluster, unsigned slot, size_t from, size_t to)
{
  char command[128];
  snprintf(command, sizeof command, "CLUSTER SETSLOT %u NODE %s", slot, cluster->ids[to]);
  if (!says_ok(&cluster->servers[to], command) || !says_ok(&cluster->servers[from], command))
    return false;
  for (size_t i = 0; i < cluster->masters; i++)
    if (i != to && i != from && !says_ok(&cluster->servers[i], command)) return false;
  return true;
}

/* ---- a master that Sentinels watch ---- */

static bool start_sentinel(redis_watched *watched, size_t i)
{
  char options[512];
  snprintf(options, sizeof options,
           "sentinel monitor " REDIS_WATCHED_NAME " 127.0.0.1 %d 2\n"
           "sentinel down-after-milliseconds " REDIS_WATCHED_NAME " 3000\n"
           "sentinel failover-timeout " REDIS_WATCHED_NAME " 5000\n",
           watched->master.port);
  return redis_server_start_sentinel(&watched->sentinels[i], options);
}

static bool are_acquainted(const redis_watched *watched)
{
  static const char command[] = "SENTINEL MASTER " REDIS_WATCHED_NAME;
  for (size_t i = 0; i < 3; i++) {
    const redis_server *sentinel = &watched->sentinels[i];
    if (!redis_server_comes_to_say(sentinel, command, "num-other-sentinels\r\n$1\r\n2", WAIT_MS) ||
        !redis_server_comes_to_say(sentinel, command, "num-slaves\r\n$1\r\n1", WAIT_MS))
      return false;
  }
  return true;
}

bool redis_watched_start(redis_watched *watched, const char *options)
{
  char all_options[512];
  memset(watched, 0, sizeof *watched);
  snprintf(all_options, sizeof all_options, "repl-diskless-sync-delay 0\n%s",
           options == NULL ? "" : options);
  if (!redis_server_start(&watched->master, all_options)) return false;
  const size_t used = strlen(all_options);
  snprintf(all_options + used, sizeof all_options - used, "\nreplicaof 127.0.0.1 %d",
           watched->master.port);
  int size = snprintf(watched->url, sizeof watched->url, "redis+sentinel://");
  bool started = redis_server_start(&watched->replica, all_options) &&
                 redis_server_comes_to_say(&watched->replica, "INFO replication",
                                           "master_link_status:up", WAIT_MS);
  for (size_t i = 0; i < 3 && started; i++) {
    started = start_sentinel(watched, i);
    size += snprintf(watched->url + size, sizeof watched->url - (size_t)size, "%s127.0.0.1:%d",
                     i == 0 ? "" : ",", watched->sentinels[i].port);
  }
  snprintf(watched->url + size, sizeof watched->url - (size_t)size, "/" REDIS_WATCHED_NAME);
  if (started && are_acquainted(watched)) return true;
  redis_watched_stop(watched);
  return false;
}

void redis_watched_stop(redis_watched *watched)
{
  for (size_t i = 0; i < 3; i++) redis_server_stop(&watched->sentinels[i]);
  redis_server_stop(&watched->replica);
  redis_server_stop(&watched->master);
}

int redis_watched_master_port(const redis_watched *watched)
{
  char reply[256];
  int port = 0;
  for (size_t i = 0; i < 3; i++)
    if (redis_server_ask(&watched->sentinels[i],
                         "SENTINEL GET-MASTER-ADDR-BY-NAME " REDIS_WATCHED_NAME, reply,
                         sizeof reply) &&
        sscanf(reply, "*2 $%*d %*s $%*d %d", &port) == 1)
      return port;
  return 0;
}
