/* Private to src/mesh/node: what a node is made of. */
#ifndef FE_MESH_NODE_INTERNAL_H
#define FE_MESH_NODE_INTERNAL_H

#include "ground/base/shortage.h"
#include "ground/os/fork_guard.h"
#include "ground/os/log_writer.h"
#include "ground/os/thread.h"
#include "ground/uv/conn.h"
#include "ground/uv/task_queue.h"
#include "mesh/async/handoff.h"
#include "mesh/async/pool.h"
#include "mesh/net/mesh.h"
#include "mesh/node/node.h"
#include "mesh/node/options.h"

/* Where a node lives. */
enum fe_node_placement {
    FE_NODE_ON_OWN_THREAD, /* on a thread and a worker of its own */
    FE_NODE_ON_APP_LOOP,   /* on a worker of its own, on the application's loop */
    FE_NODE_ON_WORKER,     /* on a worker that it was given */
};

/*   NEW ──▶ STARTING ──▶ RUNNING ──▶ DRAINING ──▶ CLOSING ──▶ CLOSED
 *    │          └───────────┴── close ──┘   ▲ timeout, or nothing runs any more
 *    └── close (never started) ─────────────┴──▶ CLOSED
 *
 * DRAINING: no new requests; those that run go on, and what their handlers push. CLOSING: all that
 * still runs was canceled; waiting for handlers to return and connections to close. */
enum fe_node_state {
    FE_NODE_NEW,
    FE_NODE_STARTING,
    FE_NODE_RUNNING,
    FE_NODE_DRAINING,
    FE_NODE_CLOSING,
    FE_NODE_CLOSED,
};

struct fe_node_listener {
    struct fe_listener *listener;
    struct fe_addr addr;
    struct flatend_node *node;
};

/* Notified, on a loop, when the node has closed. */
struct fe_waiter {
    struct fe_list link;
    struct fe_worker *worker;
    struct fe_task task;
};

struct flatend_node {
    struct fe_settings settings;
    enum fe_node_placement placement;
    struct fe_worker *worker;
    struct fe_shortage descriptors; /* of a worker of its own */
    struct fe_shortage threads;
    struct fe_log_writer *log_writer; /* of flatend_log_stderr; NULL: another log, or none */
    struct fe_fork_guard *guard;      /* first of all: in a child nothing else may be touched */

    /* Other threads look at these under `lock`; the node's thread changes them under it. */
    struct fe_mutex lock;
    struct fe_cond changed;
    enum fe_node_state state;
    bool accepts_tasks;           /* fe_node_post works */
    struct fe_thread loop_thread; /* set when starting */
    size_t n_listening;
    struct fe_list waiters;
    struct fe_list abandoned; /* requests that the application had not finished when all closed */

    struct fe_handoff_env handoffs; /* what threads hand to each other */

    /* The node's thread. */
    struct fe_mesh *mesh; /* NULL before start */
    struct fe_rng rng;
    struct fe_map services;  /* name -> struct fe_service */
    struct fe_view *offered; /* their names as the mesh has them; NULL: those of the options */
    struct fe_node_listener *listeners;
    size_t n_listeners; /* not closed yet */
    struct fe_handler_pool pool;
    struct fe_list contexts; /* requests that are being served */
    size_t n_contexts;
    struct fe_list gathering; /* of them, those whose handler has not started: oldest first */
    struct fe_timer gather_timer;
    struct fe_list free_contexts; /* contexts for the next requests */
    size_t n_free_contexts;
    struct fe_list calls; /* flatend_stream objects, until closed */
    size_t n_calls;       /* of them, not complete */
    uint64_t last_peer;   /* whose id `last_id` is */
    struct flatend_id last_id;
    char last_key[FLATEND_PUBLIC_KEY_TEXT];

    /* watch.c; under `lock` */
    struct fe_event_source watch;
    struct fe_event_records watch_records;

    /* timer.c; the list is under `lock` */
    struct fe_list timers;
    size_t n_timers;

    /* start.c */
    struct fe_seed *seeds; /* while they are read */
    size_t n_seeds;
    struct flatend_error start_error; /* why the last address did not answer */
    void (*on_started)(void *arg, int code);
    void *started_arg;

    /* close.c */
    struct fe_timer drain_timer;
    struct fe_task barrier;
    bool is_mesh_drained; /* no request is on its way here any more */
    bool is_mesh_closed;
    void (*on_closed)(void *arg);
    void *closed_arg;

    /* thread.c; under `lock` */
    struct fe_thread thread;
    bool has_thread;
    bool has_thread_ended; /* its id may be another thread's */
    bool is_joined;
    bool is_start_done;
    int start_code;
    bool is_close_requested;
    struct fe_task close_task;
    struct fe_task abort_task;
    bool is_abort_requested;
    bool is_freed_when_closed; /* the application's loop only */
    const char *const *start_addrs;
    size_t n_start_addrs;
};

/* ---- node.c ---- */

