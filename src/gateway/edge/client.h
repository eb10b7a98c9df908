/* One HTTP client: a connection of uv, TLS on it or not, and the server that speaks HTTP. */
#ifndef FE_GATEWAY_EDGE_CLIENT_H
#define FE_GATEWAY_EDGE_CLIENT_H

#include "gateway/edge/listener.h"
#include "web/http/detect.h"
#include "web/tls/tls.h"

struct fe_client {
    struct fe_list link; /* in the listener's clients */
    struct fe_http_listener *listener;
    struct fe_snapshot *snapshot;        /* that it began with */
    const struct fe_http_limits *limits; /* in there */
    struct fe_view hsts;                 /* in there, too */
    struct fe_conn *conn;
    struct fe_http_server *server; /* NULL: until TLS has come about */
    struct fe_http_detect detect;
    bool is_detecting;         /* HTTP/1.1 is spoken, until the client turns out to speak HTTP/2 */
    struct fe_tls *tls;        /* NULL: clear text, or nothing has been received yet */
    struct fe_chain plain;     /* with TLS: what the server says, to be encrypted */
    struct fe_timer handshake; /* how long TLS may take to come about */
    bool is_finishing;         /* the last answer is given; what is left is to say goodbye */
    bool has_ended;            /* the client has said that it sends no more */
    bool is_cleartext;         /* speaks clear text where TLS is expected */
    char remote[FE_ADDR_TEXT_MAX];
};

/* Takes over an accepted connection; the client frees itself when that has closed.
 * FLATEND_ENOMEM: not taken. */
int fe_client_open(struct fe_http_listener *listener, struct fe_conn *conn) FE_MUST_USE;

/* Closes at once if no request runs, else after its response. */
void fe_client_drain(struct fe_client *client);

/* Closes with a reset: nobody is to take what was sent so far for the whole. */
void fe_client_abort(struct fe_client *client);

#endif
