/* 03_wrappers.c: existing functions with a cache around them.
 *
 * The body after each macro queries the source of truth. The macro generates a function of the
 * given name with the same parameters, which calls the body when it is needed.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "claim.h"

#include <pthread.h>
#include <unistd.h>

typedef struct user_t {
  uint64_t id;
  uint32_t age;
  bool is_guest;
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t)

enum { IDS = 100, THREADS = 8 };

/* A service with its cache, and a table that plays the database. */
typedef struct service_t {
  user_cache users;
  pthread_mutex_t mutex;
  user_t rows[IDS]; /* id 0: no such row */
  uint64_t selects;
} service_t;

static bool is_guest(const user_t *user)
{
  return user->is_guest;
}

static ACCEL_CACHEABLE(user, get_user, (service_t * service, uint64_t id, user_t *out),
                       (service, id, out), .cache = &service->users, .key = id, .out = out,
                       .unless = is_guest)
{
  usleep(2000); /* as slow as a query: time for other threads to request the same */
  pthread_mutex_lock(&service->mutex);
  service->selects++;
  const user_t row = id < IDS ? service->rows[id] : (user_t){.id = 0};
  pthread_mutex_unlock(&service->mutex);
  if (row.id == 0) return ACCEL_NULL;
  *out = row;
  return ACCEL_OK;
}

/* The body assigns the id; the options are evaluated after it. */
static ACCEL_CACHE_PUT(user, save_user, (service_t * service, user_t *user), (service, user),
                       .cache = &service->users, .key = user->id, .value = user)
{
  accel_status status = ACCEL_ERR_LOADER;
  pthread_mutex_lock(&service->mutex);
  for (uint64_t id = 1; user->id == 0 && id < IDS; id++)
    if (service->rows[id].id == 0) user->id = id;
  if (user->id != 0 && user->id < IDS) {
    service->rows[user->id] = *user;
    status = ACCEL_OK;
  }
  pthread_mutex_unlock(&service->mutex);
  return status;
}

static ACCEL_CACHE_EVICT(user, delete_user, (service_t * service, uint64_t id), (service, id),
                         .cache = &service->users, .key = id)
{
  pthread_mutex_lock(&service->mutex);
  if (id < IDS) service->rows[id].id = 0;
  pthread_mutex_unlock(&service->mutex);
  return ACCEL_OK;
}

static ACCEL_CACHE_EVICT(user, delete_all, (service_t * service), (service),
                         .cache = &service->users, .all = true)
{
  pthread_mutex_lock(&service->mutex);
  memset(service->rows, 0, sizeof service->rows);
  pthread_mutex_unlock(&service->mutex);
  return ACCEL_OK;
}

static void *ask_for_one(void *service)
{
  user_t user;
  return get_user((service_t *)service, 1, &user) == ACCEL_OK ? service : NULL;
}

static bool all_ask_at_once(service_t *service)
{
  pthread_t threads[THREADS];
  int started = 0, answered = 0;
  while (started < THREADS && pthread_create(&threads[started], NULL, ask_for_one, service) == 0)
    started++;
  for (int i = 0; i < started; i++) {
    void *answer;
    pthread_join(threads[i], &answer);
    answered += answer != NULL;
  }
  return answered == THREADS;
}

static void use(service_t *service)
{
  user_t ada = {.age = 36}, guest = {.is_guest = true}, found;

  claim(save_user(service, &ada) == ACCEL_OK && ada.id == 1, "a row is saved and gets its id");
  claim(get_user(service, ada.id, &found) == ACCEL_OK && found.age == 36 && service->selects == 0,
        "what was saved is cached: no select");

  user_cache_del(&service->users, ada.id);
  claim(all_ask_at_once(service) && service->selects == 1, "eight threads at once: one select");

  ada.age = 37;
  claim(save_user(service, &ada) == ACCEL_OK && get_user(service, 1, &found) == ACCEL_OK &&
            found.age == 37 && service->selects == 1,
        "saving again replaces what is cached");
  claim(delete_user(service, 1) == ACCEL_OK && get_user(service, 1, &found) == ACCEL_NULL &&
            get_user(service, 1, &found) == ACCEL_NULL && service->selects == 2,
        "after a delete the row is looked for once, and then known not to exist");

  save_user(service, &guest);
  user_cache_del(&service->users, guest.id);
  get_user(service, guest.id, &found);
  get_user(service, guest.id, &found);
  claim(service->selects == 4, "guests are never kept by a read: .unless says so");
  claim(delete_all(service) == ACCEL_OK && get_user(service, 1, &found) == ACCEL_NULL,
        "with .all everything is gone");
}

int main(void)
{
  static service_t service = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  const accel_config config = {.area = "users", .loader_timeout_ms = 5000};
  claim(user_cache_open(&service.users, &config) == ACCEL_OK, "the cache is open");
  use(&service);
  user_cache_close(&service.users);
  return all_claims_hold ? 0 : 1;
}
