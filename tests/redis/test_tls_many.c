/* rediss+cluster:// and rediss+sentinel:// against real servers: all that is said is encrypted, and
 * every server has to prove its name. */
#include "certificates.h"

enum { SERVERS = 2, WAIT_MS = 15000, KEYS = 40 };

/* A server's TLS options; `port` receives where it listens. */
static int tls_options(char *text, size_t size, const char *certificate, int *port)
{
  *port = redis_server_free_port();
  return snprintf(text, size,
                  "tls-port %d\ntls-cert-file %s/%s.crt\ntls-key-file %s/%s.key\n"
                  "tls-ca-cert-file %s/ca.crt\ntls-auth-clients no\ntls-replication yes\n",
                  *port, folder, certificate, folder, certificate, folder);
}

/* ---- a cluster of two masters, whose bus is encrypted too ---- */

typedef struct cluster {
  redis_server servers[SERVERS];
  int tls_ports[SERVERS], bus_ports[SERVERS];
} cluster;

static void say(const redis_server *server, const char *format, int first, int second)
{
  char command[128], reply[256];
  snprintf(command, sizeof command, format, first, second);
  assert_true(redis_server_ask(server, command, reply, sizeof reply));
  if (strncmp(reply, "+OK", 3) != 0) fail_msg("%s: %s", command, reply);
}

static void start_cluster(cluster *all, const char *second_certificate)
{
  const char *certificates[SERVERS] = {"server", second_certificate};
  for (size_t i = 0; i < SERVERS; i++) {
    char options[512];
    const int used = tls_options(options, sizeof options, certificates[i], &all->tls_ports[i]);
    all->bus_ports[i] = redis_server_free_port();
    snprintf(options + used, sizeof options - (size_t)used,
             "cluster-enabled yes\ntls-cluster yes\ncluster-config-file nodes.conf\n"
             "cluster-port %d\ncluster-node-timeout 3000\n",
             all->bus_ports[i]);
    assert_true(redis_server_start(&all->servers[i], options));
  }
  say(&all->servers[0], "CLUSTER ADDSLOTSRANGE %d %d", 0, 8191);
  say(&all->servers[1], "CLUSTER ADDSLOTSRANGE %d %d", 8192, 16383);
  say(&all->servers[0], "CLUSTER MEET 127.0.0.1 %d %d", all->tls_ports[1], all->bus_ports[1]);
  for (size_t i = 0; i < SERVERS; i++) {
    const redis_server *server = &all->servers[i];
    assert_true(redis_server_comes_to_say(server, "CLUSTER INFO", "slots_ok:16384", WAIT_MS));
    assert_true(redis_server_comes_to_say(server, "CLUSTER INFO", "state:ok", WAIT_MS));
  }
}

static void stop_cluster(cluster *all)
{
  for (size_t i = 0; i < SERVERS; i++) redis_server_stop(&all->servers[i]);
}

static accel_redis_config cluster_config(const cluster *all, char *url, size_t size)
{
  snprintf(url, size, "rediss+cluster://127.0.0.1:%d", all->tls_ports[0]);
  const accel_redis_config config = {
      .url = url, .command_timeout_ms = 3000, .tls_ca_file = path_of("ca.crt")};
  return config;
}

/* Stores the keys; how many of them the servers took. `*error` is the last failure's text. */
static size_t put_keys(client *one, char *error, size_t size)
{
  size_t taken = 0;
  for (unsigned i = 0; i < KEYS; i++) {
    char name[16];
    snprintf(name, sizeof name, "k%u", i);
    if (client_put(one, name, "value") == ACCEL_OK && client_check(one, name, "value") == ACCEL_OK)
      taken++;
    else
      snprintf(error, size, "%s", one->call.error);
  }
  return taken;
}