void fe_node_set_state(struct flatend_node *node, enum fe_node_state life);
enum fe_node_state fe_node_get_state(struct flatend_node *node);
bool fe_node_is_own_thread(struct flatend_node *node);

/* Whether this thread is one that the node waits for when it closes: its own, or a handler's. */
bool fe_node_is_inside(struct flatend_node *node);

/* 0, or why nothing can be asked of the node: FLATEND_EINVAL, it is NULL; FLATEND_ESTATE, this
 * process was forked after it was made. */
static inline int fe_node_check_call(const struct flatend_node *node)
{
    if (node == NULL) {
        return FLATEND_EINVAL;
    }
    return fe_fork_guard_is_child(node->guard) ? FLATEND_ESTATE : 0;
}

/* Whether the node takes tasks: FLATEND_ESTATE before start, FLATEND_ECANCELED after shutdown. On
 * its own thread, as it may change on that. */
int fe_node_check_tasks(struct flatend_node *node) FE_MUST_USE;

/* Posts to the node's thread: FLATEND_ESTATE before start, FLATEND_ECANCELED after shutdown. */
int fe_node_post(struct flatend_node *node, struct fe_task *task) FE_MUST_USE;

/* The queues of its services are bound to it. */
int fe_node_new_at(const struct flatend_options *options, enum fe_node_placement placement,
                   struct fe_worker *worker, struct flatend_node **node,
                   struct flatend_error *error) FE_MUST_USE;

/* Frees a node that was never started, or is closed. Its worker is the caller's. */
void fe_node_destroy(struct flatend_node *node);

/* ---- close.c ---- */

/* Something has ended: whether the next step of closing is due. */
void fe_node_check_drained(struct flatend_node *node);
void fe_node_check_closed(struct flatend_node *node);

/* Ends the waiting for what still runs. */
void fe_node_abort(struct flatend_node *node);

void fe_node_on_mesh_drained(void *arg);
void fe_node_on_mesh_closed(void *arg);

/* ---- thread.c ---- */

/* Asks the node's thread to close; to stop waiting for what runs. Both return at once, and may be
 * called again. */
void fe_node_request_close(struct flatend_node *node);
void fe_node_request_abort(struct flatend_node *node);

/* ---- transport.c ---- */

struct fe_transport fe_node_transport(struct flatend_node *node);
int fe_node_listen(struct flatend_node *node, struct flatend_error *error) FE_MUST_USE;
void fe_node_stop_listening(struct flatend_node *node);

/* ---- services.c ---- */

int fe_node_init_services(struct flatend_node *node) FE_MUST_USE;
void fe_node_deinit_services(struct flatend_node *node);

/* The queues of the services that the options named are for this node, if they are for one only.
 * FLATEND_EINVAL: one of them is another node's, and none is for this one. */
int fe_node_bind_queues(struct flatend_node *node, struct flatend_error *error) FE_MUST_USE;
void fe_node_unbind_queues(struct flatend_node *node);

/* NULL: we do not have it. */
struct fe_service *fe_node_find_service(const struct flatend_node *node, struct fe_view name);

struct fe_service *fe_service_ref(struct fe_service *service);
void fe_service_unref(struct fe_service *service);

/* ---- contexts.c, serve.c ---- */

void fe_node_on_request(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                        struct fe_names services, struct fe_headers headers);

/* The streams of all requests are given up; their handlers learn FLATEND_ECANCELED. */
void fe_node_cancel_contexts(struct flatend_node *node);
void fe_node_clear_free_list(struct flatend_node *node);

/* Frees the requests that the application has left to die with the node. */
void fe_node_free_abandoned(struct flatend_node *node);

void fe_node_on_gather_timer(struct fe_timer *timer);

/* ---- outgoing.c ---- */

/* Cancels and detaches the calls of the application. */
void fe_node_cancel_calls(struct flatend_node *node);

/* ---- watch.c ---- */

/* Tells the application of the node itself. On the node's thread, but for `init` and `deinit`. */
void fe_node_watch_init(struct flatend_node *node);
void fe_node_watch_deinit(struct flatend_node *node);
void fe_node_watch_post(struct flatend_node *node, enum flatend_event_type type, int code);
void fe_node_on_news(void *arg, enum fe_mesh_news news, const struct fe_mesh_peer *peer);

/* ---- timer.c ---- */

/* No timer fires from now on. On the node's thread. */
void fe_node_stop_timers(struct flatend_node *node);

/* Frees those that the application has not. */
void fe_node_free_timers(struct flatend_node *node);

/* ---- node_check.c ---- */

/* Every invariant; on the node's thread, between events. */
void fe_node_check(struct flatend_node *node);

/* ---- providers.c ---- */

/* The id of a peer, and the address of one, in the form of the public header. */
void fe_public_id(const struct fe_peer *peer, struct flatend_id *id);
void fe_public_addr(const struct fe_ip_addr *addr, struct flatend_id *id);

#endif
