/* 08_two_files_users.h: what a program's other files see of its users.
 *
 * ACCEL_DECLARE stands in a header and says nothing of traits; those are the business of the one
 * file that implements the cache.
 */
#ifndef EXAMPLES_TWO_FILES_USERS_H
#define EXAMPLES_TWO_FILES_USERS_H

#include "accel.h"

typedef struct user_t {
  uint64_t id;
  char name[24];
} user_t;

ACCEL_DECLARE(user, uint64_t, user_t)

/* The program's users. Opened and closed by the main file, used by all. */
extern user_cache users;

accel_status users_open(void);
/* How many were looked up in the table. */
uint64_t users_looked_up(void);

#endif
