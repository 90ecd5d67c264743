#include "settings.h"

#include "../../accel/error.h"
#include "../../accel/platform/system.h"
#include "variables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SETTINGS_DAY_MS 86400000u
#define SETTINGS_INTERVAL_MS 60000u
#define SETTINGS_TIMEOUT_MS 10000u
#define SETTINGS_QUEUE 2048u
#define SETTINGS_QUEUE_MAX 1048576u
#define SETTINGS_BATCH 512u
#define SETTINGS_DELAY_MS 5000u
#define SETTINGS_ENDPOINT "http://127.0.0.1:4318"

const char *accel_otlp_signal_name(otlp_signal signal)
{
  static const char *const names[OTLP_SIGNALS] = {"metrics", "traces", "logs"};
  return names[signal];
}

static accel_status settings_no_memory(const otlp_variables *variables)
{
  return accel_error_set(variables->owner, ACCEL_ERR_NOMEM, "no memory for OTLP");
}

/* ---- a signal's target ---- */

static accel_status settings_url(const otlp_variables *variables, otlp_signal signal,
                                 const accel_otlp_config *config, otlp_target *target)
{
  static const char *const paths[OTLP_SIGNALS] = {"/v1/metrics", "/v1/traces", "/v1/logs"};
  otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, "ENDPOINT", "endpoint", config->endpoint);
  if (variable.value == NULL) variable.value = SETTINGS_ENDPOINT;
  return accel_otlp_url_make(variables, &variable, variable.is_of_signal ? NULL : paths[signal],
                             &target->url);
}

static accel_status settings_headers(const otlp_variables *variables, otlp_signal signal,
                                     const accel_otlp_config *config, otlp_target *target)
{
  const otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, "HEADERS", "headers", config->headers);
  if (variable.value == NULL) return ACCEL_OK;
  return accel_otlp_pairs_parse(&target->headers, OTLP_PAIRS_HEADERS, variables->owner,
                                variable.name, variable.value);
}

static accel_status settings_form(const otlp_variables *variables, otlp_signal signal,
                                  const accel_otlp_config *config, otlp_target *target)
{
  const otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, "PROTOCOL", "json", NULL);
  target->form = config->json ? OTLP_JSON : OTLP_PROTOBUF;
  if (config->json || variable.value == NULL) return ACCEL_OK;
  if (strcmp(variable.value, "grpc") == 0)
    return accel_otlp_variable_refuse(variables, &variable,
                                      "write http/protobuf, and use the receiver's port for HTTP, "
                                      "such as 4318 in place of 4317");
  target->form = strcmp(variable.value, "http/json") == 0 ? OTLP_JSON : OTLP_PROTOBUF;
  if (target->form == OTLP_JSON || strcmp(variable.value, "http/protobuf") == 0) return ACCEL_OK;
  return accel_otlp_variable_refuse(variables, &variable, "write http/protobuf or http/json");
}

static accel_status settings_compression(const otlp_variables *variables, otlp_signal signal,
                                         const accel_otlp_config *config, otlp_target *target)
{
  const otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, "COMPRESSION", "no_gzip", NULL);
  target->is_gzip = !config->no_gzip;
  if (config->no_gzip || variable.value == NULL) return ACCEL_OK;
  target->is_gzip = strcmp(variable.value, "gzip") == 0;
  if (target->is_gzip || strcmp(variable.value, "none") == 0) return ACCEL_OK;
  return accel_otlp_variable_refuse(variables, &variable, "write gzip or none");
}

static accel_status settings_timeout(const otlp_variables *variables, otlp_signal signal,
                                     const accel_otlp_config *config, otlp_target *target)
{
  const otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, "TIMEOUT", "timeout_ms", NULL);
  uint64_t timeout_ms;
  accel_status status =
      accel_otlp_variable_number(variables, NULL, "timeout_ms", config->timeout_ms,
                                 SETTINGS_TIMEOUT_MS, SETTINGS_DAY_MS, &timeout_ms);
  if (status == ACCEL_OK && config->timeout_ms == 0 && variable.value != NULL)
    status = accel_otlp_variable_read(variables, &variable, SETTINGS_DAY_MS, &timeout_ms);
  target->timeout_ms = (uint32_t)timeout_ms;
  return status;
}

