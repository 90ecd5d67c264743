/* lease.c: lease and fill: what is stored only under a condition.
 *
 * A lease is SET NX PX. A fill with a token is a script of one key, because only the server can
 * compare and store in one step. The script is called by its hash, and sent whole to a server that
 * does not know it yet. A fill without a token is a plain SET. Each item is one command with one
 * reply, and the items of a call may differ in kind.
 *
 * Where the server tracks changes (tracking.h), it leaves out those of the data connection, but
 * not those of a script, so that each fill would come back. There the script stores under another
 * key, and the connection renames that key:
 *
 *   MULTI, the script, RENAME, EXEC
 *
 * If the token is not there, the script stores nothing, and RENAME fails with "no such key". A
 * full server refuses all of that, and is sent the script alone. */
#include "blocks.h"
#include "operations.h"

#include <stdio.h>
#include <string.h>

/* Only the token's own bytes compare equal, not a missing key or another type. Other errors, as of
 * a server without GETRANGE, are returned. Where the value does not fit, the script removes the
 * lease (flag 2 of the envelope, codec.h), so that nobody waits for it. */
#define REDIS_LEASE_SCRIPT \
  "local v=redis.pcall('GETRANGE',KEYS[1],6,23) " \
  "if type(v)~='string' then return v.err:find('WRONGTYPE') and 0 or v end " \
  "if v:sub(11)~=ARGV[1] then return 0 end " \
  "local k,r=KEYS[#KEYS] " \
  "if ARGV[3]=='0' then r=redis.pcall('SET',k,ARGV[2]) " \
  "else r=redis.pcall('SET',k,ARGV[2],'PX',ARGV[3]) end " \
  "if r.ok then return 1 end " \
  "if v:byte(1)%4>1 then redis.call('DEL',KEYS[1]) end return r"
#define REDIS_LEASE_SCRIPT_HASH "bf461094b68ed6cb449e39aa112faabfe0a4c273"
/* Where a fill lies within EXEC, behind the area: no name has such a character. RENAME changes
 * that key too, so nobody is told of it. */
#define REDIS_LEASE_ELSEWHERE "~fill"
#define REDIS_LEASE_MOVE_REPLIES 4u /* MULTI, QUEUED, QUEUED, EXEC */

/* What all parts of a call have in common. */
typedef struct redis_lease_terms {
  redis_link *link;
  accel_remote_call *call;
  bool is_lease;
  uint32_t lease_ms;
} redis_lease_terms;

/* One part, between its commands and its replies. */
typedef struct redis_lease {
  const redis_lease_terms *terms;
  const redis_part *part;
  redis_prepared prepared;
  redis_exchange exchange;
} redis_lease;

/* ---- commands ---- */

static bool redis_lease_moves(const redis_lease_terms *terms, const accel_remote_item *item)
{
  if (terms->is_lease || (item->hint & REDIS_HINT_NO_MULTI) != 0) return false;
  return item->token != 0 && terms->link->settings->is_tracking;
}

static bool redis_lease_append_script(const accel_remote_item *item, const accel_buffer *key,
                                      const char *elsewhere_or_null, accel_buffer *out)
{
  const bool sends_script = (item->hint & REDIS_HINT_SCRIPT) != 0;
  char ttl[REDIS_TTL_SIZE], token[8];
  for (size_t i = 0; i < 8; i++) token[i] = (char)(item->token >> (8 * i) & 0xFF);
  accel_redis_ttl_text(item->ttl_ms, ttl);
  const char *verb = sends_script ? "EVAL" : "EVALSHA";
  const char *script = sends_script ? REDIS_LEASE_SCRIPT : REDIS_LEASE_SCRIPT_HASH;
  const char *words[8] = {verb, script, elsewhere_or_null == NULL ? "1" : "2",
                          (const char *)key->data};
  size_t sizes[8] = {strlen(verb), strlen(script), 1, key->size};
  size_t count = 4;
  if (elsewhere_or_null != NULL) {
    words[count] = elsewhere_or_null;
    sizes[count++] = strlen(elsewhere_or_null);
  }
  words[count] = token;
  sizes[count++] = sizeof token;
  words[count] = item->size == 0 ? "" : (const char *)item->data;
  sizes[count++] = item->size;
  words[count] = ttl;
  sizes[count++] = strlen(ttl);
  const redis_words command = {.words = words, .sizes = sizes, .count = count};
  return accel_redis_command_append(out, &command);
}

static bool redis_lease_append_move(const redis_lease_terms *terms, const accel_remote_item *item,
                                    const accel_buffer *key, accel_buffer *out)
{
  char elsewhere[sizeof terms->link->key_start + sizeof REDIS_LEASE_ELSEWHERE];
  snprintf(elsewhere, sizeof elsewhere, "%s" REDIS_LEASE_ELSEWHERE, terms->link->key_start);
  const char *words[] = {"RENAME", elsewhere, (const char *)key->data};
  const size_t sizes[] = {6, strlen(elsewhere), key->size};
  const redis_words rename = {.words = words, .sizes = sizes, .count = 3};
  return accel_redis_command_append_words(out, REDIS_WORDS("MULTI")) &&
         redis_lease_append_script(item, key, elsewhere, out) &&
         accel_redis_command_append(out, &rename) &&
         accel_redis_command_append_words(out, REDIS_WORDS("EXEC"));
}

