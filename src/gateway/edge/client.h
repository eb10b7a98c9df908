/* One HTTP client: a connection of uv, with or without TLS, and its HTTP server. */
#ifndef FE_GATEWAY_EDGE_CLIENT_H
#define FE_GATEWAY_EDGE_CLIENT_H

#include "gateway/edge/listener.h"
#include "web/http/detect.h"
#include "web/tls/tls.h"

struct fe_client {
    struct fe_list link; /* in the listener's clients */
    struct fe_http_listener *listener;
    struct fe_snapshot *snapshot;          /* that it began with */
    const struct fe_http_limits *limits;   /* in there */
    const struct fe_filter_chain *filters; /* likewise; of what no exchange has begun for */
    struct fe_conn *conn;
    struct fe_http_server *server; /* NULL: until the TLS handshake is complete */
    struct fe_http_detect detect;
    bool is_detecting;         /* the protocol is not known yet: `server` is HTTP/1.1 */
    struct fe_tls *tls;        /* NULL: clear text, or nothing has been received yet */
    struct fe_chain plain;     /* with TLS: the server's output, to be encrypted */
    struct fe_timer handshake; /* bounds the TLS handshake */
    bool is_finishing;         /* the last response is complete; close_notify is next */
    bool has_ended;            /* the client has sent FIN or close_notify */
    bool is_cleartext;         /* sent clear text where TLS is expected */
    uint64_t n_sent;           /* bytes that are counted in the statistics */
    char remote[FE_ADDR_TEXT_MAX];
};

/* Takes over an accepted connection; the client frees itself when that has closed.
 * FLATEND_ENOMEM: not taken. */
int fe_client_open(struct fe_http_listener *listener, struct fe_conn *conn) FE_MUST_USE;

/* Closes at once if no request runs, else after its response. */
void fe_client_drain(struct fe_client *client);

/* Closes with a reset, so that a partial response is not mistaken for a complete one. */
void fe_client_abort(struct fe_client *client);

#endif
