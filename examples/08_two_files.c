/* 08_two_files.c: uses a cache that is declared in a header and implemented in another file. Only
 * headers of C11 are included here, whatever the implementation needs.
 */
#include "08_two_files_users.h"
#include "claim.h"

#include <inttypes.h>

int main(void)
{
  static const uint64_t ids[] = {2, 0, 2, 7};
  user_t found[4];
  accel_status statuses[4];

  claim(users_open() == ACCEL_OK, "the other file opens the cache");
  claim(user_cache_mget(&users, ids, 4, NULL, found, statuses) == ACCEL_OK, "this one reads it:");
  for (size_t i = 0; i < 4; i++)
    printf("        %" PRIu64 ": %s\n", ids[i], statuses[i] == ACCEL_OK ? found[i].name : "nobody");
  claim(users_looked_up() == 3, "four ids, three different ones, three look-ups");
  claim(user_cache_get(&users, 2, &found[0]) == ACCEL_OK && users_looked_up() == 3,
        "and none for what is known");
  user_cache_close(&users);
  return all_claims_hold ? 0 : 1;
}
