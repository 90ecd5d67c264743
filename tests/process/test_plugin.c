/* A shared object that holds the library is loaded, used, and unloaded once its caches are closed,
 * many times over, with threads that used it and live on. Nothing of it may be left, no key, no
 * thread, fork handler or memory, and nothing of it may run. PLUGIN_PATH is plugin.c's object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin.h"
#include "process.h"
#ifdef ACCEL_TEST_REDIS
#include "redis_server.h"
#endif

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>

#define ROUNDS 1100 /* more than a process has keys */
#define ROUNDS_WITH_REDIS 20
#define THREADS 4

static atomic_long live_blocks;

static const plugin_functions *load(void **object)
{
  *object = dlopen(PLUGIN_PATH, RTLD_NOW | RTLD_LOCAL);
  if (*object == NULL) fail_msg("%s", dlerror());
  const plugin_functions *found = (const plugin_functions *)dlsym(*object, "plugin");
  assert_non_null(found);
  return found;
}

static void unload(void *object)
{
  assert_int_equal(dlclose(object), 0);
  assert_null(dlopen(PLUGIN_PATH, RTLD_NOW | RTLD_NOLOAD));
  assert_int_equal(atomic_load(&live_blocks), 0);
}

static unsigned keys_left(void)
{
  static pthread_key_t keys[PTHREAD_KEYS_MAX];
  unsigned count = 0;
  while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0) count++;
  for (unsigned i = 0; i < count; i++) pthread_key_delete(keys[i]);
  return count;
}

static unsigned threads(void)
{
  DIR *tasks = opendir("/proc/self/task");
  unsigned count = 0;
  assert_non_null(tasks);
  for (struct dirent *each; (each = readdir(tasks)) != NULL;) count += each->d_name[0] != '.';
  closedir(tasks);
  return count;
}

/* A joined thread may still be listed for a moment. */
static void expect_threads(unsigned expected)
{
  for (int i = 0; threads() != expected && i < 1000 * PROCESS_PATIENCE_S; i++) process_nap_ms(1);
  assert_int_equal(threads(), expected);
}

static void run_rounds(int rounds, const char *url_or_null)
{
  void *object;
  const plugin_functions *functions = load(&object); /* what it is linked with stays loaded */
  assert_true(functions->open(&live_blocks, url_or_null));
  assert_true(functions->use(1));
  functions->close();
  unload(object);
  const unsigned keys_before = keys_left(), threads_before = threads();
  for (int round = 0; round < rounds; round++) {
    functions = load(&object);
    assert_true(functions->open(&live_blocks, url_or_null));
    assert_true(functions->use((uint64_t)round));
    functions->close();
    unload(object);
  }
  assert_int_equal(keys_left(), keys_before);
  expect_threads(threads_before);
}

static void nothing_is_lost_per_round(void **state)
{
  (void)state;
  run_rounds(ROUNDS, NULL);
}

typedef struct user {
  const plugin_functions *functions;
  sem_t has_used, may_end;
  bool is_right;
} user;

static void *use_and_live_on(void *user_pointer)
{
  user *self = (user *)user_pointer;
  self->is_right = self->functions->use(7);
  sem_post(&self->has_used);
  sem_wait(&self->may_end);
  return NULL;
}

static void threads_may_outlive_it(void **state)
{
  (void)state;
  static user users[THREADS];
  pthread_t ids[THREADS];
  void *object;
  const plugin_functions *functions = load(&object);
  assert_true(functions->open(&live_blocks, NULL));
  for (int i = 0; i < THREADS; i++) {
    users[i].functions = functions;
    sem_init(&users[i].has_used, 0, 0);
    sem_init(&users[i].may_end, 0, 0);
    assert_int_equal(pthread_create(&ids[i], NULL, use_and_live_on, &users[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) sem_wait(&users[i].has_used);
  functions->close();
  unload(object);
  for (int i = 0; i < THREADS; i++) {
    sem_post(&users[i].may_end);
    assert_int_equal(pthread_join(ids[i], NULL), 0);
    assert_true(users[i].is_right);
  }
}

/* Its fork handlers went with it. */
static void forks_after_it_are_harmless(void **state)
{
  (void)state;
  void *object;
  const plugin_functions *functions = load(&object);
  assert_true(functions->open(&live_blocks, NULL));
  assert_true(functions->use(3));
  functions->close();
  unload(object);
  const pid_t child = process_fork();
  if (child == 0) process_end_child(0);
  process_expect_zero(child);
}

/* A child has its parent's object, may close what it holds, and unload it; or use it. */
static int run_in_child(void *object, const plugin_functions *functions)
{
  functions->close();
  if (!functions->open(&live_blocks, NULL)) return __LINE__;
  if (!functions->use(5)) return __LINE__;
  functions->close();
  return dlclose(object) == 0 ? 0 : __LINE__;
}

static void a_child_may_unload_it(void **state)
{
  (void)state;
  if (PROCESS_CANNOT_FORK_BESIDE_THREADS) skip();
  void *object;
  const plugin_functions *functions = load(&object);
  assert_true(functions->open(&live_blocks, NULL));
  assert_true(functions->use(3));
  const pid_t child = process_fork();
  if (child == 0) process_end_child(run_in_child(object, functions));
  process_expect_zero(child);
  functions->close();
  unload(object);
}

#ifdef ACCEL_TEST_REDIS
static void nothing_is_lost_with_redis(void **state)
{
  (void)state;
  redis_server server;
  if (!redis_server_available()) skip();
  assert_true(redis_server_start(&server, NULL));
  run_rounds(ROUNDS_WITH_REDIS, server.url);
  redis_server_stop(&server);
}
#endif

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_lost_per_round),   cmocka_unit_test(threads_may_outlive_it),
      cmocka_unit_test(forks_after_it_are_harmless), cmocka_unit_test(a_child_may_unload_it),
#ifdef ACCEL_TEST_REDIS
      cmocka_unit_test(nothing_is_lost_with_redis),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
