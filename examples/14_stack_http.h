/* 14_stack_http.h: requests and replies of 14_stack.c, over libmicrohttpd.
 *
 * One function answers all requests, on one of several threads. Threads: as it says.
 */
#ifndef EXAMPLES_STACK_HTTP_H
#define EXAMPLES_STACK_HTTP_H

#include "accel.h"

struct MHD_Connection;
struct MHD_Daemon;

enum { HTTP_BODY_SIZE = 256 };

typedef struct http_request {
  const char *method, *path;
  struct MHD_Connection *connection;
  char body[HTTP_BODY_SIZE]; /* its first bytes; ends with a 0 */
  size_t size;               /* of all of it: HTTP_BODY_SIZE and more do not fit */
} http_request;

typedef struct http_reply {
  int status; /* 200 unless it is changed */
  const char *content_type;
  const char *source; /* NULL: no header X-Cache */
  accel_buffer body;
} http_reply;

typedef void http_handler(const http_request *request, http_reply *reply);

/* Answers on 127.0.0.1. NULL: the port cannot be used. */
struct MHD_Daemon *http_open(unsigned long port, http_handler *handler);
/* Waits for the requests that are being answered. NULL: does nothing. */
void http_close(struct MHD_Daemon *daemon_or_null);

/* A header, or an argument of the query, `?name=`. NULL: the request has none. */
const char *http_header(const http_request *request, const char *name);
const char *http_argument(const http_request *request, const char *name);

/* Appends to the body: at most 511 bytes of a format; a text as a string of JSON. */
void http_say(http_reply *reply, const char *format, ...) ACCEL_PRINTF(2, 3);
void http_say_json(http_reply *reply, const char *text);

#endif
