/* Calling services: the owner's side of a call. */
#include <limits.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/node/context.h"
#include "mesh/node/outgoing.h"
#include "mesh/node/read_all.h"
#include "mesh/node/request_check.h"

/* A copy of a string in the arena; an empty view: out of memory. */
static struct fe_view copy(struct fe_arena *arena, struct fe_view text)
{
    const char *bytes = fe_arena_copy(arena, text);

    return bytes != NULL ? fe_view_of(bytes, text.len) : (struct fe_view){0};
}

static int copy_services(struct flatend_stream *stream, const struct flatend_request *request)
{
    struct fe_view *services =
        fe_arena_alloc(&stream->arena, request->n_services * sizeof(*services));

    if (services == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < request->n_services; i++) {
        services[i] = copy(&stream->arena, fe_view_str(request->services[i]));
        if (services[i].ptr == NULL) {
            return FLATEND_ENOMEM;
        }
    }
    stream->request.services = services;
    stream->request.n_services = request->n_services;
    return 0;
}

/* docs/PROTOCOL.md §2.4: how long the requester waits, for the provider. */
static int add_timeout(struct flatend_stream *stream, struct fe_header *header)
{
    const char *text = fe_arena_printf(&stream->arena, "%u", stream->timeout_ms);

    if (text == NULL) {
        return FLATEND_ENOMEM;
    }
    *header = (struct fe_header){FE_VIEW_LIT("timeout-ms"), fe_view_str(text)};
    stream->request.n_headers++;
    return 0;
}

static int copy_headers(struct flatend_stream *stream, const struct flatend_request *request)
{
    struct fe_header *headers =
        fe_arena_alloc(&stream->arena, (request->n_headers + 1) * sizeof(*headers));

    if (headers == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct flatend_header *header = &request->headers[i];
        struct fe_view name = fe_view_str(header->name);

        headers[i].name =
            (struct fe_view){(const uint8_t *)fe_head_copy_name(&stream->arena, name), name.len};
        headers[i].value = copy(&stream->arena, fe_view_of(header->value, header->value_len));
        if (headers[i].name.ptr == NULL || headers[i].value.ptr == NULL) {
            return FLATEND_ENOMEM;
        }
    }
    stream->request.headers = headers;
    stream->request.n_headers = request->n_headers;
    return stream->timeout_ms > 0 ? add_timeout(stream, &headers[request->n_headers]) : 0;
}

/* As much of the body as may wait goes along with the request; all of it if its owner does not
 * wait, or reads meanwhile. Returns how much. */
static ssize_t preload(struct flatend_stream *stream, const struct flatend_request *request,
                       bool takes_all)
{
    bool is_bounded = !takes_all && !stream->is_async;
    size_t n = is_bounded && request->body_len > FE_HANDOFF_OUT_MAX ? FE_HANDOFF_OUT_MAX
                                                                    : request->body_len;

    FE_ASSERT(stream->io.n_unsent == 0, "a call begins with its preload");
    if (n > 0 && fe_handoff_load_out(&stream->io, request->body, n) != 0) {
        return FLATEND_ENOMEM;
    }
    stream->io.commands = FE_HANDOFF_SEND_HEAD;
    if (request->body != NULL && n == request->body_len) {
        stream->io.commands |= FE_HANDOFF_FINISH;
    }
    return (ssize_t)n;
}

/* At most what is left to the request on whose behalf it is; one whose time is up has 1 ms. */
static unsigned timeout_of(const struct flatend_request *request)
{
    unsigned left =
        request->parent != NULL ? flatend_context_remaining_ms(request->parent) : UINT_MAX;

    if (left == UINT_MAX || (request->timeout_ms > 0 && request->timeout_ms < left)) {
        return request->timeout_ms;
    }
    return left > 0 ? left : 1;
}

