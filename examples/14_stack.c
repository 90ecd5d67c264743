/* 14_stack.c: a service over PostgreSQL and Redis, with its live page, metrics and traces.
 *
 * tools/stack.sh up starts it together with all that it needs. It answers on 127.0.0.1:
 *
 *   GET    /users/42            one user as JSON; the header X-Cache says which level answered
 *   GET    /users?ids=1,2,3     several users, with one query for all that no level has
 *   GET    /names/42, /names?ids=1,2,3    the same reads through wrappers
 *   PUT    /users/42            stores the body of the request as the user's name
 *   DELETE /users/42, /users?ids=1,2,3
 *   GET    /, /metrics, /state.json, /health    what the caches do: accel_observer_answer
 *
 * How it is wired, in the order of this file:
 *
 *   queries     each thread has a PostgreSQL connection of its own, with prepared statements
 *   cache       the loader, the mloader and the five wrappers are the only callers of the queries
 *   requests    each handler calls one function of the cache
 *   service     opens the observer first, then what reports to it; closes in the reverse order
 *
 * It is configured by the environment: ACCEL_HTTP_PORT (8090), ACCEL_POSTGRES_DSN, ACCEL_REDIS_URL,
 * OTEL_EXPORTER_OTLP_ENDPOINT (without it nothing is exported), ACCEL_CAPACITY and
 * ACCEL_LOCAL_TTL_MS. SIGTERM and SIGINT end it.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/otlp.h"
#include "accel_backends/redis.h"

#include "14_stack_http.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>

enum { NAME_SIZE = 56, IDS = 256, LOADERS = 8 };

typedef struct user_t {
  uint64_t id;
  char name[NAME_SIZE];
} user_t;

ACCEL_DEFINE_WITH(user, uint64_t, user_t, .remote = &accel_redis_ops)

typedef struct service_t {
  const char *dsn;
  pthread_key_t connections; /* of each thread to PostgreSQL */
  accel_observer observer;
  accel_otlp otlp;
  accel_executor executor;
  accel_redis redis;
  user_cache users;
  struct MHD_Daemon *http;
} service_t;

static service_t service;

/* ---- queries ---- */

/* `= ANY` takes one array, so that the statement is the same for any number of ids. */
static const char *const statements[][2] = {
    {"find", "SELECT id, name FROM accelerator_users WHERE id = $1::bigint"},
    {"find_all", "SELECT id, name FROM accelerator_users WHERE id = ANY($1::bigint[])"},
    {"save", "INSERT INTO accelerator_users (id, name) VALUES ($1::bigint, $2) "
             "ON CONFLICT (id) DO UPDATE SET name = excluded.name"},
    {"delete", "DELETE FROM accelerator_users WHERE id = ANY($1::bigint[])"},
};

/* Keeps the first line of PostgreSQL's message, which a reader of the cache then finds in
 * user_cache_last_error. It contains no password. */
static accel_status postgres_error(const PGconn *connection)
{
  const char *text = PQerrorMessage(connection);
  return accel_error_set(&service, ACCEL_ERR_LOADER, "PostgreSQL: %.*s", (int)strcspn(text, "\n"),
                         text);
}

static void close_connection(void *connection)
{
  PQfinish((PGconn *)connection);
}

/* Opens the calling thread's connection. It closes when the thread ends. NULL: failed. */
static PGconn *open_connection(void)
{
  PGconn *connection = PQconnectdb(service.dsn);
  bool is_ready = PQstatus(connection) == CONNECTION_OK;
  for (size_t i = 0; is_ready && i < sizeof statements / sizeof statements[0]; i++) {
    PGresult *result = PQprepare(connection, statements[i][0], statements[i][1], 0, NULL);
    is_ready = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
  }
  if (is_ready && pthread_setspecific(service.connections, connection) == 0) return connection;
  accel_ignore(postgres_error(connection));
  PQfinish(connection);
  return NULL;
}

/* Runs a prepared statement. A connection that turns out to be dead is replaced once, so that
 * nobody notices a restart of the server. NULL: failed, and the thread's last error says why. */
static PGresult *query(const char *statement, int count, const char *const *values)
{
  for (int attempt = 0; attempt < 2; attempt++) {
    PGconn *connection = (PGconn *)pthread_getspecific(service.connections);
    if (connection == NULL) connection = open_connection();
    if (connection == NULL) return NULL;
    PGresult *result = PQexecPrepared(connection, statement, count, values, NULL, NULL, 0);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
    PQclear(result);
    accel_ignore(postgres_error(connection));
    if (PQstatus(connection) == CONNECTION_OK) return NULL; /* the server refused the statement */
    pthread_setspecific(service.connections, NULL);
    PQfinish(connection);
  }
  return NULL;
}

