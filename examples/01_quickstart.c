/* 01_quickstart.c: a cache in front of a real SQLite database of 10 000 users.
 *
 * It makes two million reads, most of them for a few users, as in a real program. SQLite itself
 * counts how many of them reach it.
 */

/* ---- quick start ---- */
#define ACCEL_IMPLEMENTATION /* in exactly one C file of the program */
#include "accel.h"

typedef struct user_t {
  uint64_t id;
  char name[56];
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t) /* makes user_cache: from uint64_t to user_t */

/* Your query. ACCEL_OK: *out is filled; ACCEL_NULL: there is no such user; else an error. */
static accel_status load_user(void *database, uint64_t id, user_t *out);

static accel_status greet(user_cache *users, void *database)
{
  /* SQLite answers at once, so loads need no time limit and run in the calling thread. */
  accel_config config = {.area = "users", .loader_timeout_ms = ACCEL_FOREVER};
  user_t user;
  accel_status status = user_cache_open(users, &config);
  if (status != ACCEL_OK) return status; /* user_cache_last_error names the field */
  user_cache_set_loader(users, load_user, database);

  status = user_cache_get(users, 42, &user); /* from the database, once for all readers */
  if (status == ACCEL_OK) status = user_cache_get(users, 42, &user); /* from memory */
  if (status == ACCEL_OK) printf("Hello, %s!\n", user.name);
  return status;
}
/* ---- end of the quick start: user_cache_close when you are done ---- */

#include "claim.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <unistd.h>

#define USERS 10000
#define READS 1000000

static accel_status load_user(void *database, uint64_t id, user_t *out)
{
  static const char sql[] = "SELECT id, name FROM users WHERE id = ?";
  accel_status status = ACCEL_ERR_LOADER;
  sqlite3_stmt *query = NULL;
  if (sqlite3_prepare_v2((sqlite3 *)database, sql, -1, &query, NULL) != SQLITE_OK) return status;
  sqlite3_bind_int64(query, 1, (sqlite3_int64)id);
  const int step = sqlite3_step(query);
  if (step == SQLITE_DONE) status = ACCEL_NULL;
  if (step == SQLITE_ROW) {
    out->id = (uint64_t)sqlite3_column_int64(query, 0);
    snprintf(out->name, sizeof out->name, "%s", (const char *)sqlite3_column_text(query, 1));
    status = ACCEL_OK;
  }
  sqlite3_finalize(query);
  return status;
}

static bool fill_database(sqlite3 *database)
{
  static const char sql[] =
      "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
      "INSERT INTO users SELECT i, 'user number ' || i FROM n;";
  return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* SQLite calls this after each statement. */
static int count_query(unsigned event, void *queries, void *statement, void *nanoseconds)
{
  (void)event, (void)statement, (void)nanoseconds;
  ++*(uint64_t *)queries;
  return 0;
}

/* A tenth of the reads is for any user, a tenth for the first half, and so on to the first few;
 * some are for users that do not exist. */
static void draw_ids(uint64_t *ids)
{
  uint64_t random = 1;
  for (size_t i = 0; i < READS; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    ids[i] = 1 + (random >> 33) % ((USERS + 100u) >> (random >> 29) % 10);
  }
}

static double read_all(user_cache *users, const uint64_t *ids, uint64_t *wrong)
{
  user_t user;
  const uint64_t start_ns = accel_clock_monotonic_ns();
  for (size_t i = 0; i < READS; i++) {
    const accel_status status = user_cache_get(users, ids[i], &user);
    const accel_status expected = ids[i] <= USERS ? ACCEL_OK : ACCEL_NULL;
    *wrong += status != expected || (status == ACCEL_OK && user.id != ids[i]);
  }
  return (double)(accel_clock_monotonic_ns() - start_ns) / READS;
}

static void measure(user_cache *users, const uint64_t *ids, const uint64_t *queries)
{
  uint64_t wrong = 0;
  accel_metrics metrics;
  const double cold_ns = read_all(users, ids, &wrong);
  const uint64_t cold_queries = *queries;
  const double hit_ns = read_all(users, ids, &wrong);
  user_cache_metrics_snapshot(users, &metrics);

  printf("%d reads, starting cold: %7.0f ns each\n", READS, cold_ns);
  printf("%d reads, all from L1:   %7.0f ns per hit\n", READS, hit_ns);
  printf("hits %" PRIu64 ", misses %" PRIu64 ", queries that SQLite counted %" PRIu64 "\n",
         metrics.local_hit, metrics.local_miss, *queries);
  claim(wrong == 0, "every answer was right");
  claim(metrics.local_miss == *queries, "SQLite was asked once per miss");
  claim(*queries <= USERS + 100, "and at most once per user, even for those who do not exist");
  claim(*queries == cold_queries, "the second million of reads did not reach it at all");
}

int main(void)
{
  char path[] = "/tmp/accel-quickstart-XXXXXX";
  const int file = mkstemp(path);
  uint64_t *ids = (uint64_t *)malloc(READS * sizeof *ids);
  uint64_t queries = 0;
  sqlite3 *database = NULL;
  user_cache users = {0};

  claim(file >= 0 && ids != NULL && sqlite3_open(path, &database) == SQLITE_OK &&
            fill_database(database),
        "SQLite has made a database of 10 000 users");
  if (all_claims_hold) {
    sqlite3_trace_v2(database, SQLITE_TRACE_PROFILE, count_query, &queries);
    claim(greet(&users, database) == ACCEL_OK, "user 42 was greeted");
    draw_ids(ids);
    measure(&users, ids, &queries);
  }
  user_cache_close(&users);
  sqlite3_close(database);
  free(ids);
  unlink(path);
  close(file);
  return all_claims_hold ? 0 : 1;
}
