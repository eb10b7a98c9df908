/* A certificate's life with an ACME server (RFC 8555), without a socket, a clock or a file: it asks
 * its owner for requests, for a wake-up, for things to be kept, and is told what came of them.
 *
 * It never gives up: whatever fails is logged as one line, and tried again after a time that grows
 * and that the server may prolong. What it must remember it has kept before the server is told
 * anything that depends on it, so that it may end at any moment and go on as another process.
 *
 * Belongs to one thread. Nothing in `struct fe_acme_ops` calls back before it has returned. */
#ifndef FE_WEB_ACME_ACME_H
#define FE_WEB_ACME_ACME_H

#include "ground/base/log.h"
#include "ground/base/rng.h"
#include "web/acme/jws.h"
#include "web/acme/key.h"
#include "web/acme/message.h"

struct fe_acme;

/* Outlives the machine. */
struct fe_acme_config {
    const char *directory; /* URL */
    const char *const *names;
    size_t n_names;
    const char *const *contacts; /* URLs, "mailto:somebody@example.org" */
    size_t n_contacts;
    const char *eab_key_id; /* NULL: no external account binding */
    struct fe_view eab_hmac_key;
    enum fe_acme_key_type key_type;
    enum fe_acme_challenge_type challenges[FE_ACME_N_CHALLENGE_TYPES]; /* in this order */
    size_t n_challenges;
    uint64_t retry_min_ms; /* before the first repetition, and between two certificates */
};

/* What outlives the process. */
struct fe_acme_saved {
    struct evp_pkey_st *account_key;
    char account_url[FE_ACME_URL_MAX + 1]; /* "": not known, newAccount tells it again */
    struct evp_pkey_st *order_key;         /* of `order_url`; NULL: not made yet */
    char order_url[FE_ACME_URL_MAX + 1];   /* "": no order is under way */
    bool has_certificate;
    struct fe_acme_cert_info certificate;
    unsigned n_failures; /* since the last success, weighted */
    int64_t wait_until_ms;
    int64_t wait_from_ms; /* before it the clock has been set back; 0: not known */
    size_t refused; /* the name that the last refusal was about, by its index plus 1; 0: none */
    /* By name: the challenge that worked last (its type plus 1; 0: none yet), and those that have
     * failed since (bits). */
    uint8_t preferred[FE_ACME_NAMES_MAX];
    uint8_t tried[FE_ACME_NAMES_MAX];
};

void fe_acme_saved_deinit(struct fe_acme_saved *saved);

/* All of it is borrowed for the call only. */
struct fe_acme_request {
    const char *method; /* "GET", "HEAD", "POST" */
    const char *url;
    struct fe_view body; /* of POST: application/jose+json */
    const char *accept;  /* media type; NULL: any */
};

struct fe_acme_response {
    int status;
    struct fe_view nonce;    /* Replay-Nonce; each of these may be empty */
    struct fe_view location; /* Location */
    uint64_t retry_after_ms; /* Retry-After, 0 if there was none */
    struct fe_view body;     /* at most FE_ACME_BODY_MAX; longer ones are a failure */
};

/* What the machine asks for. Where an int is returned, non-zero is a failure, of which the machine
 * thinks as it does of the server's. Times are milliseconds since 1970. */
struct fe_acme_ops {
    uint64_t (*now_ms)(void *owner);
    /* The machine wants fe_acme_on_wake then; the last call counts. */
    void (*wake_at)(void *owner, uint64_t when_ms);

    /* Takes the names for this process, and reads what was kept. FLATEND_EAGAIN: another one has
     * them. The machine calls `unlock` exactly once after a success. `saved` is then new. */
    int (*lock)(void *owner, struct fe_acme_saved *saved, struct flatend_error *err);
    void (*unlock)(void *owner);
    /* Keeps `account_url`; the rest but keys and certificate; the order's key. */
    int (*save_account)(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err);
    int (*save_order)(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err);
    int (*save_key)(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err);
    /* Keeps the order's key and its chain (PEM) as the certificate, and serves it. */
    int (*install)(void *owner, const struct fe_acme_saved *saved,
                   const struct fe_acme_cert_info *info, struct fe_view chain,
                   struct flatend_error *err);

    /* Zero: fe_acme_on_response or fe_acme_on_failure comes exactly once, later. */
    int (*request)(void *owner, const struct fe_acme_request *request, struct flatend_error *err);
    /* Zero: fe_acme_on_key comes exactly once, later. */
    int (*make_key)(void *owner, enum fe_acme_key_type type, struct flatend_error *err);

    /* Serves the key authorization for challenges of `name` until `withdraw`. */
    int (*publish)(void *owner, enum fe_acme_challenge_type type, const char *name,
                   const char *token, const char *key_authorization, struct flatend_error *err);
    void (*withdraw)(void *owner);

    /* A round has ended because the server does not let this name be proved, which may be the only
     * reason why the others have no certificate; or an earlier process was told so, and what it
     * waited for is not over. Last of all, when nothing is locked any more; may not free the
     * machine. */
    void (*refused)(void *owner, const char *name);
};

/* `log` outlives the machine. NULL: out of memory. */
struct fe_acme *fe_acme_new(const struct fe_acme_config *config, const struct fe_rng *rng,
                            const struct fe_log *log, const struct fe_acme_ops *ops,
                            void *owner) FE_MUST_USE;

/* From any state. Nothing that was asked for may be answered any more. */
void fe_acme_free(struct fe_acme *acme);

/* The first call starts it; then when it asked for it, or earlier, which is harmless. */
void fe_acme_on_wake(struct fe_acme *acme);
void fe_acme_on_response(struct fe_acme *acme, const struct fe_acme_response *response);
/* The request could not be made: `err` says why. */
void fe_acme_on_failure(struct fe_acme *acme, const struct flatend_error *err);
/* Takes the key; NULL: out of memory. */
void fe_acme_on_key(struct fe_acme *acme, struct evp_pkey_st *key);

/* The state's name, for tests and people. */
const char *fe_acme_state_name(const struct fe_acme *acme);

#endif