static bool redis_lease_append(redis_lease *lease, const accel_remote_item *item)
{
  const redis_lease_terms *terms = lease->terms;
  accel_buffer *out = &lease->prepared.commands;
  accel_buffer key = {0};
  if (!accel_redis_part_append_asking(item, out, &lease->prepared.replies)) return false;
  if (terms->is_lease || item->token == 0) {
    const uint32_t ttl_ms = terms->is_lease ? terms->lease_ms : item->ttl_ms;
    return accel_redis_append_set(out, terms->link, item, ttl_ms, terms->is_lease);
  }
  bool appended = accel_buffer_append(&key, terms->link->key_start, terms->link->prefix_size) &&
                  accel_buffer_append(&key, item->key, item->key_size);
  if (appended && redis_lease_moves(terms, item))
    appended = redis_lease_append_move(terms, item, &key, out);
  else if (appended)
    appended = redis_lease_append_script(item, &key, NULL, out);
  accel_buffer_release(&key);
  return appended;
}

/* True: the server cannot compare and store, so no fill will follow the lease. The item has its
 * status, and no lease is taken. */
static bool redis_lease_is_pointless(const redis_lease *lease, accel_remote_item *item)
{
  const redis_commands *commands = &lease->part->endpoint->commands;
  if (!lease->terms->is_lease && item->token == 0) return false;
  if (!accel_redis_commands_lacks_fills(commands)) return false;
  accel_redis_commands_explain(commands, lease->terms->link->settings->is_tracking,
                               lease->terms->call->error);
  item->status = ACCEL_ERR_BACKEND;
  return true;
}

/* A value that is too large is not sent; its item has its status from now on. */
static bool redis_lease_prepare(redis_lease *lease)
{
  accel_remote_call *call = lease->terms->call;
  const redis_commands *commands = &lease->part->endpoint->commands;
  const bool lacks_moves = accel_redis_commands_lacks_transactions(commands) ||
                           accel_redis_commands_lacks(commands, REDIS_COMMAND_RENAME);
  for (size_t i = 0; i < lease->part->count; i++) {
    accel_remote_item *item = lease->part->items[i];
    item->status = ACCEL_OK;
    if (accel_redis_part_is_too_large(lease->part, item, call)) continue;
    if (redis_lease_is_pointless(lease, item)) continue;
    if (lacks_moves) item->hint |= REDIS_HINT_NO_MULTI;
    if (accel_redis_commands_lacks(commands, REDIS_COMMAND_EVALSHA))
      item->hint |= REDIS_HINT_SCRIPT;
    if (!redis_lease_append(lease, item)) return false;
    lease->prepared.replies += redis_lease_moves(lease->terms, item) ? REDIS_LEASE_MOVE_REPLIES : 1;
  }
  return true;
}

/* A fill that holds a lease is sent even while writes are paused: if the server refuses it again,
 * the script removes the lease. */
static redis_purpose redis_lease_purpose(const redis_lease_terms *terms, const redis_part *part)
{
  bool has_tokens = !terms->is_lease;
  for (size_t i = 0; i < part->count; i++) has_tokens &= part->items[i]->token != 0;
  return has_tokens ? REDIS_REMOVES : REDIS_STORES;
}

static void redis_lease_begin(void *terms_pointer, void *lease_pointer, const redis_part *part)
{
  const redis_lease_terms *terms = (const redis_lease_terms *)terms_pointer;
  redis_lease *lease = (redis_lease *)lease_pointer;
  memset(lease, 0, sizeof *lease);
  lease->terms = terms;
  lease->part = part;
  accel_redis_call_init(&lease->exchange, redis_lease_purpose(terms, part), part->endpoint,
                        part->lane_or_null, accel_redis_call_append_prepared, &lease->prepared);
  lease->exchange.large_bytes = accel_redis_part_large_bytes(part);
  if (!redis_lease_prepare(lease))
    lease->exchange.status =
        accel_redis_call_fail(part->items, part->count, accel_redis_call_no_memory(terms->call));
  else if (lease->prepared.replies > 0)
    accel_redis_call_begin(terms->link, terms->call, &lease->exchange);
  accel_buffer_release(&lease->prepared.commands);
}

/* ---- replies ---- */

