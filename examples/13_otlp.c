/* 13_otlp.c: what a cache does, as OpenTelemetry data: metrics, spans and log records.
 *
 * It sends them to a receiver of OTLP over HTTP, such as ClickStack or an OpenTelemetry Collector,
 * and shows nothing without one:
 *
 *   ACCELERATOR_CLICKSTACK_OTLP_ENDPOINT       http://127.0.0.1:4318
 *   ACCELERATOR_CLICKSTACK_OTLP_TRANSPORT      http, the only one
 *   ACCELERATOR_CLICKSTACK_OTLP_AUTHORIZATION  the header "authorization"; none
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/otlp.h"
#include "claim.h"

typedef struct user_t {
  uint64_t id;
  char name[24];
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t)

static accel_status load_user(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  *out = (user_t){.id = id};
  snprintf(out->name, sizeof out->name, "user %u", (unsigned)id);
  return ACCEL_OK;
}

/* NULL: it is not set. */
static const char *variable(const char *name)
{
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? NULL : value;
}

/* Headers are percent-encoded; so a comma or a space in the value is no end of it. */
static void write_header(const char *value, char *header, size_t size)
{
  int used = snprintf(header, size, "authorization=");
  for (; *value != '\0' && used >= 0 && (size_t)used + 4 < size; value++)
    used += snprintf(header + used, size - (size_t)used, "%%%02X", (unsigned)(unsigned char)*value);
}

static bool has_right_transport(void)
{
  const char *transport = variable("ACCELERATOR_CLICKSTACK_OTLP_TRANSPORT");
  if (transport == NULL || strcmp(transport, "http") == 0) return true;
  fprintf(stderr,
          "ACCELERATOR_CLICKSTACK_OTLP_TRANSPORT is %s: set it to http, and "
          "ACCELERATOR_CLICKSTACK_OTLP_ENDPOINT to the receiver's port for HTTP, such as "
          "http://127.0.0.1:4318 in place of port 4317\n",
          transport);
  return false;
}

static void use(user_cache *users)
{
  const uint64_t ids[] = {1, 2, 3};
  user_t user, found[3];
  accel_status statuses[3];
  claim(user_cache_get(users, 1, &user) == ACCEL_OK, "the first get loads");
  claim(user_cache_get(users, 1, &user) == ACCEL_OK, "the second one is answered by L1");
  claim(user_cache_mget(users, ids, 3, NULL, found, statuses) == ACCEL_OK, "an mget of three");
  claim(user_cache_del(users, 1) == ACCEL_OK, "a del");
}

static void run(accel_otlp *otlp, accel_observer *observer, const char *endpoint)
{
  user_cache users;
  const accel_config config = {.area = "users",
                               .loader_timeout_ms = ACCEL_FOREVER,
                               .observer = observer,
                               .spans = accel_otlp_spans(otlp),
                               .log = accel_otlp_log,
                               .log_ctx = otlp,
                               .trace_hits = true};
  if (user_cache_open(&users, &config) != ACCEL_OK) {
    claim(false, user_cache_last_error(&users));
    return;
  }
  user_cache_set_loader(&users, load_user, NULL);
  use(&users);
  const accel_status sent = accel_otlp_flush(otlp, 2000);
  if (sent == ACCEL_OK)
    printf("sent to %s: look for service.name accelerator-example, for the metrics that begin with "
           "accelerator_cache_, and for the spans cache.get, cache.mget, cache.load, cache.del\n",
           endpoint);
  else
    printf("no receiver took it, nothing to see: %s\n", accel_otlp_last_error(otlp));
  user_cache_close(&users);
}

int main(void)
{
  const char *endpoint = variable("ACCELERATOR_CLICKSTACK_OTLP_ENDPOINT");
  const char *authorization = variable("ACCELERATOR_CLICKSTACK_OTLP_AUTHORIZATION");
  char header[4096] = "";
  accel_observer observer;
  accel_otlp otlp;
  if (!has_right_transport()) return 1;
  if (endpoint == NULL) endpoint = "http://127.0.0.1:4318";
  if (authorization != NULL) write_header(authorization, header, sizeof header);
  if (accel_observer_open(&observer, NULL) != ACCEL_OK) return 1;
  const accel_otlp_config config = {.observer = &observer,
                                    .endpoint = endpoint,
                                    .headers = header,
                                    .service_name = "accelerator-example",
                                    .service_namespace = "accelerator",
                                    .service_version = ACCEL_VERSION,
                                    .timeout_ms = 500};
  if (accel_otlp_open(&otlp, &config) == ACCEL_OK)
    run(&otlp, &observer, endpoint);
  else
    claim(false, accel_otlp_last_error(&otlp));
  accel_otlp_close(&otlp);
  accel_observer_close(&observer);
  return all_claims_hold ? 0 : 1;
}
