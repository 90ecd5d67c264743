#include "config.h"

#include "compress.h"
#include "error.h"

#include <string.h>

#define CONFIG_NAME_MAX 64
#define CONFIG_LEASE_MS_MIN 100u

bool accel_config_is_name(const char *text)
{
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  const size_t size = strlen(text);
  return size >= 1 && size <= CONFIG_NAME_MAX && strspn(text, allowed) == size;
}

/* The area's first character that it may not hold, as a number where printing it would not help. */
static accel_status config_check_area(const void *owner, const char *area)
{
  if (area == NULL)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "area is NULL; a cache needs a name");
  if (accel_config_is_name(area)) return ACCEL_OK;
  const size_t size = strlen(area);
  if (size == 0)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "area is \"\"; a cache needs a name");
  if (size > CONFIG_NAME_MAX)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "area is %zu characters long; %d at most", size,
                           CONFIG_NAME_MAX);
  for (size_t i = 0; i < size; i++) {
    const char one[2] = {area[i], '\0'};
    if (accel_config_is_name(one)) continue;
    const bool is_printable = area[i] >= 0x20 && area[i] < 0x7F;
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "area holds %s%s (0x%02x) at %zu; only A-Z a-z 0-9 _ . - are allowed",
                           is_printable ? one : "a character", is_printable ? "" : " not printable",
                           (unsigned)(unsigned char)area[i], i);
  }
  return ACCEL_OK;
}

static accel_status config_check_mode(const void *owner, const accel_config *config,
                                      const accel_config_facts *facts)
{
  static const char *const names[] = {"ACCEL_AUTO", "ACCEL_LOCAL", "ACCEL_REMOTE", "ACCEL_BOTH"};
  const int mode = (int)config->mode;
  if (mode < ACCEL_AUTO || mode > ACCEL_BOTH)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "mode is %d, which is no accel_mode", mode);
  if (config->remote != NULL && !facts->has_remote_trait)
    return accel_error_set(
        owner, ACCEL_ERR_CONFIG,
        "remote is set, but the cache was defined without the trait .remote; give it to "
        "ACCEL_DEFINE_WITH, for Redis .remote = &accel_redis_ops");
  if (mode == ACCEL_LOCAL && config->remote != NULL)
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "mode is ACCEL_LOCAL, but remote is set; leave one of them out");
  if (mode >= ACCEL_REMOTE && config->remote == NULL)
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "mode is %s, but remote is NULL; open an L2 and set it", names[mode]);
  return ACCEL_OK;
}

static accel_status config_check_numbers(const void *owner, const accel_config *config,
                                         const accel_config_facts *facts)
{
  const double ratio = config->ttl_jitter_ratio;
  if (!(ratio >= 0.0 && ratio <= 1.0)) /* also refuses NaN */
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "ttl_jitter_ratio is %g; it must be in [0, 1]",
                           ratio);
  if (config->max_weight > 0 && !facts->has_weigh_trait)
    return accel_error_set(
        owner, ACCEL_ERR_CONFIG,
        "max_weight is %zu, but the cache was defined without the trait .weigh; give it "
        "to ACCEL_DEFINE_WITH",
        config->max_weight);
  const struct {
    const char *field;
    uint32_t ms;
  } finite[] = {{"loader_soft_timeout_ms", config->loader_soft_timeout_ms},
                {"refresh_ahead_window_ms", config->refresh_ahead_window_ms},
                {"stale_max_ms", config->stale_max_ms},
                {"stale_throttle_ms", config->stale_throttle_ms},
                {"lease_ms", config->lease_ms},
                {"hot_key_window_ms", config->hot_key_window_ms}};
  for (size_t i = 0; i < sizeof finite / sizeof finite[0]; i++)
    if (finite[i].ms == ACCEL_FOREVER)
      return accel_error_set(owner, ACCEL_ERR_CONFIG,
                             "%s is ACCEL_FOREVER; it must be a number of milliseconds",
                             finite[i].field);
  if (config->lease_ms != 0 && config->lease_ms < CONFIG_LEASE_MS_MIN)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "lease_ms is %u; it must be at least %u",
                           (unsigned)config->lease_ms, CONFIG_LEASE_MS_MIN);
  if (config->remote_errors != ACCEL_IGNORE && config->remote_errors != ACCEL_PROPAGATE)
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "remote_errors is %d, which is no accel_error_policy",
                           (int)config->remote_errors);
  if (config->capacity > SIZE_MAX / 2)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "capacity is %zu; it must be at most %zu",
                           config->capacity, SIZE_MAX / 2);
  return ACCEL_OK;
}