/* Copies the name of a file that can be read. */
static accel_status settings_file(const otlp_variables *variables, otlp_signal signal,
                                  const char *suffix, const char *field_value, char **out)
{
  const otlp_variable variable =
      accel_otlp_variable_of_signal(variables, signal, suffix, "certificate", field_value);
  if (variable.value == NULL) return ACCEL_OK;
  FILE *file = fopen(variable.value, "rbe");
  if (file == NULL)
    return accel_otlp_variable_refuse(variables, &variable,
                                      errno == ENOENT ? "there is no such file"
                                                      : "the file cannot be opened for reading");
  fclose(file);
  const size_t size = strlen(variable.value) + 1;
  *out = (char *)ACCEL_MALLOC(size);
  if (*out == NULL) return settings_no_memory(variables);
  memcpy(*out, variable.value, size);
  return ACCEL_OK;
}

static accel_status settings_target(const otlp_variables *variables, otlp_signal signal,
                                    const accel_otlp_config *config, otlp_target *target)
{
  accel_status status = settings_url(variables, signal, config, target);
  if (status == ACCEL_OK) status = settings_headers(variables, signal, config, target);
  if (status == ACCEL_OK) status = settings_form(variables, signal, config, target);
  if (status == ACCEL_OK) status = settings_compression(variables, signal, config, target);
  if (status == ACCEL_OK) status = settings_timeout(variables, signal, config, target);
  if (status == ACCEL_OK)
    status =
        settings_file(variables, signal, "CERTIFICATE", config->certificate, &target->certificate);
  if (status == ACCEL_OK)
    status = settings_file(variables, signal, "CLIENT_KEY", NULL, &target->client_key);
  if (status == ACCEL_OK)
    status =
        settings_file(variables, signal, "CLIENT_CERTIFICATE", NULL, &target->client_certificate);
  return status;
}

/* ---- the resource ---- */

/* A random UUID. */
static void settings_draw_id(char id[37])
{
  unsigned char random[16] = {0};
  size_t at = 0;
  (void)accel_random_bytes(random, sizeof random);
  random[6] = (unsigned char)((random[6] & 0x0Fu) | 0x40u);
  random[8] = (unsigned char)((random[8] & 0x3Fu) | 0x80u);
  for (size_t i = 0; i < sizeof random; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id[at++] = '-';
    snprintf(id + at, 3, "%02x", random[i]);
    at += 2;
  }
}

/* unknown_service:PROGRAM, as the specification says. */
static void settings_name_unknown(char *name, size_t size)
{
  char path[256] = "";
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  const char *slash = length > 0 ? strrchr(path, '/') : NULL;
  if (slash == NULL)
    snprintf(name, size, "unknown_service");
  else
    snprintf(name, size, "unknown_service:%s", slash + 1);
}

static bool settings_add(otlp_pairs *resource, const char *name, const char *value_or_null)
{
  const bool is_given = value_or_null != NULL && *value_or_null != '\0';
  return !is_given || accel_otlp_pairs_add(resource, name, value_or_null);
}

/* Adds each value in turn; the first one of a name counts. */
static accel_status settings_resource(const otlp_variables *variables,
                                      const accel_otlp_config *config, otlp_pairs *resource)
{
  char id[37] = "", unknown[280];
  const otlp_variable name =
      accel_otlp_variable(variables, "OTEL_SERVICE_NAME", "service_name", config->service_name);
  const otlp_variable attributes = accel_otlp_variable(
      variables, "OTEL_RESOURCE_ATTRIBUTES", "resource_attributes", config->resource_attributes);
  otlp_pairs more = {NULL, 0, 0, false};
  accel_status status = ACCEL_OK;
  if (attributes.value != NULL)
    status = accel_otlp_pairs_parse(&more, OTLP_PAIRS_ATTRIBUTES, variables->owner, attributes.name,
                                    attributes.value);
  settings_draw_id(id);
  settings_name_unknown(unknown, sizeof unknown);
  const char *of_attributes = accel_otlp_pairs_find(&more, "service.name");
  const bool has_memory =
      settings_add(resource, "service.name", name.value) &&
      settings_add(resource, "service.name", of_attributes) &&
      settings_add(resource, "service.name", unknown) &&
      settings_add(resource, "service.namespace", config->service_namespace) &&
      settings_add(resource, "service.version", config->service_version) &&
      settings_add(resource, "service.instance.id", config->service_instance_id) &&
      accel_otlp_pairs_copy(&more, resource) && settings_add(resource, "service.instance.id", id) &&
      settings_add(resource, "telemetry.sdk.name", "accel") &&
      settings_add(resource, "telemetry.sdk.language", "c") &&
      settings_add(resource, "telemetry.sdk.version", ACCEL_VERSION);
  accel_otlp_pairs_release(&more);
  if (accel_failed(status)) return status;
  return has_memory ? ACCEL_OK : settings_no_memory(variables);
}

