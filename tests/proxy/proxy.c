#define _GNU_SOURCE /* accept4, memmem */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  PAIRS_MAX = 1024,
  CHUNK = 65536,
  HELD_MAX = 32 << 20, /* a reply that is longer is passed on in pieces */
  WAITING_MAX = 4 << 20
};

typedef struct bytes {
  char *data;
  size_t size, capacity;
} bytes;

/* Bytes that wait for their departure. */
typedef struct chunk {
  uint64_t due_ns;
  size_t size, sent;
  struct chunk *next;
  char data[];
} chunk;

/* One direction of one connection. */
typedef struct pipe_ {
  int from, to;
  bool has_ended;  /* `from` said so */
  bytes held;      /* what is not a whole reply yet; of replies only */
  bytes kept_back; /* the reply that is to come second */
  chunk *first, *last;
  size_t waiting;   /* bytes in chunks */
  uint64_t next_ns; /* no departure before */
  bool is_clogged;  /* `to` took less than it was given */
} pipe_;

typedef struct proxy_pair {
  struct proxy_pair *next;
  pipe_ pipes[2];
  bool is_listener, is_silent, is_over;
  bool is_detained, outlives; /* requests stay here; the client's end does not end it */
  int polled;                 /* index of its two pollfds */
} proxy_pair;

static uint64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *grown(void *memory, size_t size)
{
  void *larger = realloc(memory, size);
  if (larger == NULL) abort();
  return larger;
}

static void bytes_add(bytes *to, const char *data, size_t size)
{
  if (to->size + size > to->capacity) {
    to->capacity = (to->size + size) * 2;
    to->data = (char *)grown(to->data, to->capacity);
  }
  memcpy(to->data + to->size, data, size);
  to->size += size;
}

static void bytes_remove(bytes *from, size_t size)
{
  from->size -= size;
  memmove(from->data, from->data + size, from->size);
}

