#include "credentials.h"

#include "../../../accel/error.h"
#include "../../../accel/platform/system.h"
#include "../../../accel/platform/wipe.h"
#include "command.h"
#include "reply.h"

#include <stdlib.h>
#include <string.h>

#define REDIS_CREDENTIALS_AUTH_HEADS 128 /* bytes of AUTH without its words */
#define REDIS_CREDENTIALS_TOLD 4u        /* bytes in a row that tell something of a password */

struct redis_secret {
  size_t memory_size; /* of all of it */
  const char *user;   /* NULL: the server's default user */
  const char *password;
  char texts[];
};

/* ---- secrets ---- */

static void redis_secret_release(redis_secret *secret_or_null)
{
  if (secret_or_null == NULL) return;
  const size_t size = secret_or_null->memory_size;
  explicit_bzero(secret_or_null, size);
  accel_pages_conceal(secret_or_null, size, false);
  ACCEL_PAGES_FREE(secret_or_null, size);
}

static ACCEL_NOINLINE redis_secret *redis_secret_make(const char *user_or_null,
                                                      const char *password)
{
  const size_t user_size = user_or_null == NULL ? 0 : strlen(user_or_null) + 1;
  const size_t password_size = strlen(password) + 1;
  const size_t size = accel_pages_round(sizeof(redis_secret) + user_size + password_size);
  redis_secret *secret = size == 0 ? NULL : (redis_secret *)ACCEL_PAGES_ALLOC(size);
  if (secret == NULL) return NULL;
  accel_pages_conceal(secret, size, true);
  secret->memory_size = size;
  secret->user = user_or_null == NULL ? NULL : secret->texts;
  secret->password = secret->texts + user_size;
  if (user_or_null != NULL) memcpy(secret->texts, user_or_null, user_size);
  memcpy(secret->texts + user_size, password, password_size);
  return secret;
}

/* ---- from outside ---- */

bool accel_redis_credentials_open(redis_credentials *credentials)
{
  credentials->secret = NULL;
  return accel_mutex_open(&credentials->mutex);
}

void accel_redis_credentials_close(redis_credentials *credentials)
{
  redis_secret_release(credentials->secret);
  credentials->secret = NULL;
  accel_mutex_close(&credentials->mutex);
}

static ACCEL_NOINLINE accel_status redis_credentials_check(const void *owner, const char *what,
                                                           const char *user_or_null,
                                                           const char *password)
{
  const size_t most = REDIS_CREDENTIALS_MAX;
  if (password == NULL || *password == '\0')
    return accel_error_set(owner, ACCEL_ERR_CONFIG, "%s: the password is %s", what,
                           password == NULL ? "NULL" : "empty");
  if (strlen(password) > most || (user_or_null != NULL && strlen(user_or_null) > most))
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "%s: user and password have %zu bytes each at most", what, most);
  return ACCEL_OK;
}

accel_status accel_redis_credentials_set(redis_credentials *credentials, const void *owner,
                                         const char *what, const char *user_or_null,
                                         const char *password)
{
  if (user_or_null != NULL && *user_or_null == '\0') user_or_null = NULL;
  const accel_status status = redis_credentials_check(owner, what, user_or_null, password);
  redis_secret *secret = accel_failed(status) ? NULL : redis_secret_make(user_or_null, password);
  accel_wipe_traces();
  if (accel_failed(status)) return status;
  if (secret == NULL)
    return accel_error_set(owner, ACCEL_ERR_NOMEM, "%s: no memory for the password", what);
  accel_mutex_lock(&credentials->mutex);
  redis_secret *former = credentials->secret;
  credentials->secret = secret;
  accel_mutex_unlock(&credentials->mutex);
  redis_secret_release(former);
  return ACCEL_OK;
}

/* ---- signing in ---- */

/* With the mutex held. In one piece, because a buffer that grows leaves copies behind. */
static bool redis_sign_in_append(redis_sign_in *sign_in, const redis_secret *secret)
{
  const char *first = secret->user == NULL ? secret->password : secret->user;
  const char *second_or_null = secret->user == NULL ? NULL : secret->password;
  ACCEL_ASSERT(first != NULL && secret->password != NULL);
  const size_t size = strlen(first) + (second_or_null == NULL ? 0 : strlen(second_or_null)) +
                      REDIS_CREDENTIALS_AUTH_HEADS;
  accel_buffer *command = &sign_in->command;
  command->data = (unsigned char *)ACCEL_MALLOC(size);
  if (command->data == NULL) return false;
  command->capacity = size;
  sign_in->password_size = strlen(secret->password);
  const bool appended =
      accel_redis_command_append_words(command, REDIS_WORDS("AUTH", first, second_or_null));
  ACCEL_ASSERT(appended && command->capacity == size);
  return appended;
}

bool accel_redis_sign_in_make(redis_sign_in *sign_in, redis_credentials *credentials)
{
  memset(sign_in, 0, sizeof *sign_in);
  accel_mutex_lock(&credentials->mutex);
  const redis_secret *secret = credentials->secret;
  const bool is_made = secret == NULL || redis_sign_in_append(sign_in, secret);
  accel_mutex_unlock(&credentials->mutex);
  return is_made;
}

void accel_redis_sign_in_release(redis_sign_in *sign_in)
{
  if (sign_in->command.data != NULL)
    explicit_bzero(sign_in->command.data, sign_in->command.capacity);
  accel_buffer_release(&sign_in->command);
}

bool accel_redis_sign_in_is_quoted(const redis_sign_in *sign_in, const char *text, size_t size)
{
  const size_t password_size = sign_in->password_size;
  const unsigned char *end = sign_in->command.data + sign_in->command.size - 2; /* its line's end */
  const unsigned char *password = end - password_size;
  const size_t part =
      password_size < REDIS_CREDENTIALS_TOLD ? password_size : REDIS_CREDENTIALS_TOLD;
  for (size_t at = 0; at + part <= password_size; at++)
    for (size_t i = 0; i + part <= size; i++)
      if (memcmp(text + i, password + at, part) == 0) return true;
  return false;
}
