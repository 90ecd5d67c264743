/* variables.h: a setting's text, from a field or from the environment (backend otlp).
 *
 * Threads: one at a time; nobody may change the environment meanwhile.
 */
#ifndef ACCEL_BACKENDS_OTLP_VARIABLES_H
#define ACCEL_BACKENDS_OTLP_VARIABLES_H

#include "settings.h"

#define OTLP_VARIABLE_NAME 64

typedef struct otlp_variable {
  char name[OTLP_VARIABLE_NAME]; /* of the field or of the variable */
  const char *value;             /* NULL: neither is set */
  bool is_of_signal;             /* it is OTEL_EXPORTER_OTLP_METRICS_..., or one of its kind */
} otlp_variable;

/* Where settings are looked up, and whose errors these are. */
typedef struct otlp_variables {
  const void *owner;
  bool has_environment;
} otlp_variables;

ACCEL_EXTERN_C_BEGIN

/* `field_value`, if it is not NULL or empty; else OTEL_EXPORTER_OTLP_<signal>_<suffix>, else
 * OTEL_EXPORTER_OTLP_<suffix>. An empty variable counts as not set. */
otlp_variable accel_otlp_variable_of_signal(const otlp_variables *variables, otlp_signal signal,
                                            const char *suffix, const char *field,
                                            const char *field_value);
/* The same with a variable for all signals, by its whole name. */
otlp_variable accel_otlp_variable(const otlp_variables *variables, const char *name,
                                  const char *field, const char *field_value);
/* *out is `field_value`, if it is not 0; else the number in the variable, from 1 to `most`; else
 * `normal`. OK, CONFIG. */
accel_status accel_otlp_variable_number(const otlp_variables *variables, const char *name,
                                        const char *field, uint64_t field_value, uint64_t normal,
                                        uint64_t most, uint64_t *out);
/* Checks that the text of a variable is a number from 1 to `most`. OK, CONFIG. */
accel_status accel_otlp_variable_read(const otlp_variables *variables,
                                      const otlp_variable *variable, uint64_t most, uint64_t *out);
/* CONFIG, with an error that quotes name and value, as far as that is printable, and `wanted`. */
accel_status accel_otlp_variable_refuse(const otlp_variables *variables,
                                        const otlp_variable *variable, const char *wanted);

/* The URL for requests: *out is of ACCEL_MALLOC. `path_or_null` is appended to the URL's own.
 * OK; CONFIG: it is no URL of http or https; NOMEM. What could be a password is not quoted. */
accel_status accel_otlp_url_make(const otlp_variables *variables, const otlp_variable *variable,
                                 const char *path_or_null, char **out);

ACCEL_EXTERN_C_END

#endif
