/* quiet_fork.h: forks beside threads where the child is to start threads and to take memory.
 *
 * AddressSanitizer's allocator has no fork handler: what a thread of the parent holds of it at the
 * fork stays locked in the child for ever. A thread that has just been started is such a one. So
 * this waits until all other threads of the process sleep, which those of the library do soon.
 */
#ifndef QUIET_FORK_H
#define QUIET_FORK_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Of a thread of this process. One that has ended sleeps. */
static inline bool quiet_sleeps(const char *thread)
{
  char path[64], text[128], state = 'S';
  snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", thread);
  FILE *file = fopen(path, "r");
  if (file == NULL) return true;
  if (fgets(text, sizeof text, file) != NULL) sscanf(text, "%*d (%*[^)]) %c", &state);
  fclose(file);
  return state == 'S';
}

static inline bool quiet_is_alone(void)
{
  bool is_alone = true;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *each; tasks != NULL && (each = readdir(tasks)) != NULL;)
    if (each->d_name[0] != '.' && atoi(each->d_name) != getpid() && !quiet_sleeps(each->d_name))
      is_alone = false;
  if (tasks != NULL) closedir(tasks);
  return is_alone;
}

/* From the main thread. Threads that never sleep are waited for in vain, for ten seconds. */
static inline pid_t quiet_fork(void)
{
  for (int quiet = 0, looks = 0; quiet < 3 && looks < 10000; looks++) {
    quiet = quiet_is_alone() ? quiet + 1 : 0;
    usleep(1000);
  }
  return fork();
}

#endif
