#include "rpc/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_LEN = 255,   /* a name's length is one byte on the wire */
    NAMES_MAX = 255,      /* names in one request: their number is one byte on the wire */
    PEER_OFFERS_MAX = 255 /* services of one peer: as many as one Handshake can name */
};

/* A service, for as long as anybody offers it. */
struct service {
    struct fe_map_node node; /* the key is `name` */
    struct offer **offers;
    size_t n_offers;
    size_t cap;
    size_t name_len;
    uint8_t name[];
};

/* That one peer provides one service. */
struct offer {
    struct fe_list link; /* in peer->offers */
    struct fe_peer *peer;
    struct service *service;
    size_t index; /* in service->offers */
};

/* The providers of several services, counted through: service by service. */
struct candidates {
    const struct service *services[NAMES_MAX];
    size_t n_services;
    size_t n;
};

void fe_registry_init(struct fe_registry *registry, const struct fe_rng *rng)
{
    *registry = (struct fe_registry){.rng = *rng, .next_handle = 1};
    fe_rng_fill(&registry->rng, registry->seed, sizeof(registry->seed));
    fe_map_init(&registry->services, registry->seed);
    fe_map_init(&registry->handles, registry->seed);
}

void fe_registry_deinit(struct fe_registry *registry)
{
    assert(registry->services.n == 0 && registry->handles.n == 0);
    fe_map_deinit(&registry->services);
    fe_map_deinit(&registry->handles);
}

static struct service *find_service(const struct fe_registry *registry, struct fe_view name)
{
    struct fe_map_node *node = fe_map_find(&registry->services, name);

    return node == NULL ? NULL : FE_CONTAINER_OF(node, struct service, node);
}

static struct service *new_service(struct fe_registry *registry, struct fe_view name)
{
    struct service *service = calloc(1, sizeof(*service) + name.len);

    if (service == NULL) {
        return NULL;
    }
    service->name_len = name.len;
    memcpy(service->name, name.ptr, name.len);
    service->node.key = fe_view_of(service->name, name.len);
    if (fe_map_insert(&registry->services, &service->node) != 0) {
        free(service);
        return NULL;
    }
    return service;
}

static void free_service_if_unused(struct fe_registry *registry, struct service *service)
{
    if (service->n_offers > 0) {
        return;
    }
    fe_map_remove(&registry->services, &service->node);
    free(service->offers);
    free(service);
}

static bool is_offered(const struct fe_peer *peer, const struct service *service)
{
    FE_LIST_FOREACH (link, tmp, &peer->offers) {
        if (FE_CONTAINER_OF(link, struct offer, link)->service == service) {
            return true;
        }
    }
    return false;
}

static int reserve_offer(struct service *service)
{
    size_t cap = service->cap == 0 ? 4 : service->cap * 2;
    struct offer **offers;

    if (service->n_offers < service->cap) {
        return 0;
    }
    offers = realloc(service->offers, cap * sizeof(*offers)); /* at most one a connection */
    if (offers == NULL) {
        return FLATEND_ENOMEM;
    }
    service->offers = offers;
    service->cap = cap;
    return 0;
}

static int add_offer(struct service *service, struct fe_peer *peer)
{
    struct offer *offer;

    if (reserve_offer(service) != 0) {
        return FLATEND_ENOMEM;
    }
    offer = malloc(sizeof(*offer));
    if (offer == NULL) {
        return FLATEND_ENOMEM;
    }
    *offer = (struct offer){.peer = peer, .service = service, .index = service->n_offers};
    service->offers[service->n_offers++] = offer;
    fe_list_push_back(&peer->offers, &offer->link);
    peer->n_offers++;
    return 0;
}

static int offer_name(struct fe_registry *registry, struct fe_peer *peer, struct fe_view name)
{
    struct service *service = find_service(registry, name);
    int rc;

    if (name.len == 0 || name.len > NAME_MAX_LEN) {
        return FLATEND_EINVAL;
    }
    if (service != NULL && is_offered(peer, service)) {
        return 0;
    }
    if (peer->n_offers == PEER_OFFERS_MAX) {
        return FLATEND_ELIMIT;
    }
    if (service == NULL) {
        service = new_service(registry, name);
        if (service == NULL) {
            return FLATEND_ENOMEM;
        }
    }
    rc = add_offer(service, peer);
    free_service_if_unused(registry, service);
    return rc;
}