/* Reads an item's reply. False: no command sent here has such a reply. */
static bool redis_lease_take_item(const redis_lease *lease, accel_remote_item *item, size_t i)
{
  const redis_lease_terms *terms = lease->terms;
  const redis_replies *replies = &lease->exchange.replies;
  const redis_reply reply = accel_redis_reply_at(replies, i);
  if (reply.kind == REDIS_REPLY_IS_ERROR) {
    accel_redis_part_refused(lease->part, item, terms->call, replies, i);
    return true;
  }
  if (accel_redis_reply_says(replies, &reply, "OK")) return terms->is_lease || item->token == 0;
  if (reply.kind == REDIS_REPLY_IS_NIL && terms->is_lease) {
    item->token = 0;
    return true;
  }
  if (reply.kind != REDIS_REPLY_IS_INTEGER || terms->is_lease || item->token == 0) return false;
  item->status = reply.integer == 1 ? ACCEL_OK : ACCEL_MISS;
  return true;
}

/* The same for a fill that was renamed; moves *i behind its replies. */
static bool redis_lease_take_moved(const redis_lease *lease, accel_remote_item *item, size_t *i)
{
  const redis_replies *replies = &lease->exchange.replies;
  const size_t first = *i;
  const size_t exec = first + REDIS_LEASE_MOVE_REPLIES - 1;
  const redis_reply whole = accel_redis_reply_at(replies, exec);
  const redis_reply stored = accel_redis_reply_at(replies, exec + 1);
  const redis_reply moved = accel_redis_reply_at(replies, exec + 2);
  *i = accel_redis_reply_after(replies, exec);
  for (size_t k = first; k <= exec; k++) {
    const redis_reply reply = accel_redis_reply_at(replies, k);
    if (reply.kind == REDIS_REPLY_IS_ERROR) {
      accel_redis_part_refused(lease->part, item, lease->terms->call, replies, k);
      if (k == exec) accel_redis_call_leave_transaction(&lease->exchange, k);
      if (!accel_redis_reply_fails(replies, &reply, "OOM ")) return true;
      /* the script alone may still remove the lease */
      accel_redis_part_again(lease->part, item, REDIS_HINT_NO_MULTI, "replied OOM within MULTI");
      return true;
    }
    if (k < exec && reply.kind != REDIS_REPLY_IS_STATUS) return false;
  }
  if (whole.kind != REDIS_REPLY_IS_ARRAY || whole.size != 2) return false;
  const bool is_refused = stored.kind == REDIS_REPLY_IS_ERROR;
  if (!is_refused && stored.kind != REDIS_REPLY_IS_INTEGER) return false;
  if (is_refused || (stored.integer == 1 && moved.kind == REDIS_REPLY_IS_ERROR)) {
    accel_redis_part_refused(lease->part, item, lease->terms->call, replies,
                             is_refused ? exec + 1 : exec + 2);
    return true;
  }
  item->status = stored.integer == 1 ? ACCEL_OK : ACCEL_MISS;
  return stored.integer != 1 || accel_redis_reply_says(replies, &moved, "OK");
}

static bool redis_lease_take_all(const redis_lease *lease)
{
  size_t reply = 0;
  for (size_t i = 0; i < lease->part->count; i++) {
    accel_remote_item *item = lease->part->items[i];
    if (accel_failed(item->status)) continue;
    reply += redis_part_skips(item);
    const bool taken = redis_lease_moves(lease->terms, item)
                           ? redis_lease_take_moved(lease, item, &reply)
                           : redis_lease_take_item(lease, item, reply++);
    if (!taken) return false;
  }
  return true;
}

static accel_status redis_lease_finish(void *lease_pointer)
{
  redis_lease *lease = (redis_lease *)lease_pointer;
  redis_exchange *exchange = &lease->exchange;
  accel_remote_call *call = lease->terms->call;
  accel_status status = accel_redis_call_finish(call, exchange);
  if (accel_failed(status))
    accel_redis_call_fail(lease->part->items, lease->part->count, status);
  else if (!redis_lease_take_all(lease))
    status = accel_redis_call_fail(lease->part->items, lease->part->count,
                                   accel_redis_call_protocol_error(exchange->lane_or_null, call));
  accel_redis_replies_release(&exchange->replies);
  return status;
}

/* ---- the operations ---- */

static accel_status redis_lease_run(redis_lease_terms *terms, accel_remote_item *items,
                                    size_t count)
{
  const bool may_be_large = !terms->is_lease && !terms->link->settings->is_tracking;
  const redis_operation operation = {.ctx = terms,
                                     .state_size = sizeof(redis_lease),
                                     .purpose = REDIS_STORES,
                                     .may_be_large = may_be_large,
                                     .begin = redis_lease_begin,
                                     .finish = redis_lease_finish};
  redis_lease single;
  return accel_redis_blocks_run(terms->link, items, count, terms->call, &operation, &single);
}

accel_status accel_redis_lease(void *link, accel_remote_item *items, size_t count,
                               uint32_t lease_ms, accel_remote_call *call)
{
  redis_lease_terms terms = {
      .link = (redis_link *)link, .call = call, .is_lease = true, .lease_ms = lease_ms};
  return redis_lease_run(&terms, items, count);
}

accel_status accel_redis_fill(void *link, accel_remote_item *items, size_t count,
                              accel_remote_call *call)
{
  redis_lease_terms terms = {.link = (redis_link *)link, .call = call};
  return redis_lease_run(&terms, items, count);
}
