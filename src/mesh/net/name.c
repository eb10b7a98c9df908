/* A host name: containers move, and take their names with them.
 *
 * Happy path: a dial asks before each attempt; the name is looked up unless that was done a moment
 * ago, and all dials that wait for it go on.
 *
 * Failure modes: no such host: the attempt fails, and so do others until it is time to ask again.
 * Another fault, or no answer in time: what was known before is tried. A look-up that is late runs
 * on, and what it finds is for the next attempt. Too many at once: they wait for each other. */
#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

bool fe_name_is_awaited(const struct fe_name *name)
{
    return (name->is_running || name->is_queued) && !name->is_late;
}

/* Those who have waited for the name go on with what is known. */
static void tell(struct fe_name *name)
{
    struct fe_mesh *mesh = name->mesh;

    if (name == mesh->public_name) {
        fe_mesh_on_public_name(mesh);
        FE_LIST_FOREACH (node, next, &mesh->links) {
            fe_link_release(FE_CONTAINER_OF(node, struct fe_link, node));
        }
    }
    FE_LIST_FOREACH (node, next, &mesh->dials) {
        struct fe_dial *dial = FE_CONTAINER_OF(node, struct fe_dial, node);

        if (dial->state == FE_DIAL_LOOKING_UP) {
            fe_dial_on_name(dial);
        }
    }
}

static void on_deadline(struct fe_timer *timer)
{
    struct fe_name *name = FE_CONTAINER_OF(timer, struct fe_name, deadline);

    name->is_late = true;
    (void)fe_err_set(&name->err, FLATEND_ETIMEDOUT, "look up '%.100s': no answer in %d ms",
                     name->host, FE_MESH_LOOK_UP_WAIT_MS);
    tell(name);
    FE_CHECK(fe_mesh_check(name->mesh));
}

struct fe_name *fe_name_ref(struct fe_mesh *mesh, struct fe_view host)
{
    struct fe_name *name;

    FE_LIST_FOREACH (node, next, &mesh->names) {
        name = FE_CONTAINER_OF(node, struct fe_name, node);
        if (fe_view_equal_nocase(fe_view_str(name->host), host)) {
            name->n_refs++;
            return name;
        }
    }
    name = calloc(1, sizeof(*name) + host.len + 1);
    if (name != NULL) {
        name->mesh = mesh;
        name->n_refs = 1;
        memcpy(name->host, host.ptr, host.len);
        fe_timer_init(&name->deadline, on_deadline);
        fe_list_push_back(&mesh->names, &name->node);
    }
    return name;
}

static struct fe_name *find_queued(struct fe_mesh *mesh)
{
    FE_LIST_FOREACH (node, next, &mesh->names) {
        struct fe_name *name = FE_CONTAINER_OF(node, struct fe_name, node);

        if (name->is_queued) {
            return name;
        }
    }
    return NULL;
}

static void stop(struct fe_name *name)
{
    FE_ASSERT(name->mesh->n_look_ups > 0, "look-ups are counted");
    name->is_running = false;
    name->lookup = NULL;
    name->mesh->n_look_ups--;
}

/* What is over, however it has ended. The addresses that were known stay, unless it is certain that
 * they are not the name's any more. */
static void settle(struct fe_name *name, const struct fe_addr *addrs, size_t n,
                   const struct flatend_error *err)
{
    fe_timer_stop(name->mesh->timers, &name->deadline);
    name->is_queued = false;
    name->is_late = false;
    if (n > 0) {
        FE_ASSERT(n <= FE_TRANSPORT_ADDRS_MAX, "addresses of a host have a limit");
        memcpy(name->addrs, addrs, n * sizeof(*addrs));
        name->n_addrs = n;
        name->err = (struct flatend_error){0};
        return;
    }
    name->err = *err;
    if (err->code == FLATEND_ENOENT) {
        name->n_addrs = 0;
    }
}

static void start(struct fe_name *name)
{
    struct fe_mesh *mesh = name->mesh;
    struct flatend_error err = {0};
    int code;

    name->is_queued = false;
    name->asked_ms = mesh->now_ms(mesh->now_arg);
    code = mesh->transport.ops->look_up(mesh->transport.arg, name, name->host, &name->lookup);
    if (code == 0) {
        name->is_running = true;
        mesh->n_look_ups++;
        return;
    }
    (void)fe_err_set(&err, code, "look up '%.100s': %s", name->host, flatend_strerror(code));
    settle(name, NULL, 0, &err);
}

/* The next in line, as many as there is room for. */
static void start_queued(struct fe_mesh *mesh)
{
    struct fe_name *name;

    while (mesh->n_look_ups < FE_MESH_LOOK_UPS_MAX && (name = find_queued(mesh)) != NULL) {
        start(name);
        if (!name->is_running) {
            tell(name);
        }
    }
}

void fe_name_unref(struct fe_name *name)
{
    struct fe_mesh *mesh = name->mesh;

    FE_ASSERT(name->n_refs > 0, "a name is given back once by each that has it");
    if (--name->n_refs > 0) {
        return;
    }
    if (name->is_running) {
        mesh->transport.ops->cancel_look_up(name->lookup);
        stop(name);
    }
    fe_timer_stop(mesh->timers, &name->deadline);
    fe_list_remove(&name->node);
    free(name);
    start_queued(mesh);
}

uint64_t fe_name_due_ms(const struct fe_name *name)
{
    return name->was_asked ? name->asked_ms + FE_MESH_LOOK_UP_MS : 0;
}

bool fe_name_ask(struct fe_name *name)
{
    struct fe_mesh *mesh = name->mesh;
    const bool is_under_way = name->is_running || name->is_queued;

    if (is_under_way || mesh->now_ms(mesh->now_arg) < fe_name_due_ms(name)) {
        return is_under_way && !name->is_late;
    }
    name->was_asked = true;
    name->asked_ms = mesh->now_ms(mesh->now_arg);
    /* Without memory for the time limit it is not waited for. */
    name->is_late = fe_mesh_start_timer(mesh, &name->deadline, FE_MESH_LOOK_UP_WAIT_MS) != 0;
    name->is_queued = true;
    if (mesh->n_look_ups < FE_MESH_LOOK_UPS_MAX) {
        start(name);
    }
    return fe_name_is_awaited(name);
}

void fe_name_on_resolved(struct fe_name *name, const struct fe_addr *addrs, size_t n,
                         const struct flatend_error *err)
{
    struct fe_mesh *mesh = name->mesh;

    stop(name);
    settle(name, addrs, n, err);
    tell(name);
    start_queued(mesh);
    FE_CHECK(fe_mesh_check(mesh));
}
