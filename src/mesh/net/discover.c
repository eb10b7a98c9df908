/* Discovery: queries for the nodes nearest to this one, and connections to them (docs/PROTOCOL.md
 * §1.4). mesh/kad/lookup.h decides which node to query next.
 *
 * Happy path of one ask: the node is connected already, or is dialed; FindNode for our own key; its
 * answer names more nodes; those are asked in turn.
 *
 * Failure modes: a node cannot be dialed, is lost, or does not answer in time: it is skipped. Peers
 * that invent nodes are bounded by the lookup, peers that take their time by the deadline. */
#include "ground/base/assert.h"
#include "mesh/net/internal.h"

static void pump(struct fe_mesh *mesh);

static struct fe_discovery_query *find_query(struct fe_mesh *mesh, const struct fe_link *link)
{
    for (size_t i = 0; i < FE_MESH_BOOTSTRAP_LINKS; i++) {
        if (mesh->discovery.queries[i].link == link) {
            return &mesh->discovery.queries[i];
        }
    }
    return NULL;
}

static void query_clear(struct fe_discovery_query *query)
{
    fe_timer_stop(query->mesh->timers, &query->timer);
    query->link = NULL;
    query->is_sent = false;
}

/* The node has answered, or will not: on to the next. */
static void query_done(struct fe_discovery_query *query)
{
    struct fe_mesh *mesh = query->mesh;

    fe_kad_lookup_done(&mesh->discovery.lookup, query->key);
    query_clear(query);
}

static void on_query_timer(struct fe_timer *timer)
{
    struct fe_discovery_query *query = FE_CONTAINER_OF(timer, struct fe_discovery_query, timer);

    query_done(query);
    pump(query->mesh);
    FE_CHECK(fe_mesh_check(query->mesh));
}

static int query_send(struct fe_discovery_query *query)
{
    struct fe_mesh *mesh = query->mesh;
    struct fe_sender *sender = &query->link->session.sender;
    int code = fe_mesh_start_timer(mesh, &query->timer, FE_MESH_ANSWER_MS);

    FE_ASSERT(query->link->state == FE_LINK_READY && !query->is_sent,
              "a peer that is ready is asked once");
    if (code == 0) {
        code = sender->ops->find_node(sender, fe_mesh_key(mesh), &query->token);
    }
    if (code == 0) {
        query->is_sent = true;
        mesh->transport.ops->flush(query->link->io);
    }
    return code;
}

/* The link over which the node is to be asked, in whatever state; NULL: it cannot be reached. */
static struct fe_link *link_to(struct fe_mesh *mesh, const struct fe_id *id)
{
    struct fe_link *link = fe_mesh_find_link(mesh, id->public_key);
    const struct fe_addr addr = fe_addr_of_ip(&id->addr);
    struct fe_dial *dial;

    if (link != NULL) {
        return link;
    }
    dial = fe_dial_find(mesh, &addr);
    if (dial != NULL) {
        /* Connected: it is another node. Waiting: the address does not answer. */
        return dial->state == FE_DIAL_DIALING ? dial->link : NULL;
    }
    return fe_dial_new(mesh, &addr, &dial) == 0 ? dial->link : NULL;
}

static void query_node(struct fe_mesh *mesh, const struct fe_id *id)
{
    struct fe_link *link = link_to(mesh, id);
    struct fe_discovery_query *query = find_query(mesh, NULL);

    if (link == NULL || query == NULL || find_query(mesh, link) != NULL) {
        fe_kad_lookup_done(&mesh->discovery.lookup, id->public_key);
        return;
    }
    query->link = link;
    memcpy(query->key, id->public_key, FE_KEY_LEN);
    if (link->state != FE_LINK_READY) {
        return; /* fe_discovery_on_ready goes on */
    }
    fe_link_log(link, "Re-probed ", ".");
    if (query_send(query) != 0) {
        query_done(query);
    }
}

static void finish(struct fe_mesh *mesh)
{
    size_t n_discovered = mesh->discovery.n_discovered;

    fe_discovery_stop(mesh);
    fe_log(&mesh->log, FLATEND_LOG_INFO, "Discovered %zu peer(s).", n_discovered);
    fe_join_on_discovered(mesh);
}

