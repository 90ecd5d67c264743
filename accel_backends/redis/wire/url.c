#include "url.h"

#include "../../../accel/config.h"
#include "../../../accel/error.h"
#include "../../../accel/platform/system.h"
#include "../../../accel/platform/wipe.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static accel_status redis_url_refuse(const void *owner, const char *why)
{
  return accel_error_set(owner, ACCEL_ERR_CONFIG, "url: %s", why);
}

static bool redis_url_skip(char **text, const char *start)
{
  const size_t size = strlen(start);
  if (strncmp(*text, start, size) != 0) return false;
  *text += size;
  return true;
}

static int redis_url_hex_digit(char digit)
{
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/* In place: decoded text is never longer. False: a broken escape, or one for the byte 0. */
static bool redis_url_decode(char *text)
{
  char *to = text;
  for (const char *from = text; *from != '\0'; from++) {
    if (*from != '%') {
      *to++ = *from;
      continue;
    }
    const int high = redis_url_hex_digit(from[1]);
    const int low = high < 0 ? -1 : redis_url_hex_digit(from[2]);
    if (low < 0 || high + low == 0) return false;
    *to++ = (char)(high * 16 + low);
    from += 2;
  }
  *to = '\0';
  return true;
}

/* Digits only, at most `most`. */
static bool redis_url_number(const char *text, uint32_t most, uint32_t *out)
{
  uint64_t value = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (uint64_t)(*text - '0');
    if (value > most) return false;
  }
  *out = (uint32_t)value;
  return true;
}

static accel_status redis_url_parse_user(const void *owner, char *userinfo, redis_url *url)
{
  char *colon = strchr(userinfo, ':');
  if (colon == NULL)
    return redis_url_refuse(owner, "user:password or :password must stand before the @");
  *colon = '\0';
  if (!redis_url_decode(userinfo) || !redis_url_decode(colon + 1))
    return redis_url_refuse(owner, "a % in user or password is not followed by two hex digits");
  if (colon[1] == '\0') return redis_url_refuse(owner, "the password is empty");
  url->user = *userinfo == '\0' ? NULL : userinfo;
  url->password = colon + 1;
  return ACCEL_OK;
}

static accel_status redis_url_parse_host(const void *owner, char *text, const char *default_port,
                                         redis_url_host *host)
{
  char *end = text + strcspn(text, ":");
  if (*text == '[') {
    char *bracket = strchr(text, ']');
    if (bracket == NULL) return redis_url_refuse(owner, "the address has a [ but no ]");
    *bracket = '\0';
    text++;
    end = bracket + 1;
  }
  if (*end != '\0' && *end != ':')
    return redis_url_refuse(owner, "only :port may follow the address in brackets");
  host->port = *end == ':' ? end + 1 : default_port;
  *end = '\0';
  host->host = text;
  if (*text == '\0') return redis_url_refuse(owner, "the host is missing");
  if (strpbrk(text, "?#") != NULL)
    return redis_url_refuse(owner,
                            "a host may not hold ? or #; options are fields of accel_redis_config");
  if (strlen(text) > REDIS_URL_HOST_MAX)
    return redis_url_refuse(owner, "a host has more than 255 bytes");
  uint32_t number = 0;
  if (!redis_url_number(host->port, 65535, &number) || number == 0)
    return redis_url_refuse(owner, "the port is not a number from 1 to 65535");
  return ACCEL_OK;
}

/* One host, or several between commas where the kind has several. */
static accel_status redis_url_parse_hosts(const void *owner, char *text, redis_url *url)
{
  const char *default_port = url->kind == REDIS_URL_SENTINEL ? "26379" : "6379";
  for (char *next = text; next != NULL; url->host_count++) {
    char *host = next;
    char *comma = strchr(host, ',');
    if (comma != NULL && url->kind == REDIS_URL_SERVER)
      return redis_url_refuse(owner, "several hosts need redis+sentinel:// or "
                                     "redis+cluster://");
    next = comma == NULL ? NULL : comma + 1;
    if (comma != NULL) *comma = '\0';
    if (url->host_count == REDIS_URL_HOSTS_MAX)
      return accel_error_set(owner, ACCEL_ERR_CONFIG, "url: it names more than %u hosts",
                             REDIS_URL_HOSTS_MAX);
    const accel_status status =
        redis_url_parse_host(owner, host, default_port, &url->hosts[url->host_count]);
    if (accel_failed(status)) return status;
  }
  url->host = url->hosts[0].host;
  url->port = url->hosts[0].port;
  return ACCEL_OK;
}

