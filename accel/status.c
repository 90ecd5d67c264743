#include "status.h"

typedef struct status_entry {
  accel_status status;
  const char *word, *text;
} status_entry;

#define STATUS_ENTRY(name_, value_, word_, text_) {name_, #word_, text_},

static const status_entry status_user = {ACCEL_STATUS_USER_, "user", "a status of the user's own"};
static const status_entry status_entries[] = {ACCEL_STATUS_LIST_(STATUS_ENTRY)};

static const status_entry *status_find(accel_status status)
{
  for (size_t i = 0; i < sizeof status_entries / sizeof status_entries[0]; i++)
    if (status_entries[i].status == status) return &status_entries[i];
  return &status_user;
}

accel_status accel_status_checked(accel_status status)
{
  const bool is_listed = status_find(status) != &status_user;
  return is_listed || (int)status <= (int)ACCEL_STATUS_USER_ ? status : ACCEL_ERR_LOADER;
}

const char *accel_status_name(accel_status status)
{
  return status_find(status)->word;
}

const char *accel_status_text(accel_status status)
{
  return status_find(status)->text;
}
