/* Calls between nodes on loopback, and a handler that does not stop by itself. */
#ifndef TESTS_SUPPORT_CALLS_H
#define TESTS_SUPPORT_CALLS_H

#include <flatend.h>

#include "support/latch.h"

/* A call with this one header (NULL: none), and this body (NULL: it is open); the caller closes the
 * stream. */
struct flatend_stream *calls_push(struct flatend_node *node, const char *service, const char *body,
                                  const char *name, const char *value);

/* The whole answer; it lives as long as the stream. */
const char *calls_read(struct flatend_stream *stream);

/* Reads until it is stopped. */
struct hanging {
    struct latch entered;
    struct latch left;
    ssize_t result; /* of its last read */
    bool was_canceled;
    unsigned left_ms; /* when it began */
};

void hanging_init(struct hanging *hanging);
void hanging_deinit(struct hanging *hanging);

/* The handler; `hanging` is its argument. */
void hang(struct flatend_context *ctx, void *hanging);

#endif