static accel_status config_check_callbacks(const void *owner, const accel_config *config)
{
  if (config->clock != NULL && config->clock->now_ms == NULL)
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "clock is set, but its now_ms is NULL");
  const accel_compressor *compressor = config->compressor;
  if (compressor != NULL && (compressor->method < 1 || compressor->method > 7))
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "compressor's method is %u; it must be in [1, 7]",
                           (unsigned)compressor->method);
  if (compressor != NULL && (compressor->compress == NULL || compressor->decompress == NULL))
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "compressor is set, but its %s is NULL",
                           compressor->compress == NULL ? "compress" : "decompress");
  if (config->spans != NULL && (config->spans->begin == NULL || config->spans->end == NULL))
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "spans is set, but its %s is NULL",
                           config->spans->begin == NULL ? "begin" : "end");
  return ACCEL_OK;
}

#define CONFIG_DEFAULT(field_, value_) \
  if (resolved->field_ == 0) resolved->field_ = (value_)

static void config_apply_defaults(accel_config *resolved)
{
  if (resolved->mode == ACCEL_AUTO)
    resolved->mode = resolved->remote == NULL ? ACCEL_LOCAL : ACCEL_BOTH;
  CONFIG_DEFAULT(capacity, 100000);
  CONFIG_DEFAULT(max_key_bytes, 131072);
  CONFIG_DEFAULT(local_ttl_ms, 60000);
  CONFIG_DEFAULT(remote_ttl_ms, 300000);
  CONFIG_DEFAULT(null_ttl_ms, 30000);
  CONFIG_DEFAULT(loader_timeout_ms, 300);
  CONFIG_DEFAULT(refresh_ahead_window_ms, 3000);
  CONFIG_DEFAULT(stale_max_ms, 3600000);
  CONFIG_DEFAULT(stale_throttle_ms, 1000);
  CONFIG_DEFAULT(warmup_batch_size, 256);
  CONFIG_DEFAULT(degraded_ttl_ms, 1000);
  CONFIG_DEFAULT(lease_ms, 900); /* with the last look of a waiting process: less than a second */
  CONFIG_DEFAULT(hot_key_window_ms, 10000);
  if (!(resolved->ttl_jitter_ratio > 0)) resolved->ttl_jitter_ratio = 0.1;
  if (resolved->no_ttl_jitter) resolved->ttl_jitter_ratio = 0;
}

accel_status accel_config_resolve(const void *owner, const accel_config *config,
                                  const accel_config_facts *facts, accel_config *resolved)
{
  if (config == NULL) return accel_error_set(owner, ACCEL_ERR_CONFIG, "config is NULL");
  accel_status status = config_check_area(owner, config->area);
  if (status == ACCEL_OK) status = config_check_mode(owner, config, facts);
  if (status == ACCEL_OK) status = config_check_numbers(owner, config, facts);
  if (status == ACCEL_OK) status = config_check_callbacks(owner, config);
  if (status != ACCEL_OK) return status;
  *resolved = *config;
  config_apply_defaults(resolved);
  return ACCEL_OK;
}

const char *accel_mode_name(accel_mode mode)
{
  static const char *const names[] = {"auto", "local", "remote", "both"};
  const bool is_defined = (unsigned)mode < sizeof names / sizeof names[0];
  return is_defined ? names[mode] : "undefined";
}
