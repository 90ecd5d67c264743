#include "config_show.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Every field of accel_config, in its order: X(how it is shown, name). */
#define CONFIG_FIELD_LIST(X) \
  X(AREA, area) \
  X(MODE, mode) \
  X(SIZE, capacity) \
  X(SIZE, max_weight) \
  X(SIZE, max_key_bytes) \
  X(MS, local_ttl_ms) \
  X(MS, remote_ttl_ms) \
  X(MS, null_ttl_ms) \
  X(RATIO, ttl_jitter_ratio) \
  X(FLAG, no_ttl_jitter) \
  X(FLAG, no_null_cache) \
  X(FLAG, no_penetration_protect) \
  X(MS, loader_timeout_ms) \
  X(MS, loader_soft_timeout_ms) \
  X(FLAG, refresh_ahead) \
  X(MS, refresh_ahead_window_ms) \
  X(FLAG, stale_on_error) \
  X(MS, stale_max_ms) \
  X(MS, stale_throttle_ms) \
  X(FLAG, warmup_enabled) \
  X(SIZE, warmup_batch_size) \
  X(FLAG, no_broadcast) \
  X(FLAG, no_lease) \
  X(MS, degraded_ttl_ms) \
  X(SET, remote) \
  X(ERRORS, remote_errors) \
  X(SET, clock) \
  X(SET, executor) \
  X(SET, log) \
  X(SET, log_ctx) \
  X(SET, spans) \
  X(FLAG, trace_hits) \
  X(SET, compressor) \
  X(MS, lease_ms) \
  X(SET, observer) \
  X(COUNT, hot_keys) \
  X(MS, hot_key_window_ms) \
  X(FLAG, no_histograms)

/* A struct made of the list. If the list lacked a field, or had one in another place, the fields
 * from there on would have other offsets than in accel_config. */
#define CONFIG_FIELD_TYPE(how_, name_) __typeof__(((accel_config *)0)->name_) name_;
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the order is that of accel_config */
typedef struct config_listed {
  CONFIG_FIELD_LIST(CONFIG_FIELD_TYPE)
} config_listed;
#define CONFIG_FIELD_PLACE(how_, name_) \
  ACCEL_STATIC_ASSERT(offsetof(config_listed, name_) == offsetof(accel_config, name_), \
                      "the list of fields lacks one before " #name_);
CONFIG_FIELD_LIST(CONFIG_FIELD_PLACE)
ACCEL_STATIC_ASSERT(sizeof(config_listed) == sizeof(accel_config),
                    "the list lacks the last fields");

typedef enum config_how {
  CONFIG_SHOW_AREA,
  CONFIG_SHOW_MODE,
  CONFIG_SHOW_SIZE,
  CONFIG_SHOW_COUNT,
  CONFIG_SHOW_MS,
  CONFIG_SHOW_RATIO,
  CONFIG_SHOW_FLAG,
  CONFIG_SHOW_SET,
  CONFIG_SHOW_ERRORS
} config_how;

typedef struct config_field {
  const char *name;
  config_how how;
  size_t offset, size;
} config_field;

#define CONFIG_FIELD_ROW(how_, name_) \
  {#name_, CONFIG_SHOW_##how_, offsetof(accel_config, name_), sizeof(((accel_config *)0)->name_)},
static const config_field config_fields[] = {CONFIG_FIELD_LIST(CONFIG_FIELD_ROW)};

static void config_show_value(const accel_config *config, const char *area,
                              const config_field *field, char text[ACCEL_CONFIG_TEXT])
{
  const char *place = (const char *)config + field->offset;
  static const unsigned char zeros[sizeof(void *)];
  size_t size = 0;
  uint32_t number = 0;
  double ratio = 0;
  if (field->how == CONFIG_SHOW_SIZE) memcpy(&size, place, sizeof size);
  if (field->how == CONFIG_SHOW_MS || field->how == CONFIG_SHOW_COUNT)
    memcpy(&number, place, sizeof number);
  if (field->how == CONFIG_SHOW_RATIO) memcpy(&ratio, place, sizeof ratio);
  const bool is_set = memcmp(place, zeros, field->size) != 0;
  const char *word = is_set ? "true" : "false";
  switch (field->how) {
    case CONFIG_SHOW_AREA: word = area; break;
    case CONFIG_SHOW_MODE: word = accel_mode_name(config->mode); break;
    case CONFIG_SHOW_SET: word = is_set ? "set" : "none"; break;
    case CONFIG_SHOW_ERRORS:
      word = config->remote_errors == ACCEL_PROPAGATE ? "propagate" : "ignore";
      break;
    case CONFIG_SHOW_MS: word = number == ACCEL_FOREVER ? "forever" : NULL; break;
    case CONFIG_SHOW_SIZE:
    case CONFIG_SHOW_COUNT:
    case CONFIG_SHOW_RATIO: word = NULL; break;
    case CONFIG_SHOW_FLAG: break;
  }
  if (word != NULL)
    snprintf(text, ACCEL_CONFIG_TEXT, "%s", word);
  else if (field->how == CONFIG_SHOW_RATIO)
    snprintf(text, ACCEL_CONFIG_TEXT, "%g", ratio);
  else
    snprintf(text, ACCEL_CONFIG_TEXT, "%zu", field->how == CONFIG_SHOW_SIZE ? size : number);
}

bool accel_config_show(const accel_config *config, const char *area, size_t index,
                       accel_config_text *out)
{
  if (index >= sizeof config_fields / sizeof config_fields[0]) return false;
  static const accel_config_facts facts = {true, true};
  accel_config zero, resolved;
  memset(&zero, 0, sizeof zero);
  zero.area = area; /* these have no default to differ from */
  zero.remote = config->remote;
  zero.observer = config->observer;
  if (accel_config_resolve(NULL, &zero, &facts, &resolved) != ACCEL_OK) resolved = zero;
  const config_field *field = &config_fields[index];
  out->name = field->name;
  config_show_value(config, area, field, out->value);
  config_show_value(&resolved, area, field, out->when_zero);
  return true;
}
