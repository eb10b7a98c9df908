/* Looking into a node.
 *
 * Happy path: a task to the node's thread, which fills the snapshot; the same task goes back to the
 * asker's worker, or the asker's thread is woken.
 *
 * Failure modes: no memory: the asker learns that in place of a snapshot. The node closes: whatever
 * was posted before is answered before it has closed (close.c), and later questions are refused. */
#include "mesh/node/inspect.h"

#include <stdlib.h>

#include "mesh/node/context.h"
#include "mesh/node/sync_task.h"

/* ---- the snapshot ---- */

static struct fe_node_snapshot *snapshot_new(void)
{
    struct fe_node_snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (snapshot != NULL) {
        fe_arena_init(&snapshot->arena, 0);
    }
    return snapshot;
}

void fe_node_snapshot_free(struct fe_node_snapshot *snapshot)
{
    if (snapshot != NULL) {
        fe_arena_deinit(&snapshot->arena);
        free(snapshot);
    }
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

/* NULL stays NULL. False: out of memory. */
static bool copy_text(struct fe_arena *arena, struct fe_view text, size_t max, const char **copy)
{
    if (text.ptr == NULL) {
        return true;
    }
    *copy = fe_arena_copy(arena, fe_view_of(text.ptr, at_most(text.len, max)));
    return *copy != NULL;
}

/* ---- requests that are served ---- */

static void describe_stream(const struct fe_stream *stream, struct fe_request_info *row)
{
    const struct fe_peer *peer = fe_stream_peer(stream);

    (void)fe_mesh_peer_name(peer, row->peer);
    row->peer_handle = peer->handle;
    row->bytes_received = fe_stream_n_received(stream);
    row->bytes_sent = fe_stream_n_sent(stream);
}

static struct fe_view received(const struct flatend_context *ctx, const char *name)
{
    const struct flatend_header *header = fe_received_head_find(&ctx->request, name);

    if (header == NULL) {
        return (struct fe_view){0};
    }
    return fe_view_of(header->value, header->value_len);
}

static enum fe_request_state state_of(const struct flatend_context *ctx)
{
    if (ctx->stream == NULL) {
        return FE_REQUEST_ABANDONED;
    }
    return ctx->is_head_sent ? FE_REQUEST_RESPONDING : FE_REQUEST_WAITING;
}

static bool describe_context(const struct flatend_context *ctx, uint64_t now_ms,
                             struct fe_arena *arena, struct fe_request_info *row)
{
    *row = (struct fe_request_info){.state = state_of(ctx), .age_ms = now_ms - ctx->started_ms};
    if (ctx->stream != NULL) {
        describe_stream(ctx->stream, row);
    }
    return copy_text(arena, ctx->service->by_name.key, FE_SERVICE_NAME_MAX, &row->service) &&
           copy_text(arena, received(ctx, ":method"), FE_INSPECT_METHOD_MAX, &row->method) &&
           copy_text(arena, received(ctx, ":path"), FE_INSPECT_PATH_MAX, &row->path);
}

/* ---- requests that were made ---- */

static struct fe_view sent(const struct fe_call_request *request, struct fe_view name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (fe_view_equal(request->headers[i].name, name)) {
            return request->headers[i].value;
        }
    }
    return (struct fe_view){0};
}

static bool describe_call(const struct fe_call *call, uint64_t now_ms, struct fe_arena *arena,
                          struct fe_request_info *row)
{
    const struct fe_call_request *request = &call->request;
    struct fe_view service = request->n_services > 0 ? request->services[0] : (struct fe_view){0};

    *row = (struct fe_request_info){
        .is_outgoing = true,
        .state = call->state == FE_CALL_WAITING ? FE_REQUEST_WAITING : FE_REQUEST_RESPONDING,
        .age_ms = now_ms - request->started_ms,
    };
    if (call->stream != NULL) {
        describe_stream(call->stream, row);
    }
    return copy_text(arena, service, FE_SERVICE_NAME_MAX, &row->service) &&
           copy_text(arena, sent(request, FE_VIEW_LIT(":method")), FE_INSPECT_METHOD_MAX,
                     &row->method) &&
           copy_text(arena, sent(request, FE_VIEW_LIT(":path")), FE_INSPECT_PATH_MAX, &row->path);
}

/* ---- filling ---- */

