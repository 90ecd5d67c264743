#include "host.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* ---- files of one line ---- */

static bool read_line(const char *path, char *line, size_t size)
{
  line[0] = '\0';
  FILE *const file = fopen(path, "r");
  if (file == NULL) return false;
  const bool is_read = fgets(line, (int)size, file) != NULL;
  fclose(file);
  line[strcspn(line, "\n")] = '\0';
  return is_read;
}

/* The value of the first line "name : value" of a file. */
static bool read_field(const char *path, const char *name, char *value, size_t size)
{
  char line[8192];
  bool is_found = false;
  value[0] = '\0';
  FILE *const file = fopen(path, "r");
  if (file == NULL) return false;
  while (!is_found && fgets(line, sizeof line, file) != NULL) {
    char *const colon = strchr(line, ':');
    if (colon == NULL || strncmp(line, name, strlen(name)) != 0) continue;
    const char after = line[strlen(name)];
    if (after != ':' && !isspace((unsigned char)after)) continue;
    const char *text = colon + 1;
    while (*text == ' ' || *text == '\t') text++;
    snprintf(value, size, "%.*s", (int)strcspn(text, "\n"), text);
    is_found = true;
  }
  fclose(file);
  return is_found;
}

uint64_t host_hash(uint64_t hash, const char *text)
{
  if (hash == 0) hash = 0xCBF29CE484222325u;
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

/* ---- description ---- */

typedef struct host_info {
  char cpu[128], kernel[160], virtualization[64], governor[64], microcode[32], turbo[8];
  char flags_hash[17];
  unsigned cores;
  uint64_t memory_kb;
} host_info;

static void describe_turbo(host_info *out)
{
  char line[16];
  if (read_line("/sys/devices/system/cpu/intel_pstate/no_turbo", line, sizeof line))
    snprintf(out->turbo, sizeof out->turbo, "%s", line[0] == '0' ? "on" : "off");
  if (read_line("/sys/devices/system/cpu/cpufreq/boost", line, sizeof line))
    snprintf(out->turbo, sizeof out->turbo, "%s", line[0] == '1' ? "on" : "off");
}

static void describe(host_info *out)
{
  char flags[8192];
  struct utsname system;
  bool is_guest = false;
  *out = (host_info){0};
  read_field("/proc/cpuinfo", "model name", out->cpu, sizeof out->cpu);
  read_field("/proc/cpuinfo", "microcode", out->microcode, sizeof out->microcode);
  if (read_field("/proc/cpuinfo", "flags", flags, sizeof flags)) {
    snprintf(out->flags_hash, sizeof out->flags_hash, "%016" PRIx64, host_hash(0, flags));
    is_guest = strstr(flags, " hypervisor") != NULL;
  }
  if (!read_line("/sys/class/dmi/id/product_name", out->virtualization,
                 sizeof out->virtualization) &&
      is_guest)
    snprintf(out->virtualization, sizeof out->virtualization, "guest");
  if (uname(&system) == 0)
    snprintf(out->kernel, sizeof out->kernel, "%.50s %.60s %.40s", system.sysname, system.release,
             system.machine);
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  out->cores = cores > 0 ? (unsigned)cores : 0;
  const long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) out->memory_kb = (uint64_t)pages * (uint64_t)page_size >> 10;
  read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out->governor,
            sizeof out->governor);
  describe_turbo(out);
}

static json_t *known(const char *text)
{
  return text[0] != '\0' ? json_words(text) : NULL;
}

json_t *host_machine(void)
{
  host_info host;
  describe(&host);
  return json_pack("{s:o*, s:I, s:o*, s:o*, s:o*, s:o*, s:I, s:o*, s:o*}", "cpu", known(host.cpu),
                   "cores", (json_int_t)host.cores, "flags_hash", known(host.flags_hash),
                   "microcode", known(host.microcode), "kernel", known(host.kernel),
                   "virtualization", known(host.virtualization), "memory_kb",
                   (json_int_t)host.memory_kb, "governor", known(host.governor), "turbo",
                   known(host.turbo));
}
