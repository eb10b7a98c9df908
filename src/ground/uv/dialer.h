/* Dialing a host that has several addresses: the first connection that is there (RFC 8305). */
#ifndef FE_GROUND_UV_DIALER_H
#define FE_GROUND_UV_DIALER_H

#include "ground/uv/conn.h"

enum {
    /* Until the next address is tried beside those that have not answered yet (RFC 8305 §8). */
    FE_DIALER_STAGGER_MS = 250,
    FE_DIALER_ADDRS_MAX = 16,
};

struct fe_dialer;

/* Zero: `conn` is there, and is taken with fe_conn_hand_over before this returns. Else it is NULL,
 * and `code` says why not: of several addresses what says most. The dialer is gone after this. */
typedef void (*fe_dialer_fn)(void *arg, struct fe_conn *conn, int code);

/* Dials `n` addresses in this order, each after a while or when those before it have failed. Zero:
 * `fn` comes exactly once, later. A code: not one of them can be dialed. FLATEND_ENOMEM. */
int fe_dialer_start(struct fe_worker *worker, const struct fe_addr *addrs, size_t n,
                    fe_dialer_fn fn, void *arg, struct fe_dialer **dialer) FE_MUST_USE;

/* Before `fn`, which then comes with FLATEND_ECANCELED. Idempotent. */
void fe_dialer_cancel(struct fe_dialer *dialer);

#endif
