/* URLs: what is understood, what is refused, and that no text repeats a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel_backends/redis/wire/url.h"

#include "accel/error.h"

#include <string.h>

#define SECRET "s3cret"

static char owner;

static void assert_text(const char *text, const char *expected)
{
  if (expected == NULL)
    assert_null(text);
  else
    assert_string_equal(text, expected);
}

static void urls_are_understood(void **state)
{
  static const struct {
    const char *text, *host, *port, *user, *password;
    uint32_t database;
  } cases[] = {
      {"redis://127.0.0.1:6379", "127.0.0.1", "6379", NULL, NULL, 0},
      {"redis://localhost", "localhost", "6379", NULL, NULL, 0},
      {"redis://cache.example/", "cache.example", "6379", NULL, NULL, 0},
      {"redis://cache.example:7000/15", "cache.example", "7000", NULL, NULL, 15},
      {"redis://[::1]:6380/2", "::1", "6380", NULL, NULL, 2},
      {"redis://[fe80::1]", "fe80::1", "6379", NULL, NULL, 0},
      {"redis://:" SECRET "@h", "h", "6379", NULL, SECRET, 0},
      {"redis://anna:" SECRET "@h:1/0", "h", "1", "anna", SECRET, 0},
      {"redis://a%3Ab:p%40%2f%25%C3%a9@h", "h", "6379", "a:b", "p@/%\xC3\xA9", 0},
      {"redis://u:p@ss@h", "h", "6379", "u", "p@ss", 0},
      {"redis://u:p:q@h", "h", "6379", "u", "p:q", 0},
      {"unix:///run/redis.sock", "/run/redis.sock", NULL, NULL, NULL, 0},
      {"unix:///a%20b/c@d:e", "/a b/c@d:e", NULL, NULL, NULL, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    redis_url url;
    assert_int_equal(accel_redis_url_parse(&owner, cases[i].text, &url), ACCEL_OK);
    assert_text(url.host, cases[i].host);
    assert_text(url.port, cases[i].port);
    assert_text(url.user, cases[i].user);
    assert_text(url.password, cases[i].password);
    assert_int_equal(url.database, cases[i].database);
    accel_redis_url_release(&url);
    assert_null(url.password);
  }
}

static void several_hosts_may_be_named(void **state)
{
  redis_url url;
  (void)state;
  assert_int_equal(accel_redis_url_parse(
                       &owner, "redis+sentinel://anna:" SECRET "@a:1,[::2],c/my-master/3", &url),
                   ACCEL_OK);
  assert_int_equal(url.kind, REDIS_URL_SENTINEL);
  assert_int_equal(url.host_count, 3);
  assert_text(url.hosts[0].host, "a");
  assert_text(url.hosts[0].port, "1");
  assert_text(url.hosts[1].host, "::2");
  assert_text(url.hosts[1].port, "26379");
  assert_text(url.hosts[2].host, "c");
  assert_text(url.master_name, "my-master");
  assert_text(url.password, SECRET);
  assert_int_equal(url.database, 3);
  accel_redis_url_release(&url);
  assert_int_equal(accel_redis_url_parse(&owner, "redis+cluster://a,b:7001", &url), ACCEL_OK);
  assert_int_equal(url.kind, REDIS_URL_CLUSTER);
  assert_int_equal(url.host_count, 2);
  assert_text(url.hosts[0].port, "6379");
  assert_text(url.hosts[1].port, "7001");
  assert_null(url.master_name);
  assert_false(url.is_tls);
  accel_redis_url_release(&url);
}

static void several_hosts_may_be_spoken_to_over_tls(void **state)
{
  redis_url url;
  (void)state;
  assert_int_equal(accel_redis_url_parse(&owner, "rediss+sentinel://a,b:1/m/2", &url), ACCEL_OK);
  assert_int_equal(url.kind, REDIS_URL_SENTINEL);
  assert_true(url.is_tls);
  assert_text(url.hosts[0].port, "26379");
  accel_redis_url_release(&url);
  assert_int_equal(accel_redis_url_parse(&owner, "rediss+cluster://a,b:1", &url), ACCEL_OK);
  assert_int_equal(url.kind, REDIS_URL_CLUSTER);
  assert_true(url.is_tls);
  assert_int_equal(url.host_count, 2);
  accel_redis_url_release(&url);
}

static const struct {
  const char *text, *reason;
} refused_urls[] = {
    {"", "must begin with"},
    {"127.0.0.1:6379", "must begin with"},
    {"http://host", "must begin with"},
    {"REDIS://host", "must begin with"},
    {"redis://", "host is missing"},
    {"redis://:6379", "host is missing"},
    {"redis:///1", "host is missing"},
    {"redis://h:", "port is not"},
    {"redis://h:0", "port is not"},
    {"redis://h:65536", "port is not"},
    {"redis://h:99999999999999999999", "port is not"},
    {"redis://h:-1", "port is not"},
    {"redis://h:63 79", "space"},
    {"redis://h?db=1", "may not hold ? or #"},
    {"redis://:p?#q@h#x", "may not hold ? or #"},
    {"redis://h/x", "database"},
    {"redis://h/1/2", "database"},
    {"redis://h/1?a=b", "database"},
    {"redis://h/99999999999", "database"},
    {"redis://[::1", "no ]"},
    {"redis://[::1]6379", "in brackets"},
    {"redis://user@h", "user:password"},
    {"redis://user:@h", "password is empty"},
    {"redis://:%4@h", "hex digits"},
    {"redis://:%00@h", "hex digits"},
    {"redis://:%zz@h", "hex digits"},
    {"redis://%zz:p@h", "hex digits"},
    {"unix://relative", "absolute path"},
    {"unix:///a%0", "hex digits"},
    {"rediss://", "host is missing"},
    {"redis://a,b", "several hosts"},
    {"redis+sentinel://h", "master's name"},
    {"redis+sentinel://h/", "master's name"},
    {"redis+sentinel://h/a%20b", "master's name"},
    {"redis+sentinel:///mymaster", "host is missing"},
    {"redis+sentinel://h,,i/mymaster", "host is missing"},
    {"redis+sentinel://h,/mymaster", "host is missing"},
    {"redis+sentinel://h:0/mymaster", "port is not"},
    {"redis+sentinel://h/mymaster/x", "database"},
    {"redis+cluster://", "host is missing"},
    {"redis+cluster://h,i:x", "port is not"},
    {"redis+cluster://h/1", "no databases"},
    {"rediss+cluster://h/1", "no databases"},
    {"rediss+sentinel://h", "master's name"},
    {"redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16"},
    {"redis://h\n", "control character"},
    {"redis://h\177", "control character"},
};

static void other_urls_are_refused_with_a_reason(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof refused_urls / sizeof *refused_urls; i++) {
    redis_url url;
    assert_int_equal(accel_redis_url_parse(&owner, refused_urls[i].text, &url), ACCEL_ERR_CONFIG);
    if (strstr(accel_error_text(&owner), refused_urls[i].reason) == NULL)
      fail_msg("\"%s\" was refused with \"%s\"", refused_urls[i].text, accel_error_text(&owner));
    assert_null(url.memory);
  }
}

static void a_host_is_as_long_as_a_name_can_be(void **state)
{
  char text[REDIS_URL_HOST_MAX + 16];
  redis_url url;
  (void)state;
  memset(text, 'h', sizeof text);
  memcpy(text, "redis://", 8);
  text[8 + REDIS_URL_HOST_MAX] = '\0';
  assert_int_equal(accel_redis_url_parse(&owner, text, &url), ACCEL_OK);
  accel_redis_url_release(&url);
  accel_redis_url_release(&url); /* nothing is left to be released */
  text[8 + REDIS_URL_HOST_MAX] = 'h';
  text[8 + REDIS_URL_HOST_MAX + 1] = '\0';
  assert_int_equal(accel_redis_url_parse(&owner, text, &url), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_error_text(&owner), "more than 255 bytes"));
}