static void every_server_of_a_cluster_is_reached_over_tls(void **state)
{
  cluster all;
  char url[64], error[160] = "";
  client one;
  (void)state;
  start_cluster(&all, "server");
  accel_redis_config config = cluster_config(&all, url, sizeof url);
  client_open(&one, &config);
  if (put_keys(&one, error, sizeof error) != KEYS) fail_msg("%s", error);
  client_close(&one);
  for (size_t i = 0; i < SERVERS; i++) {
    char reply[64];
    assert_true(redis_server_ask(&all.servers[i], "DBSIZE", reply, sizeof reply));
    assert_true(strtol(reply + 1, NULL, 10) >= KEYS / 8);
  }
  config.tls_ca_file = path_of("other.crt");
  client_open(&one, &config);
  assert_int_equal(put_keys(&one, error, sizeof error), 0);
  assert_non_null(strstr(error, "certificate"));
  client_close(&one);
  stop_cluster(&all);
}

/* One with the authority's certificate for somebody else: its keys alone are out of reach. */
static void each_server_of_a_cluster_is_verified(void **state)
{
  cluster all;
  char url[64], error[160] = "";
  client one;
  (void)state;
  start_cluster(&all, "named");
  const accel_redis_config config = cluster_config(&all, url, sizeof url);
  client_open(&one, &config);
  assert_in_range(put_keys(&one, error, sizeof error), KEYS / 8, KEYS - KEYS / 8);
  assert_non_null(strstr(error, "IP address mismatch"));
  client_close(&one);
  stop_cluster(&all);
}

/* ---- a Sentinel ---- */

typedef struct watched {
  redis_server master, sentinel;
  char url[96];
} watched;

/* A master with this certificate, and a Sentinel with the right one. */
static void start_watched(watched *both, const char *certificate)
{
  char options[512];
  int master_port, sentinel_port;
  tls_options(options, sizeof options, certificate, &master_port);
  assert_true(redis_server_start(&both->master, options));
  const int used = tls_options(options, sizeof options, "server", &sentinel_port);
  snprintf(options + used, sizeof options - (size_t)used, "sentinel monitor main 127.0.0.1 %d 1",
           master_port);
  assert_true(redis_server_start_sentinel(&both->sentinel, options));
  snprintf(both->url, sizeof both->url, "rediss+sentinel://127.0.0.1:%d/main", sentinel_port);
}

static void stop_watched(watched *both)
{
  redis_server_stop(&both->sentinel);
  redis_server_stop(&both->master);
}

static void a_sentinel_and_its_master_are_reached_over_tls(void **state)
{
  watched both;
  client one;
  (void)state;
  start_watched(&both, "server");
  accel_redis_config config = {
      .url = both.url, .command_timeout_ms = 3000, .tls_ca_file = path_of("ca.crt")};
  client_open(&one, &config);
  if (client_put(&one, "a", "value") != ACCEL_OK) fail_msg("%s", one.call.error);
  assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
  client_close(&one);
  config.tls_ca_file = path_of("other.crt"); /* the Sentinel is not believed either */
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_ERR_BACKEND);
  assert_non_null(strstr(one.call.error, "certificate"));
  client_close(&one);
  stop_watched(&both);
}

/* What a Sentinel says is no proof of which server its master is. */
static void the_master_that_a_sentinel_names_is_verified(void **state)
{
  watched both;
  client one;
  (void)state;
  start_watched(&both, "named");
  const accel_redis_config config = {
      .url = both.url, .command_timeout_ms = 3000, .tls_ca_file = path_of("ca.crt")};
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_ERR_BACKEND);
  if (strstr(one.call.error, "IP address mismatch") == NULL) fail_msg("%s", one.call.error);
  client_close(&one);
  stop_watched(&both);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_server_of_a_cluster_is_reached_over_tls),
      cmocka_unit_test(each_server_of_a_cluster_is_verified),
      cmocka_unit_test(a_sentinel_and_its_master_are_reached_over_tls),
      cmocka_unit_test(the_master_that_a_sentinel_names_is_verified),
  };
  if (!redis_server_available() || !can_test_tls()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, make_all, remove_all);
}
