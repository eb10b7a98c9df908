/* One HTTPS request of the gateway's own, on the loop: looks the host up, dials its addresses in
 * turn, checks its certificate, and reads one response. For ACME, which makes few of them: each has
 * a connection of its own. */
#ifndef FE_GATEWAY_CERTS_FETCH_H
#define FE_GATEWAY_CERTS_FETCH_H

#include "ground/uv/worker.h"
#include "web/http/message.h"
#include "web/tls/trust.h"

enum {
    FE_FETCH_TIMEOUT_MS = 60 * 1000,      /* of everything together */
    FE_FETCH_DIAL_TIMEOUT_MS = 10 * 1000, /* of one address */
};

struct fe_fetch;

/* `response` and `body` live for the call; NULL: `err` says why there is none. */
typedef void (*fe_fetch_fn)(void *arg, const struct fe_response *response, struct fe_view body,
                            const struct flatend_error *err);

/* Borrowed for the call of fe_fetch_start only. */
struct fe_fetch_request {
    const char *method;
    const char *url;          /* https */
    const char *content_type; /* NULL: there is no body */
    const char *accept;       /* NULL: any */
    struct fe_view body;
    size_t body_max; /* of the response */
    fe_fetch_fn fn;
    void *arg;
};

/* Zero: the request's `fn` comes exactly once, later, unless it is canceled. `trust` outlives it.
 */
int fe_fetch_start(struct fe_worker *worker, struct fe_tls_trust *trust,
                   const struct fe_fetch_request *request, struct fe_fetch **fetch,
                   struct flatend_error *err) FE_MUST_USE;

/* Before `fn` has come: it never will; `on_gone`, later, says that nothing of it is left that needs
 * the worker. (A name that is being looked up may need the loop for longer.) */
void fe_fetch_cancel(struct fe_fetch *fetch, void (*on_gone)(void *arg), void *arg);

#endif
