/* A call of flatend_push: struct flatend_stream.
 *
 * Two parties hold it: its owner, on any thread (push.c), and the call, on the node's thread
 * (outgoing.c). They meet in `io` and what stands under its lock. When the owner
 * leaves, the node's thread frees it; when the node has closed before, the owner does. */
#ifndef FE_MESH_NODE_OUTGOING_H
#define FE_MESH_NODE_OUTGOING_H

#include "ground/base/buf.h"
#include "mesh/async/handoff.h"
#include "mesh/node/head.h"
#include "mesh/node/internal.h"
#include "mesh/rpc/call.h"

enum fe_outgoing_state {
    FE_OUTGOING_NEW,
    FE_OUTGOING_RUNNING,
    FE_OUTGOING_OVER,
};

struct flatend_stream {
    struct flatend_node *node;
    struct fe_fork_guard *guard; /* a reference, as it may outlive its node */
    struct fe_arena arena;       /* the request, and then the response's head */
    struct fe_call_request request;
    unsigned timeout_ms;
    struct flatend_context
        *parent;   /* until the call has started; held, if nothing waits for that */
    bool is_async; /* it has a queue: nothing waits */
    struct fe_handoff io;
    /* under io.lock */
    bool is_started;
    int start_code;
    bool has_response;
    /* written before has_response */
    struct fe_received_head response;
    /* written before the response is complete */
    struct fe_received_head response_trailers;
    /* the owner's thread */
    bool is_body_complete;         /* nothing may be written any more */
    struct fe_buf body;            /* of flatend_stream_read_all */
    struct fe_arena trailer_arena; /* for what goes behind the request's body */
    struct fe_response_head trailers;
    /* the node's thread */
    struct fe_list link;    /* in node->calls */
    struct fe_list sibling; /* in the children of the request on whose behalf it is made */
    struct fe_call call;
    enum fe_outgoing_state state;
    bool is_finished;
};

/* 0, or why nothing can be done with the call: there is none, or this process was forked, and it is
 * the parent's. */
int fe_outgoing_check_call(const struct flatend_stream *stream);

/* Whether these bytes may be written: 0. */
int fe_outgoing_begin_write(struct flatend_stream *stream, const void *data,
                            size_t len) FE_MUST_USE;

/* The handoff's task, on the node's thread: the first one starts the call. */
void fe_outgoing_on_task(struct fe_task *task);

/* The request on whose behalf it is made is over. */
void fe_outgoing_cancel(struct flatend_stream *stream);

/* flatend_push. `takes_all`: the whole body is copied, however long, and nothing waits for the
 * provider to take it. */
int fe_push(struct flatend_node *node, const struct flatend_request *request, bool takes_all,
            struct flatend_stream **stream, struct flatend_error *error) FE_MUST_USE;

/* Says why there is no call, or no response. Returns `code`. */
int fe_push_fail(const struct flatend_node *node, const struct flatend_request *request, int code,
                 struct flatend_error *error);

/* The call begins, or will not: the parent was held until here if nobody waits for that. */
void fe_outgoing_forget_parent(struct flatend_stream *stream);

void fe_outgoing_free(struct flatend_stream *stream);

#endif
