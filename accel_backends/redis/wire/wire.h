/* wire.h: bytes from and to a server: addresses, sockets, TLS, signing in, replies (backend redis).
 *
 * Knows how Redis is spoken to, and nothing of what is asked or why. A stream is one
 * connection spoken to in turn; settings.h is what accel_redis_open was told, which all read.
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
