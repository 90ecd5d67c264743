#define _GNU_SOURCE /* accept4, memmem */
#include "proxy_pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  CHUNK = 65536,
  HELD_MAX = 32 << 20 /* a reply that is longer is passed on in pieces */
};

uint64_t proxy_now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void *proxy_grown(void *memory, size_t size)
{
  void *larger = realloc(memory, size);
  if (larger == NULL) abort();
  return larger;
}

static void bytes_add(bytes *to, const char *data, size_t size)
{
  if (to->size + size > to->capacity) {
    to->capacity = (to->size + size) * 2;
    to->data = (char *)proxy_grown(to->data, to->capacity);
  }
  memcpy(to->data + to->size, data, size);
  to->size += size;
}

static void bytes_remove(bytes *from, size_t size)
{
  from->size -= size;
  memmove(from->data, from->data + size, from->size);
}

bool proxy_is_about(const proxy_pair *pair, proxy_target target)
{
  return target == PROXY_ALL || (target == PROXY_LISTENER) == pair->is_listener;
}

/* ---- replies ---- */

/* The length of the reply at the start, 0: not all of it is there. */
static size_t reply_length(const char *data, size_t size)
{
  size_t at = 0;
  for (int64_t replies = 1; replies > 0; replies--) {
    const char *end = (const char *)memchr(data + at, '\n', size - at);
    if (end == NULL) return 0;
    const char kind = data[at];
    const long long number = strtoll(data + at + 1, NULL, 10);
    at = (size_t)(end - data) + 1;
    if (kind == '$' && number >= 0) at += (size_t)number + 2;
    if (kind == '*' && number > 0) replies += number;
    if (at > size) return 0;
    if (at == size && replies > 1) return 0;
  }
  return at;
}

void proxy_pipe_queue(pipe_ *pipe, const char *data, size_t size, uint64_t due_ns)
{
  if (size == 0) return;
  chunk *added = (chunk *)proxy_grown(NULL, sizeof *added + size);
  *added = (chunk){.due_ns = due_ns, .size = size};
  memcpy(added->data, data, size);
  if (pipe->last == NULL)
    pipe->first = added;
  else
    pipe->last->next = added;
  pipe->last = added;
  pipe->waiting += size;
}

/* One whole reply: dropped, kept back, or passed on with what was kept back behind it. */
static void take_reply(proxy *proxy_, proxy_pair *pair, const char *data, size_t size,
                       uint64_t due_ns)
{
  pipe_ *pipe = &pair->pipes[PROXY_REPLIES];
  if (proxy_->drops > 0 && proxy_is_about(pair, proxy_->drop_target)) {
    proxy_->drops--;
    proxy_->counts.dropped++;
    return;
  }
  const bool is_exchanging = proxy_->exchanges > 0 && proxy_is_about(pair, proxy_->exchange_target);
  if (is_exchanging && pipe->kept_back.size == 0) {
    bytes_add(&pipe->kept_back, data, size);
    return;
  }
  proxy_pipe_queue(pipe, data, size, due_ns);
  if (pipe->kept_back.size == 0) return;
  proxy_pipe_queue(pipe, pipe->kept_back.data, pipe->kept_back.size, due_ns);
  pipe->kept_back.size = 0;
  if (proxy_->exchanges == 0) return;
  proxy_->exchanges--;
  proxy_->counts.exchanged++;
}

static void take_replies(proxy *proxy_, proxy_pair *pair, uint64_t due_ns)
{
  pipe_ *pipe = &pair->pipes[PROXY_REPLIES];
  size_t at = 0;
  for (size_t size; (size = reply_length(pipe->held.data + at, pipe->held.size - at)) > 0;) {
    take_reply(proxy_, pair, pipe->held.data + at, size, due_ns);
    at += size;
  }
  if (pipe->held.size - at > HELD_MAX) {
    proxy_pipe_queue(pipe, pipe->held.data + at, pipe->held.size - at, due_ns);
    at = pipe->held.size;
  }
  bytes_remove(&pipe->held, at);
}

/* ---- one connection ---- */

