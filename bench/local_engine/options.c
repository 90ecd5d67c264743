#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: local_engine_bench [OPTION...]\n"
    "\n"
    "What the L1 engine costs beside other caches and beside two floors: nanoseconds per\n"
    "operation, millions of operations per second of several threads, bytes per entry, and how\n"
    "many of as many keys as the capacity stay. Every round runs every subject, in rotating\n"
    "order; a figure is the median of the rounds, a ratio the median of the rounds' ratios.\n"
    "Compare only what was measured in one run.\n"
    "\n"
    "  -e, --entries LIST     capacities; 3000,100000,1000000 (10000000 takes 12 GB)\n"
    "  -t, --threads LIST     how many at once; 1,2,4,8; 0: leave threads out\n"
    "  -r, --rounds N         1 to 99; 7\n"
    "  -o, --operations N     per round and subject, for one thread; 524288\n"
    "  -s, --slice-ms N       per round and subject, for several threads; 100\n"
    "  -f, --filter TEXT      only subjects and tables with this in their names; floors always\n"
    "  -c, --csv FILE         writes every figure there as well\n"
    "  -q, --quick            3000 and 100000 entries, 3 rounds of 65536, slices of 20 ms, 1,2\n"
    "                         threads; to see that it works\n"
    "      --no-pin           leave threads where the system puts them\n"
    "  -h, --help             this text\n";

static bool read_number(const char *text, size_t least, size_t most, size_t *out)
{
  char *end;
  errno = 0;
  const unsigned long long number = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || *text == '-') return false;
  if (number < least || number > most) return false;
  *out = (size_t)number;
  return true;
}

static bool read_list(char *text, size_t least, size_t most, bench_list *out)
{
  char *rest = NULL;
  out->count = 0;
  for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
    if (out->count == BENCH_LIST_MAX) return false;
    if (!read_number(part, least, most, &out->values[out->count++])) return false;
  }
  return out->count > 0;
}

static bool read_threads(char *text, bench_list *out)
{
  if (!read_list(text, 0, BENCH_THREADS_MAX, out)) return false;
  if (out->count == 1 && out->values[0] == 0) {
    out->count = 0;
    return true;
  }
  for (size_t i = 0; i < out->count; i++)
    if (out->values[i] == 0) return false;
  return true;
}

static void make_quick(bench_options *options)
{
  options->entries = (bench_list){{3000, 100000}, 2};
  options->threads = (bench_list){{1, 2}, 2};
  options->rounds = 3;
  options->operations = 1 << 16;
  options->slice_ms = 20;
}

static bool take(bench_options *options, int letter, char *text)
{
  switch (letter) {
    case 'e': return read_list(text, 64, 100000000, &options->entries);
    case 't': return read_threads(text, &options->threads);
    case 'r': return read_number(text, 1, BENCH_ROUNDS_MAX, &options->rounds);
    case 'o': return read_number(text, 1024, SIZE_MAX / 1024, &options->operations);
    case 's': return read_number(text, 1, 60000, &options->slice_ms);
    case 'f': options->filter = text; return true;
    case 'c': options->csv = text; return true;
    case 'q': make_quick(options); return true;
    case 'p': options->no_pin = true; return true;
    default: return false;
  }
}

bench_wish bench_options_read(bench_options *options, int count, char **arguments)
{
  static const struct option longs[] = {
      {"entries", required_argument, NULL, 'e'},
      {"threads", required_argument, NULL, 't'},
      {"rounds", required_argument, NULL, 'r'},
      {"operations", required_argument, NULL, 'o'},
      {"slice-ms", required_argument, NULL, 's'},
      {"filter", required_argument, NULL, 'f'},
      {"csv", required_argument, NULL, 'c'},
      {"quick", no_argument, NULL, 'q'},
      {"no-pin", no_argument, NULL, 'p'},
      {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0},
  };
  *options = (bench_options){.entries = {{3000, 100000, 1000000}, 3},
                             .threads = {{1, 2, 4, 8}, 4},
                             .rounds = 7,
                             .operations = 1 << 19,
                             .slice_ms = 100};
  for (;;) {
    int index = -1;
    const int letter = getopt_long(count, arguments, "e:t:r:o:s:f:c:qh", longs, &index);
    if (letter == -1) break;
    if (letter == 'h') {
      fputs(help_text, stdout);
      return BENCH_HELP;
    }
    if (letter == '?') return BENCH_MISUSE; /* getopt_long said why */
    if (take(options, letter, optarg)) continue;
    fprintf(stderr, "%s: not a value for this option: %s; see --help\n", arguments[0], optarg);
    return BENCH_MISUSE;
  }
  if (optind == count) return BENCH_RUN;
  fprintf(stderr, "%s: nothing is known of %s; see --help\n", arguments[0], arguments[optind]);
  return BENCH_MISUSE;
}
