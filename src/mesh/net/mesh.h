/* A node without its sockets: peers, routing table, discovery, reconnecting. Bytes and time in,
 * bytes out; runs on a real transport and on a simulated one alike. */
#ifndef FE_MESH_NET_MESH_H
#define FE_MESH_NET_MESH_H

#include "ground/base/log.h"
#include "ground/base/timer.h"
#include "mesh/kad/table.h"
#include "mesh/net/transport.h"
#include "mesh/rpc/registry.h"
#include "mesh/session/session.h"

enum {
    FE_MESH_LINKS_MAX = 4096,     /* connections at once; more are closed on accept */
    FE_MESH_HANDSHAKE_MS = 10000, /* from connected to the peer's Handshake */
    FE_MESH_BOOTSTRAP_LINKS = 16, /* peers asked at once while discovering */
    /* Attempts to reach an address that discovery has found, unless the configuration says how
     * many; and after so many the log says less. */
    FE_MESH_ATTEMPTS = 8,
    FE_MESH_GRACE_MS = 100, /* from the first address that answers, for the others */
};

/* An address to join the mesh at, and the key that its node must prove. */
struct fe_seed {
    struct fe_addr addr; /* with a host name: its port */
    struct fe_view host; /* empty: `addr` is all of it. Copied by fe_mesh_join */
    bool is_pinned;
    uint8_t key[FE_KEY_LEN]; /* if pinned */
};

struct fe_mesh_config {
    struct fe_self self;
    bool provides_to_itself; /* its own services are among the registry's providers */
    unsigned dead_after_ms;  /* a peer that was silent for so long, though probed; 0: never */
    /* FLATEND_RECONNECT_UNSET: for ever at the addresses of fe_mesh_join, else FE_MESH_ATTEMPTS. */
    int reconnect_attempts;
    double reconnect_backoff_factor;
    unsigned reconnect_backoff_min_ms;
    unsigned reconnect_backoff_max_ms;
    unsigned join_timeout_ms; /* on_joined comes after this at the latest */
    /* Where `self.id.addr` is found, but for its port; empty: it is what it is. Copied. */
    struct fe_view public_host;
};

/* What has become of fe_mesh_join when on_joined comes. */
struct fe_join_result {
    size_t n_addrs;
    size_t n_connected;
    size_t n_waiting; /* neither have answered, nor are given up: they are dialed on */
    /* Why an address has not answered, if one has not: code 0 else. A rejection rather than
     * anything else. */
    struct flatend_error error;
};

enum fe_mesh_news {
    FE_MESH_PEER_UP,
    FE_MESH_PEER_DOWN,
    FE_MESH_PEER_GIVEN_UP, /* it was dialed, and is not dialed again */
};

/* What news are about. */
struct fe_mesh_peer {
    uint64_t handle; /* 0: it is not connected */
    bool is_anonymous;
    bool is_proven;
    struct fe_id id; /* its key is zero where it is not known */
    bool has_addr;   /* else that of `id` is not known: an anonymous peer, a unix socket */
};

struct fe_mesh_ops {
    /* Comes in the midst of it: it must not call the mesh. NULL: nobody wants to know. */
    void (*on_news)(void *arg, enum fe_mesh_news news, const struct fe_mesh_peer *peer);
    /* A request for one of our services; accept the stream before returning to take it. */
    void (*on_request)(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                       struct fe_names services, struct fe_headers headers);
    /* fe_mesh_join is complete. `result` lives for the call. */
    void (*on_joined)(void *arg, const struct fe_join_result *result);
    /* fe_mesh_drain has reached every peer: no request is on its way here any more. */
    void (*on_drained)(void *arg);
    /* fe_mesh_close is complete: no link is left. */
    void (*on_closed)(void *arg);
};

struct fe_mesh; /* fields in mesh/net/internal.h */

/* What a mesh stands on. */
struct fe_mesh_env {
    struct fe_transport transport;
    struct fe_timers *timers; /* run on the clock that `now_ms` reads */
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
    struct fe_pool *pool; /* NULL: none */
    const struct fe_rng *rng;
    const struct fe_log *log; /* NULL: none */
};

/* Everything is copied but what pointers in it look at (the names of the services, the timers, the
 * pool, `ops`): that outlives the mesh. The callbacks of `ops` but on_request come from a timer,
 * never from within a call of the mesh. NULL: out of memory. */
struct fe_mesh *fe_mesh_new(const struct fe_mesh_config *config, const struct fe_mesh_env *env,
                            const struct fe_mesh_ops *ops, void *arg) FE_MUST_USE;

/* After on_closed (also from within it), or before any link. NULL is allowed. */
void fe_mesh_free(struct fe_mesh *mesh);

/* Dials the addresses, shakes hands, discovers from there. Once. on_joined comes later, exactly
 * once: when the first address has answered and the discovery from there has come to an end (other
 * addresses have FE_MESH_GRACE_MS to be part of that), when all of them are given up or have
 * rejected this node, after `join_timeout_ms`, or when the mesh drains or closes. Addresses without
 * an answer are dialed on. FLATEND_ESTATE, FLATEND_ENOMEM. */
int fe_mesh_join(struct fe_mesh *mesh, const struct fe_seed *seeds, size_t n) FE_MUST_USE;

/* What this node offers from now on: borrowed, as the services of the configuration were. Peers are
 * told, but for old ones, which learn only what the node offered when they met. */
void fe_mesh_set_services(struct fe_mesh *mesh, const struct fe_view *services, size_t n);

/* Sends GOAWAY to every peer. Requests already in flight are still accepted; then on_drained comes,
 * once. Old peers do not support GOAWAY: their requests are answered with `handled` 0. Peers
 * without a Handshake are not waited for, except for two seconds where this node dialed. Streams
 * that run go on. Nothing is dialed or accepted any more. */
void fe_mesh_drain(struct fe_mesh *mesh);

/* Closes every link, sending what they still hold when `drain` (for two seconds at most). Streams
 * that are open end with FLATEND_ECANCELED. on_closed comes later, once. A second call without
 * `drain` ends at once what the first one still sends. */
void fe_mesh_close(struct fe_mesh *mesh, bool drain);

struct fe_registry *fe_mesh_registry(struct fe_mesh *mesh);
size_t fe_mesh_n_streams(const struct fe_mesh *mesh); /* open now, in both directions */

/* The transport's side. NULL: full, closing or out of memory; the transport closes the connection.
 * An accepted link is open from the start. */
struct fe_link *fe_mesh_accept(struct fe_mesh *mesh, void *io) FE_MUST_USE;

/* A dialed connection is there. Non-zero: it failed, and fe_link_on_close follows. */
void fe_link_on_open(struct fe_link *link, int code);

/* Bytes have arrived; they are decrypted in place. */
void fe_link_on_read(struct fe_link *link, uint8_t *data, size_t len);

/* The output is about to be written: the link appends what it has held back. */
void fe_link_on_flush(struct fe_link *link);

/* The output has been sent. */
void fe_link_on_drain(struct fe_link *link);

/* The connection is gone, because of us or with `code`; so is the link after this. */
void fe_link_on_close(struct fe_link *link, int code);

/* What a name was found to be: `n` addresses, whose ports do not count; 0: `err` says why. */
void fe_name_on_resolved(struct fe_name *name, const struct fe_addr *addrs, size_t n,
                         const struct flatend_error *err);

#endif
