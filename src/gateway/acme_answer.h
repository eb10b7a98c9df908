/* Answers to HTTP-01 (RFC 8555 §8.3): what a CA finds below /.well-known/acme-challenge/. */
#ifndef FE_GATEWAY_ACME_ANSWER_H
#define FE_GATEWAY_ACME_ANSWER_H

#include "base/list.h"
#include "http/exchange.h"
#include "tls/acme_message.h"

enum { FE_ACME_ANSWER_MAX = 2 * FE_ACME_TOKEN_MAX }; /* a token, a dot, and a thumbprint */

struct fe_acme_answer {
    struct fe_list link; /* of those that are given */
    char token[FE_ACME_TOKEN_MAX + 1];
    char text[FE_ACME_ANSWER_MAX + 1];
};

/* Answers the exchange if it asks for one of `answers`; else it is somebody else's: false. */
bool fe_acme_answer_serve(const struct fe_list *answers, struct fe_exchange *ex);

#endif
