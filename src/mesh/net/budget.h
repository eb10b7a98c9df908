/* What a peer may ask of a node that costs much and answers nobody: packets about itself and about
 * the mesh, of each kind so many at once, and then so many a second. Bodies and requests have their
 * windows and limits, and what is cheap its share of a turn (ground/uv/conn.c). */
#ifndef FE_MESH_NET_BUDGET_H
#define FE_MESH_NET_BUDGET_H

#include "ground/base/bucket.h"
#include "ground/base/err.h"

enum fe_budget_kind {
    FE_BUDGET_HANDSHAKE, /* repeated by an old peer: a signature is checked, and one made */
    FE_BUDGET_SERVICES,  /* so many names */
    FE_BUDGET_FIND_NODE,
    FE_BUDGET_KINDS,
};

enum {
    /* Go nodes repeat their Handshake when they probe a peer again. */
    FE_BUDGET_HANDSHAKES = 16,
    /* A node that offers 255 services one by one sends lists of 1 to 255 names. */
    FE_BUDGET_NAMES = 256 * 256,
    FE_BUDGET_FIND_NODES = 256,
};

/* Starts from zero. */
struct fe_budget {
    struct fe_bucket buckets[FE_BUDGET_KINDS];
};

/* How many may come now. */
unsigned fe_budget_left(const struct fe_budget *budget, enum fe_budget_kind kind, uint64_t now_ms);

/* FLATEND_ELIMIT: that is too much. */
int fe_budget_spend(struct fe_budget *budget, enum fe_budget_kind kind, unsigned n, uint64_t now_ms,
                    struct flatend_error *err) FE_MUST_USE;

#endif
