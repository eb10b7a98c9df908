/* The node's side of a call.
 *
 * Happy path: the first task starts the call and sends what its owner has written so far; later
 * ones bring more. The response is handed over as it comes. The last task says that the owner has
 * left.
 *
 * Failure modes: the call cannot be started: the owner gets the code, and frees the stream. The
 * provider is lost: the waiting thread gets the code. The node closes: the call is canceled and
 * detached. */
#include "mesh/node/outgoing.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/node/context.h"

void fe_outgoing_free(struct flatend_stream *stream)
{
    fe_handoff_deinit(&stream->io);
    fe_buf_deinit(&stream->body);
    fe_arena_deinit(&stream->arena);
    fe_arena_deinit(&stream->trailer_arena);
    fe_fork_guard_unref(stream->guard);
    free(stream);
}

/* The call has ended, in whatever way. */
static void set_over(struct flatend_stream *stream)
{
    FE_ASSERT(stream->state == FE_OUTGOING_RUNNING && stream->node->n_calls > 0,
              "a call ends once");
    stream->state = FE_OUTGOING_OVER;
    fe_list_remove(&stream->sibling);
    stream->node->n_calls--;
    FE_CHECK(fe_node_check(stream->node));
    fe_node_check_drained(stream->node);
}

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    struct flatend_stream *stream = call->owner;
    int code = fe_received_head_init(&stream->response, &stream->arena, headers);

    if (code != 0) {
        fe_handoff_on_reset(&stream->io, code);
        return;
    }
    fe_mutex_lock(&stream->io.lock);
    FE_ASSERT(!stream->has_response, "a response has one head");
    stream->has_response = true;
    fe_handoff_wake(&stream->io);
    fe_mutex_unlock(&stream->io.lock);
    fe_handoff_post(&stream->io, FLATEND_EVENT_RESPONSE);
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    struct flatend_stream *stream = call->owner;

    return fe_handoff_on_data(&stream->io, data);
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    struct flatend_stream *stream = call->owner;
    int code = fe_received_head_init(&stream->response_trailers, &stream->arena, trailers);

    if (code != 0) {
        fe_handoff_on_reset(&stream->io, code);
    }
    fe_handoff_on_end(&stream->io);
    fe_handoff_discard(&stream->io);
    if (code == 0) {
        if (trailers.n > 0) {
            fe_handoff_post(&stream->io, FLATEND_EVENT_TRAILERS);
        }
        fe_handoff_post(&stream->io, FLATEND_EVENT_END);
    }
    set_over(stream);
}

static void on_reset(struct fe_call *call, int code)
{
    struct flatend_stream *stream = call->owner;

    fe_handoff_on_reset(&stream->io, code);
    set_over(stream);
}

static ssize_t write_call(void *call, struct fe_view data)
{
    return fe_call_write(call, data);
}

/* Sends what the owner has written, and the end once it has said so. */
static void pump(struct flatend_stream *stream, unsigned commands)
{
    int code;

    if (stream->state != FE_OUTGOING_RUNNING) {
        return;
    }
    code = fe_handoff_send(&stream->io, write_call, &stream->call);
    if (code == 0 && (commands & FE_HANDOFF_FINISH) != 0 && stream->io.sending.len == 0 &&
        !stream->is_finished) {
        stream->is_finished = true;
        code = fe_call_finish(&stream->call, stream->trailers.headers, stream->trailers.n);
    }
    if (code != 0) {
        fe_call_reset(&stream->call, FE_REASON_CANCEL);
        fe_handoff_on_reset(&stream->io, code);
        set_over(stream);
    }
    FE_CHECK(fe_handoff_check(&stream->io));
}

static void on_writable(struct fe_call *call)
{
    struct flatend_stream *stream = call->owner;

    pump(stream, fe_handoff_collect(&stream->io));
}

static const struct fe_call_ops call_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_reset = on_reset,
};