static int list_requests(struct flatend_node *node, struct fe_node_snapshot *snapshot)
{
    struct fe_registry *registry = fe_mesh_registry(node->mesh);
    size_t n_served = at_most(node->n_contexts, FE_INSPECT_REQUESTS_MAX);
    size_t n_made = at_most(registry->n_calls, FE_INSPECT_REQUESTS_MAX);
    uint64_t now_ms = fe_worker_now(node->worker);

    snapshot->requests =
        fe_arena_alloc(&snapshot->arena, (n_served + n_made + 1) * sizeof(*snapshot->requests));
    if (snapshot->requests == NULL) {
        return FLATEND_ENOMEM;
    }
    FE_LIST_FOREACH (link, next, &node->contexts) {
        const struct flatend_context *ctx = FE_CONTAINER_OF(link, struct flatend_context, link);

        if (snapshot->n_requests == n_served) {
            break;
        }
        if (!describe_context(ctx, now_ms, &snapshot->arena,
                              &snapshot->requests[snapshot->n_requests++])) {
            return FLATEND_ENOMEM;
        }
    }
    FE_LIST_FOREACH (link, next, &registry->calls) {
        const struct fe_call *call = FE_CONTAINER_OF(link, struct fe_call, link);

        if (snapshot->n_requests == n_served + n_made) {
            break;
        }
        if (!describe_call(call, now_ms, &snapshot->arena,
                           &snapshot->requests[snapshot->n_requests++])) {
            return FLATEND_ENOMEM;
        }
    }
    return 0;
}

void fe_node_copy_stats(struct flatend_node *node, struct fe_node_stats *stats)
{
    fe_mesh_copy_stats(node->mesh, stats);
    stats->requests = node->n_contexts;
}

/* On the node's thread. */
static int fill(struct flatend_node *node, unsigned what, struct fe_node_snapshot *snapshot)
{
    int code = 0;

    fe_node_copy_stats(node, &snapshot->stats);
    if ((what & FE_INSPECT_PEERS) != 0) {
        code =
            fe_mesh_list_peers(node->mesh, &snapshot->arena, &snapshot->peers, &snapshot->n_peers);
    }
    if (code == 0 && (what & FE_INSPECT_REQUESTS) != 0) {
        code = list_requests(node, snapshot);
    }
    return code;
}

/* ---- asking ---- */

struct question {
    struct fe_task task; /* there and back */
    struct flatend_node *node;
    unsigned what;
    struct fe_worker *worker;
    void (*on_done)(void *arg, int code, struct fe_node_snapshot *snapshot);
    void *arg;
    int code;
    struct fe_node_snapshot *snapshot;
};

static void on_answer(struct fe_task *task)
{
    const struct question question = *FE_CONTAINER_OF(task, struct question, task);

    free(FE_CONTAINER_OF(task, struct question, task));
    question.on_done(question.arg, question.code, question.snapshot);
}

static void on_question(struct fe_task *task)
{
    struct question *question = FE_CONTAINER_OF(task, struct question, task);

    question->code = fill(question->node, question->what, question->snapshot);
    if (question->code != 0) {
        fe_node_snapshot_free(question->snapshot);
        question->snapshot = NULL;
    }
    fe_task_init(&question->task, on_answer);
    fe_task_post(question->worker, &question->task);
}

int fe_node_inspect(struct flatend_node *node, unsigned what, struct fe_worker *worker,
                    void (*on_done)(void *arg, int code, struct fe_node_snapshot *snapshot),
                    void *arg)
{
    struct question *question = malloc(sizeof(*question));
    int code = FLATEND_ENOMEM;

    if (question == NULL) {
        return FLATEND_ENOMEM;
    }
    *question = (struct question){
        .node = node,
        .what = what,
        .worker = worker,
        .on_done = on_done,
        .arg = arg,
        .snapshot = snapshot_new(),
    };
    fe_task_init(&question->task, on_question);
    if (question->snapshot != NULL) {
        code = fe_node_post(node, &question->task);
    }
    if (code != 0) {
        fe_node_snapshot_free(question->snapshot);
        free(question);
    }
    return code;
}

struct waiting {
    struct fe_sync_task sync_task;
    struct flatend_node *node;
    unsigned what;
    int code;
    struct fe_node_snapshot *snapshot;
};

static void run_waiting(struct fe_sync_task *sync_task)
{
    struct waiting *waiting = FE_CONTAINER_OF(sync_task, struct waiting, sync_task);

    waiting->code = fill(waiting->node, waiting->what, waiting->snapshot);
}

int fe_node_inspect_wait(struct flatend_node *node, unsigned what,
                         struct fe_node_snapshot **snapshot)
{
    struct waiting waiting = {
        .sync_task.run = run_waiting, .node = node, .what = what, .snapshot = snapshot_new()};
    int code;

    *snapshot = NULL;
    if (waiting.snapshot == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_node_run(node, &waiting.sync_task);
    if (code == 0) {
        code = waiting.code;
    }
    if (code != 0) {
        fe_node_snapshot_free(waiting.snapshot);
        return code;
    }
    *snapshot = waiting.snapshot;
    return 0;
}
