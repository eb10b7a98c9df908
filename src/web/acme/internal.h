/* Private to the machine: src/web/acme.
 *
 *   WAITING ─ wake ─▶ DIRECTORY ─▶ RENEWAL ─▶ is it time? ─ no ─▶ WAITING
 *                         └────────────────────────┤
 *                    ACCOUNT ◀─ none known ────────┤
 *                       └──────▶ ORDER ◀─ known ───┤
 *                                  │               ▼
 *                                  │ ◀───────── NEW_ORDER ◀────────────────┐
 *            pending ◀─────────────┤                                       │
 *               ▼                  │ ready           another type is left  │
 *         AUTHORIZATION ──────▶ (ORDER)                                    │
 *            │    ▲  └─ invalid ────────────────────────────────────────────┘
 *            ▼    │                ▼
 *          CHALLENGE              KEY ─▶ FINALIZE ─▶ (ORDER) ─ valid ─▶ CERTIFICATE ─▶ WAITING
 *
 * Any state ends in WAITING when something fails. (ORDER) is asked again, after a pause, until it
 * is what is waited for; a pause keeps the state. */
#ifndef FE_WEB_ACME_INTERNAL_H
#define FE_WEB_ACME_INTERNAL_H

#include "web/acme/acme.h"

enum {
    /* RFC 8555 §6.5: a nonce may be stale for reasons that are not ours, but not for ever. */
    FE_ACME_NONCE_TRIES_MAX = 12,
    /* How often an order and its authorizations are asked about in a round. */
    FE_ACME_POLLS_MAX = 120,
    /* Orders begun in a round because another challenge is left: Let's Encrypt allows five failed
     * validations of a name in an hour. */
    FE_ACME_ORDERS_MAX = 4,
    FE_ACME_POLL_MS = 100, /* and as much longer each time, up to the next one */
    FE_ACME_POLL_MAX_MS = 5000,
    FE_ACME_POLL_RETRY_AFTER_MAX_MS = 3600 * 1000,
    FE_ACME_LOCK_RETRY_MS = 30 * 1000,
    FE_ACME_RENEWAL_CHECK_MS = 6 * 3600 * 1000, /* RFC 9773 §4.3.2, when the server does not say */
    FE_ACME_RENEWAL_CHECK_MIN_MS = 60 * 1000,
    FE_ACME_RENEWAL_CHECK_MAX_MS = 24 * 3600 * 1000,
    FE_ACME_RETRY_MAX_MS = 12 * 3600 * 1000,
    /* A server that wants more than this is not believed: Let's Encrypt's longest limit is a week.
     */
    FE_ACME_RETRY_AFTER_MAX_MS = 8 * 24 * 3600 * 1000,
    FE_ACME_FAILURES_MAX = 1000,
    /* What the server has decided against us counts as so many failures to reach it: it will not
     * change its mind soon, and counts too. */
    FE_ACME_REFUSAL_WEIGHT = 3,
};

enum fe_acme_state {
    FE_ACME_IN_WAITING,
    FE_ACME_IN_DIRECTORY,
    FE_ACME_IN_RENEWAL,
    FE_ACME_IN_ACCOUNT,
    FE_ACME_IN_NEW_ORDER,
    FE_ACME_IN_ORDER,
    FE_ACME_IN_AUTHORIZATION,
    FE_ACME_IN_CHALLENGE,
    FE_ACME_IN_KEY,
    FE_ACME_IN_FINALIZE,
    FE_ACME_IN_CERTIFICATE,
    FE_ACME_N_STATES,
};

/* What a request is at. */
enum fe_acme_phase {
    FE_ACME_IDLE,  /* none is under way: a key is made, or a time waited for */
    FE_ACME_PLAIN, /* an unsigned one */
    FE_ACME_NONCE, /* a nonce is fetched first */
    FE_ACME_SIGNED,
};

struct fe_acme {
    struct fe_acme_config config;
    struct fe_rng rng;
    const struct fe_log *log;
    const struct fe_acme_ops *ops;
    void *owner;
    enum fe_acme_state state;
    struct fe_acme_saved saved;
    bool is_locked;

    /* The last failure, where it could not be kept: what was read instead does not know of it. */
    unsigned n_unsaved_failures;
    int64_t unsaved_wait_until_ms;

    /* A signed request. */
    enum fe_acme_phase phase;
    char nonce[FE_ACME_NONCE_MAX + 1]; /* for the next one; "": none */
    char url[FE_ACME_URL_MAX + 1];
    struct fe_buf payload;
    unsigned n_nonce_tries;

