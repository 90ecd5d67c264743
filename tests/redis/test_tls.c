/* rediss:// against a real server: which certificates it trusts, which it does not, and what it
 * says then. */
#include "certificates.h"

#include "accel_backends/redis/state.h"

#include <sys/stat.h>

static redis_server server;
static int tls_port;

static bool start_tls_server(const char *certificate, const char *clients)
{
  char options[512];
  tls_port = redis_server_free_port();
  snprintf(options, sizeof options,
           "tls-port %d\ntls-cert-file %s/%s.crt\ntls-key-file %s/%s.key\n"
           "tls-ca-cert-file %s/ca.crt\ntls-auth-clients %s",
           tls_port, folder, certificate, folder, certificate, folder, clients);
  return redis_server_start(&server, options);
}

static accel_redis_config config_for(char *url, size_t size)
{
  snprintf(url, size, "rediss://127.0.0.1:%d", tls_port);
  const accel_redis_config config = {
      .url = url, .command_timeout_ms = 3000, .tls_ca_file = path_of("ca.crt")};
  return config;
}

/* Opens, and reads or fails; `reason`: NULL, or what the failure says. */
static void expect(const accel_redis_config *config, const char *reason)
{
  client one;
  client_open(&one, config);
  const accel_status status = client_put(&one, "a", "value");
  if (reason == NULL) {
    if (status != ACCEL_OK) fail_msg("not connected: %s", one.call.error);
    assert_int_equal(client_check(&one, "a", "value"), ACCEL_OK);
  } else {
    assert_int_equal(status, ACCEL_ERR_BACKEND);
    if (strstr(one.call.error, reason) == NULL)
      fail_msg("it says \"%s\", without \"%s\"", one.call.error, reason);
  }
  client_close(&one);
}

static void the_right_authority_is_trusted_by_address_and_by_name(void **state)
{
  char url[64];
  (void)state;
  assert_true(start_tls_server("server", "no"));
  accel_redis_config config = config_for(url, sizeof url);
  expect(&config, NULL);
  snprintf(url, sizeof url, "rediss://localhost:%d", tls_port);
  expect(&config, NULL);
  config.tls_server_name = "redis.example";
  expect(&config, NULL);
  redis_server_stop(&server);
}

static void a_large_value_and_a_batch_pass(void **state)
{
  enum { SIZE = 3000000 };
  char url[64];
  (void)state;
  assert_true(start_tls_server("server", "no"));
  const accel_redis_config config = config_for(url, sizeof url);
  client one;
  client_open(&one, &config);
  char *value = (char *)malloc(SIZE + 1);
  assert_non_null(value);
  for (size_t i = 0; i < SIZE; i++) value[i] = (char)('a' + i * 7 % 26);
  value[SIZE] = '\0';
  assert_int_equal(client_put(&one, "large", value), ACCEL_OK);
  assert_int_equal(client_check(&one, "large", value), ACCEL_OK);
  for (int i = 0; i < 200; i++) assert_int_equal(client_put(&one, "small", "x"), ACCEL_OK);
  assert_int_equal(client_check(&one, "small", "x"), ACCEL_OK);
  free(value);
  client_close(&one);
  redis_server_stop(&server);
}

static void an_unknown_authority_is_refused(void **state)
{
  char url[64];
  (void)state;
  assert_true(start_tls_server("server", "no"));
  accel_redis_config config = config_for(url, sizeof url);
  config.tls_ca_file = path_of("other.crt");
  expect(&config, "certificate");
  config.tls_ca_file = NULL; /* the system's do not know ours */
  expect(&config, "certificate");
  redis_server_stop(&server);
}

static void another_name_is_refused(void **state)
{
  char url[64];
  (void)state;
  assert_true(start_tls_server("server", "no"));
  accel_redis_config config = config_for(url, sizeof url);
  config.tls_server_name = "elsewhere.example";
  expect(&config, "ostname mismatch");
  redis_server_stop(&server);
  assert_true(start_tls_server("named", "no"));
  config = config_for(url, sizeof url);
  expect(&config, "IP address mismatch");
  redis_server_stop(&server);
}

static void an_expired_certificate_is_refused(void **state)
{
  char url[64];
  (void)state;
  assert_true(start_tls_server("expired", "no"));
  const accel_redis_config config = config_for(url, sizeof url);
  expect(&config, "expired");
  redis_server_stop(&server);
}

static void a_server_may_demand_a_certificate(void **state)
{
  char url[64];
  (void)state;
  assert_true(start_tls_server("server", "yes"));
  accel_redis_config config = config_for(url, sizeof url);
  expect(&config, "not connected");
  config.tls_certificate_file = path_of("client.crt");
  config.tls_key_file = path_of("client.key");
  expect(&config, NULL);
  redis_server_stop(&server);
}

static void a_plain_server_is_no_tls_server(void **state)
{
  char url[64];
  (void)state;
  assert_true(redis_server_start(&server, NULL));
  tls_port = server.port;
  accel_redis_config config = config_for(url, sizeof url);
  config.connect_timeout_ms = 1000;
  expect(&config, "TLS");
  redis_server_stop(&server);
}

static void a_reconnect_resumes_the_session(void **state)
{
  char url[64], reply[128];
  (void)state;
  assert_true(start_tls_server("server", "no"));
  const accel_redis_config config = config_for(url, sizeof url);
  client one;
  client_open(&one, &config);
  assert_int_equal(client_put(&one, "a", "value"), ACCEL_OK);
  redis_connection *data = redis_endpoint_data(accel_redis_route_main(&one.redis.state->route));
  assert_false(accel_redis_tls_is_resumed(data->stream.tls));
  assert_true(redis_server_ask(&server, "CLIENT KILL TYPE normal", reply, sizeof reply));
  usleep(20000);
  assert_true(client_recovers(&one, 5000));
  assert_true(accel_redis_tls_is_resumed(data->stream.tls));
  client_close(&one);
  redis_server_stop(&server);
}

static void files_that_do_not_serve_are_named(void **state)
{
  char url[64];
  accel_redis redis;
  (void)state;
  accel_redis_config config = config_for(url, sizeof url);
  config.tls_ca_file = path_of("nothing.crt");
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "nothing.crt"));
  config = config_for(url, sizeof url);
  config.tls_certificate_file = path_of("client.crt");
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "go together"));
  config.tls_key_file = path_of("client.key");
  assert_int_equal(chmod(config.tls_key_file, 0640), 0);
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "client.key"));
  assert_non_null(strstr(accel_redis_last_error(&redis), "chmod 600"));
  assert_int_equal(chmod(config.tls_key_file, 0600), 0);
  config.tls_key_file = path_of("server.key"); /* of another certificate */
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  config = config_for(url, sizeof url);
  config.url = "redis://127.0.0.1";
  assert_int_equal(accel_redis_open(&redis, &config), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_redis_last_error(&redis), "rediss://"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_right_authority_is_trusted_by_address_and_by_name),
      cmocka_unit_test(a_large_value_and_a_batch_pass),
      cmocka_unit_test(an_unknown_authority_is_refused),
      cmocka_unit_test(another_name_is_refused),
      cmocka_unit_test(an_expired_certificate_is_refused),
      cmocka_unit_test(a_server_may_demand_a_certificate),
      cmocka_unit_test(a_plain_server_is_no_tls_server),
      cmocka_unit_test(a_reconnect_resumes_the_session),
      cmocka_unit_test(files_that_do_not_serve_are_named),
  };
  if (!redis_server_available() || !can_test_tls()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, make_all, remove_all);
}
