/* The node: what all links share, and the end of it. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/net/internal.h"
#include "mesh/rpc/call.h"

static void on_wakeup(struct fe_timer *timer)
{
    struct fe_mesh *mesh = FE_CONTAINER_OF(timer, struct fe_mesh, wakeup);
    int code = fe_timer_start(mesh->timers, timer, FE_MESH_FAR_AHEAD_MS);
    struct fe_list *node;

    FE_ASSERT(code == 0, "a timer that has just fired has a place in the heap");
    (void)code;
    while ((node = fe_list_pop_front(&mesh->unsettled)) != NULL) {
        fe_link_settle(FE_CONTAINER_OF(node, struct fe_link, unsettled));
    }
    if (mesh->is_resume_due) {
        mesh->is_resume_due = false;
        fe_calls_resume(&mesh->registry);
    }
    fe_join_report(mesh);
    fe_goaway_report_drained(mesh);
    FE_CHECK(fe_mesh_check(mesh));
    if (mesh->state == FE_MESH_CLOSING && mesh->n_links == 0) {
        mesh->state = FE_MESH_CLOSED;
        mesh->ops->on_closed(mesh->arg); /* the mesh may be gone after it */
    }
}

static int name_self(struct fe_mesh *mesh)
{
    const struct fe_view host = mesh->config.public_host;

    if (host.len > 0) {
        mesh->public_name = fe_name_ref(mesh, host);
        mesh->config.public_host = fe_view_of(NULL, 0); /* the caller's */
        return mesh->public_name != NULL ? 0 : FLATEND_ENOMEM;
    }
    return 0;
}

static void forget_own_name(struct fe_mesh *mesh)
{
    if (mesh->public_name != NULL) {
        fe_name_unref(mesh->public_name);
        mesh->public_name = NULL;
    }
}

/* A change is a new ID for those who meet us from now on; others know us by our key. Of several
 * addresses the one that peers know stays ours. */
void fe_mesh_on_public_name(struct fe_mesh *mesh)
{
    const struct fe_name *name = mesh->public_name;
    struct fe_ip_addr *own = &mesh->config.self.id.addr;
    struct fe_addr known = fe_addr_of_ip(own);
    char text[FE_ADDR_TEXT_MAX];

    for (size_t i = 0; i < name->n_addrs; i++) {
        struct fe_addr addr = name->addrs[i];

        addr.port = own->port;
        if (fe_addr_equal(&addr, &known)) {
            return;
        }
    }
    if (name->n_addrs == 0) {
        return; /* what was known is as good as anything */
    }
    known = name->addrs[0];
    known.port = own->port;
    (void)fe_addr_to_ip(&known, own);
    fe_log(&mesh->log, FLATEND_LOG_INFO, "This node's address is %s now (%s).",
           fe_addr_format(&known, text), name->host);
}

struct fe_mesh *fe_mesh_new(const struct fe_mesh_config *config, const struct fe_mesh_env *env,
                            const struct fe_mesh_ops *ops, void *arg)
{
    struct fe_mesh *mesh = calloc(1, sizeof(*mesh));

    if (mesh == NULL) {
        return NULL;
    }
    mesh->config = *config;
    mesh->transport = env->transport;
    mesh->timers = env->timers;
    mesh->now_ms = env->now_ms;
    mesh->now_arg = env->now_arg;
    mesh->pool = env->pool;
    mesh->rng = *env->rng;
    if (env->log != NULL) {
        mesh->log = *env->log;
    }
    mesh->ops = ops;
    mesh->arg = arg;
    fe_timer_init(&mesh->wakeup, on_wakeup);
    fe_output_init(mesh);
    if (fe_timer_start(mesh->timers, &mesh->wakeup, FE_MESH_FAR_AHEAD_MS) != 0) {
        free(mesh);
        return NULL;
    }
    fe_rng_fill(&mesh->rng, mesh->map_seed, sizeof(mesh->map_seed));
    fe_list_init(&mesh->links);
    fe_strangers_init(&mesh->strangers, mesh->map_seed, FE_STRANGERS_MAX);
    fe_strangers_init(&mesh->old_strangers, mesh->map_seed, FE_STRANGERS_OLD_MAX);
    mesh->links_max = FE_MESH_LINKS_MAX;
    fe_list_init(&mesh->dials);
    fe_list_init(&mesh->names);
    fe_list_init(&mesh->unsettled);
    fe_registry_init(&mesh->registry, &mesh->rng);
    fe_registry_set_clock(&mesh->registry, mesh->now_ms, mesh->now_arg);
    fe_kad_table_init(&mesh->table, fe_mesh_key(mesh));
    fe_discovery_init(mesh);
    fe_join_init(mesh);
    fe_self_link_init(&mesh->self, mesh);
    if (fe_self_link_offer(&mesh->self, mesh->config.self.services, mesh->config.self.n_services) !=
            0 ||
        name_self(mesh) != 0) {
        fe_mesh_free(mesh);
        return NULL;
    }
    return mesh;
}

void fe_mesh_free(struct fe_mesh *mesh)
{
    if (mesh == NULL) {
        return;
    }
    FE_ASSERT(mesh->n_links == 0, "a mesh that is freed has no links");
    FE_ASSERT(fe_list_is_empty(&mesh->dials), "a mesh that is freed has no dials");
    fe_discovery_stop(mesh);
    forget_own_name(mesh);
    FE_ASSERT(fe_list_is_empty(&mesh->names), "a name is given back by each that has it");
    fe_self_link_close(&mesh->self, FLATEND_ECANCELED);
    fe_timer_stop(mesh->timers, &mesh->wakeup);
    fe_output_stop(mesh);
    fe_strangers_deinit(&mesh->strangers);
    fe_strangers_deinit(&mesh->old_strangers);
    fe_registry_deinit(&mesh->registry);
    fe_kad_table_deinit(&mesh->table);
    fe_wipe(&mesh->config.self.secret, sizeof(mesh->config.self.secret));
    free(mesh);
}

