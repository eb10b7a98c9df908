/* Answers to HTTP-01 (RFC 8555 §8.3): what a CA finds below /.well-known/acme-challenge/. Any
 * thread. */
#ifndef FE_GATEWAY_CERTS_ACME_ANSWER_H
#define FE_GATEWAY_CERTS_ACME_ANSWER_H

#include "ground/base/list.h"
#include "ground/os/thread.h"
#include "web/acme/message.h"
#include "web/http/exchange.h"

enum { FE_ACME_ANSWER_MAX = 2 * FE_ACME_TOKEN_MAX }; /* a token, a dot, and a thumbprint */

struct fe_acme_answer {
    struct fe_list link; /* of those that are given; meanwhile nothing else of it may change */
    char token[FE_ACME_TOKEN_MAX + 1];
    char text[FE_ACME_ANSWER_MAX + 1];
};

/* Those that are given. */
struct fe_acme_answers {
    struct fe_mutex lock;
    struct fe_list list;
};

void fe_acme_answers_init(struct fe_acme_answers *answers);
void fe_acme_answers_deinit(struct fe_acme_answers *answers); /* once all are removed */

/* `answer` belongs to the caller, and stays where it is until it is removed. */
void fe_acme_answers_add(struct fe_acme_answers *answers, struct fe_acme_answer *answer);
void fe_acme_answers_remove(struct fe_acme_answers *answers,
                            struct fe_acme_answer *answer); /* harmless when it is not given */

/* Whether the request asks for one of `answers`; else it is not for the backend. */
bool fe_acme_answers_have(struct fe_acme_answers *answers, const struct fe_request *request);

/* Answers such a request. */
struct fe_acme_answers_backend {
    struct fe_backend backend;
    struct fe_acme_answers *answers;
};

struct fe_acme_answers_backend fe_acme_answers_backend(struct fe_acme_answers *answers);

#endif