static struct flatend_stream *stream_new(struct flatend_node *node,
                                         const struct flatend_request *request)
{
    struct flatend_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        return NULL;
    }
    if (fe_handoff_init(&stream->io, &node->handoffs, fe_outgoing_on_task) != 0) {
        free(stream);
        return NULL;
    }
    stream->node = node;
    stream->guard = fe_fork_guard_ref(node->guard);
    stream->parent = request->parent;
    stream->timeout_ms = timeout_of(request);
    stream->request.provider = request->provider;
    stream->is_async = request->queue != NULL;
    stream->is_body_complete = request->body != NULL;
    stream->io.events.node = node;
    stream->io.events.stream = stream;
    fe_arena_init_small(&stream->arena, 0);
    fe_arena_init_small(&stream->trailer_arena, 0);
    fe_response_head_init(&stream->trailers, &stream->trailer_arena, FE_HEAD_MAX);
    fe_buf_init(&stream->body, 0);
    fe_list_init(&stream->link);
    fe_list_init(&stream->sibling);
    if (copy_services(stream, request) != 0 || copy_headers(stream, request) != 0) {
        fe_outgoing_free(stream);
        return NULL;
    }
    return stream;
}

/* Sends the stream to the node's thread and, unless its owner does not wait, waits for it to begin.
 */
static int start(struct flatend_stream *stream, const struct flatend_request *request)
{
    int code;

    if (stream->is_async) {
        fe_event_source_attach(&stream->io.events, request->queue, request->arg);
        if (stream->parent != NULL) {
            fe_handoff_hold(&stream->parent->io);
        }
    }
    stream->io.is_posted = true;
    code = fe_node_post(stream->node, &stream->io.task);
    if (code != 0) {
        stream->io.is_posted = false; /* and never will be */
        fe_outgoing_forget_parent(stream);
        return code;
    }
    if (stream->is_async) {
        return 0;
    }
    fe_mutex_lock(&stream->io.lock);
    while (!stream->is_started) {
        fe_cond_wait(&stream->io.changed, &stream->io.lock);
    }
    code = stream->start_code;
    fe_mutex_unlock(&stream->io.lock);
    return code;
}

/* The rest of a body that did not fit. Should the provider be gone, the response says so. */
static int write_rest(struct flatend_stream *stream, const struct flatend_request *request,
                      size_t n_sent)
{
    const uint8_t *body = request->body;
    int code;

    if (n_sent == request->body_len) {
        return 0;
    }
    code = fe_handoff_write(&stream->io, body + n_sent, request->body_len - n_sent);
    if (code == FLATEND_ENOMEM) {
        return code;
    }
    fe_handoff_command(&stream->io, FE_HANDOFF_FINISH);
    return 0;
}

/* Nodes without a key are connected to nodes that they have dialed, and to no others: what such a
 * node provides may be there, but out of reach. */
static const char *hint(const struct flatend_node *node, int code)
{
    if (code != FLATEND_ENOPROVIDER) {
        return "";
    }
    return node->settings.is_anonymous
               ? " among its peers (one without a key is out of reach: this node has none either)"
               : " among its peers (one without a key has to dial this node)";
}

int fe_push_fail(const struct flatend_node *node, const struct flatend_request *request, int code,
                 struct flatend_error *error)
{
    return fe_err_set(error, code, "service '%.100s': %s%s", request->services[0],
                      flatend_strerror(code), hint(node, code));
}

/* What belongs to a request is ended on the thread of its own node. */
static int check_request(const struct flatend_node *node, const struct flatend_request *request,
                         struct flatend_error *error)
{
    const int code = fe_request_check(request, error);

    if (code == 0 && request->parent != NULL && request->parent->node != node) {
        return fe_err_set(error, FLATEND_EINVAL, "service '%.100s': parent: another node's request",
                          request->services[0]);
    }
    return code;
}

int fe_push(struct flatend_node *node, const struct flatend_request *request, bool takes_all,
            struct flatend_stream **out, struct flatend_error *error)
{
    struct flatend_stream *stream;
    ssize_t n;
    int code = out != NULL ? fe_node_check_call(node) : FLATEND_EINVAL;

    if (out != NULL) {
        *out = NULL;
    }
    if (code != 0) {
        return fe_err_code(error, code);
    }
    code = check_request(node, request, error);
    if (code != 0) {
        return code;
    }
    if (request->queue == NULL && fe_node_is_own_thread(node)) {
        return fe_push_fail(node, request, FLATEND_ESTATE, error);
    }
    code = fe_queue_bind(request->queue, node->guard);
    if (code != 0) {
        return fe_push_fail(node, request, code, error);
    }
    stream = stream_new(node, request);
    if (stream == NULL) {
        return fe_push_fail(node, request, FLATEND_ENOMEM, error);
    }
    n = preload(stream, request, takes_all);
    code = n < 0 ? (int)n : start(stream, request);
    if (code != 0) {
        fe_outgoing_free(stream);
        return fe_push_fail(node, request, code, error);
    }
    code = write_rest(stream, request, (size_t)n);
    if (code != 0) {
        flatend_stream_close(stream);
        return fe_push_fail(node, request, code, error);
    }
    *out = stream;
    return 0;
}

