#include "host.h"

#include "arena.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Adds what /proc/cpuinfo says of the first processor: its name, and of its flags a hash. */
static void add_processor(json_t *machine)
{
  char line[8192];
  FILE *const file = fopen("/proc/cpuinfo", "r");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL && line[0] != '\n') {
    char *const colon = strchr(line, ':');
    if (colon == NULL) continue;
    const char *const value = colon + 1 + strspn(colon + 1, " \t");
    line[strlen(line) - 1] = '\0'; /* the newline */
    line[strcspn(line, "\t:")] = '\0';
    if (strcmp(line, "model name") == 0) json_object_set_new(machine, "cpu", json_words(value));
    if (strcmp(line, "flags") != 0) continue;
    const char *const hash = arena_format("%016" PRIx64, host_hash(value));
    json_object_set_new(machine, "flags_hash", json_string(hash));
  }
  fclose(file);
}

uint64_t host_hash(const char *text)
{
  uint64_t hash = 0xCBF29CE484222325u;
  for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
  return hash;
}

const char *host_date(void)
{
  const char *const fixed = getenv("SOURCE_DATE_EPOCH");
  const time_t now = fixed != NULL && isdigit((unsigned char)*fixed)
                         ? (time_t)strtoll(fixed, NULL, 10)
                         : time(NULL);
  struct tm parts;
  char date[32] = "";
  if (gmtime_r(&now, &parts) != NULL) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return arena_copy(date);
}

json_t *host_machine(void)
{
  struct utsname system;
  const char *kernel = "";
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const long long bytes = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  if (uname(&system) == 0)
    kernel = arena_format("%s %s %s", system.sysname, system.release, system.machine);
  json_t *const machine = json_pack("{s:I, s:s, s:I}", "cores", (json_int_t)cores, "kernel", kernel,
                                    "memory_kb", (json_int_t)(bytes / 1024));
  add_processor(machine);
  return machine;
}

const char *host_target_folder(const char *name)
{
  const char *const target = getenv("CARGO_TARGET_DIR");
  return arena_format("%s/%s", target != NULL && *target != '\0' ? target : "target", name);
}

const char *host_criterion_folder(void)
{
  const char *const home = getenv("CRITERION_HOME");
  return home != NULL && *home != '\0' ? home : host_target_folder("criterion");
}
