/* Joining: from the first addresses to on_joined.
 *
 * Happy path: every address is dialed; when each was tried once, those that answered are asked for
 * the nodes near us; when nothing new comes, the join is complete.
 *
 * Failure modes: an address that does not answer is tried again (dial.c), and does not hold up the
 * discovery meanwhile. When it answers at last, there is another discovery. on_joined waits until
 * each address has answered or is given up, and a discovery has its own time limit. */

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

static void advance(struct fe_mesh *mesh)
{
    struct fe_join *join = &mesh->join;

    if (join->n_untried == 0 && join->is_discovery_due && mesh->state == FE_MESH_RUNNING) {
        join->is_discovery_due = false;
        fe_discovery_start(mesh);
    }
    if (join->state == FE_JOIN_RUNNING && join->n_unresolved == 0 && !mesh->discovery.is_running) {
        join->state = FE_JOIN_COMPLETE;
        fe_mesh_wake(mesh);
    }
}

/* Back to before the join: nothing of it may be heard of later. */
static void undo(struct fe_mesh *mesh)
{
    mesh->join = (struct fe_join){0};
    while (!fe_list_is_empty(&mesh->dials)) {
        struct fe_dial *dial = FE_CONTAINER_OF(mesh->dials.next, struct fe_dial, node);

        if (dial->link != NULL) {
            fe_link_close(dial->link, false);
        }
        fe_dial_free(dial);
    }
}

int fe_mesh_join(struct fe_mesh *mesh, const struct fe_seed *seeds, size_t n)
{
    if (mesh->state != FE_MESH_RUNNING || mesh->join.state != FE_JOIN_NONE) {
        return FLATEND_ESTATE;
    }
    mesh->join =
        (struct fe_join){.state = FE_JOIN_RUNNING, .n_addrs = n, .n_untried = n, .n_unresolved = n};
    for (size_t i = 0; i < n; i++) {
        int code = fe_dial_seed(mesh, &seeds[i]);

        if (code != 0) {
            undo(mesh);
            return code;
        }
    }
    advance(mesh);
    FE_CHECK(fe_mesh_check(mesh));
    return 0;
}

void fe_join_on_tried(struct fe_mesh *mesh)
{
    FE_ASSERT(mesh->join.n_untried > 0, "addresses that were not tried are counted");
    mesh->join.n_untried--;
    advance(mesh);
}

void fe_join_on_resolved(struct fe_mesh *mesh, bool is_first, bool is_connected)
{
    struct fe_join *join = &mesh->join;

    FE_ASSERT(join->n_unresolved > 0, "each address settles once");
    FE_ASSERT(!is_first || join->n_untried > 0, "addresses that were not tried are counted");
    join->n_unresolved--;
    join->n_untried -= is_first;
    join->n_connected += is_connected;
    join->is_discovery_due |= is_connected;
    advance(mesh);
}

void fe_join_on_discovered(struct fe_mesh *mesh)
{
    advance(mesh);
}

void fe_join_abort(struct fe_mesh *mesh)
{
    if (mesh->join.state == FE_JOIN_RUNNING) {
        mesh->join.state = FE_JOIN_COMPLETE;
        fe_mesh_wake(mesh);
    }
}

void fe_join_report(struct fe_mesh *mesh)
{
    if (mesh->join.state == FE_JOIN_COMPLETE) {
        FE_ASSERT(mesh->join.n_connected <= mesh->join.n_addrs, "an address is resolved once");
        mesh->join.state = FE_JOIN_REPORTED;
        mesh->ops->on_joined(mesh->arg, mesh->join.n_connected, mesh->join.n_addrs);
    }
}