int fe_registry_offer(struct fe_registry *registry, struct fe_peer *peer, struct fe_names services)
{
    struct fe_view name;
    int rc;

    assert(peer->registry == NULL || peer->registry == registry);
    if (peer->registry == NULL) {
        peer->handle = registry->next_handle;
        peer->by_handle.key = fe_view_of(&peer->handle, sizeof(peer->handle));
        rc = fe_map_insert(&registry->handles, &peer->by_handle);
        if (rc != 0) {
            return rc;
        }
        registry->next_handle++;
        peer->registry = registry;
    }
    while (fe_names_next(&services, &name)) {
        rc = offer_name(registry, peer, name);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void withdraw(struct fe_registry *registry, struct offer *offer)
{
    struct service *service = offer->service;
    struct offer *last = service->offers[--service->n_offers];

    service->offers[offer->index] = last;
    last->index = offer->index;
    free_service_if_unused(registry, service);
    free(offer);
}

void fe_registry_remove(struct fe_registry *registry, struct fe_peer *peer)
{
    struct fe_list *link;

    if (peer->registry == NULL) {
        return;
    }
    assert(peer->registry == registry);
    while ((link = fe_list_pop_front(&peer->offers)) != NULL) {
        withdraw(registry, FE_CONTAINER_OF(link, struct offer, link));
    }
    peer->n_offers = 0;
    fe_map_remove(&registry->handles, &peer->by_handle);
    peer->registry = NULL;
}

static void gather(const struct fe_registry *registry, const struct fe_view *names, size_t n_names,
                   struct candidates *candidates)
{
    candidates->n = 0;
    candidates->n_services = 0;
    for (size_t i = 0; i < n_names && i < NAMES_MAX; i++) {
        const struct service *service = find_service(registry, names[i]);

        if (service != NULL) {
            candidates->services[candidates->n_services++] = service;
            candidates->n += service->n_offers;
        }
    }
}

static struct fe_peer *candidate(const struct candidates *candidates, size_t index)
{
    size_t i = 0;

    while (index >= candidates->services[i]->n_offers) {
        index -= candidates->services[i++]->n_offers;
    }
    return candidates->services[i]->offers[index]->peer;
}

static bool is_excluded(const struct fe_peer *peer, const uint64_t *excluded, size_t n_excluded)
{
    for (size_t i = 0; i < n_excluded; i++) {
        if (excluded[i] == peer->handle) {
            return true;
        }
    }
    return false;
}

/* The first candidate from a random place on that is neither excluded nor `other`. */
static struct fe_peer *draw(struct fe_registry *registry, const struct candidates *candidates,
                            const uint64_t *excluded, size_t n_excluded,
                            const struct fe_peer *other)
{
    size_t start = candidates->n > 1 ? fe_rng_below(&registry->rng, (uint32_t)candidates->n) : 0;

    for (size_t i = 0; i < candidates->n; i++) {
        struct fe_peer *peer = candidate(candidates, (start + i) % candidates->n);

        if (peer != other && !is_excluded(peer, excluded, n_excluded)) {
            return peer;
        }
    }
    return NULL;
}

struct fe_peer *fe_registry_choose(struct fe_registry *registry, const struct fe_view *services,
                                   size_t n_services, const uint64_t *excluded, size_t n_excluded)
{
    struct candidates candidates;
    struct fe_peer *first;
    struct fe_peer *second;

    gather(registry, services, n_services, &candidates);
    first = draw(registry, &candidates, excluded, n_excluded, NULL);
    if (first == NULL || candidates.n == 1) {
        return first;
    }
    second = draw(registry, &candidates, excluded, n_excluded, first);
    return second != NULL && second->n_streams < first->n_streams ? second : first;
}

struct fe_peer *fe_registry_find(struct fe_registry *registry, uint64_t handle)
{
    struct fe_map_node *node = fe_map_find(&registry->handles, fe_view_of(&handle, sizeof(handle)));

    return node == NULL ? NULL : FE_CONTAINER_OF(node, struct fe_peer, by_handle);
}

static bool is_same_node(const struct fe_peer *a, const struct fe_peer *b)
{
    if (a == b) {
        return true;
    }
    return !a->is_anonymous && !b->is_anonymous &&
           memcmp(a->id.public_key, b->id.public_key, FE_KEY_LEN) == 0;
}

size_t fe_registry_list(struct fe_registry *registry, const struct fe_view *services,
                        size_t n_services, struct fe_peer **peers, size_t cap)
{
    struct candidates candidates;
    size_t n = 0;

    gather(registry, services, n_services, &candidates);
    for (size_t i = 0; i < candidates.n; i++) {
        struct fe_peer *peer = candidate(&candidates, i);
        bool is_new = true;

        /* Quadratic, but asked for by people and not per request. */
        for (size_t j = 0; j < i && is_new; j++) {
            is_new = !is_same_node(peer, candidate(&candidates, j));
        }
        if (is_new && n++ < cap) {
            peers[n - 1] = peer;
        }
    }
    return n;
}

void fe_registry_set_clock(struct fe_registry *registry, uint64_t (*now_ms)(void *arg), void *arg)
{
    registry->now_ms = now_ms;
    registry->now_arg = arg;
}

int fe_registry_replace(struct fe_registry *registry, struct fe_peer *peer, struct fe_offers offers)
{
    (void)registry;
    (void)peer;
    (void)offers;
    return 0;
}

void fe_registry_report(struct fe_registry *registry, struct fe_peer *peer, int code)
{
    (void)registry;
    (void)peer;
    (void)code;
}
