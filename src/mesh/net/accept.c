/* A connection that has come: whether there is room for it, and which one gives way.
 *
 * Happy path: fe_mesh_accept; its link goes on in link.c.
 *
 * Failure modes: limits, no memory: the connection is closed, and counted as rejected. */
#include "mesh/net/internal.h"

static bool may_log_accept(struct fe_mesh *mesh)
{
    return fe_log_limit_passes(&mesh->peer_lines, &mesh->log, FLATEND_LOG_WARN, "peers",
                               mesh->now_ms(mesh->now_arg));
}

bool fe_link_is_stranger(const struct fe_link *link)
{
    return link->state == FE_LINK_HANDSHAKE && !link->session.is_initiator;
}

/* Connections without a Handshake must not keep others out. */
static void displace(struct fe_link *link)
{
    fe_link_close(link, false);
    link->mesh->stats.displaced++;
}

/* Closes the oldest of them. */
static bool make_room(struct fe_mesh *mesh, const struct fe_addr *addr)
{
    char text[FE_ADDR_TEXT_MAX];

    FE_LIST_FOREACH (node, next, &mesh->links) {
        struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        if (fe_link_is_stranger(link)) {
            displace(link);
            return true;
        }
    }
    if (may_log_accept(mesh)) {
        fe_log(&mesh->log, FLATEND_LOG_WARN,
               "Refused a connection from %s: limit of %zu connections reached.",
               fe_addr_format(addr, text), mesh->links_max);
    }
    return false;
}

/* Closes the oldest one of an address that has all that it may have: those that come in time for a
 * Handshake are served also beside a flood from their address. */
static void make_room_at(struct fe_mesh *mesh, struct fe_list *members)
{
    struct fe_link *const oldest = FE_CONTAINER_OF(members->next, struct fe_link, stranger.member);
    char text[FE_ADDR_TEXT_MAX];

    FE_ASSERT(!fe_list_is_empty(members) && fe_link_is_stranger(oldest),
              "only such connections are counted");
    if (may_log_accept(mesh)) {
        fe_log(&mesh->log, FLATEND_LOG_WARN,
               "Closed the connection from %s for a newer one: limit of %zu connections without a "
               "Handshake from one address reached.",
               fe_addr_format(&oldest->addr, text), mesh->strangers.max);
    }
    displace(oldest);
}

static struct fe_link *accept_link(struct fe_mesh *mesh, void *io)
{
    struct fe_list *members;
    struct fe_link *link;
    struct fe_addr addr;

    mesh->transport.ops->peer_addr(io, &addr);
    members = fe_strangers_at_limit(&mesh->strangers, &addr);
    if (members != NULL) {
        make_room_at(mesh, members);
    }
    if (mesh->n_links >= mesh->links_max && !make_room(mesh, &addr)) {
        return NULL;
    }
    link = fe_link_new(mesh);
    if (link == NULL) {
        return NULL;
    }
    link->io = io;
    link->addr = addr;
    if (fe_stranger_enter(&mesh->strangers, &link->stranger, &addr) != 0 ||
        fe_link_start_session(link, false) != 0) {
        fe_link_free(link);
        return NULL;
    }
    FE_CHECK(fe_link_check(link));
    FE_CHECK(fe_mesh_check(mesh));
    return link;
}

/* What our Handshake says of us is looked up before: until then nothing is read. */
static void hold(struct fe_link *link)
{
    struct fe_mesh *mesh = link->mesh;

    if (mesh->public_name != NULL && fe_name_ask(mesh->public_name)) {
        link->is_held = true;
        mesh->transport.ops->set_reading(link->io, false);
    }
}

struct fe_link *fe_mesh_accept(struct fe_mesh *mesh, void *io)
{
    struct fe_link *link = mesh->state == FE_MESH_RUNNING ? accept_link(mesh, io) : NULL;

    if (link != NULL) {
        hold(link);
    }
    mesh->stats.accepted += link != NULL;
    mesh->stats.rejected += link == NULL;
    return link;
}
