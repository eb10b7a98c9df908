/* What the node offers: at first what its options said, later what is added and removed. Everything
 * here runs on the node's thread but the two public calls. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/node/sync_task.h"

/* ---- references ---- */

struct fe_service *fe_service_ref(struct fe_service *service)
{
    const unsigned n = atomic_fetch_add_explicit(&service->n_refs, 1, memory_order_relaxed);

    FE_ASSERT(n > 0, "what is referred to is alive");
    return service;
}

void fe_service_unref(struct fe_service *service)
{
    const unsigned n = atomic_fetch_sub_explicit(&service->n_refs, 1, memory_order_acq_rel);

    FE_ASSERT(n > 0, "references are counted");
    if (n > 1) {
        return;
    }
    fe_event_source_detach(&service->queue);
    if (service->is_heap) {
        free(service);
    }
}

struct fe_service *fe_node_find_service(const struct flatend_node *node, struct fe_view name)
{
    struct fe_map_node *found = fe_map_find(&node->services, name);

    return found == NULL ? NULL : FE_CONTAINER_OF(found, struct fe_service, by_name);
}

/* ---- the whole ---- */

int fe_node_init_services(struct flatend_node *node)
{
    struct fe_settings *settings = &node->settings;
    uint8_t seed[16];

    fe_rng_fill(&node->rng, seed, sizeof(seed));
    fe_map_init(&node->services, seed);
    for (size_t i = 0; i < settings->n_services; i++) {
        int code = fe_map_insert(&node->services, &settings->services[i].by_name);

        if (code != 0) {
            fe_map_deinit(&node->services);
            return code;
        }
    }
    return 0;
}

void fe_node_deinit_services(struct flatend_node *node)
{
    struct fe_map_node *found;

    while ((found = fe_map_next(&node->services, NULL)) != NULL) {
        fe_map_remove(&node->services, found);
        fe_service_unref(FE_CONTAINER_OF(found, struct fe_service, by_name));
    }
    fe_map_deinit(&node->services);
    free(node->offered);
    node->offered = NULL;
}

int fe_node_bind_queues(struct flatend_node *node, struct flatend_error *error)
{
    const struct fe_settings *settings = &node->settings;

    for (size_t i = 0; i < settings->n_services; i++) {
        const struct fe_service *service = &settings->services[i];
        int code = fe_queue_bind(service->queue.queue, node->guard);

        if (code != 0) {
            fe_node_unbind_queues(node);
            return fe_err_set(error, code, "services[%zu]: '%s': its queue is for another node", i,
                              service->name);
        }
    }
    return 0;
}

void fe_node_unbind_queues(struct flatend_node *node)
{
    for (size_t i = 0; i < node->settings.n_services; i++) {
        fe_queue_unbind(node->settings.services[i].queue.queue, node->guard);
    }
}

/* Tells the mesh the names of all services there are. FLATEND_ENOMEM: it was told nothing. */
static int announce(struct flatend_node *node)
{
    struct fe_view *names = malloc((node->services.n + 1) * sizeof(*names));
    struct fe_map_node *found = NULL;
    size_t n = 0;

    if (names == NULL) {
        return FLATEND_ENOMEM;
    }
    while ((found = fe_map_next(&node->services, found)) != NULL) {
        names[n++] = found->key;
    }
    fe_mesh_set_services(node->mesh, names, n);
    free(node->offered);
    node->offered = names;
    return 0;
}

/* ---- adding ---- */

struct change {
    struct fe_sync_task sync_task;
    struct flatend_node *node;
    struct fe_service *added;
    struct fe_view name;
    int code;
};

/* All names have to fit a Handshake. */
static int check_room(const struct flatend_node *node, struct fe_view name)
{
    struct fe_map_node *found = NULL;
    size_t size = 1 + name.len;

    while ((found = fe_map_next(&node->services, found)) != NULL) {
        size += 1 + found->key.len;
    }
    return node->services.n < FE_SERVICES_MAX && size <= FE_SERVICE_NAMES_MAX ? 0 : FLATEND_ELIMIT;
}

static int add(struct flatend_node *node, struct fe_service *service)
{
    int code = check_room(node, service->by_name.key);

    if (fe_node_find_service(node, service->by_name.key) != NULL) {
        return FLATEND_EEXIST;
    }
    if (code == 0) {
        code = fe_map_insert(&node->services, &service->by_name);
    }
    if (code == 0) {
        code = announce(node);
        if (code != 0) {
            fe_map_remove(&node->services, &service->by_name);
        }
    }
    return code;
}

static void run_add(struct fe_sync_task *sync_task)
{
    struct change *change = FE_CONTAINER_OF(sync_task, struct change, sync_task);

    change->code = add(change->node, change->added);
}

static struct fe_service *service_new(const struct flatend_service *service)
{
    size_t len = strlen(service->name);
    struct fe_service *copy = calloc(1, sizeof(*copy) + len + 1);
    char *name;

    if (copy == NULL) {
        return NULL;
    }
    name = (char *)(copy + 1);
    memcpy(name, service->name, len + 1);
    fe_service_init(copy, service);
    copy->by_name.key = fe_view_of(name, len);
    copy->name = name;
    copy->is_heap = true;
    return copy;
}

int flatend_node_add_service(struct flatend_node *node, const struct flatend_service *service)
{
    struct change change = {.sync_task.run = run_add, .node = node};
    int code = fe_node_check_call(node);

    if (code == 0) {
        code = service != NULL ? fe_service_check(service, NULL) : FLATEND_EINVAL;
    }
    if (code == 0) {
        code = fe_queue_bind(service->queue, node->guard);
    }
    if (code != 0) {
        return code;
    }
    change.added = service_new(service);
    if (change.added == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_node_run(node, &change.sync_task);
    if (code == 0) {
        code = change.code;
    }
    if (code != 0) {
        fe_service_unref(change.added);
    }
    return code;
}

/* ---- removing ---- */

static int remove_service(struct flatend_node *node, struct fe_view name)
{
    struct fe_service *service = fe_node_find_service(node, name);
    int code;

    if (service == NULL) {
        return FLATEND_ENOENT;
    }
    fe_map_remove(&node->services, &service->by_name);
    code = announce(node);
    if (code == 0) {
        fe_service_unref(service);
        return 0;
    }
    /* The map has just had room for it. */
    return fe_map_insert(&node->services, &service->by_name) != 0 ? FLATEND_ENOMEM : code;
}

static void run_remove(struct fe_sync_task *sync_task)
{
    struct change *change = FE_CONTAINER_OF(sync_task, struct change, sync_task);

    change->code = remove_service(change->node, change->name);
}

int flatend_node_remove_service(struct flatend_node *node, const char *name)
{
    struct change change = {.sync_task.run = run_remove, .node = node};
    int code = fe_node_check_call(node);

    if (code != 0) {
        return code;
    }
    if (name == NULL) {
        return FLATEND_EINVAL;
    }
    change.name = fe_view_str(name);
    code = fe_node_run(node, &change.sync_task);
    return code != 0 ? code : change.code;
}
