/* The response of a node of the old dialect, held until its first bytes are there, or for a moment:
 * such nodes declare little, and what they send comes in pieces. Once it is known what there is,
 * the type of text is declared, and the length of a body that is complete. */
#ifndef FE_GATEWAY_RELAY_HELD_RESPONSE_H
#define FE_GATEWAY_RELAY_HELD_RESPONSE_H

#include "web/http/exchange.h"

enum {
    FE_HELD_BODY_MAX = 4096, /* bytes; a longer body is not held */
    FE_HELD_MS = 3,          /* from its first bytes on */
};

struct fe_held_response {
    bool is_held;
    struct fe_response response; /* in the exchange's arena, with all it looks at */
    uint8_t *body;               /* the same; NULL until there is some */
    size_t len;
    size_t n_sent; /* of the body */
};

/* Whether something can be declared for it: not where no body goes out. */
bool fe_held_response_is_due(const struct fe_exchange *ex, const struct fe_response *response);

/* Begins to hold it. FLATEND_ENOMEM. */
int fe_held_response_start(struct fe_held_response *held, const struct fe_response *response,
                           struct fe_arena *arena) FE_MUST_USE;

/* Body bytes: 1 if they are held, 0 if there are too many, FLATEND_ENOMEM. */
int fe_held_response_keep(struct fe_held_response *held, struct fe_view data,
                          struct fe_arena *arena) FE_MUST_USE;

/* Declares what is known, and responds: as fe_exchange_respond. */
int fe_held_response_release(struct fe_held_response *held, struct fe_exchange *ex,
                             bool is_whole) FE_MUST_USE;

/* Writes what is left of the held body: 1 if that was all, 0 to go on with on_writable, or as
 * fe_exchange_write. */
int fe_held_response_write(struct fe_held_response *held, struct fe_exchange *ex) FE_MUST_USE;

/* Whether these first bytes of a body are plain text, in UTF-8. */
bool fe_is_text(struct fe_view bytes, bool is_whole);

#endif
