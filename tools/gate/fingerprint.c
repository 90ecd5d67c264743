#include "fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first line of a file of the kernel, without its end; NULL if there is none. */
static const char *kernel_line(gate_arena *arena, const char *path)
{
  char line[256];
  FILE *file = fopen(path, "re");
  if (!file) return NULL;
  const bool is_read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  if (!is_read) return NULL;
  line[strcspn(line, "\n")] = '\0';
  return gate_is_utf8(line, strlen(line)) ? gate_copy_text(arena, line) : NULL;
}

static uint64_t text_hash(const char *text)
{
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
  return hash;
}

/* "key : value" lines of /proc/cpuinfo and /proc/meminfo. */
static const char *value_of(char *line, const char *key)
{
  const size_t length = strlen(key);
  if (strncmp(line, key, length) != 0) return NULL;
  const char *colon = line + length + strspn(line + length, " \t");
  if (*colon != ':') return NULL;
  line[strcspn(line, "\n")] = '\0';
  return colon + 1 + strspn(colon + 1, " \t");
}

static void read_cpu(gate_arena *arena, gate_pairs *out)
{
  static char line[16384]; /* flags alone take two thousand */
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    const char *model = value_of(line, "model name");
    const char *flags = value_of(line, "flags");
    const char *microcode = value_of(line, "microcode");
    if (model) gate_pairs_set(arena, out, "cpu", model);
    if (microcode) gate_pairs_set(arena, out, "microcode", microcode);
    if (flags) {
      const bool is_guest = strstr(flags, " hypervisor") != NULL;
      gate_pairs_set(arena, out, "flags_hash",
                     gate_format(arena, "%016llx", (unsigned long long)text_hash(flags)));
      gate_pairs_set(arena, out, "virtualization", is_guest ? "guest" : "none");
      break; /* the other processors say the same */
    }
  }
  fclose(file);
}

static void read_memory(gate_arena *arena, gate_pairs *out)
{
  char line[256];
  FILE *file = fopen("/proc/meminfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    const char *total = value_of(line, "MemTotal");
    if (!total) continue;
    gate_pairs_set(arena, out, "memory_kb", gate_format(arena, "%lld", atoll(total)));
    break;
  }
  fclose(file);
}

void gate_fingerprint(gate_arena *arena, gate_pairs *out)
{
  struct utsname system;
  read_cpu(arena, out);
  gate_pairs_set(arena, out, "cores", gate_format(arena, "%ld", sysconf(_SC_NPROCESSORS_ONLN)));
  if (uname(&system) == 0)
    gate_pairs_set(arena, out, "kernel",
                   gate_format(arena, "%s %s %s", system.sysname, system.release, system.machine));
  read_memory(arena, out);
  const char *governor =
      kernel_line(arena, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  const char *no_turbo = kernel_line(arena, "/sys/devices/system/cpu/intel_pstate/no_turbo");
  const char *boost = kernel_line(arena, "/sys/devices/system/cpu/cpufreq/boost");
  if (governor) gate_pairs_set(arena, out, "governor", governor);
  if (no_turbo) gate_pairs_set(arena, out, "turbo", *no_turbo == '0' ? "on" : "off");
  if (boost) gate_pairs_set(arena, out, "turbo", *boost == '1' ? "on" : "off");
}

static const char *pairs_difference(gate_arena *arena, const gate_pairs *base,
                                    const gate_pairs *now, const char *const *keys)
{
  for (; *keys; keys++) {
    const char *old = gate_pairs_get(base, *keys), *current = gate_pairs_get(now, *keys);
    if (old && current && strcmp(old, current) != 0)
      return gate_format(arena, "%s: %s, now %s", *keys, old, current);
  }
  return NULL;
}

const char *gate_machine_difference(gate_arena *arena, const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"cpu", "cores", "flags_hash", NULL};
  return pairs_difference(arena, &base->machine, &now->machine, keys);
}

const char *gate_build_difference(gate_arena *arena, const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"compiler", "compiler_version", "flags", "type", NULL};
  return pairs_difference(arena, &base->build, &now->build, keys);
}

const char *gate_quiet_advice(gate_arena *arena)
{
  gate_text advice = {.arena = arena};
  gate_pairs machine = {0};
  gate_fingerprint(arena, &machine);
  const char *governor = gate_pairs_get(&machine, "governor");
  const char *turbo = gate_pairs_get(&machine, "turbo");
  const char *guest = gate_pairs_get(&machine, "virtualization");
  double load = 0;
  if (governor && strcmp(governor, "performance") != 0)
    gate_text_printf(&advice, "the governor is %s: cpupower frequency-set -g performance\n",
                     governor);
  if (turbo && strcmp(turbo, "on") == 0)
    gate_text_add(&advice, "turbo is on: speed depends on heat; switch it off to compare runs\n");
  if (getloadavg(&load, 1) == 1 && load > 0.5)
    gate_text_printf(&advice, "the load is %.2f: others are working; below 0.5 is quiet\n", load);
  if (guest && strcmp(guest, "guest") == 0)
    gate_text_add(&advice, "a virtual machine: neighbours cannot be seen; prefer ab to check\n");
  gate_text_add(&advice, "also: taskset or isolcpus, setarch -R, mains power, no other login\n");
  return gate_text_c(&advice);
}

int64_t gate_now_s(void)
{
  const char *fixed = getenv("SOURCE_DATE_EPOCH");
  size_t seconds;
  if (fixed && gate_count_parse(fixed, (size_t)1 << 40, &seconds)) return (int64_t)seconds;
  return (int64_t)time(NULL);
}

const char *gate_time_text(gate_arena *arena, int64_t seconds)
{
  char text[64];
  struct tm parts;
  const time_t moment = (time_t)seconds;
  if (!gmtime_r(&moment, &parts)) return "";
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return gate_copy_text(arena, text);
}
