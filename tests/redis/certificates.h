/* certificates.h: an authority and certificates of a test's own, made by openssl. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "client.h"

static char folder[] = "/tmp/accel_tls_XXXXXX";
static bool run(const char *format, ...) ACCEL_PRINTF(1, 2);

static bool run(const char *format, ...)
{
  char command[1024];
  const int start = snprintf(command, sizeof command, "cd %s && exec >/dev/null 2>&1; ", folder);
  va_list list;
  va_start(list, format);
  vsnprintf(command + start, sizeof command - (size_t)start, format, list);
  va_end(list);
  return system(command) == 0; /* NOLINT: fixed texts */
}

static ACCEL_UNUSED const char *path_of(const char *file)
{
  static char paths[4][128];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, file);
  return path;
}

/* An authority, and certificates by it: NAME.crt and NAME.key. */
static bool make_authority(const char *name)
{
  return run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=%s -keyout %s.key -out %s.crt",
             name, name, name);
}

static bool make_certificate(const char *name, const char *subject, const char *names, int days)
{
  return run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=%s "
             "-keyout %s.key -out %s.csr && printf 'subjectAltName=%s' > %s.ext && "
             "openssl x509 -req -in %s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days %d "
             "-extfile %s.ext -out %s.crt",
             subject, name, name, names, name, name, days, name, name);
}

static int make_all(void **state)
{
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  const bool made = make_authority("ca") && make_authority("other") &&
                    make_certificate("server", "redis.example",
                                     "DNS:redis.example,DNS:localhost,IP:127.0.0.1", 2) &&
                    make_certificate("named", "redis.example", "DNS:redis.example", 2) &&
                    make_certificate("client", "client", "DNS:client", 2) &&
                    make_certificate("expired", "redis.example", "IP:127.0.0.1", -1);
  return made ? 0 : -1;
}

static int remove_all(void **state)
{
  (void)state;
  return run("rm -rf %s", folder) ? 0 : -1;
}

/* Whether TLS can be tested; if not, says why. */
static bool can_test_tls(void)
{
#ifndef ACCEL_REDIS_TLS
  fprintf(stderr, "SKIPPED: built without OpenSSL 3 (meson option tls)\n");
  return false;
#else
  if (system("openssl version >/dev/null 2>&1") == 0) return true; /* NOLINT: a fixed text */
  fprintf(stderr, "SKIPPED: there is no openssl to make certificates with\n");
  return false;
#endif
}

#endif
