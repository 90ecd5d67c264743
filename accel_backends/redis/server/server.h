/* server.h: one server, and all that is kept for it (backend redis).
 *
 * An endpoint has connections that all threads share, a breaker for each, a budget of retries, a
 * list of what its server refuses, and a thread that connects and tends to them. Which endpoint
 * serves which key is decided in routing/.
 *
 * May include wire/. May be called by routing/, operations/ and channel/.
 */
#ifndef ACCEL_BACKENDS_REDIS_SERVER_H
#define ACCEL_BACKENDS_REDIS_SERVER_H

#include "context.h"
#include "endpoint.h"
#include "error_reply.h"

#endif