int flatend_push(struct flatend_node *node, const struct flatend_request *request,
                 struct flatend_stream **out, struct flatend_error *error)
{
    return fe_push(node, request, false, out, error);
}

int fe_outgoing_check_call(const struct flatend_stream *stream)
{
    if (stream == NULL) {
        return FLATEND_EINVAL;
    }
    return fe_fork_guard_is_child(stream->guard) ? FLATEND_ESTATE : 0;
}

int fe_outgoing_begin_write(struct flatend_stream *stream, const void *data, size_t len)
{
    int code = fe_outgoing_check_call(stream);

    if (code == 0 && data == NULL && len > 0) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    return stream->is_body_complete ? FLATEND_ESTATE : 0;
}

int flatend_stream_write(struct flatend_stream *stream, const void *data, size_t len)
{
    int code = fe_outgoing_begin_write(stream, data, len);

    if (code != 0 || len == 0) {
        return code;
    }
    return stream->is_async ? fe_handoff_try_write(&stream->io, data, len)
                            : fe_handoff_write(&stream->io, data, len);
}

int flatend_stream_add_trailer(struct flatend_stream *stream, const char *name, const char *value)
{
    int code = fe_outgoing_check_call(stream);

    if (code != 0) {
        return code;
    }
    return stream->is_body_complete ? FLATEND_ESTATE
                                    : fe_response_head_add(&stream->trailers, name, value);
}

int flatend_stream_finish(struct flatend_stream *stream)
{
    int code = fe_outgoing_check_call(stream);

    if (code != 0) {
        return code;
    }
    stream->is_body_complete = true;
    fe_handoff_command(&stream->io, FE_HANDOFF_FINISH);
    return 0;
}

int flatend_stream_response(struct flatend_stream *stream, int *status,
                            const struct flatend_header **headers, size_t *n_headers)
{
    struct fe_handoff *io;
    int code = fe_outgoing_check_call(stream);

    if (code != 0) {
        return code;
    }
    io = &stream->io;
    fe_mutex_lock(&io->lock);
    while (code == 0 && !stream->has_response && io->code == 0) {
        code = stream->is_async ? FLATEND_EAGAIN : fe_handoff_wait(io);
    }
    if (!stream->has_response && io->code != 0) {
        code = io->code;
    }
    fe_mutex_unlock(&io->lock);
    if (code != 0) {
        return code;
    }
    if (status != NULL) {
        *status = fe_received_head_status(&stream->response);
    }
    if (headers != NULL) {
        *headers = stream->response.headers;
    }
    if (n_headers != NULL) {
        *n_headers = stream->response.n;
    }
    return 0;
}

ssize_t flatend_stream_read(struct flatend_stream *stream, void *buf, size_t cap)
{
    int code = fe_outgoing_check_call(stream);

    if (code == 0 && buf == NULL) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    return stream->is_async ? fe_handoff_try_read(&stream->io, buf, cap)
                            : fe_handoff_read(&stream->io, buf, cap);
}

const struct flatend_header *flatend_stream_trailers(struct flatend_stream *stream, size_t *n)
{
    bool is_complete;

    if (n == NULL) {
        return NULL;
    }
    is_complete = fe_outgoing_check_call(stream) == 0 && fe_handoff_is_read(&stream->io);
    *n = is_complete ? stream->response_trailers.n : 0;
    return is_complete ? stream->response_trailers.headers : NULL;
}

void flatend_stream_close(struct flatend_stream *stream)
{
    if (fe_outgoing_check_call(stream) == 0 && !fe_handoff_leave(&stream->io, 0, true)) {
        fe_outgoing_free(stream);
    }
}

static ssize_t read_stream(void *stream, void *buf, size_t cap)
{
    return flatend_stream_read(stream, buf, cap);
}

int flatend_stream_read_all(struct flatend_stream *stream, size_t limit, const char **data,
                            size_t *len)
{
    int code = fe_outgoing_check_call(stream);

    if (code == 0 && (data == NULL || len == NULL)) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    return fe_read_all(&stream->body, read_stream, stream, limit, data, len);
}
