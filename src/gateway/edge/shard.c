/* The life of a shard.
 *
 * Happy path: sockets come from its own gate, or by mail; by mail comes the request to drain, too,
 * to a further shard; when the last client has gone, and the last ferry come back, the thread is
 * ended. Mails come in the order in which they were posted, so no socket is on its way to a shard
 * that drains.
 *
 * Failure modes: no thread, no loop: the shard is not there. No memory to hand a socket over: it is
 * closed. */
#include "gateway/edge/shard.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/certs/https.h"

static bool is_first(const struct fe_shard *shard)
{
    return shard->worker == shard->setup.home;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* On the gateway's thread. */
static void on_ended(void *arg)
{
    struct fe_shard *const shard = arg;

    shard->has_ended = true;
    shard->setup.on_closed(shard->setup.closed_arg);
}

static void finish_if_empty(struct fe_shard *shard)
{
    if (!shard->is_draining || shard->n_open > 0 || shard->line.n_ferries > 0 || shard->is_empty) {
        return;
    }
    shard->is_empty = true;
    if (is_first(shard)) {
        on_ended(shard);
    } else {
        fe_branch_finish(&shard->branch);
    }
}

static void on_no_ferries(void *arg)
{
    finish_if_empty(arg);
}

static void on_listener_closed(void *arg)
{
    struct fe_shard *const shard = arg;

    shard->n_open--;
    finish_if_empty(shard);
}

static void drain(struct fe_shard *shard)
{
    shard->is_draining = true;
    for (size_t i = 0; i < shard->setup.config->n_http; i++) {
        fe_http_listener_drain(&shard->listeners[i]);
    }
    finish_if_empty(shard); /* there may be no [[http]] */
}

static void hurry(struct fe_shard *shard)
{
    for (size_t i = 0; i < shard->setup.config->n_http; i++) {
        fe_http_listener_hurry(&shard->listeners[i]);
    }
}

static void on_drain_mail(struct fe_mail *mail)
{
    drain(FE_CONTAINER_OF(mail, struct fe_shard, drain_mail));
}

static void on_hurry_mail(struct fe_mail *mail)
{
    hurry(FE_CONTAINER_OF(mail, struct fe_shard, hurry_mail));
}

void fe_shard_drain(struct fe_shard *shard)
{
    if (is_first(shard)) {
        drain(shard);
    } else {
        fe_mail_post(shard->worker, &shard->drain_mail);
    }
}

void fe_shard_hurry(struct fe_shard *shard)
{
    if (shard->has_ended) {
        return;
    }
    if (is_first(shard)) {
        hurry(shard);
    } else if (!shard->is_hurried) {
        shard->is_hurried = true;
        fe_mail_post(shard->worker, &shard->hurry_mail);
    }
}

/* ---- the start ---------------------------------------------------------------------------- */

static int init_listeners(struct fe_shard *shard)
{
    const struct fe_config *const config = shard->setup.config;

    shard->listeners = calloc(config->n_http + 1, sizeof(*shard->listeners));
    if (shard->listeners == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_http_listener_setup setup = {
            .config = &config->http[i],
            .worker = shard->worker,
            .backends = {.mesh = is_first(shard) ? shard->setup.mesh : NULL, .line = &shard->line},
            .store = shard->setup.https[i].store,
            .answers = shard->setup.answers,
            .log = shard->setup.log,
            .load = &shard->load,
            .on_closed = on_listener_closed,
            .closed_arg = shard,
        };

        fe_http_listener_init(&shard->listeners[i], &setup);
        shard->n_open++;
    }
    return 0;
}

/* From here on the shard is its thread's. */
static int start(struct fe_shard *shard)
{
    shard->line = (struct fe_ferry_line){
        .near = fe_ferry_port_of(shard->worker),
        .far = fe_ferry_port_of(shard->setup.home),
        .mesh = shard->setup.mesh,
        .on_empty = on_no_ferries,
        .arg = shard,
    };
    fe_mail_init(&shard->drain_mail, on_drain_mail);
    fe_mail_init(&shard->hurry_mail, on_hurry_mail);
    return fe_branch_start(&shard->branch);
}

static void init(struct fe_shard *shard, const struct fe_shard_setup *setup)
{
    *shard = (struct fe_shard){.setup = *setup, .worker = setup->home};
    atomic_init(&shard->load, 0);
}

int fe_shard_open_first(struct fe_shard *shard, const struct fe_shard_setup *setup)
{
    init(shard, setup);
    return init_listeners(shard);
}

int fe_shard_open_further(struct fe_shard *shard, const struct fe_shard_setup *setup)
{
    int code;

    init(shard, setup);
    code = fe_branch_init(&shard->branch, setup->home, on_ended, shard);
    if (code != 0) {
        return code;
    }
    shard->worker = shard->branch.worker;
    code = init_listeners(shard);
    if (code == 0) {
        code = start(shard);
    }
    if (code != 0) {
        free(shard->listeners);
        fe_branch_deinit(&shard->branch);
    }
    return code;
}

void fe_shard_deinit(struct fe_shard *shard)
{
    free(shard->listeners);
}

/* ---- handing over ------------------------------------------------------------------------- */

struct handover {
    struct fe_mail mail;
    struct fe_http_listener *listener;
    struct fe_addr peer;
    int fd;
};

static void on_handover(struct fe_mail *mail)
{
    struct handover *const handover = FE_CONTAINER_OF(mail, struct handover, mail);

    fe_http_listener_take(handover->listener, handover->fd, &handover->peer);
    free(handover);
}

void fe_shard_take(struct fe_shard *shard, const struct fe_shard *from, size_t http, int fd,
                   const struct fe_addr *peer)
{
    struct handover *handover;

    (void)atomic_fetch_add_explicit(&shard->load, 1, memory_order_relaxed);
    if (shard == from) {
        fe_http_listener_take(&shard->listeners[http], fd, peer);
        return;
    }
    handover = malloc(sizeof(*handover));
    if (handover == NULL) {
        (void)close(fd);
        (void)atomic_fetch_sub_explicit(&shard->load, 1, memory_order_relaxed);
        return;
    }
    *handover = (struct handover){.listener = &shard->listeners[http], .peer = *peer, .fd = fd};
    fe_mail_init(&handover->mail, on_handover);
    fe_mail_post(shard->worker, &handover->mail);
}
