/* What plugin.c shows to test_plugin.c, under the name "plugin". */
#ifndef ACCEL_TESTS_PROCESS_PLUGIN_H
#define ACCEL_TESTS_PROCESS_PLUGIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct plugin_functions {
  bool (*open)(atomic_long *live_blocks, const char *url_or_null);
  bool (*use)(uint64_t key); /* any thread, between open and close */
  void (*close)(void);
} plugin_functions;

extern const plugin_functions plugin;

#endif
