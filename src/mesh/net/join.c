/* Joining: from the first addresses to on_joined.
 *
 * Happy path: every address is dialed; the first that answers is asked for the nodes near us, once
 * the others have been tried or have had a moment for it; when nothing new comes, the join is
 * complete.
 *
 * Failure modes: an address that does not answer is tried again (dial.c), and holds up neither the
 * discovery nor on_joined. When it answers at last, there is another discovery; so there is when
 * it comes back after it was away. No address answers: on_joined comes when all are given up, or
 * when time is up; what is not given up is dialed on. A discovery has its own time limit. */

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

static bool is_grace_over(const struct fe_join *join)
{
    return join->n_untried == 0 || join->is_grace_over;
}

static bool is_complete(const struct fe_mesh *mesh)
{
    const struct fe_join *join = &mesh->join;

    if (join->n_unresolved == 0) {
        return !mesh->discovery.is_running;
    }
    return join->n_connected > 0 && is_grace_over(join) && !mesh->discovery.is_running;
}

static void complete(struct fe_mesh *mesh)
{
    struct fe_join *join = &mesh->join;

    if (join->state == FE_JOIN_RUNNING) {
        join->state = FE_JOIN_COMPLETE;
        fe_timer_stop(mesh->timers, &join->deadline);
        fe_mesh_wake(mesh);
    }
}

static void advance(struct fe_mesh *mesh)
{
    struct fe_join *join = &mesh->join;

    if (join->is_discovery_due && is_grace_over(join) && mesh->state == FE_MESH_RUNNING) {
        join->is_discovery_due = false;
        fe_discovery_start(mesh);
    }
    if (is_complete(mesh)) {
        complete(mesh);
    }
}

static void on_grace(struct fe_timer *timer)
{
    struct fe_mesh *mesh = FE_CONTAINER_OF(timer, struct fe_mesh, join.grace);

    mesh->join.is_grace_over = true;
    advance(mesh);
    FE_CHECK(fe_mesh_check(mesh));
}

static void on_deadline(struct fe_timer *timer)
{
    struct fe_mesh *mesh = FE_CONTAINER_OF(timer, struct fe_mesh, join.deadline);

    complete(mesh);
    FE_CHECK(fe_mesh_check(mesh));
}

void fe_join_init(struct fe_mesh *mesh)
{
    fe_timer_init(&mesh->join.grace, on_grace);
    fe_timer_init(&mesh->join.deadline, on_deadline);
}

static void stop_timers(struct fe_mesh *mesh)
{
    fe_timer_stop(mesh->timers, &mesh->join.grace);
    fe_timer_stop(mesh->timers, &mesh->join.deadline);
}

/* Back to before the join: nothing of it may be heard of later. */
static void undo(struct fe_mesh *mesh)
{
    stop_timers(mesh);
    mesh->join = (struct fe_join){0};
    fe_join_init(mesh);
    while (!fe_list_is_empty(&mesh->dials)) {
        struct fe_dial *dial = FE_CONTAINER_OF(mesh->dials.next, struct fe_dial, node);

        if (dial->link != NULL) {
            fe_link_close(dial->link, false);
        }
        fe_dial_free(dial);
    }
}

static int dial_seeds(struct fe_mesh *mesh, const struct fe_seed *seeds, size_t n)
{
    int code =
        n > 0 ? fe_mesh_start_timer(mesh, &mesh->join.deadline, mesh->config.join_timeout_ms) : 0;

    for (size_t i = 0; code == 0 && i < n; i++) {
        code = fe_dial_seed(mesh, &seeds[i]);
    }
    return code;
}

int fe_mesh_join(struct fe_mesh *mesh, const struct fe_seed *seeds, size_t n)
{
    struct fe_join *join = &mesh->join;
    int code;

    if (mesh->state != FE_MESH_RUNNING || join->state != FE_JOIN_NONE) {
        return FLATEND_ESTATE;
    }
    join->state = FE_JOIN_RUNNING;
    join->n_addrs = n;
    join->n_untried = n;
    join->n_unresolved = n;
    code = dial_seeds(mesh, seeds, n);
    if (code != 0) {
        undo(mesh);
        return code;
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

void fe_join_on_failure(struct fe_mesh *mesh, const struct flatend_error *why)
{
    struct flatend_error *error = &mesh->join.error;

    /* That a node rejects us says more than that another is not there. */
    if (error->code != FLATEND_EDENIED || why->code == FLATEND_EDENIED) {
        *error = *why;
    }
}

/* The others are waited for a moment, so that one discovery does for all. Without memory for that
 * they are not. */
static void start_grace(struct fe_mesh *mesh)
{
    struct fe_join *join = &mesh->join;

    if (!join->is_grace_over && !fe_timer_is_armed(&join->grace) && join->n_untried > 0) {
        join->is_grace_over = fe_mesh_start_timer(mesh, &join->grace, FE_MESH_GRACE_MS) != 0;
    }
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
    if (is_connected) {
        start_grace(mesh);
    }
    advance(mesh);
}

void fe_join_on_return(struct fe_mesh *mesh)
{
    mesh->join.is_discovery_due = true;
    advance(mesh);
}

void fe_join_on_discovered(struct fe_mesh *mesh)
{
    advance(mesh);
}

void fe_join_abort(struct fe_mesh *mesh)
{
    stop_timers(mesh);
    complete(mesh);
}

void fe_join_report(struct fe_mesh *mesh)
{
    const struct fe_join *join = &mesh->join;

    if (join->state == FE_JOIN_COMPLETE) {
        const struct fe_join_result result = {.n_addrs = join->n_addrs,
                                              .n_connected = join->n_connected,
                                              .n_waiting = join->n_unresolved,
                                              .error = join->error};

        FE_ASSERT(join->n_connected <= join->n_addrs, "an address is resolved once");
        mesh->join.state = FE_JOIN_REPORTED;
        mesh->ops->on_joined(mesh->arg, &result);
    }
}
