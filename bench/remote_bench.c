/* What L2 costs through the library, against bare hiredis on the same server and in the same run;
 * how late other processes hear of changes; and what a read costs while Redis stands still.
 * `remote_bench --help` has the options.
 */
#include "remote/remote.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 32 };

typedef struct measurement {
  const char *name;
  bool (*measure)(remote_world *world, remote_row *rows);
  size_t rows;
  bool needs_own_server;
} measurement;

static const measurement measurements[] = {
    {"single", remote_measure_single, 2, false},
    {"threads", remote_measure_threads, 2, false},
    {"mget", remote_measure_mget, 1, false},
    {"miss", remote_measure_miss, 2, false},
    {"staleness", remote_measure_staleness, 3, false},
    {"stopped", remote_measure_stopped, 5, true},
};
enum { MEASUREMENTS = sizeof measurements / sizeof *measurements };

static bool is_measurable(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return false;
#else
  return true;
#endif
#else
  return true;
#endif
}

/* ---- options ---- */

static void print_help(void)
{
  puts("usage: remote_bench [OPTION]...\n\n"
       "  --url URL       redis://HOST[:PORT] of a server that may be used; else one of our own\n"
       "  --rounds N      rounds per row, 1 to 99; 7\n"
       "  --threads N     threads of the rows with many of them, 1 to 512; 32\n"
       "  --stopped N     seconds for which the server stands still, 1 to 600; 10\n"
       "  --filter TEXT   only the measurements whose name contains it; --list names them\n"
       "  --quick         fewer and shorter rounds, 2 s of standing still\n"
       "  --csv FILE      also writes every round's values there\n"
       "  --list, --help\n\n"
       "A ratio is the library's figure over that of bare hiredis, of one round; printed are the\n"
       "median of the rounds, the smallest and the largest. Exits with 1 if an answer was wrong\n"
       "or missing or a bound was not kept, with 2 if nothing could be measured.");
}

static bool parse_number(const char *name, const char *text, unsigned max, unsigned *out)
{
  char *end;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && value >= 1 && value <= max) {
    *out = (unsigned)value;
    return true;
  }
  fprintf(stderr, "remote_bench: --%s is \"%s\"; a whole number from 1 to %u\n", name, text, max);
  return false;
}

