/* A request that is being served: what a handler gets.
 *
 * Two parties hold it: the handler, through flatend.h (context.c), on a thread of the pool or, when
 * inline, on the node's; and the stream, on the node's thread (serve.c). They meet in `io` only. A
 * handler of the pool has the context until it wishes FE_WISH_LEAVE; it is freed on the node's
 * thread. */
#ifndef FE_NODE_CONTEXT_H
#define FE_NODE_CONTEXT_H

#include "base/buf.h"
#include "node/handoff.h"
#include "node/head.h"
#include "node/internal.h"

/* How far the handler is with its response. */
enum fe_response_phase {
    FE_RESPONSE_HEAD,   /* headers may be set */
    FE_RESPONSE_BODY,   /* the head is as it will be sent */
    FE_RESPONSE_FAILED, /* flatend_context_fail was called: nothing may follow */
};

struct flatend_context {
    struct fe_list link; /* in the node's `contexts`, or in `spare` */
    struct flatend_node *node;
    const struct fe_service *service;
    struct flatend_id id;
    struct fe_arena arena;
    struct fe_received_head request;
    struct fe_handoff io;

    /* the handler's */
    enum fe_response_phase phase;
    struct fe_response_head head;
    struct fe_buf body; /* of flatend_context_read_all */
    struct fe_job job;

    /* the node's thread */
    struct fe_stream *stream; /* NULL once it is gone */
    bool is_head_sent;
};

/* Calls the handler, and ends the response that it left open. Returns what is to be wished besides
 * what the handler has written. */
unsigned fe_context_run(struct flatend_context *ctx);

#endif
