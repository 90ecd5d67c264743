/* credentials.h: user and password, which may change at any time (backend redis).
 *
 * The one copy lies in pages that core dumps leave out, and is wiped when another takes its place
 * and on close. AUTH is built from it for each attempt, and wiped by its sender.
 *
 * Threads: any, all functions but open and close.
 */
#ifndef ACCEL_BACKENDS_REDIS_CREDENTIALS_H
#define ACCEL_BACKENDS_REDIS_CREDENTIALS_H

#include "../../../accel/platform/thread.h"
#include "../../../accel/type.h"

#define REDIS_CREDENTIALS_MAX \
  16384u /* bytes of a user's name, and of a password: Redis takes no more */

typedef struct redis_secret redis_secret;

typedef struct redis_credentials {
  accel_mutex mutex;    /* guards which secret it is */
  redis_secret *secret; /* NULL: no AUTH */
} redis_credentials;

/* The command AUTH. */
typedef struct redis_sign_in {
  accel_buffer command; /* in one piece; empty: no AUTH */
  size_t password_size; /* of the password, which is its last word */
} redis_sign_in;

ACCEL_EXTERN_C_BEGIN

/* Without a password. False: no memory. */
bool accel_redis_credentials_open(redis_credentials *credentials);
/* Also in a forked child: takes no lock. */
void accel_redis_credentials_close(redis_credentials *credentials);
/* Copies both. user NULL or "": the server's default user. OK; CONFIG: an empty or overlong text;
 * NOMEM; with a text for `owner` (error.h) that begins with `what`, and nothing changed. */
accel_status accel_redis_credentials_set(redis_credentials *credentials, const void *owner,
                                         const char *what, const char *user_or_null,
                                         const char *password);

/* False: no memory. */
bool accel_redis_sign_in_make(redis_sign_in *sign_in, redis_credentials *credentials);
/* Wipes it. */
void accel_redis_sign_in_release(redis_sign_in *sign_in);
/* True: the text quotes the password, or enough of it to give something away. */
bool accel_redis_sign_in_is_quoted(const redis_sign_in *sign_in, const char *text, size_t size);

ACCEL_EXTERN_C_END
#endif
