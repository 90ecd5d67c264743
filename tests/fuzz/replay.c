/* Runs a target without a fuzzer: over its corpus, over every truncation and every flipped bit of
 * each seed, and over random changes of them.
 *
 * usage: replay TARGET FOLDER [ROUNDS]     rounds of random changes per seed; 2000
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_MAX = 1 << 16, FLIPPED_MAX = 1024, SPARE = 64 };

static uint64_t random_state = 1;
static unsigned long runs;

static uint64_t next_random(void)
{
  uint64_t mixed = random_state += 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
  return mixed ^ mixed >> 31;
}

/* Exactly as large as the input, so that a sanitizer sees what is read beyond it. */
static void run_copy(const fuzz_target *target, const uint8_t *data, size_t size)
{
  uint8_t *copy = (uint8_t *)malloc(size == 0 ? 1 : size);
  if (copy == NULL) abort();
  memcpy(copy, data, size);
  target->run(copy, size);
  free(copy);
  runs++;
}

static size_t change(uint8_t *data, size_t size)
{
  const uint64_t random = next_random();
  const size_t at = size == 0 ? 0 : (size_t)(random >> 16) % size;
  switch (random % 6) {
    case 0: data[at] = (uint8_t)(random >> 8); break;
    case 1: data[at] = (uint8_t)(data[at] ^ 1u << (random >> 8) % 8); break;
    case 2: return at;
    case 3: /* once more */
      if (size + SPARE > SEED_MAX) break;
      memmove(data + at + 1, data + at, size - at);
      return size + 1;
    case 4: data[at] = (uint8_t) "0-9\r\n$*:+%/@,"[random >> 8 & 7]; break;
    default:
      if (size == 0) break;
      memmove(data + at, data + at + 1, size - at - 1);
      return size - 1;
  }
  return size;
}

static void run_seed(const fuzz_target *target, const uint8_t *seed, size_t size, unsigned rounds)
{
  static uint8_t data[SEED_MAX + SPARE];
  run_copy(target, seed, size);
  for (size_t cut = 0; cut < size && cut < FLIPPED_MAX; cut++) run_copy(target, seed, cut);
  memcpy(data, seed, size);
  for (size_t bit = 0; bit < 8 * size && bit < (size_t)8 * FLIPPED_MAX; bit++) {
    data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
    run_copy(target, data, size);
    data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
  }
  for (unsigned round = 0; round < rounds; round++) {
    size_t changed = size;
    memcpy(data, seed, size);
    for (uint64_t changes = 1 + next_random() % 6; changes > 0; changes--)
      changed = change(data, changed);
    run_copy(target, data, changed);
  }
}

static bool run_file(const fuzz_target *target, const char *path, unsigned rounds)
{
  static uint8_t seed[SEED_MAX];
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  const size_t size = fread(seed, 1, sizeof seed, file);
  fclose(file);
  run_seed(target, seed, size, rounds);
  return true;
}

int main(int count, char **arguments)
{
  const fuzz_target *target = count < 3 ? NULL : fuzz_find(arguments[1]);
  DIR *folder = count < 3 ? NULL : opendir(arguments[2]);
  const unsigned rounds = count < 4 ? 2000 : (unsigned)strtoul(arguments[3], NULL, 10);
  unsigned seeds = 0;
  if (target == NULL || folder == NULL) {
    fprintf(stderr, "usage: replay TARGET FOLDER [ROUNDS]\n");
    return 2;
  }
  for (const struct dirent *each; (each = readdir(folder)) != NULL;) {
    char path[4096];
    if (each->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", arguments[2], each->d_name);
    if (run_file(target, path, rounds)) seeds++;
  }
  closedir(folder);
  printf("%s: %u seeds, %lu inputs\n", target->name, seeds, runs);
  return seeds > 0 ? 0 : 1;
}
