/* What the mesh asks of whatever carries its bytes: libuv in a node, a virtual network in tests. */
#ifndef FE_MESH_NET_TRANSPORT_H
#define FE_MESH_NET_TRANSPORT_H

#include "ground/base/addr.h"
#include "ground/base/chain.h"

struct fe_link; /* the mesh's side of one connection, see mesh.h */

struct fe_transport {
    const struct fe_transport_ops *ops;
    void *arg;
};

struct fe_transport_ops {
    /* Starts to connect for `link`: zero, and fe_link_on_open or fe_link_on_close comes later, with
     * `*io` the connection; or a code. */
    int (*dial)(void *arg, struct fe_link *link, const struct fe_addr *addr, void **io);
    struct fe_chain *(*out)(void *io);
    void (*flush)(void *io);
    void (*set_reading)(void *io, bool reading);
    void (*peer_addr)(void *io, struct fe_addr *addr);
    uint64_t (*n_sent)(void *io); /* bytes so far; NULL: it does not count them */
    /* Ends the connection: once what is in `out` was sent if `drain`, else at once.
     * fe_link_on_close comes later, exactly once. After a draining close there may be one that does
     * not drain. */
    void (*close)(void *io, bool drain);
};

#endif
