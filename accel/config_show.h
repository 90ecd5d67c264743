/* config_show.h: a configuration as text (layer 1). Only for .c files. Threads: any. */
#ifndef ACCEL_CONFIG_SHOW_H
#define ACCEL_CONFIG_SHOW_H

#include "config.h"

#define ACCEL_CONFIG_TEXT 72u /* bytes of a value's text, with its 0 */

/* A field: its value, and its default, which zero selects. Of a pointer it says only whether it is
 * set. */
typedef struct accel_config_text {
  const char *name; /* a constant */
  char value[ACCEL_CONFIG_TEXT], when_zero[ACCEL_CONFIG_TEXT];
} accel_config_text;

ACCEL_EXTERN_C_BEGIN

/* Shows field number `index` of a resolved configuration, in the order of the struct. `area` stands
 * for config->area, which is not read. False: there are no more. */
bool accel_config_show(const accel_config *config, const char *area, size_t index,
                       accel_config_text *out);

ACCEL_EXTERN_C_END
#endif
