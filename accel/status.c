#include "status.h"

#define STATUS_NAME_CASE(name_, value_, word_, text_) \
  case name_: return #word_; #define STATUS_TEXT_CASE(name_, value_, word_, text_) \
  case name_: return text_;

const char *accel_status_name(accel_status status)
{
  switch (status) {
    ACCEL_STATUS_LIST_(STATUS_NAME_CASE)
    case ACCEL_STATUS_USER_: break;
  }
  return "user";
}

const char *accel_status_text(accel_status status)
{
  switch (status) {
    ACCEL_STATUS_LIST_(STATUS_TEXT_CASE)
    case ACCEL_STATUS_USER_: break;
  }
  return "a status of the user's own";
}
