/* What the mesh asks of whatever carries its bytes: libuv in a node, a virtual network in tests. */
#ifndef FE_MESH_NET_TRANSPORT_H
#define FE_MESH_NET_TRANSPORT_H

#include "ground/base/addr.h"
#include "ground/base/chain.h"

struct fe_link; /* the mesh's side of one connection, see mesh.h */
struct fe_name; /* a host name, see mesh.h */

enum { FE_TRANSPORT_ADDRS_MAX = 8 }; /* of one host */

struct fe_transport {
    const struct fe_transport_ops *ops;
    void *arg;
};

struct fe_transport_ops {
    /* Starts to connect for `link` to the first of these addresses that answers, 1 to
     * FE_TRANSPORT_ADDRS_MAX: zero, and fe_link_on_open or fe_link_on_close comes later, with `*io`
     * the connection; or a code. */
    int (*dial)(void *arg, struct fe_link *link, const struct fe_addr *addrs, size_t n, void **io);
    struct fe_chain *(*out)(void *io);
    void (*flush)(void *io);
    void (*set_reading)(void *io, bool reading);
    /* Tells the peer at once that its bytes have come; NULL: it is told so anyway. */
    void (*acknowledge)(void *io);
    void (*peer_addr)(void *io, struct fe_addr *addr);
    uint64_t (*n_sent)(void *io); /* bytes so far; NULL: it does not count them */
    /* Looks up a host name: zero, and fe_name_on_resolved comes later, exactly once, unless it is
     * canceled; or a code. NULL: there are no names. */
    int (*look_up)(void *arg, struct fe_name *name, const char *host, void **lookup);
    void (*cancel_look_up)(void *lookup);
    /* Ends the connection: once what is in `out` was sent if `drain`, else at once.
     * fe_link_on_close comes later, exactly once. After a draining close there may be one that does
     * not drain. */
    void (*close)(void *io, bool drain);
};

#endif
