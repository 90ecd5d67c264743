/* accel-sim: replays a trace through the L1 engine, beside well known policies and the optimum. */
#include "contest.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_MAX 1000000000u

static const char usage[] =
    "accel-sim --trace FILE | --make WHAT [options]\n"
    "\n"
    "Replays a trace of keys through the L1 engine with each of its policies, and through LRU,\n"
    "S3-FIFO, W-TinyLFU and Belady's optimum with one queue each. Prints hits in percent.\n"
    "\n"
    "  --trace FILE       a key per line, or records; compressed with gzip or not\n"
    "  --format FORMAT    text, or oracle: records of 24 bytes (oracleGeneral);\n"
    "                     default: oracle if FILE ends in .oracleGeneral, with or without .gz\n"
    "  --limit COUNT      only the first COUNT requests\n"
    "  --make WHAT        a trace that is made up: NAME[:OPTION=VALUE,...]; see --help-make\n"
    "  --capacity LIST    entries, such as 1000,5000; default: --sweep 8\n"
    "  --sweep COUNT      that many capacities, from a five-hundredth of the keys to half of them\n"
    "  --policy LIST      who takes part, such as lru,optimum,accel_adaptive; default: all\n"
    "  --csv FILE         writes the curves of misses as CSV\n"
    "  --html FILE        writes them as a page with a picture\n"
    "  --quiet            no progress\n"
    "  --help, --help-make\n";

typedef struct settings {
  const char *trace, *format, *make, *capacities, *sweep, *policies, *limit, *csv, *html;
  bool is_quiet;
} settings;

/* A whole number of at most `most`. */
static bool read_number(const char *option, const char *text, size_t size, unsigned long most,
                        unsigned long *number, sim_error *error)
{
  char copy[32], *end = NULL;
  errno = 0;
  if (size > 0 && size < sizeof copy && text[0] >= '0' && text[0] <= '9') {
    memcpy(copy, text, size);
    copy[size] = '\0';
    *number = strtoul(copy, &end, 10);
  }
  if (end == NULL || *end != '\0' || errno != 0 || *number == 0 || *number > most)
    return sim_fail(error, "%s: \"%.*s\" is no whole number from 1 to %lu", option,
                    (int)(size < 40 ? size : 40), text, most);
  return true;
}

static bool add_capacity(sim_contest *contest, uint32_t capacity, sim_error *error)
{
  if (contest->capacity_count == SIM_CAPACITIES_MAX)
    return sim_fail(error, "--capacity: more than %u capacities", SIM_CAPACITIES_MAX);
  unsigned at = contest->capacity_count;
  for (; at > 0 && contest->capacities[at - 1] >= capacity; at--)
    if (contest->capacities[at - 1] == capacity) return true;
  memmove(&contest->capacities[at + 1], &contest->capacities[at],
          (contest->capacity_count - at) * sizeof *contest->capacities);
  contest->capacities[at] = capacity;
  contest->capacity_count++;
  return true;
}

static bool read_capacities(sim_contest *contest, const char *list, sim_error *error)
{
  for (const char *at = list;; at++) {
    const size_t size = strcspn(at, ",");
    unsigned long capacity = 0;
    if (!read_number("--capacity", at, size, CAPACITY_MAX, &capacity, error) ||
        !add_capacity(contest, (uint32_t)capacity, error))
      return false;
    at += size;
    if (*at == '\0') return true;
  }
}

/* Capacities at even distances on a logarithmic axis. */
static bool sweep_capacities(sim_contest *contest, const char *count_text, uint32_t distinct,
                             sim_error *error)
{
  unsigned long count = 8;
  if (count_text != NULL &&
      !read_number("--sweep", count_text, strlen(count_text), SIM_CAPACITIES_MAX, &count, error))
    return false;
  double capacity = distinct > 2 ? (double)distinct / 2 : 1;
  const double step = count > 1 ? exp(log(250) / (double)(count - 1)) : 2;
  for (unsigned long i = 0; i < count && capacity >= 1; i++, capacity /= step)
    if (!add_capacity(contest, (uint32_t)capacity, error)) return false;
  return true;
}

static bool add_contender(sim_contest *contest, const char *name, size_t size, sim_error *error)
{
  for (unsigned i = 0; i < sim_contender_count; i++) {
    const char *known = sim_contenders[i].name;
    if (strlen(known) != size || memcmp(known, name, size) != 0) continue;
    for (unsigned j = 0; j < contest->contender_count; j++)
      if (contest->contenders[j] == &sim_contenders[i]) return true;
    contest->contenders[contest->contender_count++] = &sim_contenders[i];
    return true;
  }
  char list[256] = "";
  for (unsigned i = 0; i < sim_contender_count; i++) {
    strncat(list, i == 0 ? "" : ", ", sizeof list - strlen(list) - 1);
    strncat(list, sim_contenders[i].name, sizeof list - strlen(list) - 1);
  }
  return sim_fail(error, "--policy: \"%.*s\" is not known; these are: %s",
                  (int)(size < 40 ? size : 40), name, list);
}

