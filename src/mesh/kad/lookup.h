/* Discovery as steps (docs/PROTOCOL.md §1.4): which node to query next, and when the lookup is
 * complete.
 *
 *     add(what is known)
 *     while (!finished) {
 *         while (next(&id))  ask `id` for the nodes closest to the target
 *         an answer came:    add(its nodes), done(its key)
 *         none will come:    done(its key)
 *     }
 *
 * Nodes that others tell of are claims until they answer: a hostile peer can invent any number of
 * them, so a lookup knows at most FE_KAD_LOOKUP_MAX and forgets what comes beyond. */
#ifndef FE_MESH_KAD_LOOKUP_H
#define FE_MESH_KAD_LOOKUP_H

#include "mesh/kad/table.h"

enum {
    /* Nodes that one lookup may ask: 32 full answers, several times what a mesh of thousands of
     * honest nodes needs to find the neighbours of a key. */
    FE_KAD_LOOKUP_MAX = 512,
};

struct fe_kad_candidate;

struct fe_kad_lookup {
    uint8_t self[FE_KEY_LEN]; /* never asked; zero if we are anonymous */
    uint8_t target[FE_KEY_LEN];
    struct fe_kad_candidate *candidates; /* every node ever learned of, the closest first */
    size_t n;
    size_t cap;
    size_t n_asked; /* asked now: neither an answer nor a failure yet */
    size_t max_asked;
};

/* `max_asked`: how many are asked at once. */
void fe_kad_lookup_init(struct fe_kad_lookup *lookup, const uint8_t self[FE_KEY_LEN],
                        const uint8_t target[FE_KEY_LEN], size_t max_asked);
void fe_kad_lookup_deinit(struct fe_kad_lookup *lookup);

/* Hears of nodes; those known already, we ourselves and anonymous ones are skipped. Returns how
 * many were new, or FLATEND_ENOMEM (those before the failing one were added). */
int fe_kad_lookup_add(struct fe_kad_lookup *lookup, const struct fe_id *ids, size_t n) FE_MUST_USE;

/* The closest node that was not asked yet, which counts as asked from now on. False: none now. */
bool fe_kad_lookup_next(struct fe_kad_lookup *lookup, struct fe_id *id) FE_MUST_USE;

/* The node that was asked has answered, or will not. Harmless for any other key. */
void fe_kad_lookup_done(struct fe_kad_lookup *lookup, const uint8_t key[FE_KEY_LEN]);

/* No query is in flight and no candidate is left. */
bool fe_kad_lookup_is_finished(const struct fe_kad_lookup *lookup);

/* Every invariant; between calls. */
void fe_kad_lookup_check(const struct fe_kad_lookup *lookup);

#endif