static int socket_connected(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static void socket_prepare(int fd)
{
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void socket_reset(int fd)
{
  const struct linger at_once = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* The kernel drops every packet for this socket before it is acknowledged: what the other end
 * sees of a pulled cable. A filter of one's own socket needs no privileges. */
static void socket_silence(int fd)
{
  struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  const struct sock_fprog program = {1, &drop_all};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static void pair_silence(proxy_pair *pair)
{
  pair->is_silent = true;
  socket_silence(pair->pipes[PROXY_REQUESTS].from);
}

void proxy_pair_end(proxy_pair *pair, proxy_trip_kind kind)
{
  if (kind == PROXY_SILENCE) {
    pair_silence(pair);
    return;
  }
  if (pair->outlives) { /* the client's side alone */
    shutdown(pair->pipes[PROXY_REQUESTS].from, SHUT_RDWR);
    pair->pipes[PROXY_REQUESTS].has_ended = true;
    return;
  }
  for (size_t i = 0; i < 2 && kind == PROXY_RESET; i++) socket_reset(pair->pipes[i].from);
  pair->is_over = true;
}

void proxy_pair_free(proxy_pair *pair)
{
  for (size_t i = 0; i < 2; i++) {
    pipe_ *pipe = &pair->pipes[i];
    close(pipe->from);
    for (chunk *each = pipe->first; each != NULL;) {
      chunk *next = each->next;
      free(each);
      each = next;
    }
    free(pipe->held.data);
    free(pipe->kept_back.data);
  }
  free(pair);
}

void proxy_accept(proxy *proxy_)
{
  const int client = accept4(proxy_->listener, NULL, NULL, SOCK_CLOEXEC);
  if (client < 0) return;
  proxy_->counts.accepted++;
  const int server = proxy_->refuses ? -1 : socket_connected(proxy_->target_port);
  if (server < 0) {
    socket_reset(client);
    close(client);
    return;
  }
  proxy_pair *pair = (proxy_pair *)proxy_grown(NULL, sizeof *pair);
  memset(pair, 0, sizeof *pair);
  pair->pipes[PROXY_REQUESTS] = (pipe_){.from = client, .to = server};
  pair->pipes[PROXY_REPLIES] = (pipe_){.from = server, .to = client};
  socket_prepare(client);
  socket_prepare(server);
  if (proxy_->silences) pair_silence(pair);
  pair->next = proxy_->pairs;
  proxy_->pairs = pair;
}

void proxy_pipe_read(proxy *proxy_, proxy_pair *pair, proxy_direction direction)
{
  pipe_ *pipe = &pair->pipes[direction];
  static char data[CHUNK]; /* of the only thread */
  const ssize_t size = recv(pipe->from, data, sizeof data, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const bool is_left = pair->outlives && direction == PROXY_REQUESTS;
  if (size < 0 && !is_left) proxy_pair_end(pair, PROXY_RESET);
  if (size == 0 || (size < 0 && is_left)) pipe->has_ended = true;
  if (size <= 0 || pair->is_silent) return;
  if (direction == PROXY_REPLIES && pair->pipes[PROXY_REQUESTS].has_ended) return; /* nobody's */
  const proxy_flow *flow = &proxy_->flows[direction];
  const bool is_late = proxy_is_about(pair, proxy_->flow_target[direction]);
  const uint64_t due_ns = proxy_now_ns() + (is_late ? flow->latency_ms * 1000000ull : 0);
  if (direction == PROXY_REQUESTS) {
    if (memmem(data, (size_t)size, "SUBSCRIBE", 9) != NULL) pair->is_listener = true;
    proxy_pipe_queue(pipe, data, (size_t)size, due_ns);
    return;
  }
  bytes_add(&pipe->held, data, (size_t)size);
  take_replies(proxy_, pair, due_ns);
}

/* How many of the bytes may leave before the trip, if it is about them. */
static size_t trip_limit(const proxy *proxy_, const proxy_pair *pair, proxy_direction direction,
                         size_t size)
{
  const proxy_trip *trip = &proxy_->trip;
  if (trip->kind == PROXY_NO_TRIP || trip->direction != direction ||
      !proxy_is_about(pair, trip->target))
    return size;
  return trip->after_bytes < size ? (size_t)trip->after_bytes : size;
}

/* Its bytes have passed; `next` holds the one to change. */
static void trip_happen(proxy *proxy_, proxy_pair *pair, chunk *next)
{
  const proxy_trip trip = proxy_->trip;
  proxy_->trip.kind = PROXY_NO_TRIP;
  proxy_->counts.trips++;
  if (trip.kind == PROXY_FLIP)
    next->data[next->sent] = (char)(next->data[next->sent] ^ trip.flip);
  else
    proxy_pair_end(pair, trip.kind);
}

static bool is_tripping(const proxy *proxy_, const proxy_pair *pair, proxy_direction direction)
{
  const proxy_trip *trip = &proxy_->trip;
  return trip->kind != PROXY_NO_TRIP && trip->direction == direction &&
         proxy_is_about(pair, trip->target) && trip->after_bytes == 0;
}

static void pipe_passed(proxy *proxy_, proxy_pair *pair, proxy_direction direction, size_t size,
                        uint64_t now)
{
  pipe_ *pipe = &pair->pipes[direction];
  const proxy_flow *flow = &proxy_->flows[direction];
  chunk *first = pipe->first;
  /* Bytes per second are counted from here: on a busy machine it is later by now. */
  uint64_t could_leave_ns = first->due_ns > pipe->next_ns ? first->due_ns : pipe->next_ns;
  proxy_trip *trip = &proxy_->trip;
  const bool is_counted = trip->kind != PROXY_NO_TRIP && trip->direction == direction &&
                          proxy_is_about(pair, trip->target);
  if (is_counted) trip->after_bytes -= size;
  *(direction == PROXY_REQUESTS ? &proxy_->counts.requests : &proxy_->counts.replies) += size;
  pipe->waiting -= size;
  first->sent += size;
  if (first->sent == first->size) {
    pipe->first = first->next;
    if (pipe->first == NULL) pipe->last = NULL;
    free(first);
  }
  if (is_counted && trip->after_bytes == 0 && trip->kind != PROXY_FLIP)
    trip_happen(proxy_, pair, NULL);
  if (!proxy_is_about(pair, proxy_->flow_target[direction])) return;
  if (flow->bytes_per_second > 0) could_leave_ns += size * 1000000000ull / flow->bytes_per_second;
  pipe->next_ns = now + flow->slice_pause_ms * 1000000ull;
  if (pipe->next_ns < could_leave_ns) pipe->next_ns = could_leave_ns;
}

void proxy_pipe_write(proxy *proxy_, proxy_pair *pair, proxy_direction direction)
{
  pipe_ *pipe = &pair->pipes[direction];
  const proxy_flow *flow = &proxy_->flows[direction];
  const bool is_flowing = proxy_is_about(pair, proxy_->flow_target[direction]);
  pipe->is_clogged = false;
  if (direction == PROXY_REQUESTS && pair->is_detained) return;
  if (direction == PROXY_REPLIES && pair->outlives && pair->pipes[PROXY_REQUESTS].has_ended) return;
  while (pipe->first != NULL && !pair->is_over && !pair->is_silent) {
    const uint64_t now = proxy_now_ns();
    if (pipe->first->due_ns > now || pipe->next_ns > now) return;
    if (is_tripping(proxy_, pair, direction)) {
      trip_happen(proxy_, pair, pipe->first);
      continue;
    }
    chunk *first = pipe->first;
    size_t size = first->size - first->sent;
    if (is_flowing && flow->slice_bytes > 0 && size > flow->slice_bytes) size = flow->slice_bytes;
    if (is_flowing && flow->bytes_per_second > 0 && size > 1448) size = 1448;
    size = trip_limit(proxy_, pair, direction, size);
    const ssize_t sent = send(pipe->to, first->data + first->sent, size, MSG_NOSIGNAL);
    if (sent < 0 && pair->outlives && direction == PROXY_REPLIES) {
      pair->pipes[PROXY_REQUESTS].has_ended = true;
      return;
    }
    if (sent < 0) pipe->is_clogged = errno == EAGAIN || errno == EINTR;
    if (sent < 0 && !pipe->is_clogged) proxy_pair_end(pair, PROXY_RESET);
    if (sent < 0) return;
    pipe_passed(proxy_, pair, direction, (size_t)sent, now);
  }
  if (pipe->first == NULL && pipe->has_ended && !pair->is_silent) pair->is_over = true;
}