static bool read_contenders(sim_contest *contest, const char *list, sim_error *error)
{
  if (list == NULL) {
    for (unsigned i = 0; i < sim_contender_count; i++)
      contest->contenders[contest->contender_count++] = &sim_contenders[i];
    return true;
  }
  for (const char *at = list;; at++) {
    const size_t size = strcspn(at, ",");
    if (!add_contender(contest, at, size, error)) return false;
    at += size;
    if (*at == '\0') return true;
  }
}

static bool ends_with(const char *text, const char *end)
{
  const size_t size = strlen(text), end_size = strlen(end);
  return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static bool read_trace(const settings *wanted, sim_trace *trace, sim_error *error)
{
  if ((wanted->trace == NULL) == (wanted->make == NULL))
    return sim_fail(error, "one of --trace and --make is needed; --help says more");
  if (wanted->make != NULL) return sim_trace_make(wanted->make, trace, error);
  unsigned long limit = 0;
  if (wanted->limit != NULL &&
      !read_number("--limit", wanted->limit, strlen(wanted->limit), 4000000000u, &limit, error))
    return false;
  const char *format = wanted->format;
  if (format == NULL) {
    const bool is_oracle =
        ends_with(wanted->trace, ".oracleGeneral") || ends_with(wanted->trace, ".oracleGeneral.gz");
    format = is_oracle ? "oracle" : "text";
  }
  if (strcmp(format, "text") == 0) return sim_trace_read_text(wanted->trace, limit, trace, error);
  if (strcmp(format, "oracle") == 0)
    return sim_trace_read_binary(wanted->trace, limit, trace, error);
  return sim_fail(error, "--format: \"%.40s\" is neither text nor oracle", format);
}

static bool write_file(const sim_contest *contest, const char *path,
                       bool (*report)(const sim_contest *, FILE *), sim_error *error)
{
  if (path == NULL) return true;
  FILE *file = fopen(path, "w");
  if (file == NULL) return sim_fail(error, "%s: %s", path, strerror(errno));
  const bool is_written = report(contest, file);
  if (fclose(file) == 0 && is_written) return true;
  return sim_fail(error, "%s: %s", path, strerror(errno));
}

static bool run(const settings *wanted, sim_error *error)
{
  static sim_contest contest;
  sim_trace trace = {0};
  FILE *progress = !wanted->is_quiet && isatty(STDERR_FILENO) ? stderr : NULL;
  contest.trace_name = wanted->trace != NULL ? wanted->trace : wanted->make;
  bool is_done =
      read_contenders(&contest, wanted->policies, error) &&
      (wanted->capacities == NULL || read_capacities(&contest, wanted->capacities, error)) &&
      read_trace(wanted, &trace, error) &&
      (wanted->capacities != NULL ||
       sweep_capacities(&contest, wanted->sweep, trace.distinct, error)) &&
      sim_contest_run(&contest, &trace, progress, error);
  sim_trace_release(&trace);
  if (is_done && !sim_report_table(&contest, stdout))
    is_done = sim_fail(error, "standard output: %s", strerror(errno));
  return is_done && write_file(&contest, wanted->csv, sim_report_csv, error) &&
         write_file(&contest, wanted->html, sim_report_html, error);
}

int main(int argument_count, char **arguments)
{
  settings wanted = {0};
  const char **const values[] = {&wanted.trace,      &wanted.format, &wanted.make,
                                 &wanted.capacities, &wanted.sweep,  &wanted.policies,
                                 &wanted.limit,      &wanted.csv,    &wanted.html};
  static const struct option options[] = {
      {"trace", required_argument, NULL, 0},
      {"format", required_argument, NULL, 1},
      {"make", required_argument, NULL, 2},
      {"capacity", required_argument, NULL, 3},
      {"sweep", required_argument, NULL, 4},
      {"policy", required_argument, NULL, 5},
      {"limit", required_argument, NULL, 6},
      {"csv", required_argument, NULL, 7},
      {"html", required_argument, NULL, 8},
      {"quiet", no_argument, NULL, 'q'},
      {"help", no_argument, NULL, 'h'},
      {"help-make", no_argument, NULL, 'm'},
      {NULL, 0, NULL, 0},
  };
  for (int option; (option = getopt_long(argument_count, arguments, "", options, NULL)) != -1;) {
    if (option == 'h') return fputs(usage, stdout) < 0;
    if (option == 'm') return fputs(sim_trace_makers(), stdout) < 0;
    if (option == '?') return 2;
    if (option == 'q') {
      wanted.is_quiet = true;
    } else {
      *values[option] = optarg;
    }
  }
  sim_error error = {""};
  if (optind < argument_count) {
    fprintf(stderr, "accel-sim: \"%s\" belongs to no option; --help says more\n",
            arguments[optind]);
    return 2;
  }
  if (run(&wanted, &error)) return 0;
  fprintf(stderr, "accel-sim: %s\n", error.text);
  return 1;
}