/* False: the name is longer than a user_t can hold. */
static bool read_row(const PGresult *rows, int row, user_t *out)
{
  const char *name = PQgetvalue(rows, row, 1);
  if (strlen(name) >= sizeof out->name) {
    accel_error_set(&service, ACCEL_ERR_LOADER, "user %s: the name has more than %d bytes",
                    PQgetvalue(rows, row, 0), NAME_SIZE - 1);
    return false;
  }
  *out = (user_t){.id = strtoull(PQgetvalue(rows, row, 0), NULL, 10)};
  memcpy(out->name, name, strlen(name));
  return true;
}

/* The loader, which the body of a wrapper calls too. */
static accel_status load_user(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  char text[24];
  const char *const values[] = {text};
  snprintf(text, sizeof text, "%" PRIu64, id);
  PGresult *rows = query("find", 1, values);
  if (rows == NULL) return ACCEL_ERR_LOADER;
  accel_status status = ACCEL_NULL;
  if (PQntuples(rows) > 0) status = read_row(rows, 0, out) ? ACCEL_OK : ACCEL_ERR_LOADER;
  PQclear(rows);
  return status;
}

/* Runs a statement whose only parameter is an array of ids. NULL: failed. */
static PGresult *query_ids(const char *statement, const uint64_t *ids, size_t count)
{
  const size_t size = count * 21 + 3; /* 20 digits and a comma each */
  char *text = (char *)malloc(size);
  if (text == NULL) return NULL;
  size_t used = (size_t)snprintf(text, size, "{");
  for (size_t i = 0; i < count; i++)
    used += (size_t)snprintf(text + used, size - used, "%s%" PRIu64, i > 0 ? "," : "", ids[i]);
  snprintf(text + used, size - used, "}");
  const char *const values[] = {text};
  PGresult *rows = query(statement, 1, values);
  free(text);
  return rows;
}

/* The mloader. An id without a row keeps its status, ACCEL_MISS, which the cache takes for
 * ACCEL_NULL. */
static accel_status load_users(void *ctx, const uint64_t *ids, size_t count, user_t *out,
                               accel_status *statuses)
{
  (void)ctx;
  PGresult *rows = query_ids("find_all", ids, count);
  if (rows == NULL) return ACCEL_ERR_LOADER;
  for (int row = 0; row < PQntuples(rows); row++) {
    const uint64_t id = strtoull(PQgetvalue(rows, row, 0), NULL, 10);
    for (size_t i = 0; i < count; i++)
      if (ids[i] == id) statuses[i] = read_row(rows, row, &out[i]) ? ACCEL_OK : ACCEL_ERR_LOADER;
  }
  PQclear(rows);
  return ACCEL_OK;
}

/* ---- cache ---- */

static ACCEL_CACHEABLE(user, get_user, (uint64_t id, user_t *out), (id, out),
                       .cache = &service.users, .key = id, .out = out, .allow_stale = true)
{
  return load_user(NULL, id, out);
}

static ACCEL_CACHEABLE_BATCH(user, get_users, (void), (), .cache = &service.users,
                             .allow_stale = true)
{
  return load_users(NULL, keys, count, values, statuses);
}

