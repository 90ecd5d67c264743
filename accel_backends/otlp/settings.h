/* settings.h: what an exporter does, from its configuration and the environment (backend otlp).
 *
 * A field that is set wins over the environment, and a variable of one signal over the one of all
 * signals. An error names the field or the variable. Threads: one at a time; the environment must
 * not be changed meanwhile.
 */
#ifndef ACCEL_BACKENDS_OTLP_SETTINGS_H
#define ACCEL_BACKENDS_OTLP_SETTINGS_H

#include "../otlp.h"
#include "pairs.h"
#include "writer.h"

typedef enum otlp_signal {
  OTLP_METRICS = 0,
  OTLP_TRACES,
  OTLP_LOGS,
  OTLP_SIGNALS /* how many there are */
} otlp_signal;

/* Where one signal goes. */
typedef struct otlp_target {
  char *url;
  otlp_pairs headers;
  otlp_form form;
  bool is_gzip;
  uint32_t timeout_ms;
  char *certificate, *client_key, *client_certificate; /* files; NULL: none */
} otlp_target;

typedef struct otlp_settings {
  otlp_target targets[OTLP_SIGNALS];
  otlp_pairs resource; /* attributes, service.name first */
  uint32_t interval_ms, batch_delay_ms;
  size_t queue_size, batch_size;
  bool is_disabled; /* OTEL_SDK_DISABLED */
} otlp_settings;

ACCEL_EXTERN_C_BEGIN

/* OK; CONFIG or NOMEM, with an error on `owner`; then nothing is held. */
accel_status accel_otlp_settings_open(otlp_settings *settings, const void *owner,
                                      const accel_otlp_config *config);
void accel_otlp_settings_close(otlp_settings *settings);

/* "metrics", "traces" or "logs". */
const char *accel_otlp_signal_name(otlp_signal signal);

ACCEL_EXTERN_C_END

#endif
