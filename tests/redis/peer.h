/* peer.h: something that listens where a Redis should, and misbehaves as it is told.
 *
 * It greets as Redis does, says which server owns which slots, and answers what comes after that
 * with the bytes it was given: all at once, byte by byte with pauses, or never.
 */
#ifndef PEER_H
#define PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_CONNECTIONS = 64 };

typedef struct peer {
  const char *answer; /* atomic: to every piece that is received after the greeting */
  unsigned pause_ms;  /* before each of its bytes; 0: all at once */
  int answers_left;   /* atomic: it falls silent after so many */
  bool answers_checks;
  int listener;
  bool ends; /* atomic */
  pthread_t thread;
  char url[64];
  unsigned connections; /* atomic */
  struct peer_connection {
    struct peer *owner;
    pthread_t thread;
    int fd;
  } served[PEER_CONNECTIONS];
} peer;

static bool peer_say(int fd, const char *text, size_t size)
{
  return send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* As the only server of a cluster. */
static void peer_say_slots(const peer *peer_, int fd)
{
  char text[128];
  const int size =
      snprintf(text, sizeof text, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%s\r\n",
               strrchr(peer_->url, ':') + 1);
  peer_say(fd, text, (size_t)size);
}

static void peer_answer(peer *peer_, int fd)
{
  if (__atomic_fetch_sub(&peer_->answers_left, 1, __ATOMIC_RELAXED) <= 0) return;
  const char *answer = __atomic_load_n(&peer_->answer, __ATOMIC_RELAXED);
  const size_t size = strlen(answer);
  if (peer_->pause_ms == 0) {
    peer_say(fd, answer, size);
    return;
  }
  for (size_t i = 0; i < size && !__atomic_load_n(&peer_->ends, __ATOMIC_ACQUIRE); i++) {
    usleep(peer_->pause_ms * 1000);
    if (!peer_say(fd, answer + i, 1)) return;
  }
}

/* With a connection's checks answered (connection.h), which may stand before or behind another
 * command: without its number back it is broken after a second. */
static void peer_answer_all(peer *peer_, int fd, const char *text)
{
  static const char start[] = "*2\r\n$4\r\nPING\r\n";
  while (*text != '\0') {
    const char *check = peer_->answers_checks ? strstr(text, start) : NULL;
    if (check != text) peer_answer(peer_, fd);
    if (check == NULL) return;
    const char *number = check + sizeof start - 1, *end = strstr(number, "\r\n");
    if (end != NULL) end = strstr(end + 2, "\r\n");
    if (end == NULL) return;
    peer_say(fd, number, (size_t)(end + 2 - number));
    text = end + 2;
  }
}

static void *peer_serve(void *served_pointer)
{
  static const char greeting[] = "+OK\r\n+PONG\r\n*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n";
  struct peer_connection *served = (struct peer_connection *)served_pointer;
  char text[4096];
  bool is_listener = false;
  for (ssize_t size; (size = recv(served->fd, text, sizeof text - 1, 0)) > 0;) {
    text[size] = '\0';
    if (strstr(text, "accel-listener") != NULL) is_listener = true;
    if (strstr(text, "SETNAME") != NULL)
      peer_say(served->fd, "+OK\r\n", 5);
    else if (strstr(text, "SELECT") != NULL)
      peer_say(served->fd, greeting, sizeof greeting - 1);
    else if (is_listener && strstr(text, "PING") != NULL)
      peer_say(served->fd, "+PONG\r\n", 7);
    else if (strstr(text, "CLUSTER") != NULL)
      peer_say_slots(served->owner, served->fd);
    else
      peer_answer_all(served->owner, served->fd, text);
  }
  close(served->fd);
  return NULL;
}

static void *peer_run(void *peer_pointer)
{
  peer *peer_ = (peer *)peer_pointer;
  unsigned count = 0;
  for (; count < PEER_CONNECTIONS; count++) {
    struct peer_connection *served = &peer_->served[count];
    served->owner = peer_;
    served->fd = accept(peer_->listener, NULL, NULL);
    if (served->fd < 0) break;
    if (pthread_create(&served->thread, NULL, peer_serve, served) != 0) abort();
    __atomic_store_n(&peer_->connections, count + 1, __ATOMIC_RELAXED);
  }
  for (unsigned i = 0; i < count; i++) pthread_join(peer_->served[i].thread, NULL);
  return NULL;
}

static bool peer_open(peer *peer_, const char *answer, unsigned pause_ms)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  memset(peer_, 0, sizeof *peer_);
  peer_->answer = answer;
  peer_->pause_ms = pause_ms;
  peer_->answers_left = 1 << 20;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer_->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(peer_->listener, (struct sockaddr *)&address, size) != 0 ||
      listen(peer_->listener, 16) != 0 ||
      getsockname(peer_->listener, (struct sockaddr *)&address, &size) != 0)
    return false;
  snprintf(peer_->url, sizeof peer_->url, "redis://127.0.0.1:%d", ntohs(address.sin_port));
  return pthread_create(&peer_->thread, NULL, peer_run, peer_) == 0;
}

/* After the client's close. */
static void peer_close(peer *peer_)
{
  __atomic_store_n(&peer_->ends, true, __ATOMIC_RELEASE);
  shutdown(peer_->listener, SHUT_RDWR);
  pthread_join(peer_->thread, NULL);
  close(peer_->listener);
}

#endif
