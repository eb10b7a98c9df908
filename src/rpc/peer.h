/* The streams of one connection, and what the node at its other end offers. */
#ifndef FE_RPC_PEER_H
#define FE_RPC_PEER_H

#include "rpc/stream.h"

enum {
    /* Streams that a peer may have open with us; one more is answered with `handled` 0. */
    FE_PEER_STREAMS_MAX = 4096,
    /* Body bytes that may wait for one slow reader before the connection is no longer read. */
    FE_STREAM_WAITING_MAX = 256 * 1024,
};

struct fe_registry;

struct fe_peer_ops {
    /* A request came. Call fe_stream_accept before returning to take it; else it is answered with
     * `handled` 0. The views live until this call returns. */
    void (*on_request)(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers);
    /* Something was appended to the output: flush it at the end of this turn. */
    void (*on_output)(struct fe_peer *peer);
    /* fe_peer_want_read may have changed. */
    void (*on_want_read)(struct fe_peer *peer);
};

struct fe_peer {
    const struct fe_peer_ops *ops;
    void *owner;
    struct fe_sender *sender;
    struct fe_pool *pool;
    uint64_t handle; /* unique in the node, for flatend_provider */
    bool is_anonymous;
    struct fe_id id; /* unless anonymous */
    unsigned n_streams; /* open now, both directions: the load that balancing compares */
    /* private to src/rpc */
    struct fe_map streams;
    struct fe_list blocked;   /* streams that wait for space */
    struct fe_list offers;    /* its entries in the registry */
    unsigned n_full;          /* streams over FE_STREAM_WAITING_MAX */
    bool is_closed;
};

void fe_peer_init(struct fe_peer *peer, struct fe_sender *sender, struct fe_pool *pool,
                  const uint8_t map_seed[16], const struct fe_peer_ops *ops, void *owner);

/* Reacts to REQUEST, RESPONSE, DATA, END. A fault of the peer (`err` says which) or FLATEND_ENOMEM:
 * the connection is to be closed. */
int fe_peer_on_event(struct fe_peer *peer, const struct fe_event *event,
                     struct flatend_error *err) FE_MUST_USE;

/* The output has drained: lets blocked streams write, in turn. */
void fe_peer_on_writable(struct fe_peer *peer);

/* False while a reader that does not keep up makes us stop reading the connection. */
bool fe_peer_want_read(const struct fe_peer *peer);

/* Ends every stream with `code`, and takes the peer out of the registry. */
void fe_peer_close(struct fe_peer *peer, int code);

void fe_peer_deinit(struct fe_peer *peer);

#endif