/* Returns -1 to go on, else an exit code. */
static int parse_options(int count, char **arguments, remote_options *options)
{
  static const struct option known[] = {
      {"url", required_argument, NULL, 'u'},     {"rounds", required_argument, NULL, 'r'},
      {"threads", required_argument, NULL, 't'}, {"stopped", required_argument, NULL, 's'},
      {"filter", required_argument, NULL, 'f'},  {"csv", required_argument, NULL, 'c'},
      {"quick", no_argument, NULL, 'q'},         {"list", no_argument, NULL, 'l'},
      {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
  };
  bool is_good = true;
  for (int option; is_good && (option = getopt_long(count, arguments, "h", known, NULL)) != -1;) {
    switch (option) {
      case 'u': options->url = optarg; break;
      case 'f': options->filter = optarg; break;
      case 'c': options->csv = optarg; break;
      case 'q': options->is_quick = true; break;
      case 'r':
        is_good = parse_number("rounds", optarg, REMOTE_ROUNDS_MAX, &options->rounds);
        break;
      case 't': is_good = parse_number("threads", optarg, 512, &options->threads); break;
      case 's': is_good = parse_number("stopped", optarg, 600, &options->stopped_seconds); break;
      case 'l':
        for (size_t i = 0; i < MEASUREMENTS; i++) puts(measurements[i].name);
        return 0;
      case 'h': print_help(); return 0;
      default: is_good = false;
    }
  }
  if (is_good && optind < count)
    fprintf(stderr, "remote_bench: what is \"%s\"? See --help.\n", arguments[optind]);
  if (!is_good || optind < count) return 2;
  if (options->rounds == 0) options->rounds = options->is_quick ? 3 : 7;
  if (options->threads == 0) options->threads = 32;
  if (options->stopped_seconds == 0) options->stopped_seconds = options->is_quick ? 2 : 10;
  return -1;
}

/* ---- the table ---- */

static double row_value(const remote_row *row, unsigned round)
{
  return row->has_bare ? row->ours[round] / row->bare[round] : row->ours[round];
}

static double row_median(const double *values, unsigned count)
{
  double sorted[REMOTE_ROUNDS_MAX];
  memcpy(sorted, values, count * sizeof *sorted);
  return remote_quantile(sorted, count, 0.5);
}

static const char *row_verdict(const remote_row *row, double value)
{
  const double least = row->more_is_better ? value - row->at_least : row->at_least - value;
  const double aim = row->more_is_better ? value - row->aim : row->aim - value;
  if (row->at_least <= 0) return "";
  if (least < 0) return "MISSED";
  return row->aim > 0 && aim >= 0 ? "aim" : "kept";
}

/* True: no bound was missed. */
static bool row_print(const remote_row *row)
{
  double values[REMOTE_ROUNDS_MAX];
  char bound[24] = "", aim[24] = "", bare[24] = "";
  for (unsigned i = 0; i < row->rounds; i++) values[i] = row_value(row, i);
  const double median = remote_quantile(values, row->rounds, 0.5); /* sorts */
  const char *sign = row->more_is_better ? ">=" : "<=";
  if (row->has_bare) snprintf(bare, sizeof bare, "%.5g", row_median(row->bare, row->rounds));
  if (row->at_least > 0) snprintf(bound, sizeof bound, "%s %g", sign, row->at_least);
  if (row->aim > 0) snprintf(aim, sizeof aim, "%s %g", sign, row->aim);
  const char *verdict = row_verdict(row, median);
  printf("%-34s %9.5g %9s %-6s %8.3g  %6.3g .. %-6.3g %8s %8s  %s\n", row->name,
         row_median(row->ours, row->rounds), bare, row->unit, median, values[0],
         values[row->rounds - 1], bound, aim, verdict);
  return strcmp(verdict, "MISSED") != 0;
}

static void rows_write_csv(const char *path, const remote_row *rows, size_t count)
{
  FILE *file = fopen(path, "w");
  if (file == NULL) {
    perror(path);
    return;
  }
  fprintf(file, "measure,unit,round,ours,bare\n");
  for (size_t i = 0; i < count; i++) {
    for (unsigned round = 0; round < rows[i].rounds; round++) {
      fprintf(file, "\"%s\",%s,%u,%.9g,", rows[i].name, rows[i].unit, round, rows[i].ours[round]);
      if (rows[i].has_bare) fprintf(file, "%.9g", rows[i].bare[round]);
      fprintf(file, "\n");
    }
  }
  if (fclose(file) != 0) perror(path);
}

static void progress(const char *name)
{
  if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K%s", name);
}

static size_t measure_all(remote_world *world, remote_row *rows)
{
  size_t count = 0;
  for (size_t i = 0; i < MEASUREMENTS; i++) {
    const measurement *each = &measurements[i];
    const char *filter = world->options.filter;
    if (filter != NULL && strstr(each->name, filter) == NULL) continue;
    if (each->needs_own_server && !world->is_own_server) {
      printf("skipped: %s, which stops the server; run without --url\n", each->name);
      continue;
    }
    progress(each->name);
    if (each->measure(world, rows + count))
      count += each->rows;
    else
      world->failures++;
  }
  progress("");
  return count;
}

int main(int count, char **arguments)
{
  static remote_world world;
  static remote_row rows[ROWS_MAX];
  const int exit_code = parse_options(count, arguments, &world.options);
  if (exit_code >= 0) return exit_code;
  if (!is_measurable()) {
    fprintf(stderr, "remote_bench: built without optimisation or with a sanitizer: no figures\n");
    return 2;
  }
  if (!remote_world_start(&world) || !remote_staleness_fork(&world) || !remote_world_open(&world)) {
    remote_world_close(&world);
    return 2;
  }
  bool is_kept = true;
  const size_t found = measure_all(&world, rows);
  printf("%-34s %9s %9s %-6s %8s  %16s %8s %8s\n", "", "accel", "bare", "", "ratio",
         "least .. most", "bound", "aim");
  for (size_t i = 0; i < found; i++) is_kept = row_print(&rows[i]) && is_kept;
  printf("%u rounds, %u threads, values of %zu bytes, %s, hiredis %d.%d.%d\n", world.options.rounds,
         world.options.threads, sizeof(user_t),
         world.is_own_server ? "a server on loopback" : world.url, HIREDIS_MAJOR, HIREDIS_MINOR,
         HIREDIS_PATCH);
  if (world.options.csv != NULL) rows_write_csv(world.options.csv, rows, found);
  if (world.failures > 0)
    printf("%llu answers were wrong or missing\n", (unsigned long long)world.failures);
  remote_world_close(&world);
  return found == 0 ? 2 : !is_kept || world.failures > 0 ? 1 : 0;
}
