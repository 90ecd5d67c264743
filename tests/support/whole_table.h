/* whole_table.h: that a table of the flat engine is as it always is. For cmocka's tests. */
#ifndef ACCEL_TESTS_WHOLE_TABLE_H
#define ACCEL_TESTS_WHOLE_TABLE_H

#include "accel_backends/flat/flat.h"

/* Fails with what is wrong. No other thread may use the table. */
static inline void expect_whole_table(accel_local *local, const accel_type *type)
{
  const char *fault = accel_flat_validate(local, type, true);
  if (fault != NULL) fail_msg("a table is not whole: %s", fault);
}

#endif
