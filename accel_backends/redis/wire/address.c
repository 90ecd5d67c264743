#include "address.h"

#include "../../../accel/platform/atomic.h"
#include "../../../accel/platform/clock.h"
#include "signal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* One call of the resolver. Held by its address, by its thread and by the threads that wait for it;
 * the last of them frees it. */
struct redis_lookup {
  uint32_t holders; /* atomic */
  bool is_done;     /* atomic; what follows is constant from then on */
  int done_fd;      /* readable once done */
  int failure;      /* of getaddrinfo */
  redis_address_list found;
  accel_thread thread;
  char host[REDIS_ADDRESS_HOST_SIZE], port[REDIS_ADDRESS_PORT_SIZE];
};

static void redis_lookup_release(redis_lookup *lookup)
{
  if (accel_sub_acq_rel(&lookup->holders, 1) != 1) return;
  close(lookup->done_fd);
  ACCEL_FREE(lookup);
}

static int redis_lookup_ask(const char *host, const char *port, int flags, redis_address_list *out)
{
  const struct addrinfo wanted = {
      .ai_flags = flags, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *all = NULL;
  out->count = 0;
  const int failure = getaddrinfo(host, port, &wanted, &all);
  if (failure != 0) return failure;
  for (const struct addrinfo *each = all; each != NULL; each = each->ai_next) {
    if (out->count == REDIS_ADDRESS_FOUND_MAX) break;
    if (each->ai_addrlen > sizeof out->found->address) continue;
    redis_address_one *one = &out->found[out->count++];
    memset(one, 0, sizeof *one);
    memcpy(&one->address, each->ai_addr, each->ai_addrlen);
    one->size = each->ai_addrlen;
  }
  freeaddrinfo(all);
  return out->count == 0 ? EAI_NONAME : 0;
}

static void redis_lookup_run(void *lookup_pointer)
{
  redis_lookup *lookup = (redis_lookup *)lookup_pointer;
  lookup->failure = redis_lookup_ask(lookup->host, lookup->port, 0, &lookup->found);
  accel_store_release(&lookup->is_done, true);
  accel_redis_signal_raise(lookup->done_fd);
  redis_lookup_release(lookup);
}

/* With one holder, and a second one for the thread. NULL: no memory, descriptor or thread. */
static redis_lookup *redis_lookup_start(const redis_address *address)
{
  redis_lookup *lookup = (redis_lookup *)ACCEL_MALLOC(sizeof *lookup);
  if (lookup == NULL) return NULL;
  memset(lookup, 0, sizeof *lookup);
  memcpy(lookup->host, address->host, sizeof lookup->host);
  memcpy(lookup->port, address->port, sizeof lookup->port);
  lookup->holders = 2;
  lookup->done_fd = accel_redis_signal_open();
  if (lookup->done_fd >= 0) {
    if (accel_thread_start(&lookup->thread, redis_lookup_run, lookup)) return lookup;
    close(lookup->done_fd);
  }
  ACCEL_FREE(lookup);
  return NULL;
}

/* ---- opening and closing ---- */

bool accel_redis_address_open(redis_address *address, const char *host, const char *port)
{
  memset(address, 0, sizeof *address);
  if (strlen(host) >= sizeof address->host) return false;
  if (port != NULL && strlen(port) >= sizeof address->port) return false;
  memcpy(address->host, host, strlen(host));
  if (port != NULL) memcpy(address->port, port, strlen(port));
  return accel_mutex_open(&address->mutex);
}

void accel_redis_address_close(redis_address *address, uint64_t deadline_ms)
{
  redis_lookup *lookup = address->lookup;
  if (lookup != NULL) {
    (void)accel_redis_signal_wait(lookup->done_fd, POLLIN, -1, deadline_ms);
    if (accel_load_acquire(&lookup->is_done))
      accel_thread_join(lookup->thread);
    else
      accel_thread_detach(lookup->thread);
    redis_lookup_release(lookup);
  }
  address->lookup = NULL;
  accel_mutex_close(&address->mutex);
}

redis_address *accel_redis_address_make(const char *host, const char *port)
{
  redis_address *address = (redis_address *)ACCEL_MALLOC(sizeof *address);
  if (address == NULL) return NULL;
  if (accel_redis_address_open(address, host, port)) {
    address->holders = 1;
    return address;
  }
  ACCEL_FREE(address);
  return NULL;
}

void accel_redis_address_hold(redis_address *address)
{
  accel_add_relaxed(&address->holders, 1);
}

void accel_redis_address_release(redis_address *address, uint64_t deadline_ms)
{
  if (accel_sub_acq_rel(&address->holders, 1) != 1) return;
  accel_redis_address_close(address, deadline_ms);
  ACCEL_FREE(address);
}

void accel_redis_address_abandon(redis_address *address)
{
  redis_lookup *lookup = address->lookup;
  if (lookup == NULL) return;
  close(lookup->done_fd);
  ACCEL_FREE(lookup); /* its thread is the parent's and so is its copy */
}

/* ---- finding ---- */

static bool redis_address_find_path(const redis_address *address, redis_address_list *out)
{
  redis_address_one *one = &out->found[0];
  struct sockaddr_un path;
  memset(one, 0, sizeof *one);
  memset(&path, 0, sizeof path);
  if (strlen(address->host) >= sizeof path.sun_path) return false;
  path.sun_family = AF_UNIX;
  memcpy(path.sun_path, address->host, strlen(address->host));
  memcpy(&one->address, &path, sizeof path);
  one->size = sizeof path;
  out->count = 1;
  return true;
}

/* With the mutex held: takes in what a look-up that is over has found. */
static void redis_address_collect(redis_address *address)
{
  redis_lookup *lookup = address->lookup;
  if (lookup == NULL || !accel_load_acquire(&lookup->is_done)) return;
  if (lookup->failure == 0) address->known = lookup->found;
  address->lookup = NULL;
  accel_thread_join(lookup->thread);
  redis_lookup_release(lookup);
}

/* Starts a look-up, or joins the one under way. NULL: none could be started. */
static redis_lookup *redis_address_join_lookup(redis_address *address)
{
  accel_mutex_lock(&address->mutex);
  redis_address_collect(address);
  if (address->lookup == NULL) address->lookup = redis_lookup_start(address);
  redis_lookup *lookup = address->lookup;
  if (lookup != NULL) accel_add_relaxed(&lookup->holders, 1);
  accel_mutex_unlock(&address->mutex);
  return lookup;
}

bool accel_redis_address_find(redis_address *address, int stop_fd, uint64_t deadline_ms,
                              redis_address_list *out, char *error)
{
  if (address->port[0] == '\0') return redis_address_find_path(address, out);
  if (redis_lookup_ask(address->host, address->port, AI_NUMERICHOST | AI_NUMERICSERV, out) == 0)
    return true;
  redis_lookup *lookup = redis_address_join_lookup(address);
  if (lookup != NULL) (void)accel_redis_signal_wait(lookup->done_fd, POLLIN, stop_fd, deadline_ms);
  const bool is_done = lookup != NULL && accel_load_acquire(&lookup->is_done);
  if (lookup == NULL)
    snprintf(error, REDIS_ADDRESS_TEXT, "no memory, descriptor or thread for the look-up");
  else if (!is_done)
    snprintf(error, REDIS_ADDRESS_TEXT, "the resolver did not answer in time");
  else if (lookup->failure != 0)
    snprintf(error, REDIS_ADDRESS_TEXT, "%s", gai_strerror(lookup->failure));
  if (lookup != NULL) redis_lookup_release(lookup);
  accel_mutex_lock(&address->mutex);
  redis_address_collect(address);
  *out = address->known;
  accel_mutex_unlock(&address->mutex);
  return out->count > 0;
}

void accel_redis_address_prefer(redis_address *address, const redis_address_one *good)
{
  accel_mutex_lock(&address->mutex);
  redis_address_list *known = &address->known;
  for (size_t i = 1; i < known->count; i++) {
    if (known->found[i].size != good->size ||
        memcmp(&known->found[i].address, &good->address, good->size) != 0)
      continue;
    const redis_address_one first = known->found[0];
    known->found[0] = known->found[i];
    known->found[i] = first;
    break;
  }
  accel_mutex_unlock(&address->mutex);
}
