/* identity.h: the names of a case: its full id and the folder that criterion gives it. */
#ifndef BENCH_IDENTITY_H
#define BENCH_IDENTITY_H

#include "../harness.h"
#include "arena.h"

typedef struct identity {
  const char *full;      /* single_key/hit/manual */
  const char *directory; /* single_key/hit_manual */
  const char *title;     /* full, cut to 100 bytes and "..." */
} identity;

/* One for each case. Equal folders get "_2", "_3", … in their order. */
identity *identity_fill(const bench_suite *suite);

/* One component of a folder's name: ? " / \ * < > : | ^ become "_", and what is more than 64 bytes
 * is cut at a character's boundary. */
char *identity_sanitise(const char *component);

/* Hash of what defines the case: names, sizes and its definition, but not the library. */
const char *identity_hash(const bench_case *bench, const identity *id);

#endif
