/* The default engine on the system's own pages, which a resize empties in place while readers may
 * still be looking at them. */
#include "local_suite_run.h"

#include "accel_backends/flat/flat.h"

#include <unistd.h>

/* Resident bytes of this process; 0: the system does not say. */
static size_t resident_bytes(void)
{
  size_t size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%zu %zu", &size, &resident) != 2) resident = 0;
  fclose(file);
  return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void a_smaller_table_gives_its_memory_back(void **state)
{
  (void)state;
  if (resident_bytes() == 0) skip();
  suite_table table = suite_open(&suite_plain_type, 100000);
  for (uint64_t key = 0; key < 100000; key++) suite_set_plain(&table, key, key);
  const size_t before = resident_bytes();
  assert_int_equal(suite_ops->resize(table.local, table.type, 1000), ACCEL_OK);
  assert_true(resident_bytes() + 4000000 < before);
  const size_t present = suite_count_present(&table, 0, 100000);
  assert_true(present >= 980 && present <= 1000);
  suite_close(&table);
}

static void a_pin_keeps_its_retired_table(void **state)
{
  (void)state;
  suite_table table = suite_open(&suite_plain_type, 1000);
  for (uint64_t key = 0; key < 1000; key++) suite_set_plain(&table, key, key);
  const uint64_t key = 999;
  accel_local_pin pin;
  assert_int_equal(suite_pin(&table, &key, &pin), ACCEL_OK);
  assert_int_equal(suite_ops->resize(table.local, table.type, 10), ACCEL_OK);
  assert_int_equal(suite_ops->resize(table.local, table.type, 2000), ACCEL_OK);
  assert_true(suite_is_whole_plain((const suite_plain *)pin.value));
  assert_int_equal(((const suite_plain *)pin.value)->owner, 999);
  suite_ops->unpin(table.type, &pin);
  suite_close(&table);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_smaller_table_gives_its_memory_back),
      cmocka_unit_test(a_pin_keeps_its_retired_table),
  };
  suite_ops = &accel_flat_ops;
  return cmocka_run_group_tests_name("flat on the system's pages", tests, NULL, NULL) +
         local_suite_run(&accel_flat_ops);
}
