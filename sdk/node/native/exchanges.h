/* The requests and calls of a node that are open, by the ids that JavaScript has of them. An id
 * that is gone finds nothing, and does not come back before 2^31 others. JavaScript's thread. */
#ifndef ADDON_EXCHANGES_H
#define ADDON_EXCHANGES_H

#include <flatend.h>

#include "map.h"

struct addon_exchange {
    struct addon_exchange *next; /* in the list of those that are free */
    uint32_t id;
    /* One of the two. */
    struct flatend_context *context;
    struct flatend_stream *stream;
    bool has_head; /* status and headers were set, so that they are not again */
    bool is_told;  /* its one record has told the whole response of a call */
};

struct addon_exchanges {
    struct addon_map by_id;
    struct addon_map by_context;
    struct addon_exchange *free;
    size_t n_free;
    uint32_t last_id;
};

/* NULL: out of memory. */
struct addon_exchange *addon_exchanges_add_request(struct addon_exchanges *exchanges,
                                                   struct flatend_context *context);
/* Its stream is set later. */
struct addon_exchange *addon_exchanges_add_call(struct addon_exchanges *exchanges);

struct addon_exchange *addon_exchanges_find(const struct addon_exchanges *exchanges, uint64_t id);
struct addon_exchange *addon_exchanges_find_request(const struct addon_exchanges *exchanges,
                                                    const struct flatend_context *context);

/* Its id is gone. */
void addon_exchanges_remove(struct addon_exchanges *exchanges, struct addon_exchange *exchange);

/* Ends all of them: requests fail, calls are closed. */
void addon_exchanges_end(struct addon_exchanges *exchanges);

void addon_exchanges_deinit(struct addon_exchanges *exchanges);

#endif
