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
  const char *const fixed = getenv("SOURCE_DATE_EPOCH");
  const time_t now = fixed != NULL && isdigit((unsigned char)*fixed)
                         ? (time_t)strtoll(fixed, NULL, 10)
                         : time(NULL);
  struct tm parts;
  date[0] = '\0';
  if (gmtime_r(&now, &parts) != NULL) strftime(date, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* ---- description ---- */

static void describe_turbo(host_info *out)
{
  char line[16];
  if (read_line("/sys/devices/system/cpu/intel_pstate/no_turbo", line, sizeof line))
    snprintf(out->turbo, sizeof out->turbo, "%s", line[0] == '0' ? "on" : "off");
  if (read_line("/sys/devices/system/cpu/cpufreq/boost", line, sizeof line))
    snprintf(out->turbo, sizeof out->turbo, "%s", line[0] == '1' ? "on" : "off");
}

void host_describe(host_info *out)
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
  host_describe(&host);
  return json_pack("{s:o*, s:I, s:o*, s:o*, s:o*, s:o*, s:I, s:o*, s:o*}", "cpu", known(host.cpu),
                   "cores", (json_int_t)host.cores, "flags_hash", known(host.flags_hash),
                   "microcode", known(host.microcode), "kernel", known(host.kernel),
                   "virtualization", known(host.virtualization), "memory_kb",
                   (json_int_t)host.memory_kb, "governor", known(host.governor), "turbo",
                   known(host.turbo));
}

static uint64_t parse_size(const char *text)
{
  char *end;
  const uint64_t number = strtoull(text, &end, 10);
  return *end == 'K' ? number << 10 : *end == 'M' ? number << 20 : number;
}

static json_t *cache_of(unsigned index)
{
  static const char *const names[] = {"size", "type", "level", "shared_cpu_map"};
  char lines[4][256];
  for (size_t i = 0; i < 4; i++) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%u/%s", index, names[i]);
    if (!read_line(path, lines[i], sizeof lines[i])) return NULL;
  }
  unsigned sharing = 0;
  for (const char *at = lines[3]; *at != '\0'; at++)
    if (isxdigit((unsigned char)*at))
      sharing += (unsigned)__builtin_popcount((unsigned)strtoul((char[]){*at, '\0'}, NULL, 16));
  return json_pack("{s:s, s:I, s:I, s:I}", "type", lines[1], "level",
                   (json_int_t)strtol(lines[2], NULL, 10), "size", (json_int_t)parse_size(lines[0]),
                   "num_sharing", (json_int_t)sharing);
}

json_t *host_google_context(void)
{
  char date[32], name[256] = "", mhz[64] = "";
  double load[3] = {0};
  host_info host;
  host_describe(&host);
  host_date(date);
  gethostname(name, sizeof name - 1);
  read_field("/proc/cpuinfo", "cpu MHz", mhz, sizeof mhz);
  if (getloadavg(load, 3) != 3) load[0] = load[1] = load[2] = 0;
  json_t *const caches = json_array();
  for (unsigned i = 0; json_array_append_new(caches, cache_of(i)) == 0; i++) continue;
  const bool is_scaling = host.governor[0] != '\0' && strcmp(host.governor, "performance") != 0;
  return json_pack("{s:s, s:o, s:I, s:I, s:b, s:o, s:o, s:s, s:i}", "date", date, "host_name",
                   json_words(name), "num_cpus", (json_int_t)host.cores, "mhz_per_cpu",
                   (json_int_t)strtod(mhz, NULL), "cpu_scaling_enabled", is_scaling, "caches",
                   caches, "load_avg", json_figures(load, 3), "library_build_type", "release",
                   "json_schema_version", 1);
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
  char text[64] = "";
  double load = 0;
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
  if (getloadavg(&load, 1) == 1) snprintf(text, sizeof text, "%.2f", load);
  check(to, "load", text, load < 0.5, "stop what else is running");
  snprintf(text, sizeof text, "%.1f %%", 100 * steal);
  check(to, "steal", text, steal < 0.01, "a machine of one's own; its neighbours take time");
  char status[32];
  if (read_line("/sys/class/power_supply/BAT0/status", status, sizeof status))
    check(to, "power", status, strcmp(status, "Discharging") != 0, "plug it in");
}
