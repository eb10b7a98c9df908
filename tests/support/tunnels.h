/* Backends that answer with a tunnel, or with 426 where there is none to be had. */
#ifndef TESTS_SUPPORT_TUNNELS_H
#define TESTS_SUPPORT_TUNNELS_H

#include "web/http/exchange.h"

enum { TUNNEL_GREETING = 300000 };

/* Sends back what comes, and ends when the client has ended. */
extern const struct fe_backend tunnel_echo_backend;

/* Sends TUNNEL_GREETING bytes (support/counting.h) and ends; then reads what the client has to say.
 */
extern const struct fe_backend tunnel_greeting_backend;

#endif
