/* Host names to addresses. */
#ifndef FE_GROUND_UV_RESOLVE_H
#define FE_GROUND_UV_RESOLVE_H

#include "ground/base/addr.h"
#include "ground/uv/worker.h"

enum { FE_RESOLVE_MAX = 8 }; /* addresses of one name that are looked at */

struct fe_resolution;

/* `addrs` have port 0 and live for the call. Families take turns, and the first address is that
 * which the system would try first (RFC 8305 §4). `n` 0: `err` names what was looked up, and says
 * what went wrong. */
typedef void (*fe_resolve_fn)(void *arg, const struct fe_addr *addrs, size_t n,
                              const struct flatend_error *err);

/* Looks a host name up, on a thread of its own: a server of names that does not answer holds up
 * nothing else, not even the end of the worker. Zero: `fn` comes exactly once, later, unless it is
 * canceled. FLATEND_ENOMEM, FLATEND_ELIMIT: there is no thread to be had. */
int fe_resolve(struct fe_worker *worker, const char *host, fe_resolve_fn fn, void *arg,
               struct fe_resolution **resolution, struct flatend_error *err) FE_MUST_USE;

/* `fn` does not come, and has not. On the worker's thread. */
void fe_resolve_cancel(struct fe_resolution *resolution);

/* "host:port" at once, for options that are read before there is a loop: the first address of the
 * name. Blocks. FLATEND_EADDR, FLATEND_ENOMEM; `err` names it. */
int fe_resolve_now(const char *host_port, struct fe_addr *addr,
                   struct flatend_error *err) FE_MUST_USE;

#endif
