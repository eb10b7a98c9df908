/* The server's side of TLS settings: which certificate which name gets, under which rules.
 *
 * TLS 1.2 and 1.3 with ephemeral keys and authenticated encryption only (Mozilla's "intermediate"
 * recommendation without DHE), no renegotiation, no compression, no early data. Sessions are
 * resumed by tickets. Certificates are swapped under running connections, which keep theirs.
 *
 * Any thread; a connection made from it belongs to one thread. */
#ifndef FE_WEB_TLS_STORE_H
#define FE_WEB_TLS_STORE_H

#include "web/tls/cert.h"
#include "web/tls/tickets.h"

enum {
    FE_TLS_CHALLENGES_MAX = 128, /* at a time: as many as a certificate has names, and some */
};

struct fe_tls_store;

/* `tickets` outlives the store, and the store its connections. `id`: tickets are good for stores of
 * the same id only. `h2`: offer HTTP/2 too. Without a certificate every handshake fails.
 * FLATEND_ENOMEM. */
int fe_tls_store_new(struct fe_tls_tickets *tickets, struct fe_view id, bool h2,
                     struct fe_tls_store **store) FE_MUST_USE;
void fe_tls_store_free(struct fe_tls_store *store); /* NULL is allowed */

/* Replaces all certificates. A client gets the first that has its name, else the first that has a
 * wildcard for it, else the first of all. FLATEND_ENOMEM: unchanged. */
int fe_tls_store_set(struct fe_tls_store *store, struct fe_cert *const *certs,
                     size_t n_certs) FE_MUST_USE;

/* What a CA that asks for `name` by `acme-tls/1` is shown (RFC 8737); NULL: nothing any more. Such
 * a connection carries no requests. FLATEND_ENOMEM, FLATEND_ELIMIT. */
int fe_tls_store_set_challenge(struct fe_tls_store *store, struct fe_view name,
                               struct fe_cert *cert) FE_MUST_USE;

/* What a client that asks for `name` gets; "": one that asks for none. A reference of the caller's
 * own. NULL: there is none. */
struct fe_cert *fe_tls_store_find(struct fe_tls_store *store, struct fe_view name) FE_MUST_USE;

#endif
