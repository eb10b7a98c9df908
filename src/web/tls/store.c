#include "web/tls/store.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "ground/base/array.h"
#include "ground/base/assert.h"
#include "web/tls/context.h"

/* Two rotations: as long as the oldest key is sure to be kept. */
enum { TICKET_LIFETIME_S = (FE_TLS_TICKETS_KEPT - 1) * (FE_TLS_TICKETS_ROTATE_MS / 1000) };

#define ALPN_ACME     FE_VIEW_LIT("\12acme-tls/1")
#define ALPN_H2       FE_VIEW_LIT("\2h2")
#define ALPN_HTTP_1_1 FE_VIEW_LIT("\10http/1.1")

/* ---- which certificate ---------------------------------------------------------------------- */

static struct fe_cert *find_cert(const struct fe_tls_store *store, struct fe_view name)
{
    for (int exact = 1; name.len > 0 && exact >= 0; exact--) {
        for (size_t i = 0; i < store->n_certs; i++) {
            if (fe_cert_has_name(store->certs[i], name, exact == 1)) {
                return store->certs[i];
            }
        }
    }
    return store->n_certs > 0 ? store->certs[0] : NULL;
}

static struct fe_tls_challenge *find_challenge(const struct fe_tls_store *store,
                                               struct fe_view name)
{
    for (size_t i = 0; i < store->n_challenges; i++) {
        struct fe_tls_challenge *const challenge = &store->challenges[i];

        if (fe_view_equal_nocase(fe_view_of(challenge->name, challenge->name_len), name)) {
            return challenge;
        }
    }
    return NULL;
}

/* ---- what always holds ---------------------------------------------------------------------- */

void fe_tls_store_check(const struct fe_tls_store *store)
{
    FE_ASSERT(store->ctx != NULL && store->bio != NULL && store->tickets != NULL,
              "a store has its settings from the beginning");
    FE_ASSERT(store->n_certs == 0 || store->certs != NULL, "certificates have an array");
    for (size_t i = 0; i < store->n_certs; i++) {
        FE_ASSERT(store->certs[i] != NULL, "a certificate in the store is there");
        FE_ASSERT(atomic_load_explicit(&store->certs[i]->n_refs, memory_order_relaxed) > 0,
                  "the store has a reference to each certificate");
    }
    FE_ASSERT(store->n_challenges <= FE_TLS_CHALLENGES_MAX, "challenges have a limit");
    for (size_t i = 0; i < store->n_challenges; i++) {
        const struct fe_tls_challenge *const challenge = &store->challenges[i];

        FE_ASSERT(challenge->name_len <= FE_NAME_MAX, "a challenge's name fits");
        FE_ASSERT(challenge->cert != NULL &&
                      atomic_load_explicit(&challenge->cert->n_refs, memory_order_relaxed) > 0,
                  "a challenge has its certificate");
        FE_ASSERT(find_challenge(store, fe_view_of(challenge->name, challenge->name_len)) ==
                      challenge,
                  "a name has one challenge");
    }
}

/* ---- choosing ------------------------------------------------------------------------------- */

/* A reference, taken before another thread can give up the last one. NULL: there is none. */
static struct fe_cert *choose(struct fe_tls_store *store, struct fe_view name, bool is_challenge)
{
    struct fe_cert *cert;

    fe_mutex_lock(&store->lock);
    if (is_challenge) {
        const struct fe_tls_challenge *const challenge = find_challenge(store, name);

        cert = challenge != NULL ? challenge->cert : NULL;
    } else {
        cert = find_cert(store, name);
    }
    if (cert != NULL) {
        (void)fe_cert_ref(cert);
    }
    fe_mutex_unlock(&store->lock);
    return cert;
}

struct fe_cert *fe_tls_store_find(struct fe_tls_store *store, struct fe_view name)
{
    return choose(store, name, false);
}

static int on_certificate(SSL *ssl, void *arg)
{
    const struct fe_tls *const tls = SSL_get_app_data(ssl);
    const char *const sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct fe_view name = sni != NULL ? fe_view_str(sni) : fe_view_of(NULL, 0);
    struct fe_cert *const cert = choose(tls->store, name, tls->is_challenge);
    bool is_set;

    (void)arg;
    FE_ASSERT(tls->store != NULL, "a server's end has a store");
    /* It takes references to the parts. */
    is_set = cert != NULL && SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1) == 1;
    fe_cert_unref(cert);
    return is_set;
}

/* ---- which protocol ------------------------------------------------------------------------- */

/* RFC 8737 §3: a CA that validates offers nothing else, which decides about the certificate, and so
 * has to be known before that is chosen. The extension: a list's length, then the list. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct fe_tls *const tls = SSL_get_app_data(ssl);
    const unsigned char *data;
    size_t len;

    (void)alert;
    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
                                  &len) == 1 &&
        len > 2) {
        tls->is_challenge = fe_view_equal(fe_view_of(data + 2, len - 2), ALPN_ACME);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Finds `wanted`, one item, in a list of them. */
static const unsigned char *find_offer(struct fe_view offers, struct fe_view wanted)
{
    while (offers.len > 0 && offers.len > offers.ptr[0]) {
        const size_t len = (size_t)offers.ptr[0] + 1;

        if (fe_view_equal(fe_view_of(offers.ptr, len), wanted)) {
            return offers.ptr;
        }
        offers = fe_view_skip(offers, len);
    }
    return NULL;
}

