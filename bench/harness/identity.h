/* identity.h: the names of a case: its full id and the folder that criterion gives it. */
#ifndef BENCH_IDENTITY_H
#define BENCH_IDENTITY_H

#include "../harness.h"

#define IDENTITY_SIZE 512

typedef struct identity {
  char full[IDENTITY_SIZE];      /* single_key/hit/manual */
  char directory[IDENTITY_SIZE]; /* single_key/hit_manual */
  char title[128];               /* full, cut to 100 bytes and "..." */
  char parameter[IDENTITY_SIZE]; /* the case's, with the number of threads if it is not 1; or "" */
} identity;

/* Fills `out` for each case. Equal folders get "_2", "_3", … in their order. */
void identity_fill(const bench_suite *suite, unsigned threads, identity *out);

/* Writes one component of a folder's name: ? " / \ * < > : | ^ become "_", and what is more than
 * 64 bytes is cut at a character's boundary. `to` has room for 65 bytes. */
void identity_sanitise(const char *component, char to[static 65]);

/* Hash of what defines the case: names, threads, sizes and its definition, but not the library. */
void identity_hash(const bench_case *bench, const identity *id, char text[static 17]);

#endif
