/* A name that moves from one server to another, as services are switched over by DNS.
 *
 * Names are looked up by the system's own resolver in a hosts file of this process' own (a mount
 * namespace). Where that is not permitted, a table stands for the file; both are printed. */
#define _GNU_SOURCE 1 /* unshare, RTLD_NEXT */
#include "fault_world.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>

#define NAME "primary.accel.test"

enum { PATIENCE_MS = 20000, FORMER = 1, LATTER = 2 };

static redis_server former, latter; /* 127.0.0.1 and 127.0.0.2, at one port */
static fault_world world;
static bool has_hosts; /* the file is the real one */
static char hosts_path[64];
static atomic_int target; /* the last byte of the address; 0: the name is unknown */
static atomic_uint asked;

/* ---- names ---- */

static void write_hosts(void)
{
  FILE *file = fopen(hosts_path, "w");
  assert_non_null(file);
  fprintf(file, "127.0.0.1 localhost\n");
  if (target != 0) fprintf(file, "127.0.0.%d " NAME "\n", (int)target);
  fclose(file);
}

static void move_name(int to)
{
  target = to;
  if (has_hosts) write_hosts();
}

static bool write_text(const char *path, const char *text)
{
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  const bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0) close(fd);
  return is_written;
}

/* Before any thread: /etc/hosts becomes a file of ours, for this process alone. */
static bool have_own_hosts(void)
{
  char map[64];
  const unsigned user = (unsigned)getuid(), group = (unsigned)getgid();
  if (user == 0 ? unshare(CLONE_NEWNS) != 0 : unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return false;
  if (user != 0) {
    snprintf(map, sizeof map, "0 %u 1", user);
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
      return false;
    snprintf(map, sizeof map, "0 %u 1", group);
    if (!write_text("/proc/self/gid_map", map)) return false;
  }
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount(hosts_path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
}

typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* In the place of the system's, which it asks. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
  char address[16];
  lookup_fn *system_lookup;
  void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
  memcpy(&system_lookup, &symbol, sizeof symbol);
  const bool is_ours = strcmp(name, NAME) == 0 && (hints->ai_flags & AI_NUMERICHOST) == 0;
  if (is_ours) asked++;
  if (!is_ours || has_hosts) return system_lookup(name, service, hints, found);
  if (target == 0) return EAI_NONAME;
  snprintf(address, sizeof address, "127.0.0.%d", (int)target);
  return system_lookup(address, service, hints, found);
}

/* ---- servers ---- */

static void ask(const redis_server *server, const char *command)
{
  char reply[256];
  assert_true(redis_server_ask(server, command, reply, sizeof reply));
  if (reply[0] == '-') fail_msg("%s: %s", command, reply);
}

static int start(void **state)
{
  char options[96];
  (void)state;
  snprintf(hosts_path, sizeof hosts_path, "/tmp/accel_hosts_XXXXXX");
  const int fd = mkstemp(hosts_path);
  if (fd < 0) return -1;
  close(fd);
  has_hosts = have_own_hosts();
  print_message("names are looked up in %s\n", has_hosts ? "a hosts file" : "a table");
  if (!redis_server_start(&former, NULL)) return -1;
  snprintf(options, sizeof options, "bind 127.0.0.2\nport %d", former.port);
  return redis_server_start_unix(&latter, options) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  redis_server_stop(&latter);
  redis_server_stop(&former);
  unlink(hosts_path);
  return 0;
}

static void open_world(void)
{
  char url[96];
  snprintf(url, sizeof url, "redis://" NAME ":%d", former.port);
  const accel_redis_config where = {.url = url, .command_timeout_ms = 500};
  move_name(FORMER);
  fault_open(&world, &where, (accel_config){.local_ttl_ms = 3600000});
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
}

static void sets_arrive_at(const redis_server *server, uint64_t key)
{
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  const item_t item = fault_item(key, 1);
  char command[64], reply[64];
  snprintf(command, sizeof command, "EXISTS fault:%u", (unsigned)key);
  for (;;) {
    const accel_status status = item_cache_set(&world.cache, key, &item);
    assert_true(redis_server_ask(server, command, reply, sizeof reply));
    if (status == ACCEL_OK && strncmp(reply, ":1", 2) == 0) return;
    if (accel_clock_monotonic_ms() > until_ms) fail_msg("%s", item_cache_last_error(&world.cache));
    usleep(5000);
  }
}

/* The former one lives on, as the latter's replica, and keeps its connections. */
static void a_former_master_sends_us_to_the_latter(void **state)
{
  char command[64];
  (void)state;
  open_world();
  sets_arrive_at(&former, 1);
  move_name(LATTER);
  snprintf(command, sizeof command, "REPLICAOF 127.0.0.2 %d", former.port);
  ask(&former, command);
  sets_arrive_at(&latter, 2);
  /* Whatever listens to the former one leaves it when it is frozen. */
  redis_server_freeze(&former);
  const uint64_t until_ms = accel_clock_deadline(PATIENCE_MS);
  while (!redis_server_comes_to_say(&latter, "CLIENT LIST", "accel-listener", 100))
    assert_true(accel_clock_monotonic_ms() < until_ms);
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  redis_server_thaw(&former);
  fault_close(&world);
  ask(&former, "REPLICAOF NO ONE");
}

/* It says nothing any more, and its connections do not break by themselves. */
static void a_frozen_server_is_left_for_where_the_name_leads(void **state)
{
  (void)state;
  ask(&latter, "FLUSHALL");
  open_world();
  sets_arrive_at(&former, 1);
  redis_server_freeze(&former);
  move_name(LATTER);
  sets_arrive_at(&latter, 3);
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  redis_server_thaw(&former);
  fault_close(&world);
}

/* The name is gone: the address that was good is tried. */
static void a_name_that_is_gone_leaves_the_address(void **state)
{
  (void)state;
  open_world();
  move_name(0);
  const unsigned before = asked;
  ask(&former, "CLIENT KILL TYPE normal SKIPME yes");
  ask(&former, "CLIENT KILL TYPE pubsub");
  sets_arrive_at(&former, 4);
  assert_true(fault_comes(&world, true, PATIENCE_MS) >= 0);
  assert_true(asked > before);
  fault_close(&world);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_former_master_sends_us_to_the_latter),
      cmocka_unit_test(a_frozen_server_is_left_for_where_the_name_leads),
      cmocka_unit_test(a_name_that_is_gone_leaves_the_address),
  };
  if (!redis_server_available()) return REDIS_SERVER_SKIP;
  return cmocka_run_group_tests(tests, start, stop);
}