static void a_path_fits_a_socket_or_is_refused(void **state)
{
  char text[160];
  redis_url url;
  (void)state;
  memset(text, 'x', sizeof text);
  memcpy(text, "unix:///", 8);
  text[7 + 107] = '\0';
  assert_int_equal(accel_redis_url_parse(&owner, text, &url), ACCEL_OK);
  accel_redis_url_release(&url);
  text[7 + 107] = 'x';
  text[7 + 108] = '\0';
  assert_int_equal(accel_redis_url_parse(&owner, text, &url), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(accel_error_text(&owner), "108 bytes"));
}

/* Wherever the password stands, and however wrong the rest is. */
static void no_refusal_repeats_a_password(void **state)
{
  static const char *const cases[] = {
      "redis://u:" SECRET "@",
      "redis://u:" SECRET "@h:x",
      "redis://u:" SECRET "@h/x",
      "redis://u:a/" SECRET "@h",
      "redis://u:12/" SECRET "@h/1",
      "redis://u:" SECRET,
      "redis://" SECRET "@h",
      "redis://u:%" SECRET "@h",
      "u:" SECRET "@h",
      SECRET "://h",
      "redis://u:" SECRET "@[::1",
      "redis://u:" SECRET " @h",
      "redis://u:" SECRET "@[::1]x:1",
      "rediss://u:" SECRET "@h:0",
      "redis://h/" SECRET,
      "redis+sentinel://h/" SECRET "@h",
      "redis+sentinel://u:" SECRET "@h",
      "redis+cluster://u:" SECRET "@h,",
      "redis+cluster://u:a/" SECRET "@h",
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    redis_url url;
    assert_int_equal(accel_redis_url_parse(&owner, cases[i], &url), ACCEL_ERR_CONFIG);
    assert_true(strlen(accel_error_text(&owner)) > 10);
    assert_null(strstr(accel_error_text(&owner), SECRET));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_are_understood),
      cmocka_unit_test(several_hosts_may_be_named),
      cmocka_unit_test(several_hosts_may_be_spoken_to_over_tls),
      cmocka_unit_test(other_urls_are_refused_with_a_reason),
      cmocka_unit_test(a_host_is_as_long_as_a_name_can_be),
      cmocka_unit_test(a_path_fits_a_socket_or_is_refused),
      cmocka_unit_test(no_refusal_repeats_a_password),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
