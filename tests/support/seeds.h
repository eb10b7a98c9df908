/* fe_mesh_join with plain addresses. */
#ifndef TESTS_SUPPORT_SEEDS_H
#define TESTS_SUPPORT_SEEDS_H

#include "mesh/net/mesh.h"

enum { SEEDS_MAX = 8 };

static inline int join_addrs(struct fe_mesh *mesh, const struct fe_addr *addrs, size_t n)
{
    struct fe_seed seeds[SEEDS_MAX] = {0};

    for (size_t i = 0; i < n; i++) {
        seeds[i].addr = addrs[i];
    }
    return fe_mesh_join(mesh, seeds, n);
}

/* Joins by the address that a node has in its ID. */
static inline int join_id(struct fe_mesh *mesh, const struct fe_id *id)
{
    const struct fe_addr addr = fe_addr_of_ip(&id->addr);

    return join_addrs(mesh, &addr, 1);
}

#endif
