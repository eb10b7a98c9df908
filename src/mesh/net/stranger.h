/* How many connections one address may have that have proven nothing. There are two sets of them:
 * those without a Handshake yet, and those with one of the old dialect, which anybody can have
 * recorded. An address is an IPv4 address or the first 64 bits of an IPv6 one, which a single
 * customer has; unix sockets have none, and are guarded by the permissions of their path. */
#ifndef FE_MESH_NET_STRANGER_H
#define FE_MESH_NET_STRANGER_H

#include "ground/base/addr.h"
#include "ground/base/list.h"
#include "ground/base/map.h"

/* Of an address. Old nodes of one office share its address, and stay. */
enum { FE_STRANGERS_MAX = 256, FE_STRANGERS_OLD_MAX = 1024 };

/* What is known of an address; there as long as it has such a connection. */
struct fe_stranger_addr {
    struct fe_map_node node;
    struct fe_strangers *set;
    uint8_t key[9];
    size_t n;
    struct fe_list members; /* the oldest first */
};

struct fe_strangers {
    struct fe_map addrs;
    size_t max; /* of an address */
};

/* One connection. */
struct fe_stranger {
    struct fe_list member;
    struct fe_stranger_addr *addr; /* NULL: it does not count */
};

void fe_strangers_init(struct fe_strangers *strangers, const uint8_t seed[16], size_t max);
void fe_strangers_deinit(struct fe_strangers *strangers); /* after the last one has left */

/* The connections of an address that has as many as it may; NULL: it may have one more. */
struct fe_list *fe_strangers_at_limit(const struct fe_strangers *strangers,
                                      const struct fe_addr *addr);

/* Counts a connection, which is in no set, until it leaves. FLATEND_ENOMEM. */
int fe_stranger_enter(struct fe_strangers *strangers, struct fe_stranger *stranger,
                      const struct fe_addr *addr) FE_MUST_USE;

/* It has proven itself, or is over. Idempotent; harmless where it was never counted. */
void fe_stranger_leave(struct fe_stranger *stranger);

void fe_strangers_check(const struct fe_strangers *strangers);

#endif