static void pump(struct fe_mesh *mesh)
{
    struct fe_kad_lookup *lookup = &mesh->discovery.lookup;
    struct fe_id id;

    while (fe_kad_lookup_next(lookup, &id)) {
        query_node(mesh, &id);
    }
    if (fe_kad_lookup_is_finished(lookup)) {
        finish(mesh);
    }
}

static void on_deadline(struct fe_timer *timer)
{
    finish(FE_CONTAINER_OF(timer, struct fe_mesh, discovery.deadline));
}

void fe_discovery_init(struct fe_mesh *mesh)
{
    for (size_t i = 0; i < FE_MESH_BOOTSTRAP_LINKS; i++) {
        mesh->discovery.queries[i].mesh = mesh;
        fe_timer_init(&mesh->discovery.queries[i].timer, on_query_timer);
    }
    fe_timer_init(&mesh->discovery.deadline, on_deadline);
}

void fe_discovery_start(struct fe_mesh *mesh)
{
    struct fe_discovery *discovery = &mesh->discovery;
    const uint8_t *key = fe_mesh_key(mesh);
    struct fe_id ids[FE_KAD_BUCKET_SIZE];
    size_t n = fe_kad_table_closest(&mesh->table, key, ids, FE_KAD_BUCKET_SIZE);

    if (!discovery->is_running) {
        fe_kad_lookup_init(&discovery->lookup, key, key, FE_MESH_BOOTSTRAP_LINKS);
        discovery->is_running = true;
        discovery->n_discovered = 0;
    }
    if (fe_mesh_start_timer(mesh, &discovery->deadline, FE_MESH_DISCOVER_MS) != 0 ||
        fe_kad_lookup_add(&discovery->lookup, ids, n) < 0) {
        fe_log(&mesh->log, FLATEND_LOG_WARN, "Peer discovery failed: out of memory.");
        finish(mesh);
        return;
    }
    pump(mesh);
}

void fe_discovery_stop(struct fe_mesh *mesh)
{
    struct fe_discovery *discovery = &mesh->discovery;

    for (size_t i = 0; i < FE_MESH_BOOTSTRAP_LINKS; i++) {
        query_clear(&discovery->queries[i]);
    }
    fe_timer_stop(mesh->timers, &discovery->deadline);
    fe_kad_lookup_deinit(&discovery->lookup);
    discovery->is_running = false;
}

void fe_discovery_on_ready(struct fe_mesh *mesh, struct fe_link *link)
{
    struct fe_discovery_query *query = find_query(mesh, link);

    if (query == NULL || query->is_sent) {
        return;
    }
    mesh->discovery.n_discovered++;
    if (query_send(query) != 0) {
        query_done(query);
        pump(mesh);
    }
}

void fe_discovery_on_nodes(struct fe_mesh *mesh, struct fe_link *link, uint32_t token,
                           const struct fe_id *ids, size_t n)
{
    struct fe_discovery_query *query = find_query(mesh, link);

    if (query == NULL || !query->is_sent || query->token != token) {
        return; /* too late */
    }
    for (size_t i = 0; i < n; i++) {
        struct fe_id id = ids[i];

        /* A node that listens on all interfaces has told its neighbour no address. It is then most
         * likely on that neighbour's host, as in a mesh on one machine. */
        fe_link_complete_addr(link, &id.addr);
        if (fe_kad_lookup_add(&mesh->discovery.lookup, &id, 1) < 0) {
            fe_log(&mesh->log, FLATEND_LOG_WARN, "Peer discovery failed: out of memory.");
            break;
        }
    }
    query_done(query);
    pump(mesh);
    FE_CHECK(fe_mesh_check(mesh));
}

void fe_discovery_on_lost(struct fe_mesh *mesh, struct fe_link *link)
{
    struct fe_discovery_query *query = find_query(mesh, link);

    if (query != NULL) {
        query_done(query);
        pump(mesh);
    }
}
