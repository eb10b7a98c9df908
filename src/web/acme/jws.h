/* Signed requests: a JWS in its flattened JSON form (RFC 7515 §7.2.2, RFC 8555 §6.2). */
#ifndef FE_WEB_ACME_JWS_H
#define FE_WEB_ACME_JWS_H

#include "ground/base/buf.h"

struct evp_pkey_st;

enum {
    FE_ACME_URL_MAX = 1024,       /* of any resource; Let's Encrypt's take 100 characters */
    FE_ACME_NONCE_MAX = 256,      /* Let's Encrypt's take 50 */
    FE_ACME_JWS_MAX = 256 * 1024, /* a request to finalize 100 long names takes 50 kB */
    FE_ACME_EAB_KEY_MAX = 512,    /* bytes of an HMAC key */
    FE_ACME_EAB_KEY_ID_MAX = 512,
};

/* Whether it is an absolute https URL of at most FE_ACME_URL_MAX visible ASCII characters, none of
 * which JSON would have to escape. */
bool fe_acme_is_url(const char *text);

struct fe_acme_jws {
    struct evp_pkey_st *key; /* the account's */
    const char *kid;         /* the account's URL; NULL: the key itself goes along (newAccount) */
    const char *nonce;
    const char *url;        /* where it is sent to */
    struct fe_view payload; /* empty: POST-as-GET, RFC 8555 §6.3 */
};

/* Appends the request's body. FLATEND_ENOMEM, FLATEND_ETOOBIG, FLATEND_EKEY. */
int fe_acme_jws_encode(const struct fe_acme_jws *jws, struct fe_buf *out) FE_MUST_USE;

/* External account binding, RFC 8555 §7.3.4: appends the inner JWS over the account's key, with
 * HMAC-SHA-256 of a key that the CA gave. `key_id` needs no escaping in JSON. */
int fe_acme_eab_encode(const struct evp_pkey_st *account, const char *key_id,
                       struct fe_view hmac_key, const char *url, struct fe_buf *out) FE_MUST_USE;

#endif
