/* One worker's part of the gateway: of every [[http]] the clients that it serves.
 *
 * The first shard is on the worker of the gateway itself, where the mesh is too; each of the others
 * has a thread of its own, and reaches the mesh by ferry. What is not said otherwise is for the
 * gateway's thread. */
#ifndef FE_GATEWAY_EDGE_SHARD_H
#define FE_GATEWAY_EDGE_SHARD_H

#include "gateway/edge/listener.h"
#include "ground/uv/branch.h"

/* What a shard stands on; all of it outlives the shard. */
struct fe_shard_setup {
    struct fe_worker *home; /* the gateway's worker */
    const struct fe_config *config;
    const struct fe_mesh_access *mesh;
    const struct fe_https *https; /* by [[http]] */
    struct fe_acme_answers *answers;
    const struct fe_log *log;
    void (*on_closed)(void *arg); /* on the gateway's thread */
    void *closed_arg;
};

struct fe_shard {
    struct fe_shard_setup setup;
    struct fe_branch branch; /* unless it is the first */
    struct fe_worker *worker;
    struct fe_http_listener *listeners; /* by [[http]] */
    atomic_size_t load;                 /* clients; any thread */
    /* The gateway's thread. */
    bool has_ended;
    bool is_hurried;
    /* The shard's own thread. */
    size_t n_open; /* listeners */
    bool is_draining;
    bool is_empty;
    struct fe_ferry_line line;
    /* With a branch: from the gateway's thread to its own. */
    struct fe_mail drain_mail;
    struct fe_mail hurry_mail;
};

/* The first shard; a further one, with its thread. It must not move. On failure nothing is left of
 * it. FLATEND_ENOMEM; FLATEND_ELIMIT: no more threads, or descriptors, are to be had. */
int fe_shard_open_first(struct fe_shard *shard, const struct fe_shard_setup *setup) FE_MUST_USE;
int fe_shard_open_further(struct fe_shard *shard, const struct fe_shard_setup *setup) FE_MUST_USE;

/* A client's socket for the [[http]] with this index, from here on the shard's; from the thread of
 * `from`. Without memory for it, it is closed. Not once fe_shard_drain is called. */
void fe_shard_take(struct fe_shard *shard, const struct fe_shard *from, size_t http, int fd,
                   const struct fe_addr *peer);

/* Clients finish their requests, see listener.h; then comes on_closed, once, perhaps from within.
 */
void fe_shard_drain(struct fe_shard *shard);

/* While draining: resets every connection. */
void fe_shard_hurry(struct fe_shard *shard);

/* After on_closed. */
void fe_shard_deinit(struct fe_shard *shard);

#endif
