/* TLS on one connection: a filter between a byte stream that is fed and a chain that is sent.
 *
 * Opens no socket. What arrives is fed; what must be sent is appended to `out`. Plain bytes come
 * out through on_read and go in through fe_tls_pump, which stops while `out` is full: a writer that
 * waits for `plain` to empty is blocked as in clear text. An idle connection keeps no buffers.
 *
 * The owner feeds, pumps and frees from its own callbacks; fe_tls_free never from within `ops`. */
#ifndef FE_WEB_TLS_TLS_H
#define FE_WEB_TLS_TLS_H

#include "ground/base/chain.h"
#include "web/tls/store.h"
#include "web/tls/trust.h"

enum {
    /* Encrypted bytes that wait at a time: some full records, so that a socket is kept busy. */
    FE_TLS_OUT_MAX = 128 * 1024,
    /* What may wait beyond, before a peer that makes us answer and does not read is given up. */
    FE_TLS_OUT_FLOOD = 2 * FE_TLS_OUT_MAX,
};

enum fe_tls_protocol {
    FE_TLS_NO_PROTOCOL, /* the client did not ask for one */
    FE_TLS_HTTP_1_1,
    FE_TLS_HTTP_2,
    FE_TLS_ACME, /* RFC 8737: the CA has seen the certificate, and no more is to be said */
};

struct fe_tls_ops {
    void (*on_open)(void *owner); /* the handshake is done */
    /* Plain bytes, which may be changed but not kept. */
    void (*on_read)(void *owner, uint8_t *data, size_t len);
    void (*on_eof)(void *owner); /* the peer has said that this was all (close_notify) */
};

struct fe_tls;

/* The server's end. `store`, `out` and `ops` outlive the connection. NULL: out of memory. */
struct fe_tls *fe_tls_server_new(struct fe_tls_store *store, struct fe_chain *out,
                                 const struct fe_tls_ops *ops, void *owner) FE_MUST_USE;

/* The client's end; `name` (a domain name or an address) is asked for and must be the
 * certificate's. Offers HTTP/1.1. The first message is in `out` when this returns. */
struct fe_tls *fe_tls_client_new(struct fe_tls_trust *trust, const char *name, struct fe_chain *out,
                                 const struct fe_tls_ops *ops, void *owner) FE_MUST_USE;

void fe_tls_free(struct fe_tls *tls); /* NULL is allowed */

/* Bytes from the peer, all of which are used. After an error nothing can be fed or pumped any more;
 * what tells the peer is in `out`. FLATEND_EPROTO: the peer broke the protocol, or said that we
 * did. FLATEND_ESIGNATURE: the server's certificate is not to be trusted. FLATEND_ELIMIT: it does
 * not read. FLATEND_ENOMEM. `err` says it in one line. */
int fe_tls_feed(struct fe_tls *tls, struct fe_view data, struct flatend_error *err) FE_MUST_USE;

/* Encrypts from the front of `plain`, in records as large as its blocks, until it is empty or `out`
 * holds FE_TLS_OUT_MAX. Before the handshake is done: nothing. FLATEND_ENOMEM: the connection is
 * not usable any more. */
int fe_tls_pump(struct fe_tls *tls, struct fe_chain *plain) FE_MUST_USE;

/* Says that no more will come (close_notify); what the peer still sends is read on. */
void fe_tls_close(struct fe_tls *tls);

bool fe_tls_is_open(const struct fe_tls *tls); /* since on_open, until an error */
enum fe_tls_protocol fe_tls_protocol(const struct fe_tls *tls);

/* Do the first bytes of a connection look like those of TLS? If not, they may be a request in
 * clear text, whose sender deserves an answer that it can read. */
enum fe_tls_detect {
    FE_TLS_DETECT_TLS,
    FE_TLS_DETECT_HTTP,
    FE_TLS_DETECT_NEITHER,
};
enum fe_tls_detect fe_tls_detect(uint8_t first);

#endif
