/* What holds of links, dials and the mesh between any two events: the diagrams in internal.h. */
#include "ground/base/assert.h"
#include "mesh/net/internal.h"

/* ---- a link ---- */

static void check_connecting(const struct fe_link *link)
{
    FE_ASSERT(fe_timer_is_armed(&link->timer), "a connection is waited for until its deadline");
    FE_ASSERT(link->peer.registry == NULL, "a peer provides nothing before its Handshake");
    FE_ASSERT(!fe_timer_is_armed(&link->keepalive), "a peer is watched from its Handshake on");
    FE_ASSERT(!link->has_goaway, "GOAWAY comes behind the Handshake");
}

static void check_ready(const struct fe_link *link)
{
    const struct fe_mesh *mesh = link->mesh;
    bool is_watched = fe_sender_is_secure(&link->session.sender) && mesh->config.dead_after_ms >= 2;

    FE_ASSERT(!fe_timer_is_armed(&link->timer), "a link that is ready waits for nothing");
    FE_ASSERT(fe_timer_is_armed(&link->keepalive) == is_watched, "a peer is watched if it can be");
    FE_ASSERT((fe_timer_is_armed(&link->old.hold) || link->old.is_spare) == link->peer.is_held,
              "requests wait for a peer until a deadline, or go over another link to it");
    FE_ASSERT(link->session.state == FE_SESSION_OPEN,
              "a peer that is ready has sent its Handshake");
    FE_ASSERT(link->peer.registry == NULL || link->peer.registry == &mesh->registry,
              "a peer is in the registry of its mesh");
    FE_ASSERT(!link->has_goaway || link->peer.registry == NULL,
              "a peer that has sent GOAWAY is sent no requests");
    FE_ASSERT(link->dial == NULL || link->dial->state == FE_DIAL_CONNECTED,
              "the dial of a link that is ready is connected");
}

static void check_ended(const struct fe_link *link)
{
    FE_ASSERT(fe_timer_is_armed(&link->timer) == (link->state == FE_LINK_DRAINING),
              "what is still sent has a deadline");
    FE_ASSERT(!fe_timer_is_armed(&link->keepalive), "a peer of a closed link is not watched");
    FE_ASSERT(link->peer.registry == NULL, "a peer of a closed link is sent no requests");
    FE_ASSERT(!link->peer.is_held, "nothing waits for a peer of a closed link");
}

void fe_link_check(const struct fe_link *link)
{
    FE_ASSERT(fe_list_is_linked(&link->node), "a link is its mesh's until it is closed");
    FE_ASSERT(!link->is_in_peer_call, "no event runs between two events");
    FE_ASSERT(link->dial == NULL || link->dial->link == link,
              "a link and its dial know each other");
    FE_ASSERT(link->goaway == FE_GOAWAY_NONE || link->mesh->state != FE_MESH_RUNNING,
              "a mesh that sends GOAWAY drains");
    FE_ASSERT(link->has_session || link->state != FE_LINK_HANDSHAKE, "a Handshake needs a session");
    if (link->has_session) {
        FE_ASSERT(link->state != FE_LINK_DIALING, "a session needs a connection");
        fe_session_check(&link->session);
        FE_ASSERT(!link->peer.is_closed, "a peer is closed with its connection");
    }
    switch (link->state) {
    case FE_LINK_DIALING:
    case FE_LINK_HANDSHAKE:
        check_connecting(link);
        break;
    case FE_LINK_READY:
        check_ready(link);
        break;
    case FE_LINK_DRAINING:
    case FE_LINK_CLOSING:
        check_ended(link);
        break;
    }
}

/* ---- the mesh ---- */

static void check_links(const struct fe_mesh *mesh)
{
    size_t n_links = 0;
    size_t n_open = 0;

    FE_LIST_FOREACH (node, next, &mesh->links) {
        const struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        FE_ASSERT(link->mesh == mesh, "a link is its mesh's");
        n_links++;
        n_open += link->state <= FE_LINK_READY;
    }
    FE_ASSERT(n_links == mesh->n_links, "links are counted");
    fe_strangers_check(&mesh->strangers);
    fe_strangers_check(&mesh->old_strangers);
    FE_ASSERT(n_open <= mesh->links_max, "links are bounded");
}

static bool is_awaited(const struct fe_name *name)
{
    return name != NULL && fe_name_is_awaited(name);
}

