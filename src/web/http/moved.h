/* Redirects: the answer that what was asked for is elsewhere, and how that place is written. */
#ifndef FE_WEB_HTTP_MOVED_H
#define FE_WEB_HTTP_MOVED_H

#include "web/http/exchange.h"

/* The reason of a path that leads to a route in another form. */
#define FE_MOVED_NORMALIZED "path redirected to its normalized form"

/* Room that fe_moved_put needs for a text. */
#define FE_MOVED_ROOM(len) (3 * (len))

/* Writes a path or query as a URI has it: what a URI must not contain is percent-encoded (RFC 3986
 * §2.1), a backslash above all, which browsers take for a slash. Escapes stay. Returns the end. */
uint8_t *fe_moved_put(uint8_t *to, struct fe_view text);

/* The reference to `path` on this host, with the query of a request: slashes in front become one,
 * as with two the rest would be a host (RFC 3986 §4.2). NULL: out of memory. */
const char *fe_moved_reference(struct fe_arena *arena, struct fe_view path, bool adds_slash,
                               struct fe_view query, size_t *len);

/* 301, or 308 to what is neither GET nor HEAD: it lets no client turn a POST into a GET (RFC 9110
 * §15.4.9); older ones know only 301. */
void fe_moved_respond(struct fe_exchange *ex, struct fe_view location, const char *reason);

#endif
