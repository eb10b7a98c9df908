/* The life of an edge worker.
 *
 * Happy path: sockets come from its own acceptor, or by task; by task comes the request to drain,
 * too, to a further edge worker; when the last client has gone, and the last crossing come back,
 * the thread is ended. Tasks come in the order in which they were posted, so no socket is on its
 * way to an edge worker that drains.
 *
 * Failure modes: no thread, no loop: the edge worker is not there. No memory to hand a socket over:
 * it is closed. */
#include "gateway/edge/edge_worker.h"

#include <stdlib.h>

#include "gateway/certs/https.h"
#include "ground/base/assert.h"
#include "ground/os/fd.h"

static bool is_first(const struct fe_edge_worker *edge)
{
    return edge->worker == edge->setup.main_worker;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* On the gateway's thread. */
static void on_ended(void *arg)
{
    struct fe_edge_worker *const edge = arg;

    FE_ASSERT(!edge->has_ended && edge->is_empty, "a worker ends once, when it is empty");
    edge->has_ended = true;
    edge->setup.on_closed(edge->setup.closed_arg);
}

static void finish_if_empty(struct fe_edge_worker *edge)
{
    if (!edge->is_draining || edge->n_open > 0 || edge->channel.n_crossings > 0 || edge->is_empty) {
        return;
    }
    edge->is_empty = true;
    if (is_first(edge)) {
        on_ended(edge);
    } else {
        fe_worker_thread_finish(&edge->worker_thread);
    }
}

static void on_no_crossings(void *arg)
{
    finish_if_empty(arg);
}

static void on_listener_closed(void *arg)
{
    struct fe_edge_worker *const edge = arg;

    FE_ASSERT(edge->is_draining && edge->n_open > 0, "a listener closes once, by draining");
    if (--edge->n_open == 0 && !is_first(edge)) {
        fe_crossing_channel_abort(&edge->channel); /* their clients are gone */
    }
    finish_if_empty(edge);
}

static void drain(struct fe_edge_worker *edge)
{
    FE_ASSERT(!edge->is_draining, "a worker drains once");
    edge->is_draining = true;
    for (size_t i = 0; i < edge->setup.config->n_http; i++) {
        fe_http_listener_drain(&edge->listeners[i]);
    }
    finish_if_empty(edge); /* there may be no [[http]] */
}

static void abort_all(struct fe_edge_worker *edge)
{
    for (size_t i = 0; i < edge->setup.config->n_http; i++) {
        fe_http_listener_abort(&edge->listeners[i]);
    }
}

static void on_drain_task(struct fe_task *task)
{
    drain(FE_CONTAINER_OF(task, struct fe_edge_worker, drain_task));
}

static void on_abort_task(struct fe_task *task)
{
    abort_all(FE_CONTAINER_OF(task, struct fe_edge_worker, abort_task));
}

void fe_edge_worker_drain(struct fe_edge_worker *edge)
{
    if (is_first(edge)) {
        drain(edge);
    } else {
        fe_task_post(edge->worker, &edge->drain_task);
    }
}

void fe_edge_worker_abort(struct fe_edge_worker *edge)
{
    if (edge->has_ended) {
        return;
    }
    if (is_first(edge)) {
        abort_all(edge);
    } else if (!edge->is_aborted) {
        edge->is_aborted = true;
        fe_task_post(edge->worker, &edge->abort_task);
    }
}

/* ---- the start ------------------------------------------------------------------------------ */

/* The mesh is on the first worker. */
static const struct fe_backend *services_of(const struct fe_edge_worker *edge)
{
    return is_first(edge) ? edge->setup.services : &edge->crossing.backend;
}

static uint64_t now_ms(void *worker)
{
    return fe_worker_now(worker);
}

static int init_listeners(struct fe_edge_worker *edge)
{
    const struct fe_config *const config = edge->setup.config;
    struct fe_snapshot *const snapshot = fe_snapshot_new(edge->setup.config);

    if (snapshot == NULL) {
        return FLATEND_ENOMEM;
    }
    edge->listeners = calloc(config->n_http + 1, sizeof(*edge->listeners));
    if (edge->listeners == NULL) {
        fe_snapshot_unref(snapshot);
        return FLATEND_ENOMEM;
    }
    edge->files = fe_files_backend(edge->setup.descriptors, now_ms, edge->worker);
    fe_snapshot_set_backends(snapshot, services_of(edge), &edge->files.backend);
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_http_listener_setup setup = {
            .snapshot = snapshot,
            .http = i,
            .worker = edge->worker,
            .store = edge->setup.https[i].store,
            .answers = edge->setup.answers,
            .log = edge->setup.log,
            .has_tunnels = edge->setup.has_tunnels,
            .load = &edge->load,
            .stats = &edge->stats,
            .on_closed = on_listener_closed,
            .closed_arg = edge,
        };

        fe_http_listener_init(&edge->listeners[i], &setup);
        edge->n_open++;
    }
    fe_snapshot_unref(snapshot); /* it is the listeners' */
    return 0;
}

