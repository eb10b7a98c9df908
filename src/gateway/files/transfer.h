/* The body of a static response on its way: a part of a file, or a page in memory. */
#ifndef FE_GATEWAY_FILES_TRANSFER_H
#define FE_GATEWAY_FILES_TRANSFER_H

#include "ground/base/buf.h"
#include "web/http/exchange.h"

/* Allocated for itself, not in the exchange's arena: it is still there when the exchange has ended
 * and the descriptor is to be closed. */
struct fe_transfer {
    int fd; /* -1: the page is sent */
    uint64_t offset;
    uint64_t left;
    struct fe_buf page;
};

/* Nothing to send yet: the caller sets `offset` and `left`, or fills the page. Owns `fd` (-1:
 * none). NULL: out of memory, and `fd` is still the caller's. */
struct fe_transfer *fe_transfer_new(int fd) FE_MUST_USE;
void fe_transfer_free(struct fe_transfer *transfer);

/* Sends the head, then the body unless the request is a HEAD, as fast as the client takes it; owns
 * `transfer`. The exchange ends in here, or later in one of the events below. A file that has
 * become too short resets it. */
void fe_transfer_send(struct fe_exchange *ex, const struct fe_response *response,
                      struct fe_transfer *transfer);

/* The events of an exchange whose state is a transfer. */
void fe_transfer_pump(struct fe_exchange *ex); /* on_writable */
void fe_transfer_on_reset(struct fe_exchange *ex, int code);

#endif