static bool is_about(const proxy_pair *pair, proxy_who who)
{
  return who == PROXY_ALL || (who == PROXY_LISTENER) == pair->is_listener;
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

static void pipe_queue(pipe_ *pipe, const char *data, size_t size, uint64_t due_ns)
{
  if (size == 0) return;
  chunk *added = (chunk *)grown(NULL, sizeof *added + size);
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
  if (proxy_->drops > 0 && is_about(pair, proxy_->drop_who)) {
    proxy_->drops--;
    proxy_->counts.dropped++;
    return;
  }
  const bool is_exchanging = proxy_->exchanges > 0 && is_about(pair, proxy_->exchange_who);
  if (is_exchanging && pipe->kept_back.size == 0) {
    bytes_add(&pipe->kept_back, data, size);
    return;
  }
  pipe_queue(pipe, data, size, due_ns);
  if (pipe->kept_back.size == 0) return;
  pipe_queue(pipe, pipe->kept_back.data, pipe->kept_back.size, due_ns);
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
    pipe_queue(pipe, pipe->held.data + at, pipe->held.size - at, due_ns);
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

static void pair_end(proxy_pair *pair, proxy_trip_kind kind)
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

static void pair_free(proxy_pair *pair)
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

static void proxy_accept(proxy *proxy_)
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
  proxy_pair *pair = (proxy_pair *)grown(NULL, sizeof *pair);
  memset(pair, 0, sizeof *pair);
  pair->pipes[PROXY_REQUESTS] = (pipe_){.from = client, .to = server};
  pair->pipes[PROXY_REPLIES] = (pipe_){.from = server, .to = client};
  socket_prepare(client);
  socket_prepare(server);
  if (proxy_->silences) pair_silence(pair);
  pair->next = proxy_->pairs;
  proxy_->pairs = pair;
}

static void pipe_read(proxy *proxy_, proxy_pair *pair, proxy_direction direction)
{
  pipe_ *pipe = &pair->pipes[direction];
  static char data[CHUNK]; /* of the only thread */
  const ssize_t size = recv(pipe->from, data, sizeof data, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const bool is_left = pair->outlives && direction == PROXY_REQUESTS;
  if (size < 0 && !is_left) pair_end(pair, PROXY_RESET);
  if (size == 0 || (size < 0 && is_left)) pipe->has_ended = true;
  if (size <= 0 || pair->is_silent) return;
  if (direction == PROXY_REPLIES && pair->pipes[PROXY_REQUESTS].has_ended) return; /* nobody's */
  const proxy_flow *flow = &proxy_->flows[direction];
  const bool is_late = is_about(pair, proxy_->flow_who[direction]);
  const uint64_t due_ns = now_ns() + (is_late ? flow->latency_ms * 1000000ull : 0);
  if (direction == PROXY_REQUESTS) {
    if (memmem(data, (size_t)size, "SUBSCRIBE", 9) != NULL) pair->is_listener = true;
    pipe_queue(pipe, data, (size_t)size, due_ns);
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
  if (trip->kind == PROXY_NO_TRIP || trip->direction != direction || !is_about(pair, trip->who))
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
    pair_end(pair, trip.kind);
}

static bool is_tripping(const proxy *proxy_, const proxy_pair *pair, proxy_direction direction)
{
  const proxy_trip *trip = &proxy_->trip;
  return trip->kind != PROXY_NO_TRIP && trip->direction == direction && is_about(pair, trip->who) &&
         trip->after_bytes == 0;
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
  const bool is_counted =
      trip->kind != PROXY_NO_TRIP && trip->direction == direction && is_about(pair, trip->who);
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
  if (!is_about(pair, proxy_->flow_who[direction])) return;
  if (flow->bytes_per_second > 0) could_leave_ns += size * 1000000000ull / flow->bytes_per_second;
  pipe->next_ns = now + flow->slice_pause_ms * 1000000ull;
  if (pipe->next_ns < could_leave_ns) pipe->next_ns = could_leave_ns;
}

/* Sends what is due. */
static void pipe_write(proxy *proxy_, proxy_pair *pair, proxy_direction direction)
{
  pipe_ *pipe = &pair->pipes[direction];
  const proxy_flow *flow = &proxy_->flows[direction];
  const bool is_flowing = is_about(pair, proxy_->flow_who[direction]);
  pipe->is_clogged = false;
  if (direction == PROXY_REQUESTS && pair->is_detained) return;
  if (direction == PROXY_REPLIES && pair->outlives && pair->pipes[PROXY_REQUESTS].has_ended) return;
  while (pipe->first != NULL && !pair->is_over && !pair->is_silent) {
    const uint64_t now = now_ns();
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
    if (sent < 0 && !pipe->is_clogged) pair_end(pair, PROXY_RESET);
    if (sent < 0) return;
    pipe_passed(proxy_, pair, direction, (size_t)sent, now);
  }
  if (pipe->first == NULL && pipe->has_ended && !pair->is_silent) pair->is_over = true;
}

/* ---- the thread ---- */

static void proxy_apply_detention(proxy *proxy_)
{
  proxy_->counts.outlived = 0;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    if (proxy_->detains && is_about(pair, proxy_->detain_who))
      pair->is_detained = pair->outlives = true;
    if (proxy_->releases) pair->is_detained = false;
    const pipe_ *requests = &pair->pipes[PROXY_REQUESTS];
    proxy_->counts.outlived += pair->is_detained && requests->has_ended && requests->first != NULL;
  }
  if (proxy_->detains || proxy_->releases) proxy_->counts.detains = proxy_->detains;
  proxy_->detains = proxy_->releases = false;
}

static void proxy_apply_cut(proxy *proxy_)
{
  if (proxy_->cut == PROXY_NO_TRIP) return;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next)
    if (is_about(pair, proxy_->cut_who)) pair_end(pair, proxy_->cut);
  proxy_->cut = PROXY_NO_TRIP;
}

static void proxy_sweep(proxy *proxy_)
{
  proxy_->counts.open = 0;
  for (proxy_pair **link = &proxy_->pairs; *link != NULL;) {
    proxy_pair *pair = *link;
    if (!pair->is_over) {
      proxy_->counts.open++;
      link = &pair->next;
      continue;
    }
    *link = pair->next;
    pair_free(pair);
  }
}

/* What to wait for; returns the timeout. */
static int proxy_watch(proxy *proxy_, struct pollfd *polled, nfds_t *count)
{
  uint64_t wake_ns = UINT64_MAX;
  polled[0] = (struct pollfd){.fd = proxy_->bell, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = proxy_->listener, .events = POLLIN};
  *count = 2;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    pair->polled = -1;
    if (*count + 2 > 2 * PAIRS_MAX + 2) continue;
    pair->polled = (int)*count;
    for (size_t i = 0; i < 2; i++) {
      const pipe_ *pipe = &pair->pipes[i];
      const bool takes = !pipe->has_ended && pipe->waiting < WAITING_MAX;
      const int events = (takes ? POLLIN : 0) | (pair->pipes[1 - i].is_clogged ? POLLOUT : 0);
      /* One that waits for nothing is left out: its end would be told again and again. */
      polled[(*count)++] =
          (struct pollfd){.fd = events == 0 ? -1 : pipe->from, .events = (short)events};
      if (pipe->first == NULL || pipe->is_clogged || pair->is_silent) continue;
      if (i == PROXY_REQUESTS && pair->is_detained) continue;
      if (i == PROXY_REPLIES && pair->outlives && pair->pipes[PROXY_REQUESTS].has_ended) continue;
      uint64_t at_ns = pipe->first->due_ns;
      if (at_ns < pipe->next_ns) at_ns = pipe->next_ns;
      if (at_ns < wake_ns) wake_ns = at_ns;
    }
  }
  const uint64_t now = now_ns();
  if (wake_ns == UINT64_MAX) return -1;
  return wake_ns <= now ? 0 : (int)((wake_ns - now) / 1000000u + 1);
}

