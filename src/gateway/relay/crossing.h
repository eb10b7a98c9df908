/* Carries an exchange to the worker that the mesh is on, and its answer back.
 *
 * Each side is one thread's: the near one, which has the client, and the far one, where
 * fe_service_serve answers an exchange that looks like any other. What one side has to say in a
 * turn of its loop crosses at the end of it, in one piece; a body's bytes up to
 * FE_CROSSING_BYTES_MAX at a time, beyond which whoever sends is held back as by a slow client or
 * service. */
#ifndef FE_GATEWAY_RELAY_CROSSING_H
#define FE_GATEWAY_RELAY_CROSSING_H

#include <stdatomic.h>

#include "gateway/relay/service.h"
#include "ground/uv/task_queue.h"

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
    const struct fe_mesh_access *mesh;
    atomic_size_t n_held;        /* bytes of bodies in all crossings; both sides' */
    size_t n_crossings;          /* that have not come back */
    void (*on_empty)(void *arg); /* the last one has; perhaps from within a handler's call */
    void *arg;
};

/* As fe_service_serve, on the far side of `channel`. `remote` is copied. The exchange's snapshot is
 * held as long as the far side may use `route`, which can be longer than the exchange lives. */
void fe_crossing_serve(struct fe_exchange *ex, const struct fe_config_route *route,
                       const struct fe_match *match, struct fe_view remote,
                       struct fe_crossing_channel *channel);

#endif