/* Reports the code to the owner, which frees the stream if it is not zero and was waited for. */
static void set_started(struct flatend_stream *stream, int code)
{
    if (stream->is_async) {
        if (code != 0) {
            fe_list_push_back(&stream->node->calls, &stream->link); /* to be detached */
            fe_handoff_on_reset(&stream->io, code);
        }
        return;
    }
    fe_mutex_lock(&stream->io.lock);
    FE_ASSERT(!stream->is_started, "a call is started once");
    stream->is_started = true;
    stream->start_code = code;
    fe_handoff_wake(&stream->io);
    fe_mutex_unlock(&stream->io.lock);
}

/* Whether the request on whose behalf this is is over already. It is there: its handler waits in
 * flatend_push, or it is held. */
static int parent_code(const struct flatend_stream *stream)
{
    return stream->parent != NULL && flatend_context_is_canceled(stream->parent) ? FLATEND_ECANCELED
                                                                                 : 0;
}

void fe_outgoing_forget_parent(struct flatend_stream *stream)
{
    if (stream->is_async && stream->parent != NULL) {
        fe_context_leave(stream->parent, 0, false);
    }
    stream->parent = NULL;
}

static void start_call(struct flatend_stream *stream, unsigned commands)
{
    struct flatend_node *node = stream->node;
    struct fe_worker *worker = node->worker;
    const struct fe_call_env env = {fe_mesh_registry(node->mesh), fe_worker_timers(worker),
                                    fe_worker_pool(worker)};
    uint64_t now_ms = fe_worker_now(worker);
    int code;

    stream->request.started_ms = now_ms;
    stream->request.deadline_ms =
        stream->timeout_ms > 0 ? now_ms + stream->timeout_ms : FE_TIME_NEVER;
    code = parent_code(stream);
    if (code == 0) {
        code = fe_call_start(&stream->call, &env, &stream->request, &call_ops, stream);
    }
    if (code == 0) {
        stream->state = FE_OUTGOING_RUNNING;
        node->n_calls++;
        fe_list_push_back(&node->calls, &stream->link);
        if (stream->parent != NULL) {
            fe_list_push_back(&stream->parent->children, &stream->sibling);
        }
        pump(stream, commands);
    } else {
        stream->state = FE_OUTGOING_OVER;
    }
    fe_outgoing_forget_parent(stream);
    set_started(stream, code);
}

static void leave(struct flatend_stream *stream)
{
    fe_list_remove(&stream->link);
    if (stream->state == FE_OUTGOING_RUNNING) {
        fe_call_reset(&stream->call, FE_REASON_CANCEL);
        set_over(stream);
    }
    fe_outgoing_free(stream);
}

void fe_outgoing_cancel(struct flatend_stream *stream)
{
    if (stream->state == FE_OUTGOING_RUNNING) {
        fe_call_reset(&stream->call, FE_REASON_CANCEL);
        fe_handoff_on_reset(&stream->io, FLATEND_ECANCELED);
        set_over(stream);
    }
}

void fe_outgoing_on_task(struct fe_task *task)
{
    struct flatend_stream *stream = FE_CONTAINER_OF(task, struct flatend_stream, io.task);
    unsigned commands = fe_handoff_receive(&stream->io);

    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        fe_outgoing_forget_parent(stream); /* of a call that has not begun */
        leave(stream);
    } else if ((commands & FE_HANDOFF_SEND_HEAD) == 0) {
        return;
    } else if (stream->state == FE_OUTGOING_NEW) {
        start_call(stream, commands);
    } else {
        if (stream->state == FE_OUTGOING_RUNNING && (commands & FE_HANDOFF_RESUME) != 0) {
            fe_call_resume(&stream->call);
        }
        pump(stream, commands);
    }
}

void fe_node_cancel_calls(struct flatend_node *node)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&node->calls)) != NULL) {
        struct flatend_stream *stream = FE_CONTAINER_OF(link, struct flatend_stream, link);

        if (stream->state == FE_OUTGOING_RUNNING) {
            fe_call_reset(&stream->call, FE_REASON_CANCEL);
            set_over(stream);
        }
        (void)fe_handoff_detach(&stream->io); /* or its owner has left, by task */
    }
}
