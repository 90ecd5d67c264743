#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* CPU sets */
#endif
#include "host.h"

#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
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
  const time_t now = time(NULL);
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(date, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* ---- description ---- */

static uint64_t parse_size(const char *text)
{
  char *end;
  const uint64_t number = strtoull(text, &end, 10);
  return *end == 'K' ? number << 10 : *end == 'M' ? number << 20 : number;
}

/* "0-1,4" has three. */
static unsigned count_list(const char *text)
{
  unsigned count = 0;
  while (isdigit((unsigned char)*text)) {
    char *end;
    const unsigned long first = strtoul(text, &end, 10);
    const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
    if (last >= first) count += (unsigned)(last - first + 1);
    text = *end == ',' ? end + 1 : end;
  }
  return count;
}

static void describe_caches(host_info *out)
{
  for (unsigned i = 0; i < sizeof out->caches / sizeof *out->caches; i++) {
    char path[128], line[256];
    host_cache *const cache = &out->caches[out->cache_count];
    const char *const folder = "/sys/devices/system/cpu/cpu0/cache/index";
    snprintf(path, sizeof path, "%s%u/size", folder, i);
    if (!read_line(path, line, sizeof line)) return;
    cache->size = parse_size(line);
    snprintf(path, sizeof path, "%s%u/type", folder, i);
    if (!read_line(path, line, sizeof line)) return;
    snprintf(cache->type, sizeof cache->type, "%.15s", line);
    snprintf(path, sizeof path, "%s%u/level", folder, i);
    if (!read_line(path, line, sizeof line)) return;
    cache->level = (unsigned)strtoul(line, NULL, 10);
    snprintf(path, sizeof path, "%s%u/shared_cpu_list", folder, i);
    read_line(path, line, sizeof line);
    cache->num_sharing = count_list(line);
    out->cache_count++;
  }
}

void host_describe(host_info *out)
{
  char text[8192];
  struct utsname system;
  *out = (host_info){0};
  host_date(out->date);
  read_field("/proc/cpuinfo", "model name", out->cpu, sizeof out->cpu);
  if (read_field("/proc/cpuinfo", "flags", text, sizeof text)) out->flags_hash = host_hash(0, text);
  if (read_field("/proc/cpuinfo", "cpu MHz", text, sizeof text)) out->mhz = strtod(text, NULL);
  if (uname(&system) == 0)
    snprintf(out->kernel, sizeof out->kernel, "%.60s %.60s", system.sysname, system.release);
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  out->cores = cores > 0 ? (unsigned)cores : 0;
  const long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) out->memory_kb = (uint64_t)pages * (uint64_t)page_size >> 10;
  if (!read_line("/sys/class/dmi/id/product_name", out->virtualization,
                 sizeof out->virtualization) &&
      access("/proc/xen", F_OK) == 0)
    snprintf(out->virtualization, sizeof out->virtualization, "xen");
  read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out->governor,
            sizeof out->governor);
  if (getloadavg(out->load, 3) != 3) out->load[0] = out->load[1] = out->load[2] = 0;
  describe_caches(out);
}

/* ---- quiet or not ---- */

/* cpu user nice system idle iowait irq softirq steal … */
host_times host_cpu_times(void)
{
  char line[512];
  host_times times = {0};
  if (!read_line("/proc/stat", line, sizeof line) || strncmp(line, "cpu ", 4) != 0) return times;
  char *at = line + 4;
  for (int i = 0; i < 8; i++) {
    const uint64_t ticks = strtoull(at, &at, 10);
    times.total += ticks;
    if (i == 7) times.steal = ticks;
  }
  return times;
}

double host_steal_ratio(host_times before, host_times after)
{
  if (after.total <= before.total || after.steal < before.steal) return 0;
  return (double)(after.steal - before.steal) / (double)(after.total - before.total);
}

static void check(FILE *to, const char *what, const char *have, bool is_good, const char *advice)
{
  fprintf(to, "  %-9s %-24s %s%s\n", what, have[0] != '\0' ? have : "unknown",
          is_good ? "ok" : "better: ", is_good ? "" : advice);
}

static void check_switch(FILE *to, const char *what, const char *path, const char *good,
                         const char *advice)
{
  char line[64];
  read_line(path, line, sizeof line);
  check(to, what, line, strcmp(line, good) == 0, advice);
}

static void check_affinity(FILE *to, unsigned cores)
{
  char text[64];
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return;
  const unsigned allowed = (unsigned)CPU_COUNT(&set);
  snprintf(text, sizeof text, "%u of %u", allowed, cores);
  check(to, "CPUs", text, allowed < cores, "taskset -c N, on an isolated one (isolcpus)");
}

void host_print_checklist(FILE *to)
{
  host_info host;
  char text[64];
  host_describe(&host);
  const host_times before = host_cpu_times();
  usleep(200000);
  const double steal = host_steal_ratio(before, host_cpu_times());
  fprintf(to, "quiet host? (where it cannot be, compare two builds by accel-gate ab)\n");
  check(to, "governor", host.governor, strcmp(host.governor, "performance") == 0,
        "cpupower frequency-set -g performance");
  check_switch(to, "turbo off", "/sys/devices/system/cpu/intel_pstate/no_turbo", "1",
               "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo");
  check_switch(to, "SMT", "/sys/devices/system/cpu/smt/active", "0",
               "echo off > /sys/devices/system/cpu/smt/control");
  check_switch(to, "ASLR", "/proc/sys/kernel/randomize_va_space", "0", "setarch -R");
  check_affinity(to, host.cores);
  snprintf(text, sizeof text, "%.2f", host.load[0]);
  check(to, "load", text, host.load[0] < 0.5, "stop what else is running");
  snprintf(text, sizeof text, "%.1f %%", 100 * steal);
  check(to, "steal", text, steal < 0.01, "a machine of one's own; its neighbours take time");
  char status[32];
  if (read_line("/sys/class/power_supply/BAT0/status", status, sizeof status))
    check(to, "power", status, strcmp(status, "Discharging") != 0, "plug it in");
}