static void proxy_serve(proxy *proxy_, const struct pollfd *polled)
{
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    if (pair->polled < 0) continue;
    for (int i = 0; i < 2; i++) {
      const short seen = polled[pair->polled + i].revents;
      const bool is_readable = (seen & (POLLIN | POLLERR | POLLHUP)) != 0;
      if (is_readable && !pair->is_over && !pair->pipes[i].has_ended)
        pipe_read(proxy_, pair, (proxy_direction)i);
    }
    for (int i = 0; i < 2; i++) pipe_write(proxy_, pair, (proxy_direction)i);
    /* An end that nobody can be told of. */
    if (pair->pipes[0].has_ended && pair->pipes[1].has_ended) pair->is_over = true;
    if (pair->is_silent && (pair->pipes[0].has_ended || pair->pipes[1].has_ended))
      pair->is_over = true;
  }
}

static void *proxy_run(void *proxy_pointer)
{
  proxy *proxy_ = (proxy *)proxy_pointer;
  struct pollfd *polled = (struct pollfd *)grown(NULL, (2 * PAIRS_MAX + 2) * sizeof(struct pollfd));
  pthread_mutex_lock(&proxy_->mutex);
  while (!proxy_->ends) {
    nfds_t count;
    const int timeout_ms = proxy_watch(proxy_, polled, &count);
    pthread_mutex_unlock(&proxy_->mutex);
    poll(polled, count, timeout_ms);
    uint64_t rings;
    if (polled[0].revents != 0 && read(proxy_->bell, &rings, sizeof rings) < 0) abort();
    pthread_mutex_lock(&proxy_->mutex);
    proxy_serve(proxy_, polled);
    if (polled[1].revents != 0) proxy_accept(proxy_);
    proxy_apply_cut(proxy_);
    proxy_apply_detention(proxy_);
    proxy_sweep(proxy_);
  }
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) pair->is_over = true;
  proxy_sweep(proxy_);
  pthread_mutex_unlock(&proxy_->mutex);
  free(polled);
  return NULL;
}

bool proxy_open(proxy *proxy_, int target_port)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  memset(proxy_, 0, sizeof *proxy_);
  proxy_->target_port = target_port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  proxy_->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  proxy_->bell = eventfd(0, EFD_CLOEXEC);
  if (proxy_->listener < 0 || proxy_->bell < 0 ||
      bind(proxy_->listener, (struct sockaddr *)&address, size) != 0 ||
      listen(proxy_->listener, 512) != 0 ||
      getsockname(proxy_->listener, (struct sockaddr *)&address, &size) != 0)
    return false;
  proxy_->port = ntohs(address.sin_port);
  snprintf(proxy_->url, sizeof proxy_->url, "redis://127.0.0.1:%d", proxy_->port);
  pthread_mutex_init(&proxy_->mutex, NULL);
  return pthread_create(&proxy_->thread, NULL, proxy_run, proxy_) == 0;
}

static void proxy_unlock(proxy *proxy_)
{
  const uint64_t ring = 1;
  pthread_mutex_unlock(&proxy_->mutex);
  if (write(proxy_->bell, &ring, sizeof ring) != sizeof ring) abort();
}

void proxy_close(proxy *proxy_)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->ends = true;
  proxy_unlock(proxy_);
  pthread_join(proxy_->thread, NULL);
  pthread_mutex_destroy(&proxy_->mutex);
  close(proxy_->bell);
  close(proxy_->listener);
}

void proxy_heal(proxy *proxy_)
{
  pthread_mutex_lock(&proxy_->mutex);
  memset(proxy_->flows, 0, sizeof proxy_->flows);
  proxy_->trip.kind = PROXY_NO_TRIP;
  proxy_->exchanges = proxy_->drops = 0;
  proxy_->refuses = proxy_->silences = false;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    pipe_ *pipe = &pair->pipes[PROXY_REPLIES];
    pipe_queue(pipe, pipe->kept_back.data, pipe->kept_back.size, 0);
    pipe->kept_back.size = 0;
    pair->pipes[0].next_ns = pair->pipes[1].next_ns = 0;
    if (pair->is_silent) pair_end(pair, PROXY_RESET); /* whoever left was not heard */
  }
  proxy_unlock(proxy_);
}