static void free_listeners(struct fe_edge_worker *edge)
{
    for (size_t i = 0; edge->listeners != NULL && i < edge->setup.config->n_http; i++) {
        fe_http_listener_deinit(&edge->listeners[i]);
    }
    free(edge->listeners);
}

/* From here on the edge worker is its thread's. */
static int start(struct fe_edge_worker *edge)
{
    edge->channel = (struct fe_crossing_channel){
        .near = fe_crossing_executor_of(edge->worker),
        .far = fe_crossing_executor_of(edge->setup.main_worker),
        .backend = edge->setup.services,
        .on_empty = on_no_crossings,
        .arg = edge,
    };
    fe_list_init(&edge->channel.unread);
    edge->crossing = fe_crossing_backend(&edge->channel);
    fe_task_init(&edge->drain_task, on_drain_task);
    fe_task_init(&edge->abort_task, on_abort_task);
    return fe_worker_thread_start(&edge->worker_thread);
}

static void init(struct fe_edge_worker *edge, const struct fe_edge_worker_setup *setup)
{
    *edge = (struct fe_edge_worker){.setup = *setup, .worker = setup->main_worker};
    atomic_init(&edge->load, 0);
}

int fe_edge_worker_open_main(struct fe_edge_worker *edge, const struct fe_edge_worker_setup *setup)
{
    init(edge, setup);
    return init_listeners(edge);
}

int fe_edge_worker_open_threaded(struct fe_edge_worker *edge,
                                 const struct fe_edge_worker_setup *setup)
{
    int code;

    init(edge, setup);
    code = fe_worker_thread_init(&edge->worker_thread, setup->main_worker, on_ended, edge);
    if (code != 0) {
        return code;
    }
    edge->worker = edge->worker_thread.worker;
    fe_worker_tell_shortage(edge->worker, setup->descriptors);
    code = init_listeners(edge);
    if (code == 0) {
        code = start(edge);
    }
    if (code != 0) {
        free_listeners(edge);
        fe_worker_thread_deinit(&edge->worker_thread);
    }
    return code;
}

void fe_edge_worker_deinit(struct fe_edge_worker *edge)
{
    free_listeners(edge);
}

/* ---- another configuration ------------------------------------------------------------------ */

static void replace(struct fe_edge_worker *edge, struct fe_snapshot *snapshot)
{
    FE_ASSERT(snapshot->config->n_http == edge->setup.config->n_http,
              "each listener has its [[http]]");
    fe_snapshot_set_backends(snapshot, services_of(edge), &edge->files.backend);
    for (size_t i = 0; i < edge->setup.config->n_http; i++) {
        fe_http_listener_replace(&edge->listeners[i], snapshot, i);
    }
    fe_snapshot_unref(snapshot);
}

static void on_replace_task(struct fe_task *task)
{
    struct fe_snapshot *const snapshot = FE_CONTAINER_OF(task, struct fe_snapshot, task);

    replace(snapshot->to, snapshot);
}

void fe_edge_worker_replace(struct fe_edge_worker *edge, struct fe_snapshot *snapshot)
{
    if (is_first(edge)) {
        replace(edge, snapshot);
        return;
    }
    snapshot->to = edge;
    fe_task_init(&snapshot->task, on_replace_task);
    fe_task_post(edge->worker, &snapshot->task);
}

/* ---- looking -------------------------------------------------------------------------------- */

void fe_edge_worker_copy_stats(const struct fe_edge_worker *edge, struct fe_edge_totals *totals)
{
    *totals = (struct fe_edge_totals){.edge = edge->stats};
    for (size_t i = 0; i < edge->setup.config->n_http; i++) {
        totals->edge.open_clients += edge->listeners[i].n_clients;
        fe_stats_add(&fe_h2_stats_type, &totals->h2, &edge->listeners[i].h2);
    }
}

/* ---- handing over --------------------------------------------------------------------------- */

struct handover {
    struct fe_task task;
    struct fe_http_listener *listener;
    struct fe_addr peer;
    int fd;
};

static void on_handover(struct fe_task *task)
{
    struct handover *const handover = FE_CONTAINER_OF(task, struct handover, task);

    fe_http_listener_take(handover->listener, handover->fd, &handover->peer);
    free(handover);
}

void fe_edge_worker_take(struct fe_edge_worker *edge, struct fe_edge_worker *from, size_t http,
                         int fd, const struct fe_addr *peer)
{
    struct handover *handover;

    FE_ASSERT(http < edge->setup.config->n_http, "a client is one of an [[http]]");
    (void)atomic_fetch_add_explicit(&edge->load, 1, memory_order_relaxed);
    if (edge == from) {
        fe_http_listener_take(&edge->listeners[http], fd, peer);
        return;
    }
    from->stats.handovers++;
    handover = malloc(sizeof(*handover));
    if (handover == NULL) {
        fe_fd_close(fd);
        (void)atomic_fetch_sub_explicit(&edge->load, 1, memory_order_relaxed);
        return;
    }
    *handover = (struct handover){.listener = &edge->listeners[http], .peer = *peer, .fd = fd};
    fe_task_init(&handover->task, on_handover);
    fe_task_post(edge->worker, &handover->task);
}