/* RFC 7301 §3.2: the server's preference; nothing in common ends the connection. */
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
    const struct fe_tls *const tls = SSL_get_app_data(ssl);
    const struct fe_view offers = fe_view_of(offered, offered_len);
    const unsigned char *item = NULL;

    (void)arg;
    if (tls->is_challenge) {
        item = find_offer(offers, ALPN_ACME);
    }
    if (item == NULL && tls->store->h2) {
        item = find_offer(offers, ALPN_H2);
    }
    if (item == NULL) {
        item = find_offer(offers, ALPN_HTTP_1_1);
    }
    if (item == NULL) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = item + 1;
    *chosen_len = item[0];
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_seal)
{
    enum { GOOD = 1, RENEW = 2 };
    const struct fe_tls *const tls = SSL_get_app_data(ssl);
    const int verdict =
        fe_tls_tickets_crypt(tls->store->tickets, name, iv, cipher, mac, is_seal == 1);

    /* RFC 8446 §C.4: clients use a ticket of TLS 1.3 once, so that each connection brings one. */
    return is_seal != 1 && verdict == GOOD && SSL_version(ssl) == TLS1_3_VERSION ? RENEW : verdict;
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool set_up(struct fe_tls_store *store, struct fe_view id)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;
    SSL_CTX *ctx = fe_tls_ctx_new(TLS_server_method());

    store->ctx = ctx;
    store->bio = fe_tls_bio_method_new();
    if (ctx == NULL || store->bio == NULL ||
        EVP_Digest(id.ptr, id.len, digest, &digest_len, EVP_sha256(), NULL) != 1 ||
        SSL_CTX_set_session_id_context(ctx, digest, SSL_MAX_SID_CTX_LENGTH) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1) {
        ERR_clear_error();
        return false;
    }
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
    (void)SSL_CTX_set_timeout(ctx, TICKET_LIFETIME_S);
    (void)SSL_CTX_set_num_tickets(ctx, 1); /* a client of HTTP/2 needs one connection */
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return true;
}

int fe_tls_store_new(struct fe_tls_tickets *tickets, struct fe_view id, bool h2,
                     struct fe_tls_store **store)
{
    struct fe_tls_store *made = calloc(1, sizeof(*made));

    FE_ASSERT(tickets != NULL, "a store has ticket keys");
    *store = NULL;
    if (made == NULL) {
        return FLATEND_ENOMEM;
    }
    if (fe_mutex_init(&made->lock) != 0) {
        free(made);
        return FLATEND_ENOMEM;
    }
    made->tickets = tickets;
    made->h2 = h2;
    if (!set_up(made, id)) {
        fe_tls_store_free(made);
        return FLATEND_ENOMEM;
    }
    *store = made;
    return 0;
}

static void free_certs(struct fe_cert **certs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fe_cert_unref(certs[i]);
    }
    free(certs);
}

void fe_tls_store_free(struct fe_tls_store *store)
{
    if (store == NULL) {
        return;
    }
    SSL_CTX_free(store->ctx);
    BIO_meth_free(store->bio);
    free_certs(store->certs, store->n_certs);
    for (size_t i = 0; i < store->n_challenges; i++) {
        fe_cert_unref(store->challenges[i].cert);
    }
    free(store->challenges);
    fe_mutex_deinit(&store->lock);
    free(store);
}

int fe_tls_store_set(struct fe_tls_store *store, struct fe_cert *const *certs, size_t n_certs)
{
    struct fe_cert **copy = calloc(n_certs + 1, sizeof(struct fe_cert *));
    struct fe_cert **old;
    size_t n_old;

    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < n_certs; i++) {
        FE_ASSERT(certs[i] != NULL, "a certificate that is served is there");
        copy[i] = fe_cert_ref(certs[i]);
    }
    fe_mutex_lock(&store->lock);
    old = store->certs;
    n_old = store->n_certs;
    store->certs = copy;
    store->n_certs = n_certs;
    FE_CHECK(fe_tls_store_check(store));
    fe_mutex_unlock(&store->lock);
    free_certs(old, n_old);
    return 0;
}

/* ---- challenges ----------------------------------------------------------------------------- */

static int add_challenge(struct fe_tls_store *store, struct fe_view name, struct fe_cert *cert)
{
    struct fe_tls_challenge *added;

    if (name.len > FE_NAME_MAX || store->n_challenges == FE_TLS_CHALLENGES_MAX) {
        return FLATEND_ELIMIT;
    }
    FE_ASSERT(find_challenge(store, name) == NULL, "a name has one challenge");
    if (FE_ARRAY_RESERVE(store->challenges, store->n_challenges, store->challenges_cap) != 0) {
        return FLATEND_ENOMEM;
    }
    added = &store->challenges[store->n_challenges++];
    added->cert = fe_cert_ref(cert);
    added->name_len = name.len;
    memcpy(added->name, name.ptr, name.len);
    return 0;
}

/* Under the lock. `*old`: what is shown no longer, or NULL. */
static int swap_challenge(struct fe_tls_store *store, struct fe_view name, struct fe_cert *cert,
                          struct fe_cert **old)
{
    struct fe_tls_challenge *const challenge = find_challenge(store, name);

    *old = challenge != NULL ? challenge->cert : NULL;
    if (challenge == NULL) {
        return cert != NULL ? add_challenge(store, name, cert) : 0;
    }
    if (cert != NULL) {
        challenge->cert = fe_cert_ref(cert);
    } else {
        FE_ASSERT(store->n_challenges > 0, "what was found is counted");
        *challenge = store->challenges[--store->n_challenges];
    }
    return 0;
}

int fe_tls_store_set_challenge(struct fe_tls_store *store, struct fe_view name,
                               struct fe_cert *cert)
{
    struct fe_cert *old;
    int code;

    fe_mutex_lock(&store->lock);
    code = swap_challenge(store, name, cert, &old);
    FE_CHECK(fe_tls_store_check(store));
    fe_mutex_unlock(&store->lock);
    fe_cert_unref(old);
    return code;
}
