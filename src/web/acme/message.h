/* Messages of an ACME server, from JSON (RFC 8555 §7.1). Each object owns the tree that its strings
 * are in; all of them are checked here, so that callers need not. */
#ifndef FE_WEB_ACME_MESSAGE_H
#define FE_WEB_ACME_MESSAGE_H

#include "ground/base/err.h"
#include "ground/base/view.h"
#include "web/acme/x509.h"

struct json_t;

enum {
    FE_ACME_BODY_MAX = 128 * 1024, /* of any response; the largest is a chain */
    FE_ACME_TOKEN_MAX = 128,       /* of a challenge; Let's Encrypt's take 43 characters */
    FE_ACME_CHALLENGES_MAX = 16,   /* of an authorization; there are three types */
};

/* FLATEND_ESYNTAX: not JSON, or not such an object; FLATEND_ENOMEM. `err` says which member. The
 * object is then empty, and need not be freed. */
struct fe_acme_directory {
    struct json_t *root;
    const char *new_nonce;
    const char *new_account;
    const char *new_order;
    const char *renewal_info;     /* NULL: the server has none */
    const char *terms_of_service; /* NULL: none */
    bool wants_eab;
};
int fe_acme_directory_parse(struct fe_acme_directory *directory, struct fe_view body,
                            struct flatend_error *err) FE_MUST_USE;
void fe_acme_directory_deinit(struct fe_acme_directory *directory);

/* The states of RFC 8555 §7.1.6, of all objects. */
enum fe_acme_status {
    FE_ACME_PENDING,
    FE_ACME_READY,
    FE_ACME_PROCESSING,
    FE_ACME_VALID,
    FE_ACME_INVALID, /* and those that end like it: expired, deactivated, revoked */
};

struct fe_acme_order {
    struct json_t *root;
    enum fe_acme_status status;
    const char *finalize;
    const char *certificate; /* NULL unless VALID */
    const char *authorizations[FE_ACME_NAMES_MAX];
    size_t n_authorizations;
};
int fe_acme_order_parse(struct fe_acme_order *order, struct fe_view body,
                        struct flatend_error *err) FE_MUST_USE;
void fe_acme_order_deinit(struct fe_acme_order *order);

enum fe_acme_challenge_type {
    FE_ACME_HTTP_01,
    FE_ACME_TLS_ALPN_01,
    FE_ACME_N_CHALLENGE_TYPES,
};
const char *fe_acme_challenge_name(enum fe_acme_challenge_type type); /* "http-01" */

struct fe_acme_challenge {
    enum fe_acme_status status;
    const char *url;
    const char *token; /* base64url */
};

struct fe_acme_authorization {
    struct json_t *root;
    enum fe_acme_status status;
    const char *name;
    bool has[FE_ACME_N_CHALLENGE_TYPES];
    struct fe_acme_challenge challenges[FE_ACME_N_CHALLENGE_TYPES];
};
int fe_acme_authorization_parse(struct fe_acme_authorization *authorization, struct fe_view body,
                                struct flatend_error *err) FE_MUST_USE;
void fe_acme_authorization_deinit(struct fe_acme_authorization *authorization);

/* RFC 9773 §4.2: when to renew, seconds since 1970. */
struct fe_acme_window {
    int64_t start_s;
    int64_t end_s;
};
int fe_acme_window_parse(struct fe_acme_window *window, struct fe_view body,
                         struct flatend_error *err) FE_MUST_USE;

/* "2026-11-25T22:15:42.5Z" (RFC 3339) in seconds since 1970, without the fraction. */
int fe_acme_time_parse(const char *text, int64_t *seconds) FE_MUST_USE;

/* A problem document (RFC 7807, RFC 8555 §6.7) or what stands for it; texts are cut to fit. */
struct fe_acme_problem {
    char type[64];                   /* "rateLimited": without urn:ietf:params:acme:error: */
    char text[224];                  /* "rateLimited: too many certificates already issued: ..." */
    char name[FE_ACME_NAME_MAX + 1]; /* which it is about; "": it does not say */
};

/* Of a response that is an error; a body that is no problem document is said to be that. */
void fe_acme_problem_parse(struct fe_acme_problem *problem, int status, struct fe_view body);

/* The error inside an order, or of an authorization's first challenge that has one. */
void fe_acme_order_problem(const struct fe_acme_order *order, struct fe_acme_problem *problem);
void fe_acme_authorization_problem(const struct fe_acme_authorization *authorization,
                                   struct fe_acme_problem *problem);

#endif
