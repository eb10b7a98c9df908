/* A request that is being served: what a handler gets.
 *
 * Two parties hold it: the application, through flatend.h (context.c), on any thread; and the
 * stream, on the node's thread (serve.c). They meet in `io` only.
 *
 *     GATHERING ── its body is there, or enough of it, or time is up ──▶ STARTED
 *         │                                                                │ the application has it
 *         └─ refused, reset, answered by the node ─▶ (freed) ◀─ it leaves ─┤
 *                                                                          │ the node closes
 *                                     freed as it leaves, or with the node ◀── ABANDONED
 *
 * Before it has started a request is the node's thread's alone. Then the application has it until
 * it commands FE_HANDOFF_RELEASE: when the handler returns, or, if that has kept it or it was taken
 * from a queue, when it was finished. It is freed on the node's thread, unless abandoned. */
#ifndef FE_MESH_NODE_CONTEXT_H
#define FE_MESH_NODE_CONTEXT_H

#include <stdarg.h>

#include "ground/base/buf.h"
#include "mesh/async/handoff.h"
#include "mesh/node/head.h"
#include "mesh/node/internal.h"
#include "mesh/rpc/lingering.h"

/* How far the handler is with its response. */
enum fe_response_phase {
    FE_RESPONSE_HEAD,   /* headers may be set */
    FE_RESPONSE_BODY,   /* the head is as it will be sent */
    FE_RESPONSE_FAILED, /* it is whole, or never will be: nothing may follow */
};

enum fe_serving {
    FE_SERVING_GATHERING,
    FE_SERVING_STARTED,
    FE_SERVING_ABANDONED,
};

struct flatend_context {
    struct fe_list link; /* in the node's `contexts`, `free_contexts` or `abandoned` */
    struct flatend_node *node;
    struct fe_service *service; /* a reference */
    struct flatend_id id;
    char key[FLATEND_PUBLIC_KEY_TEXT]; /* that the requester has proven */
    uint64_t deadline_ms;              /* for the response's head; FE_TIME_NEVER: none */
    struct fe_arena arena;
    struct fe_received_head request;
    struct fe_handoff io;

    /* the application's */
    bool is_kept; /* nothing waits, and it is there until it is finished */
    enum fe_response_phase phase;
    struct fe_response_head head;
    struct fe_response_head trailers;
    struct fe_buf body; /* of flatend_context_read_all */
    struct fe_job job;

    /* the node's thread */
    enum fe_serving serving;
    struct fe_list gathering;      /* in the node's, while it waits for more of the body */
    struct fe_stream *stream;      /* NULL once it is gone */
    struct fe_lingering lingering; /* from then on, until the application has left it */
    uint64_t started_ms;
    bool is_head_sent;
    struct fe_timer deadline;
    struct fe_list children;                  /* calls that were made on behalf of this request */
    struct fe_arena trailer_arena;            /* for what comes behind the request's body */
    struct fe_received_head request_trailers; /* written before the body is complete */
};

/* ---- cancel.c ---- */

void fe_context_on_deadline(struct fe_timer *timer);

/* Starts the clock of a request that says how long its sender waits. FLATEND_ENOMEM. */
int fe_context_start_deadline(struct flatend_context *ctx) FE_MUST_USE;

/* The request is over, for whatever reason: what was called on its behalf is not needed either. */
void fe_context_cancel_children(struct flatend_context *ctx);

/* What the requester is told of a code. */
enum fe_reason fe_context_reason(int code);

/* ---- contexts.c ---- */

/* A context for the request; NULL: out of memory. */
struct flatend_context *fe_context_new(struct flatend_node *node, struct fe_service *service,
                                       const struct fe_peer *peer, struct fe_headers headers);

/* Nobody has it any more. */
void fe_context_release(struct flatend_context *ctx);

/* The node closes, and the application has not finished the request: it may still do so. False: it
 * has finished it, by a task that is under way. */
bool fe_context_abandon(struct flatend_context *ctx);

/* The last of the application has left one that is abandoned. Any thread. */
void fe_context_discard(struct flatend_context *ctx);

/* ---- sending.c ---- */

/* Does what was commanded so far, and frees the context when the application has left it and
 * everything is sent. */
void fe_context_pump(struct flatend_context *ctx, unsigned commands);
void fe_context_on_task(struct fe_task *task);

/* The requester sees a failure, and not a short body; the application learns `code`. */
void fe_context_give_up(struct flatend_context *ctx, int code);

/* ---- serve.c ---- */

void fe_context_run_job(struct fe_job *job);

/* Gives the request up because its time is up: one that has not started is gone then. */
void fe_context_time_out(struct flatend_context *ctx);

/* ---- context.c ---- */

/* 0, or why nothing can be done with the request: there is none, or this process was forked by a
 * handler, and it is the parent's. */
int fe_context_check_call(const struct flatend_context *ctx);

/* Whether reads and writes wait. Else they say FLATEND_EAGAIN, or what is written waits until an
 * inline handler returns. */
static inline bool fe_context_waits(const struct flatend_context *ctx)
{
    return !ctx->is_kept && !ctx->service->is_inline;
}

/* Whether these bytes may be written: 0, and the head is as it will be sent from then on. */
int fe_context_begin_write(struct flatend_context *ctx, const void *data, size_t len) FE_MUST_USE;
int fe_context_write_body(struct flatend_context *ctx, const void *data, size_t len) FE_MUST_USE;

/* Calls the handler. Returns what is to be commanded besides what it has written. */
unsigned fe_context_run(struct flatend_context *ctx);

/* How an error is told. */
enum { FE_ERROR_FORM_MAX = 128 }; /* bytes besides the message */
struct fe_error_form {
    const char *type; /* its content-type */
    /* Writes it, without a NUL: FE_ERROR_FORM_MAX and FE_JSON_ESCAPED_MAX for each byte of
     * `message` are there. Returns how much. */
    size_t (*format)(char *out, int status, const char *message);
};

/* flatend_context_fail, in any form. */
int fe_context_fail(struct flatend_context *ctx, int status, const struct fe_error_form *form,
                    const char *format, va_list args) FLATEND_PRINTF(4, 0);

/* The whole response: nothing may follow, and a request that is kept is gone. Not so after
 * FLATEND_ESTATE, FLATEND_EINVAL (no status), FLATEND_ETOOBIG: nothing has been sent. After any
 * other code the request is reset. */
int fe_context_respond(struct flatend_context *ctx, int status, const char *type,
                       struct fe_view body) FE_MUST_USE;

/* A holder leaves, and commands something. `ends`: it was the one that had kept it. */
void fe_context_leave(struct flatend_context *ctx, unsigned commands, bool ends);

/* The same of the one that has written all: 0, or why it is not to be taken for the whole, and the
 * request is reset: it is gone, or there was no memory for a piece of its body. */
int fe_context_end(struct flatend_context *ctx, unsigned commands);

#endif