/* ---- numbers, and what is the same for all ---- */

static accel_status settings_numbers(const otlp_variables *variables,
                                     const accel_otlp_config *config, otlp_settings *settings)
{
  uint64_t interval_ms = 0, delay_ms = 0, queue = 0, batch = 0;
  accel_status status = accel_otlp_variable_number(
      variables, "OTEL_METRIC_EXPORT_INTERVAL", "interval_ms", config->interval_ms,
      SETTINGS_INTERVAL_MS, SETTINGS_DAY_MS, &interval_ms);
  if (status == ACCEL_OK)
    status = accel_otlp_variable_number(variables, "OTEL_BSP_SCHEDULE_DELAY", "batch_delay_ms",
                                        config->batch_delay_ms, SETTINGS_DELAY_MS, SETTINGS_DAY_MS,
                                        &delay_ms);
  if (status == ACCEL_OK)
    status =
        accel_otlp_variable_number(variables, "OTEL_BSP_MAX_QUEUE_SIZE", "span_queue",
                                   config->span_queue, SETTINGS_QUEUE, SETTINGS_QUEUE_MAX, &queue);
  if (status == ACCEL_OK)
    status = accel_otlp_variable_number(
        variables, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "batch_size", config->batch_size,
        queue < SETTINGS_BATCH ? queue : SETTINGS_BATCH, SETTINGS_QUEUE_MAX, &batch);
  if (status == ACCEL_OK && batch > queue)
    status = accel_error_set(variables->owner, ACCEL_ERR_CONFIG,
                             "batch_size is %u; at most span_queue, which is %u", (unsigned)batch,
                             (unsigned)queue);
  settings->interval_ms = (uint32_t)interval_ms;
  settings->batch_delay_ms = (uint32_t)delay_ms;
  settings->queue_size = (size_t)queue;
  settings->batch_size = (size_t)batch;
  return status;
}

/* Only sums since the start are sent: what a receiver misses is in the next ones. */
static accel_status settings_temporality(const otlp_variables *variables)
{
  const otlp_variable variable =
      accel_otlp_variable(variables, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "", NULL);
  if (variable.value == NULL || strcasecmp(variable.value, "cumulative") == 0) return ACCEL_OK;
  return accel_otlp_variable_refuse(variables, &variable,
                                    "sums are sent as cumulative ones only; unset it, and let a "
                                    "collector convert them");
}

static accel_status settings_disabled(const otlp_variables *variables, otlp_settings *settings)
{
  const otlp_variable variable = accel_otlp_variable(variables, "OTEL_SDK_DISABLED", "", NULL);
  settings->is_disabled = variable.value != NULL && strcasecmp(variable.value, "true") == 0;
  if (variable.value == NULL || settings->is_disabled || strcasecmp(variable.value, "false") == 0)
    return ACCEL_OK;
  return accel_otlp_variable_refuse(variables, &variable, "write true or false");
}

accel_status accel_otlp_settings_open(otlp_settings *settings, const void *owner,
                                      const accel_otlp_config *config)
{
  const otlp_variables variables = {owner, !config->no_environment};
  memset(settings, 0, sizeof *settings);
  accel_status status = settings_disabled(&variables, settings);
  if (status == ACCEL_OK) status = settings_temporality(&variables);
  if (status == ACCEL_OK) status = settings_numbers(&variables, config, settings);
  if (status == ACCEL_OK) status = settings_resource(&variables, config, &settings->resource);
  for (int i = 0; i < OTLP_SIGNALS && status == ACCEL_OK; i++)
    status = settings_target(&variables, (otlp_signal)i, config, &settings->targets[i]);
  if (accel_failed(status)) accel_otlp_settings_close(settings);
  return status;
}

void accel_otlp_settings_close(otlp_settings *settings)
{
  for (size_t i = 0; i < OTLP_SIGNALS; i++) {
    otlp_target *target = &settings->targets[i];
    accel_otlp_pairs_release(&target->headers);
    if (target->url != NULL) explicit_bzero(target->url, strlen(target->url));
    ACCEL_FREE(target->url);
    ACCEL_FREE(target->certificate);
    ACCEL_FREE(target->client_key);
    ACCEL_FREE(target->client_certificate);
  }
  accel_otlp_pairs_release(&settings->resource);
  memset(settings, 0, sizeof *settings);
}