/* What follows the hosts: a master's name where Sentinels are asked for it, and a database. */
static accel_status redis_url_parse_path(const void *owner, char *path, redis_url *url)
{
  if (url->kind == REDIS_URL_CLUSTER && *path != '\0')
    return redis_url_refuse(owner, "a cluster has no databases: nothing may follow the hosts");
  if (url->kind == REDIS_URL_SENTINEL) {
    char *slash = strchr(path, '/');
    if (slash != NULL) *slash = '\0';
    url->master_name = path;
    if (!accel_config_is_name(path))
      return redis_url_refuse(owner, "/ and the master's name must follow the Sentinels: 1 to 64 "
                                     "of [A-Za-z0-9_.-]");
    path = slash == NULL ? path + strlen(path) : slash + 1;
  }
  if (*path != '\0' && !redis_url_number(path, INT_MAX, &url->database))
    return redis_url_refuse(owner, "only the number of a database may follow the host");
  return ACCEL_OK;
}

static accel_status redis_url_parse_inet(const void *owner, char *text, redis_url *url)
{
  char *slash = strchr(text, '/');
  char *path = slash == NULL ? text + strlen(text) : slash + 1;
  if (slash != NULL) *slash = '\0';
  if (strpbrk(path, "@:") != NULL)
    return redis_url_refuse(owner, "/ : @ and % within user or password must be "
                                   "percent-encoded");
  char *hosts = text;
  char *at = strrchr(text, '@');
  if (at != NULL) {
    *at = '\0';
    hosts = at + 1;
    const accel_status status = redis_url_parse_user(owner, text, url);
    if (accel_failed(status)) return status;
  }
  const accel_status status = redis_url_parse_path(owner, path, url);
  return accel_failed(status) ? status : redis_url_parse_hosts(owner, hosts, url);
}

static accel_status redis_url_parse_unix(const void *owner, char *path, redis_url *url)
{
  if (*path != '/') return redis_url_refuse(owner, "an absolute path must follow unix://");
  if (!redis_url_decode(path))
    return redis_url_refuse(owner, "a % in the path is not followed by two hex digits");
  const size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
  if (strlen(path) > most)
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "url: the path has %zu bytes; a unix socket's has %zu at most",
                           strlen(path), most);
  url->hosts[url->host_count++].host = path;
  url->host = path;
  return ACCEL_OK;
}

static accel_status redis_url_parse_any(const void *owner, char *text, redis_url *url)
{
  static const struct {
    const char *start;
    redis_url_kind kind;
    bool is_tls;
  } kinds[] = {
      {"redis://", REDIS_URL_SERVER, false},
      {"rediss://", REDIS_URL_SERVER, true},
      {"redis+sentinel://", REDIS_URL_SENTINEL, false},
      {"redis+cluster://", REDIS_URL_CLUSTER, false},
      {"rediss+sentinel://", REDIS_URL_SENTINEL, true},
      {"rediss+cluster://", REDIS_URL_CLUSTER, true},
  };
  for (const char *each = text; *each != '\0'; each++)
    if ((unsigned char)*each <= ' ' || *each == 0x7F)
      return redis_url_refuse(owner, "it holds a space or a control character");
  if (redis_url_skip(&text, "unix://")) return redis_url_parse_unix(owner, text, url);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    url->kind = kinds[i].kind;
    url->is_tls = kinds[i].is_tls;
    if (redis_url_skip(&text, kinds[i].start)) return redis_url_parse_inet(owner, text, url);
  }
  return redis_url_refuse(owner, "it must begin with redis://, rediss://, unix://, "
                                 "redis+sentinel://, rediss+sentinel://, redis+cluster:// or "
                                 "rediss+cluster://");
}

static ACCEL_COLD accel_status redis_url_parse_copy(const void *owner, const char *text,
                                                    redis_url *url)
{
  memset(url, 0, sizeof *url);
  const size_t size = strlen(text) + 1;
  url->memory_size = accel_pages_round(size);
  url->memory = (char *)ACCEL_PAGES_ALLOC(url->memory_size);
  if (url->memory == NULL)
    return accel_error_set(owner, ACCEL_ERR_NOMEM, "url: no memory for its %zu bytes", size);
  accel_pages_conceal(url->memory, url->memory_size, true);
  memcpy(url->memory, text, size);
  const accel_status status = redis_url_parse_any(owner, url->memory, url);
  if (accel_failed(status)) accel_redis_url_release(url);
  return status;
}

accel_status accel_redis_url_parse(const void *owner, const char *text, redis_url *url)
{
  const accel_status status = redis_url_parse_copy(owner, text, url);
  accel_wipe_traces();
  return status;
}

static ACCEL_NOINLINE void redis_url_wipe(const redis_url *url, const char **text)
{
  if (*text != NULL) explicit_bzero(url->memory + (*text - url->memory), strlen(*text));
  *text = NULL;
}

void accel_redis_url_forget_password(redis_url *url)
{
  redis_url_wipe(url, &url->user);
  redis_url_wipe(url, &url->password);
  accel_wipe_traces();
}

void accel_redis_url_release(redis_url *url)
{
  if (url->memory != NULL) {
    explicit_bzero(url->memory, url->memory_size);
    accel_pages_conceal(url->memory, url->memory_size, false);
    ACCEL_PAGES_FREE(url->memory, url->memory_size);
  }
  memset(url, 0, sizeof *url);
}