/* Nothing new from now on: no discovery, no reconnecting. */
static void stop_growing(struct fe_mesh *mesh)
{
    fe_discovery_stop(mesh);
    FE_LIST_FOREACH (node, next, &mesh->dials) {
        struct fe_dial *dial = FE_CONTAINER_OF(node, struct fe_dial, node);

        if (dial->link == NULL || mesh->state == FE_MESH_CLOSING) {
            fe_dial_free(dial);
        }
    }
    forget_own_name(mesh);
    FE_LIST_FOREACH (node, next, &mesh->links) {
        fe_link_release(FE_CONTAINER_OF(node, struct fe_link, node));
    }
    fe_join_abort(mesh);
}

void fe_mesh_drain(struct fe_mesh *mesh)
{
    if (mesh->state == FE_MESH_RUNNING) {
        mesh->state = FE_MESH_DRAINING;
        mesh->drain = FE_DRAIN_RUNNING;
        stop_growing(mesh);
        FE_LIST_FOREACH (node, next, &mesh->links) {
            fe_goaway_send(FE_CONTAINER_OF(node, struct fe_link, node));
        }
        fe_mesh_wake(mesh);
        FE_CHECK(fe_mesh_check(mesh));
    }
}

/* Without memory for all of it the peer keeps what it knew: its requests are then refused. */
static void tell_services(struct fe_link *link)
{
    const struct fe_self *self = &link->mesh->config.self;
    struct fe_sender *sender = &link->session.sender;
    struct fe_offer offers[FE_SERVICES_MAX];
    struct flatend_error err = {0};
    int code;

    if (link->state != FE_LINK_READY || !fe_sender_is_secure(sender)) {
        return;
    }
    for (size_t i = 0; i < self->n_services; i++) {
        offers[i] = (struct fe_offer){self->services[i], FE_WEIGHT_DEFAULT};
    }
    code = sender->ops->services(sender, offers, self->n_services);
    if (code != 0) {
        fe_link_fail(link, code, &err);
    } else {
        fe_link_flush(link);
    }
}

void fe_mesh_set_services(struct fe_mesh *mesh, const struct fe_view *services, size_t n)
{
    FE_ASSERT(n <= FE_SERVICES_MAX, "what a node offers fits its Handshake");
    mesh->config.self.services = services;
    mesh->config.self.n_services = n;
    if (fe_self_link_offer(&mesh->self, services, n) != 0) {
        fe_log(&mesh->log, FLATEND_LOG_WARN,
               "Out of memory: this node's own calls do not find all of its services.");
    }
    FE_LIST_FOREACH (node, next, &mesh->links) {
        tell_services(FE_CONTAINER_OF(node, struct fe_link, node));
    }
}

void fe_mesh_close(struct fe_mesh *mesh, bool drain)
{
    if (mesh->state == FE_MESH_CLOSED) {
        return;
    }
    mesh->state = FE_MESH_CLOSING;
    stop_growing(mesh);
    fe_self_link_close(&mesh->self, FLATEND_ECANCELED);
    FE_LIST_FOREACH (node, next, &mesh->links) {
        fe_link_close(FE_CONTAINER_OF(node, struct fe_link, node), drain);
    }
    if (mesh->n_links == 0) {
        fe_mesh_wake(mesh);
    }
    FE_CHECK(fe_mesh_check(mesh));
}

struct fe_registry *fe_mesh_registry(struct fe_mesh *mesh)
{
    return &mesh->registry;
}

size_t fe_mesh_n_streams(const struct fe_mesh *mesh)
{
    size_t n = 0;

    FE_LIST_FOREACH (node, next, &mesh->links) {
        n += FE_CONTAINER_OF(node, struct fe_link, node)->peer.n_streams;
    }
    return n;
}

const uint8_t *fe_mesh_key(const struct fe_mesh *mesh)
{
    static const uint8_t zero_key[FE_KEY_LEN];

    return mesh->config.self.is_anonymous ? zero_key : mesh->config.self.id.public_key;
}

void fe_mesh_wake(struct fe_mesh *mesh)
{
    int code = fe_mesh_start_timer(mesh, &mesh->wakeup, 0);

    FE_ASSERT(code == 0, "a timer that is always armed keeps its place in the heap");
    (void)code;
}

int fe_mesh_start_timer(struct fe_mesh *mesh, struct fe_timer *timer, uint64_t delay_ms)
{
    return fe_timer_start(mesh->timers, timer, mesh->now_ms(mesh->now_arg) + delay_ms);
}

struct fe_link *fe_mesh_find_link(struct fe_mesh *mesh, const uint8_t key[FE_KEY_LEN])
{
    FE_LIST_FOREACH (node, next, &mesh->links) {
        struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        if (fe_link_has_key(link, key)) {
            return link;
        }
    }
    return NULL;
}

void fe_mesh_forget(struct fe_mesh *mesh, const struct fe_link *link)
{
    const uint8_t *key = link->peer.id.public_key;

    if (!link->peer.is_anonymous && fe_mesh_find_link(mesh, key) == NULL) {
        fe_kad_table_remove(&mesh->table, key);
    }
}