static void check_names(const struct fe_mesh *mesh)
{
    size_t n_look_ups = 0;

    FE_LIST_FOREACH (node, next, &mesh->names) {
        const struct fe_name *name = FE_CONTAINER_OF(node, struct fe_name, node);

        FE_ASSERT(name->mesh == mesh && name->n_refs > 0, "a name is its mesh's, and needed");
        FE_ASSERT(!name->is_running || !name->is_queued, "a name waits, or is looked up");
        FE_ASSERT(fe_timer_is_armed(&name->deadline) == fe_name_is_awaited(name),
                  "a look-up is waited for until its deadline");
        n_look_ups += name->is_running;
    }
    FE_ASSERT(n_look_ups == mesh->n_look_ups && n_look_ups <= FE_MESH_LOOK_UPS_MAX,
              "look-ups are counted, and bounded");
}

static void check_dial(const struct fe_mesh *mesh, const struct fe_dial *dial)
{
    FE_ASSERT(dial->mesh == mesh, "a dial is its mesh's");
    FE_ASSERT((dial->link == NULL) ==
                  (dial->state == FE_DIAL_WAITING || dial->state == FE_DIAL_LOOKING_UP),
              "a dial has a link, or waits for the next");
    FE_ASSERT(dial->state != FE_DIAL_LOOKING_UP || is_awaited(dial->name) ||
                  is_awaited(mesh->public_name),
              "a dial waits for a name that is looked up");
    FE_ASSERT(dial->link == NULL || dial->link->dial == dial,
              "a link and its dial know each other");
    FE_ASSERT(fe_timer_is_armed(&dial->timer) == (dial->state == FE_DIAL_WAITING),
              "an address is dialed again");
    FE_ASSERT(dial->state != FE_DIAL_WAITING || dial->is_persistent,
              "only an address that was given, or has answered, is dialed again");
    FE_ASSERT(dial->state != FE_DIAL_CONNECTED || dial->seed == FE_SEED_RESOLVED,
              "an address that has answered is resolved");
}

static void check_dials(const struct fe_mesh *mesh)
{
    const struct fe_join *join = &mesh->join;
    size_t n_untried = 0;
    size_t n_unresolved = 0;

    FE_LIST_FOREACH (node, next, &mesh->dials) {
        const struct fe_dial *dial = FE_CONTAINER_OF(node, struct fe_dial, node);

        check_dial(mesh, dial);
        n_untried += dial->seed == FE_SEED_UNTRIED;
        n_unresolved += dial->seed != FE_SEED_RESOLVED;
    }
    if (mesh->state == FE_MESH_RUNNING) {
        FE_ASSERT(join->n_untried == n_untried, "addresses that were not tried are counted");
        FE_ASSERT(join->n_unresolved == n_unresolved, "addresses without an answer are counted");
    }
    FE_ASSERT(join->n_untried <= join->n_unresolved && join->n_unresolved <= join->n_addrs,
              "an address answers after it was tried");
    FE_ASSERT(join->n_connected + join->n_unresolved <= join->n_addrs,
              "an address is resolved once");
}

static void check_discovery(const struct fe_mesh *mesh)
{
    const struct fe_discovery *discovery = &mesh->discovery;
    size_t n_queries = 0;

    for (size_t i = 0; i < FE_MESH_BOOTSTRAP_LINKS; i++) {
        const struct fe_discovery_query *query = &discovery->queries[i];

        FE_ASSERT(query->link == NULL || query->link->mesh == mesh, "a node is asked over a link");
        FE_ASSERT(fe_timer_is_armed(&query->timer) == query->is_sent,
                  "an answer is waited for until its deadline");
        FE_ASSERT(query->link != NULL || !query->is_sent, "a question has somewhere to go");
        n_queries += query->link != NULL;
    }
    FE_ASSERT(fe_timer_is_armed(&discovery->deadline) == discovery->is_running, "a discovery ends");
    FE_ASSERT(n_queries == discovery->lookup.n_asked, "each node that is asked has its question");
    FE_ASSERT(discovery->is_running || n_queries == 0, "nothing is asked without a discovery");
    fe_kad_lookup_check(&discovery->lookup);
}

void fe_mesh_check(const struct fe_mesh *mesh)
{
    check_links(mesh);
    check_names(mesh);
    check_dials(mesh);
    check_discovery(mesh);
    FE_ASSERT(fe_timer_is_armed(&mesh->wakeup), "a wake-up never lacks memory");
    FE_ASSERT(mesh->drain == FE_DRAIN_NONE || mesh->state != FE_MESH_RUNNING,
              "a mesh that drains does not grow");
    FE_ASSERT(mesh->join.state != FE_JOIN_RUNNING || mesh->state == FE_MESH_RUNNING,
              "a join ends with the mesh");
}
