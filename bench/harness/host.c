#include "host.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Adds the first line of a file as `key`, if there is one that is not empty. */
static void add_line(json_t *machine, const char *key, const char *path)
{
  char line[256] = "";
  FILE *const file = fopen(path, "r");
  if (file == NULL) return;
  if (fgets(line, sizeof line, file) != NULL) line[strcspn(line, "\n")] = '\0';
  fclose(file);
  if (line[0] != '\0') json_object_set_new(machine, key, json_words(line));
}

/* Adds what /proc/cpuinfo says of the first processor; of its flags a hash, and whether this is a
 * guest. */
static void add_processor(json_t *machine)
{
  static const char *const names[][2] = {{"model name", "cpu"}, {"microcode", "microcode"}};
  char line[8192], hash[17];
  FILE *const file = fopen("/proc/cpuinfo", "r");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL && line[0] != '\n') {
    char *const colon = strchr(line, ':');
    if (colon == NULL) continue;
    const char *const value = colon + 1 + strspn(colon + 1, " \t");
    line[strlen(line) - 1] = '\0'; /* the newline */
    line[strcspn(line, "\t:")] = '\0';
    for (size_t i = 0; i < 2; i++)
      if (strcmp(line, names[i][0]) == 0)
        json_object_set_new(machine, names[i][1], json_words(value));
    if (strcmp(line, "flags") != 0) continue;
    snprintf(hash, sizeof hash, "%016" PRIx64, host_hash(value));
    json_object_set_new(machine, "flags_hash", json_string(hash));
    if (strstr(value, " hypervisor") != NULL)
      json_object_set_new(machine, "virtualization", json_string("guest"));
  }
  fclose(file);
}

static void add_turbo(json_t *machine)
{
  json_t *const lines = json_object();
  add_line(lines, "on", "/sys/devices/system/cpu/cpufreq/boost");
  add_line(lines, "off", "/sys/devices/system/cpu/intel_pstate/no_turbo");
  const char *const on = json_string_value(json_object_get(lines, "on"));
  const char *const off = json_string_value(json_object_get(lines, "off"));
  const bool is_on = on != NULL ? *on == '1' : off != NULL && *off == '0';
  if (on != NULL || off != NULL)
    json_object_set_new(machine, "turbo", json_string(is_on ? "on" : "off"));
  json_decref(lines);
}

uint64_t host_hash(const char *text)
{
  uint64_t hash = 0xCBF29CE484222325u;
  for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
  return hash;
}

void host_date(char date[static 32])
{
  const char *const fixed = getenv("SOURCE_DATE_EPOCH");
  const time_t now = fixed != NULL && isdigit((unsigned char)*fixed)
                         ? (time_t)strtoll(fixed, NULL, 10)
                         : time(NULL);
  struct tm parts;
  date[0] = '\0';
  if (gmtime_r(&now, &parts) != NULL) strftime(date, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

json_t *host_machine(void)
{
  struct utsname system;
  char kernel[256] = "";
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const long long bytes = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  if (uname(&system) == 0)
    snprintf(kernel, sizeof kernel, "%.50s %.60s %.40s", system.sysname, system.release,
             system.machine);
  json_t *const machine = json_pack("{s:I, s:s, s:I}", "cores", (json_int_t)cores, "kernel", kernel,
                                    "memory_kb", (json_int_t)(bytes / 1024));
  add_processor(machine);
  add_line(machine, "virtualization", "/sys/class/dmi/id/product_name");
  add_line(machine, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  add_turbo(machine);
  return machine;
}
