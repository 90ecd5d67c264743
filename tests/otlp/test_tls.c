/* test_tls.c: https: whose certificate is believed, and which one is shown. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otlp_world.h"

static char folder[] = "/tmp/accel_otlp_tls_XXXXXX";

static const char *path_of(const char *file)
{
  static char paths[4][64];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, file);
  return path;
}

/* An authority that is also the server, or the client: NAME.crt and NAME.key. */
static bool make_certificate(const char *name, const char *address)
{
  char command[600];
  snprintf(command, sizeof command,
           "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
           "-subj /CN=%s -addext subjectAltName=IP:%s -keyout %s.key -out %s.crt >log 2>&1",
           folder, name, address, name, name);
  return system(command) == 0; /* NOLINT: fixed texts */
}

static int make_all(void **state)
{
  (void)state;
  return mkdtemp(folder) != NULL && make_certificate("server", "127.0.0.1") &&
                 make_certificate("elsewhere", "127.0.0.9") &&
                 make_certificate("client", "127.0.0.1")
             ? 0
             : -1;
}

static int remove_all(void **state)
{
  char command[80];
  (void)state;
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command); /* NOLINT: fixed texts */
}

/* Of NAME=value. */
static void forget(const char *variable)
{
  char name[128];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(variable, "="), variable);
  unsetenv(name);
}

static otlp_world world;
static accel_otlp_config config;

static void begin(const char *certificate, const char *key)
{
  for (char **each = environ; *each != NULL;)
    if (strncmp(*each, "OTEL_", 5) == 0)
      forget(*each);
    else
      each++;
  setenv("RECEIVER_CERTIFICATE", path_of(certificate), 1);
  setenv("RECEIVER_KEY", path_of(key), 1);
  setenv("RECEIVER_CLIENTS", path_of("client.crt"), 1);
  otlp_world_begin(&world);
  config = otlp_world_config(&world);
  config.no_environment = false;
  config.certificate = path_of(certificate);
  setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", path_of("client.crt"), 1);
  setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", path_of("client.key"), 1);
}

static int end(void **state)
{
  (void)state;
  otlp_world_end(&world);
  return 0;
}

/* Nothing is sent, and the error is about certificates. */
static void is_not_believed(void)
{
  config.timeout_ms = 300;
  otlp_world_open(&world, &config);
  assert_int_equal(accel_otlp_flush(&world.otlp, 300), ACCEL_ERR_TIMEOUT);
  const char *text = accel_otlp_last_error(&world.otlp);
  if (strcasestr(text, "certificate") == NULL && strcasestr(text, "SSL") == NULL)
    fail_msg("%s", text);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 0);
}

static void both_show_certificates_that_are_believed(void **state)
{
  (void)state;
  begin("server.crt", "server.key");
  otlp_world_open(&world, &config);
  otlp_world_flush(&world);
  otlp_world_flush(&world);
  assert_int_equal(receiver_drain(&world.receiver, "/v1/metrics"), 2);
}

static void a_server_by_an_unknown_authority_is_not_believed(void **state)
{
  (void)state;
  begin("server.crt", "server.key");
  config.certificate = path_of("client.crt");
  is_not_believed();
}

static void a_server_of_another_name_is_not_believed(void **state)
{
  (void)state;
  begin("elsewhere.crt", "elsewhere.key");
  is_not_believed();
}

static void a_client_without_certificate_gets_nowhere(void **state)
{
  (void)state;
  begin("server.crt", "server.key");
  unsetenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
  unsetenv("OTEL_EXPORTER_OTLP_CLIENT_KEY");
  is_not_believed();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(both_show_certificates_that_are_believed, end),
      cmocka_unit_test_teardown(a_server_by_an_unknown_authority_is_not_believed, end),
      cmocka_unit_test_teardown(a_server_of_another_name_is_not_believed, end),
      cmocka_unit_test_teardown(a_client_without_certificate_gets_nowhere, end),
  };
  if (!receiver_available()) return RECEIVER_SKIP;
  return cmocka_run_group_tests(tests, make_all, remove_all);
}
