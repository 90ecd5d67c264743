/* status.h: every outcome a call can have (layer 1).
 *
 * The enum, the names and the texts are generated from one list. Statuses >= 0 are outcomes,
 * negative ones are failures. -1000 and below belong to the user; accel passes them on unchanged.
 */
#ifndef ACCEL_STATUS_H
#define ACCEL_STATUS_H

#include "base.h"

#define ACCEL_STATUS_LIST_(X) \
  X(ACCEL_OK, 0, ok, "success") \
  X(ACCEL_NULL, 1, null, "known not to exist") \
  X(ACCEL_MISS, 2, miss, "not cached, and nothing loaded it") \
  X(ACCEL_ERR_CONFIG, -1, config, "invalid configuration or misuse") \
  X(ACCEL_ERR_BACKEND, -2, backend, "a cache level failed") \
  X(ACCEL_ERR_LOADER, -3, loader, "the loader failed") \
  X(ACCEL_ERR_TIMEOUT, -4, timeout, "a time limit passed") \
  X(ACCEL_ERR_CODEC, -5, codec, "a value could not be encoded, or is too large for L2") \
  X(ACCEL_ERR_NOMEM, -6, nomem, "out of memory") \
  X(ACCEL_ERR_CLOSED, -7, closed, "the cache is not open")

#define ACCEL_STATUS_ENUM_(name_, value_, word_, text_) name_ = value_,
typedef enum accel_status {
  ACCEL_STATUS_LIST_(ACCEL_STATUS_ENUM_) ACCEL_STATUS_USER_ = -1000 /* the first of the user's */
} accel_status;

ACCEL_EXTERN_C_BEGIN

/* Ignores a status on purpose, for example of a set that may fail: `(void)` does not silence gcc's
 * warning. Threads: any. */
ACCEL_INLINE void accel_ignore(accel_status status_)
{
  (void)status_;
}

/* True for negative statuses. Threads: any. */
ACCEL_INLINE bool accel_failed(accel_status status_)
{
  return (int)status_ < 0;
}

/* Checks the return value of a user's function that delivers a value: a status of the list above,
 * or one of the user's own (-1000 and below), is returned unchanged, any other number as
 * ACCEL_ERR_LOADER. Threads: any. */
accel_status accel_status_checked(accel_status status);

/* One word: ok null miss config backend loader timeout codec nomem closed, or user for any
 * other value. A constant string. Threads: any. */
const char *accel_status_name(accel_status status);
/* The same as a short sentence. */
const char *accel_status_text(accel_status status);

ACCEL_EXTERN_C_END
#endif
