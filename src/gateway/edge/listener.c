/* The life of an [[http]] on one worker.
 *
 * Happy path: take clients; drain: each client closes when it has its answer; the last one that
 * goes closes the listener.
 *
 * Failure modes: no memory for a client: its connection is closed, the others stay. Clients that do
 * not end in time are reset. */
#include "gateway/edge/listener.h"

#include "gateway/edge/client.h"
#include "ground/base/assert.h"
#include "ground/os/fd.h"

static void on_deadline(struct fe_timer *timer);

void fe_http_listener_init(struct fe_http_listener *listener,
                           const struct fe_http_listener_setup *setup)
{
    *listener = (struct fe_http_listener){
        .setup = *setup,
        .snapshot = fe_snapshot_ref(setup->snapshot),
        .config = &setup->snapshot->config->http[setup->http],
        .answers = fe_acme_answers_backend(setup->answers),
    };
    listener->setup.snapshot = NULL;
    fe_list_init(&listener->clients);
    fe_timer_init(&listener->deadline, on_deadline);
}

void fe_http_listener_replace(struct fe_http_listener *listener, struct fe_snapshot *snapshot,
                              size_t http)
{
    struct fe_snapshot *const old = listener->snapshot;

    if (listener->state == FE_HTTP_CLOSED) {
        return;
    }
    FE_ASSERT(old != NULL && http < snapshot->config->n_http, "a listener has its [[http]]");
    listener->snapshot = fe_snapshot_ref(snapshot);
    listener->config = &snapshot->config->http[http];
    listener->setup.http = http;
    fe_snapshot_unref(old);
}

void fe_http_listener_deinit(struct fe_http_listener *listener)
{
    fe_snapshot_unref(listener->snapshot);
    listener->snapshot = NULL;
    listener->config = NULL;
}

void fe_http_listener_take(struct fe_http_listener *listener, int fd, const struct fe_addr *peer)
{
    struct fe_conn *conn = NULL;

    FE_ASSERT(listener->state == FE_HTTP_OPEN, "no client comes once a listener drains");
    listener->n_clients++;
    if (fe_conn_adopt(listener->setup.worker, fd, peer, &conn) == 0 &&
        fe_client_open(listener, conn) == 0) {
        listener->setup.stats->clients++;
        return;
    }
    listener->setup.stats->refused_clients++;
    if (conn != NULL) {
        fe_conn_close(conn);
    } else {
        fe_fd_close(fd);
    }
    fe_http_listener_on_gone(listener);
}

static void close_if_empty(struct fe_http_listener *listener)
{
    if (listener->state != FE_HTTP_DRAINING || listener->n_clients > 0) {
        return;
    }
    FE_ASSERT(fe_list_is_empty(&listener->clients), "clients are counted");
    listener->state = FE_HTTP_CLOSED;
    fe_timer_stop(fe_worker_timers(listener->setup.worker), &listener->deadline);
    fe_http_listener_deinit(listener);
    listener->setup.on_closed(listener->setup.closed_arg);
}

void fe_http_listener_on_gone(struct fe_http_listener *listener)
{
    FE_ASSERT(listener->n_clients > 0, "a client goes once");
    listener->n_clients--;
    (void)atomic_fetch_sub_explicit(listener->setup.load, 1, memory_order_relaxed);
    close_if_empty(listener);
}

void fe_http_listener_abort(struct fe_http_listener *listener)
{
    FE_LIST_FOREACH (link, tmp, &listener->clients) {
        fe_client_abort(FE_CONTAINER_OF(link, struct fe_client, link));
    }
}

static void on_deadline(struct fe_timer *timer)
{
    struct fe_http_listener *listener = FE_CONTAINER_OF(timer, struct fe_http_listener, deadline);

    fe_log(listener->setup.log, FLATEND_LOG_WARN,
           "Shutdown timeout: resetting %zu HTTP connection(s).", listener->n_clients);
    fe_http_listener_abort(listener);
}

/* Without memory for the timer nothing would end the waiting: so there is none. */
static void limit_draining(struct fe_http_listener *listener)
{
    struct fe_worker *const worker = listener->setup.worker;
    uint64_t shutdown_ms = listener->config->shutdown_ms;
    uint64_t deadline_ms = fe_worker_now(worker) + shutdown_ms;

    if (shutdown_ms == 0 ||
        fe_timer_start(fe_worker_timers(worker), &listener->deadline, deadline_ms) != 0) {
        fe_http_listener_abort(listener);
    }
}

void fe_http_listener_drain(struct fe_http_listener *listener)
{
    if (listener->state != FE_HTTP_OPEN) {
        return;
    }
    listener->state = FE_HTTP_DRAINING;
    FE_LIST_FOREACH (link, tmp, &listener->clients) {
        fe_client_drain(FE_CONTAINER_OF(link, struct fe_client, link));
    }
    limit_draining(listener);
    close_if_empty(listener);
}