    /* When the certificate is to be renewed. */
    struct fe_acme_cert_info planned; /* for which the following is meant */
    struct fe_acme_window window;     /* zeros: the server suggests none */
    int64_t renew_at_ms;
    int64_t check_at_ms; /* ask for the window */

    /* A round: from a wake-up to the next waiting. */
    struct fe_acme_directory directory;
    bool has_asked_account; /* in this round */
    bool omits_replaces;    /* the server did not want it */
    size_t refused;         /* the name that ends it; FE_ACME_NAMES_MAX: none in particular */
    unsigned n_orders;
    unsigned n_polls;
    struct fe_acme_order order;
    size_t next_authorization; /* of the order */
    struct fe_acme_authorization authorization;
    bool is_answered; /* the authorization's challenge */
    enum fe_acme_challenge_type challenge;
};

/* ---- check.c */

/* All that holds between two events: aborts if something does not. */
void fe_acme_check(const struct fe_acme *acme);

/* ---- acme.c */

/* Enters the state and does what it begins with. */
void fe_acme_enter(struct fe_acme *acme, enum fe_acme_state state);
/* Does it again after a while; `retry_after_ms` 0: the server did not say. */
void fe_acme_pause(struct fe_acme *acme, uint64_t retry_after_ms);

/* ---- post.c */

/* A request without a signature. */
int fe_acme_get(struct fe_acme *acme, const char *url, struct flatend_error *err) FE_MUST_USE;
/* POSTs `payload` (JSON; empty: POST-as-GET), with a nonce that is fetched if there is none. */
int fe_acme_post(struct fe_acme *acme, const char *url, struct fe_view payload,
                 struct flatend_error *err) FE_MUST_USE;
/* Takes care of nonces: true if the response is the state's business. */
bool fe_acme_post_on_response(struct fe_acme *acme, const struct fe_acme_response *response);

/* ---- wait.c */

enum fe_acme_verdict {
    FE_ACME_TRY_AGAIN, /* the order, if any, goes on where it was */
    FE_ACME_REFUSED,   /* it is over: the next round begins another one */
};
/* Logs, keeps what is to be kept, and waits. */
void fe_acme_fail(struct fe_acme *acme, enum fe_acme_verdict verdict, uint64_t retry_after_ms,
                  const char *format, ...) FLATEND_PRINTF(4, 5);
/* The same, refused for the `index`-th name alone. */
void fe_acme_fail_name(struct fe_acme *acme, size_t index, const char *format, ...)
    FLATEND_PRINTF(3, 4);
/* The name's index; FE_ACME_NAMES_MAX: not one of ours. */
size_t fe_acme_index_of(const struct fe_acme *acme, const char *name);
/* After each lock: the failures of this process that could not be kept count too. */
void fe_acme_recall_failures(struct fe_acme *acme);
/* A response that is no success: decides by its status and its problem document. */
void fe_acme_fail_response(struct fe_acme *acme, const struct fe_acme_response *response);
/* A failure of our own. */
void fe_acme_fail_local(struct fe_acme *acme, const struct flatend_error *err);

/* Whether there is nothing to be done yet. */
bool fe_acme_must_wait(struct fe_acme *acme);
/* Whether the certificate is missing or due. */
bool fe_acme_is_due(struct fe_acme *acme);
/* Chooses the time of renewal for the saved certificate, unless it has been. */
void fe_acme_plan(struct fe_acme *acme);
void fe_acme_plan_window(struct fe_acme *acme, const struct fe_acme_window *window);
/* Ends the round: waits for what comes next. */
void fe_acme_end_round(struct fe_acme *acme);

/* "example.org and 2 more", in `text`. */
const char *fe_acme_names(const struct fe_acme *acme, char text[FE_ACME_NAME_MAX + 32]);

/* ---- account.c, order.c, authorization.c: the states */

int fe_acme_enter_directory(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_directory(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_renewal(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_renewal(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_account(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_account(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_new_order(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_new_order(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_order(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_order(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_authorization(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_authorization(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_challenge(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_challenge(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_key(struct fe_acme *acme, struct flatend_error *err);
int fe_acme_enter_finalize(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_finalize(struct fe_acme *acme, const struct fe_acme_response *response);
int fe_acme_enter_certificate(struct fe_acme *acme, struct flatend_error *err);
void fe_acme_on_certificate(struct fe_acme *acme, const struct fe_acme_response *response);

/* The order as it is now, in acme->order: the next step. */
void fe_acme_follow_order(struct fe_acme *acme, uint64_t retry_after_ms);

static inline bool fe_acme_is_success(const struct fe_acme_response *response)
{
    return response->status >= 200 && response->status <= 299;
}

#endif
