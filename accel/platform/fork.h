/* fork.h: forks, and which objects this process has opened (layer 0). Threads: any. */
#ifndef ACCEL_PLATFORM_FORK_H
#define ACCEL_PLATFORM_FORK_H

#include "../base.h"

ACCEL_EXTERN_C_BEGIN

/* Counts the forks between this process and the one that loaded the library: an object that
 * remembers another number was made by a parent. */
uint64_t accel_fork_generation(void);

/* Calls `child(ctx)` in the child of every fork until unregistered; it may only touch memory. To
 * register it again changes nothing, so a module registers the handler of its static variables
 * whenever it is opened. False: no memory. */
typedef struct accel_fork_handler {
  void (*child)(void *ctx);
  void *ctx;
  struct accel_fork_handler *next, *previous;
  bool is_registered;
} accel_fork_handler;
bool accel_fork_register(accel_fork_handler *handler);
void accel_fork_unregister(accel_fork_handler *handler);

/* The objects that this process has opened and not closed, by address. So whether a cache, an
 * executor or an L2 is open does not depend on the bytes that lie there. `kind` is an address that
 * stands for what the object is. */
typedef struct accel_opened {
  const void *object, *kind;
  uint64_t fork_generation;
  struct accel_opened *next, *previous;
} accel_opened;
/* Notes an object as open. `entry` is kept until removed. */
void accel_opened_add(accel_opened *entry, const void *object, const void *kind);
/* Does nothing to an entry that is zeroed or was removed. */
void accel_opened_remove(accel_opened *entry);
typedef enum accel_opened_by {
  ACCEL_OPENED_BY_NOBODY = 0, /* or it is closed again */
  ACCEL_OPENED_BY_US,
  ACCEL_OPENED_BY_PARENT /* before a fork */
} accel_opened_by;
accel_opened_by accel_opened_find(const void *object, const void *kind);

ACCEL_EXTERN_C_END
#endif
