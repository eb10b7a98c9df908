/* Host names to addresses, on libuv's thread pool. */
#ifndef FE_GROUND_UV_RESOLVE_H
#define FE_GROUND_UV_RESOLVE_H

#include "ground/base/addr.h"
#include "ground/uv/worker.h"

enum { FE_RESOLVE_MAX = 8 }; /* addresses of one name that are looked at */

/* `n` 0: `err` names what was looked up, and says what went wrong. */
typedef void (*fe_resolve_fn)(void *arg, const struct fe_addr *addrs, size_t n,
                              const struct flatend_error *err);

/* Zero: `fn` comes exactly once, later. */
int fe_resolve(struct fe_worker *worker, const char *host_port, fe_resolve_fn fn, void *arg,
               struct flatend_error *err) FE_MUST_USE;

/* The same at once, for options that are read before there is a loop: the first address of the
 * name. Blocks. FLATEND_EADDR, FLATEND_ENOENT; `err` names it. */
int fe_resolve_now(const char *host_port, struct fe_addr *addr,
                   struct flatend_error *err) FE_MUST_USE;

#endif
