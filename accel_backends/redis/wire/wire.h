/* wire.h: bytes from and to a server: addresses, sockets, TLS, signing in, replies (backend redis).
 *
 * The protocol of Redis alone, not which commands are sent, or why. A stream is a connection on
 * which each request waits for its reply; settings.h has the settings of accel_redis_open, which
 * all read.
 *
 * May include accel/ up to layer 2. May be called by all directories of the backend.
 */
#ifndef ACCEL_BACKENDS_REDIS_WIRE_H
#define ACCEL_BACKENDS_REDIS_WIRE_H

#include "command.h"
#include "reply.h"
#include "settings.h"
#include "signal.h"
#include "slots.h"
#include "stream.h"

#endif
