#include "variables.h"

#include "../../accel/error.h"

#include <curl/curl.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLES_SHOWN 64u /* bytes of a value that an error quotes */

/* ---- looking up ---- */

static bool variables_take(const otlp_variables *variables, otlp_variable *variable)
{
  if (!variables->has_environment) return false;
  const char *value = getenv(variable->name); /* NOLINT: open asks that nobody changes it */
  variable->value = value == NULL || *value == '\0' ? NULL : value;
  return variable->value != NULL;
}

otlp_variable accel_otlp_variable(const otlp_variables *variables, const char *name,
                                  const char *field, const char *field_value)
{
  otlp_variable variable = {.value = NULL};
  if (field_value != NULL && *field_value != '\0') {
    snprintf(variable.name, sizeof variable.name, "%s", field);
    variable.value = field_value;
    return variable;
  }
  snprintf(variable.name, sizeof variable.name, "%s", name);
  variables_take(variables, &variable);
  return variable;
}

otlp_variable accel_otlp_variable_of_signal(const otlp_variables *variables, otlp_signal signal,
                                            const char *suffix, const char *field,
                                            const char *field_value)
{
  static const char *const names[OTLP_SIGNALS] = {"METRICS", "TRACES", "LOGS"};
  char of_all[OTLP_VARIABLE_NAME];
  otlp_variable variable = {.is_of_signal = true};
  const bool is_field = field_value != NULL && *field_value != '\0';
  snprintf(variable.name, sizeof variable.name, "OTEL_EXPORTER_OTLP_%s_%s", names[signal], suffix);
  if (!is_field && variables_take(variables, &variable)) return variable;
  snprintf(of_all, sizeof of_all, "OTEL_EXPORTER_OTLP_%s", suffix);
  return accel_otlp_variable(variables, of_all, field, field_value);
}

/* ---- errors ---- */

/* What an error quotes: nothing that is not printable, and nothing behind it. */
static void variables_show(const char *value, char *shown)
{
  size_t i = 0;
  for (; i + 1 < VARIABLES_SHOWN && value[i] >= 0x20 && value[i] < 0x7F; i++) shown[i] = value[i];
  shown[i] = '\0';
}

accel_status accel_otlp_variable_refuse(const otlp_variables *variables,
                                        const otlp_variable *variable, const char *wanted)
{
  char shown[VARIABLES_SHOWN];
  variables_show(variable->value, shown);
  return accel_error_set(variables->owner, ACCEL_ERR_CONFIG, "%s is \"%s\"; %s", variable->name,
                         shown, wanted);
}

/* ---- numbers ---- */

accel_status accel_otlp_variable_read(const otlp_variables *variables,
                                      const otlp_variable *variable, uint64_t most, uint64_t *out)
{
  char wanted[80];
  uint64_t number = 0;
  const char *at = variable->value;
  for (; *at >= '0' && *at <= '9' && number <= most; at++)
    number = number * 10 + (uint64_t)(*at - '0');
  snprintf(wanted, sizeof wanted, "it is a number from 1 to %" PRIu64, most);
  if (*at != '\0' || number == 0 || number > most)
    return accel_otlp_variable_refuse(variables, variable, wanted);
  *out = number;
  return ACCEL_OK;
}

accel_status accel_otlp_variable_number(const otlp_variables *variables, const char *name,
                                        const char *field, uint64_t field_value, uint64_t normal,
                                        uint64_t most, uint64_t *out)
{
  if (field_value > most)
    return accel_error_set(variables->owner, ACCEL_ERR_CONFIG,
                           "%s is %" PRIu64 "; at most %" PRIu64, field, field_value, most);
  *out = field_value != 0 ? field_value : normal;
  if (field_value != 0 || name == NULL) return ACCEL_OK;
  const otlp_variable variable = accel_otlp_variable(variables, name, field, NULL);
  if (variable.value == NULL) return ACCEL_OK;
  return accel_otlp_variable_read(variables, &variable, most, out);
}

/* ---- URLs ---- */

/* Up to a query, which may hold a key; nothing where a user may stand in it. */
static accel_status variables_refuse_url(const otlp_variables *variables,
                                         const otlp_variable *variable, const char *why)
{
  char shown[VARIABLES_SHOWN];
  variables_show(variable->value, shown);
  shown[strcspn(shown, "?#")] = '\0';
  if (strchr(variable->value, '@') != NULL)
    return accel_error_set(variables->owner, ACCEL_ERR_CONFIG,
                           "%s is no URL of a receiver (%s); write http://host:4318 or "
                           "https://host:4318",
                           variable->name, why);
  return accel_error_set(variables->owner, ACCEL_ERR_CONFIG,
                         "%s is \"%s\", which is no URL of a receiver (%s); write "
                         "http://host:4318 or https://host:4318",
                         variable->name, shown, why);
}

/* Appends /v1/... to the path. */
static CURLUcode variables_extend(CURLU *url, const char *path)
{
  char *own = NULL;
  CURLUcode code = curl_url_get(url, CURLUPART_PATH, &own, 0);
  if (code != CURLUE_OK) return code;
  size_t size = strlen(own);
  while (size > 0 && own[size - 1] == '/') size--;
  const size_t room = size + strlen(path) + 1;
  char *whole = (char *)ACCEL_MALLOC(room);
  if (whole != NULL) {
    snprintf(whole, room, "%.*s%s", (int)size, own, path);
    code = curl_url_set(url, CURLUPART_PATH, whole, 0);
  }
  ACCEL_FREE(whole);
  curl_free(own);
  return whole == NULL ? CURLUE_OUT_OF_MEMORY : code;
}

static bool variables_is_http(CURLU *url)
{
  char *scheme = NULL;
  if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) return false;
  const bool is_http = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
  curl_free(scheme);
  return is_http;
}

static accel_status variables_write_url(CURLU *url, char **out)
{
  char *whole = NULL;
  if (curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK) return ACCEL_ERR_NOMEM;
  const size_t size = strlen(whole) + 1;
  *out = (char *)ACCEL_MALLOC(size);
  if (*out != NULL) memcpy(*out, whole, size);
  curl_free(whole);
  return *out == NULL ? ACCEL_ERR_NOMEM : ACCEL_OK;
}

accel_status accel_otlp_url_make(const otlp_variables *variables, const otlp_variable *variable,
                                 const char *path_or_null, char **out)
{
  CURLU *url = curl_url();
  if (url == NULL) return accel_error_set(variables->owner, ACCEL_ERR_NOMEM, "no memory for OTLP");
  CURLUcode code = curl_url_set(url, CURLUPART_URL, variable->value, 0);
  if (code == CURLUE_OK && !variables_is_http(url)) code = CURLUE_UNSUPPORTED_SCHEME;
  if (code == CURLUE_OK) code = curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
  if (code == CURLUE_OK && path_or_null != NULL) code = variables_extend(url, path_or_null);
  accel_status status = ACCEL_ERR_NOMEM;
  if (code == CURLUE_OK) status = variables_write_url(url, out);
  curl_url_cleanup(url);
  if (code != CURLUE_OK && code != CURLUE_OUT_OF_MEMORY)
    return variables_refuse_url(variables, variable, curl_url_strerror(code));
  if (status == ACCEL_ERR_NOMEM)
    return accel_error_set(variables->owner, ACCEL_ERR_NOMEM, "no memory for OTLP");
  return ACCEL_OK;
}