static ACCEL_CACHE_PUT(user, save_user, (const user_t *user), (user), .cache = &service.users,
                       .key = user->id, .value = user)
{
  char id[24];
  const char *const values[] = {id, user->name};
  snprintf(id, sizeof id, "%" PRIu64, user->id);
  PGresult *result = query("save", 2, values);
  PQclear(result);
  return result == NULL ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static accel_status delete_rows(const uint64_t *ids, size_t count)
{
  PGresult *result = query_ids("delete", ids, count);
  PQclear(result);
  return result == NULL ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static ACCEL_CACHE_EVICT(user, delete_user, (uint64_t id), (id), .cache = &service.users, .key = id)
{
  return delete_rows(&id, 1);
}

static ACCEL_CACHE_EVICT_BATCH(user, delete_users, (void), (), .cache = &service.users)
{
  return delete_rows(keys, count);
}

/* ---- requests ---- */

static void say_user(http_reply *reply, const user_t *user)
{
  http_say(reply, "{\"id\":%" PRIu64 ",\"name\":", user->id);
  http_say_json(reply, user->name);
  http_say(reply, "}");
}

/* What a status of the cache is in HTTP, with the reason of a failure. */
static void fail(http_reply *reply, accel_status status)
{
  const char *reason = user_cache_last_error(&service.users);
  if (reason[0] == '\0') reason = accel_error_text(&service);
  reply->status = status == ACCEL_NULL || status == ACCEL_MISS ? 404
                  : status == ACCEL_ERR_TIMEOUT                ? 504
                                                               : 503;
  http_say(reply, "{\"status\":\"%s\",\"error\":", accel_status_name(status));
  http_say_json(reply, accel_failed(status) ? reason : "there is no such user");
  http_say(reply, "}");
}

static void refuse(http_reply *reply, int status, const char *reason)
{
  reply->status = status;
  http_say(reply, "{\"error\":\"%s\"}", reason);
}

static void answer_user(http_reply *reply, bool is_wrapped, uint64_t id)
{
  user_t user;
  accel_info info = {.source = ACCEL_FROM_NONE};
  const accel_read read = {.allow_stale = true, .info = &info};
  const accel_status status =
      is_wrapped ? get_user(id, &user) : user_cache_get_with(&service.users, id, &read, &user);
  if (!is_wrapped) reply->source = info.stale ? "stale" : accel_source_name(info.source);
  if (status == ACCEL_OK)
    say_user(reply, &user);
  else
    fail(reply, status);
}

static void answer_users(http_reply *reply, bool is_wrapped, const uint64_t *ids, size_t count)
{
  user_t users[IDS];
  accel_status statuses[IDS];
  const accel_read read = {.allow_stale = true};
  const accel_status status =
      is_wrapped ? get_users(ids, count, users, statuses)
                 : user_cache_mget(&service.users, ids, count, &read, users, statuses);
  if (accel_failed(status)) {
    fail(reply, status);
    return;
  }
  http_say(reply, "[");
  for (size_t i = 0, said = 0; i < count; i++) {
    if (statuses[i] != ACCEL_OK) continue;
    http_say(reply, "%s", said++ > 0 ? "," : "");
    say_user(reply, &users[i]);
  }
  http_say(reply, "]");
}

static void answer_write(http_reply *reply, const char *method, const uint64_t *ids, size_t count,
                         const http_request *request)
{
  accel_status status;
  if (strcmp(method, "DELETE") == 0) {
    status = count == 1 ? delete_user(ids[0]) : delete_users(ids, count);
  } else {
    user_t user = {.id = ids[0]};
    memcpy(user.name, request->body, request->size);
    status = save_user(&user);
  }
  reply->status = 204;
  if (status != ACCEL_OK) fail(reply, status);
}

/* Reads ids that are separated by commas. 0: there are none, too many, or one is no bigint. */
static size_t read_ids(const char *text, uint64_t *ids)
{
  size_t count = 0;
  char *end;
  for (; text != NULL && count < IDS; text = end + 1) {
    if (*text < '0' || *text > '9') return 0;
    ids[count] = strtoull(text, &end, 10);
    if (ids[count] == 0 || ids[count] > INT64_MAX) return 0;
    count++;
    if (*end == '\0') return count;
    if (*end != ',') return 0;
  }
  return 0;
}

static void answer_for_users(const http_request *request, http_reply *reply)
{
  const char *method = request->method, *path = request->path;
  uint64_t ids[IDS];
  const bool is_wrapped = strncmp(path, "/names", 6) == 0;
  const char *rest = path + 6;
  if (!is_wrapped && strncmp(path, "/users", 6) != 0) {
    refuse(reply, 404, "there is nothing of this name");
    return;
  }
  const size_t count = read_ids(rest[0] == '/' ? rest + 1 : http_argument(request, "ids"), ids);
  if (count == 0 || (rest[0] != '/' && rest[0] != '\0')) {
    refuse(reply, 400, "wanted: /users/ID or /users?ids=ID,ID with numbers above 0");
  } else if (strcmp(method, "GET") == 0) {
    if (rest[0] == '/' && count == 1)
      answer_user(reply, is_wrapped, ids[0]);
    else
      answer_users(reply, is_wrapped, ids, count);
  } else if (is_wrapped || (strcmp(method, "DELETE") != 0 && strcmp(method, "PUT") != 0)) {
    refuse(reply, 405, "GET, and PUT and DELETE of /users");
  } else if (strcmp(method, "PUT") == 0 &&
             (count != 1 || request->size == 0 || request->size >= NAME_SIZE ||
              strlen(request->body) != request->size)) {
    refuse(reply, 400, "wanted: one id, and a name of 1 to 55 bytes as the body");
  } else {
    answer_write(reply, method, ids, count, request);
  }
}

/* The observer's own paths first; the others as a part of the caller's trace. */
static void answer(const http_request *request, http_reply *reply)
{
  accel_answer seen = {.status = 0};
  if (accel_observer_answer(&service.observer, request->method, request->path, &seen)) {
    reply->status = seen.status;
    reply->content_type = seen.content_type;
    reply->body = seen.body; /* released with the reply */
    return;
  }
  accel_trace_set(http_header(request, "traceparent"), http_header(request, "tracestate"));
  answer_for_users(request, reply);
  accel_trace_set(NULL, NULL);
}

/* ---- service ---- */

static const char *environment(const char *name, const char *otherwise)
{
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : otherwise;
}

/* A number from the environment; `otherwise` where there is none. False: it is no such number. */
static bool read_number(const char *name, unsigned long otherwise, unsigned long most,
                        unsigned long *out)
{
  char *end;
  const char *text = environment(name, NULL);
  *out = text != NULL ? strtoul(text, &end, 10) : otherwise;
  if (text == NULL || (*text >= '1' && *text <= '9' && *end == '\0' && *out <= most)) return true;
  fprintf(stderr, "%s: wanted a number from 1 to %lu, not \"%s\"\n", name, most, text);
  return false;
}

static bool explain(const char *what, const char *reason)
{
  fprintf(stderr, "%s: %s\n", what, reason);
  return false;
}

/* Operations and changes of state, for people on standard error and for the OTLP receiver. */
static void log_record(void *otlp_or_null, const accel_log_record *record)
{
  accel_log_stderr(NULL, record);
  if (otlp_or_null != NULL) accel_otlp_log(otlp_or_null, record);
}

/* The observer and what exports it. */
static bool open_telemetry(void)
{
  const accel_observer_config observer = {.shows_keys = true}; /* here, ids are no secrets */
  const accel_otlp_config otlp = {.observer = &service.observer,
                                  .service_name = "accelerator-stack",
                                  .service_namespace = "accelerator",
                                  .log = accel_log_stderr}; /* of what could not be sent */
  if (accel_observer_open(&service.observer, &observer) != ACCEL_OK)
    return explain("observer", accel_observer_last_error(&service.observer));
  if (environment("OTEL_EXPORTER_OTLP_ENDPOINT", NULL) == NULL) return true;
  if (accel_otlp_open(&service.otlp, &otlp) == ACCEL_OK) return true;
  return explain("OTLP", accel_otlp_last_error(&service.otlp));
}

/* As many loads run at a time as there are threads here, each with its own connection. A load goes
 * on for the caches when its reader has given up. */
static bool open_cache(unsigned long capacity, unsigned long local_ttl_ms)
{
  const bool has_otlp = environment("OTEL_EXPORTER_OTLP_ENDPOINT", NULL) != NULL;
  const accel_executor_config executor = {.max_threads = LOADERS};
  const accel_redis_config redis = {.url = environment("ACCEL_REDIS_URL", NULL),
                                    .key_prefix = "accelerator-stack",
                                    .observer = &service.observer};
  const accel_config users = {.area = "users",
                              .capacity = capacity,
                              .local_ttl_ms = (uint32_t)local_ttl_ms,
                              .loader_timeout_ms = 1000,
                              .remote = &service.redis,
                              .executor = &service.executor,
                              .log = log_record,
                              .log_ctx = has_otlp ? &service.otlp : NULL,
                              .spans = has_otlp ? accel_otlp_spans(&service.otlp) : NULL,
                              .observer = &service.observer,
                              .hot_keys = 256};
  if (accel_executor_open(&service.executor, &executor) != ACCEL_OK)
    return explain("executor", "no memory");
  if (accel_redis_open(&service.redis, &redis) != ACCEL_OK)
    return explain("Redis", accel_redis_last_error(&service.redis));
  if (user_cache_open(&service.users, &users) != ACCEL_OK)
    return explain("cache", user_cache_last_error(&service.users));
  user_cache_set_loader(&service.users, load_user, NULL);
  user_cache_set_mloader(&service.users, load_users, NULL);
  return true;
}

/* Every close does nothing for what is not open. */
static void close_service(void)
{
  http_close(service.http);
  user_cache_close(&service.users);
  accel_redis_close(&service.redis);
  accel_executor_close(&service.executor);
  accel_otlp_close(&service.otlp);
  accel_observer_close(&service.observer);
}

int main(void)
{
  unsigned long port, capacity, local_ttl_ms;
  int signal_number;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread starts, so that all block them */

  service.dsn = environment("ACCEL_POSTGRES_DSN",
                            "postgres://accelerator:accelerator@127.0.0.1:5432/accelerator");
  const bool is_open = pthread_key_create(&service.connections, close_connection) == 0 &&
                       read_number("ACCEL_HTTP_PORT", 8090, 65535, &port) &&
                       read_number("ACCEL_CAPACITY", 100000, 10000000, &capacity) &&
                       read_number("ACCEL_LOCAL_TTL_MS", 60000, 86400000, &local_ttl_ms) &&
                       open_telemetry() && open_cache(capacity, local_ttl_ms);
  service.http = is_open ? http_open(port, answer) : NULL;
  const bool is_serving = service.http != NULL;
  if (is_serving) {
    printf("http://127.0.0.1:%lu\n", port);
    fflush(stdout);
    sigwait(&signals, &signal_number);
  } else if (is_open) {
    explain("ACCEL_HTTP_PORT", "the port is taken, or this user may not use it");
  }
  close_service();
  return is_serving ? 0 : 1;
}
