/* Carries an exchange to the worker that the mesh is on, and its answer back.
 *
 * Each side is one thread's: the near one, a backend of the client's exchange, and the far one,
 * where another backend answers an exchange that looks like any other. What one side has to say in
 * a turn of its loop crosses at the end of it, in one piece; a body's bytes up to
 * FE_CROSSING_BYTES_MAX at a time, beyond which whoever sends is held back as by a slow client or
 * service. */
#ifndef FE_GATEWAY_RELAY_CROSSING_H
#define FE_GATEWAY_RELAY_CROSSING_H

#include <stdatomic.h>

#include "gateway/config/config.h"
#include "ground/base/list.h"
#include "ground/uv/task_queue.h"
#include "web/http/exchange.h"

enum {
    /* Of one body, in one direction: sent, and not taken by the other side yet. */
    FE_CROSSING_BYTES_MAX = 256 * 1024,
    /* Beyond this in all crossings of a line each may have FE_CROSSING_BYTES_MIN: a client with
     * many streams, none of which it reads, is to cost little more. */
    FE_CROSSING_CHANNEL_MAX = 32 * 1024 * 1024,
    FE_CROSSING_BYTES_MIN = 16 * 1024,
};

/* How a side is reached. */
struct fe_crossing_executor {
    void (*post)(void *to, struct fe_task *task);       /* any thread: fe_task_post */
    void (*defer)(void *to, struct fe_deferred *defer); /* its own: fe_worker_defer */
    void *to;
};

struct fe_crossing_executor fe_crossing_executor_of(struct fe_worker *worker);

/* From one worker to the one of the mesh. Belongs to the near side, and outlives its crossings. */
struct fe_crossing_channel {
    struct fe_crossing_executor near;
    struct fe_crossing_executor far;
    const struct fe_backend *backend; /* that answers on the far side */
    atomic_size_t n_held;             /* bytes of bodies in all crossings; both sides' */
    size_t n_crossings;               /* that have not come back */
    /* Of them tunnels that are over for the client, while the backend still reads; the near
     * side's. */
    struct fe_list unread;
    void (*on_empty)(void *arg); /* the last one has; perhaps from within a backend's call */
    void *arg;
};

/* Lets the far side of `channel` answer. The exchange's snapshot is held as long as the far side
 * may use the route, which can be longer than the exchange lives. */
struct fe_crossing_backend {
    struct fe_backend backend;
    struct fe_crossing_channel *channel;
};

/* On the near side, when it has no clients any more: backends that still read what those have sent
 * hear that the exchange is over. Without it the channel would be empty when they like. */
void fe_crossing_channel_abort(struct fe_crossing_channel *channel);

struct fe_crossing_backend fe_crossing_backend(struct fe_crossing_channel *channel);

#endif
