#include <stdlib.h>
#include <string.h>

#include "ground/base/array.h"
#include "ground/base/assert.h"
#include "mesh/rpc/providers.h"

enum {
    NAME_MAX_LEN = 255,   /* a name's length is one byte on the wire */
    PEER_OFFERS_MAX = 255 /* services of one peer: as many as one Handshake can name */
};

void fe_registry_init(struct fe_registry *registry, const struct fe_rng *rng)
{
    uint64_t seed;

    *registry = (struct fe_registry){.next_handle = 1};
    fe_rng_fill(rng, registry->seed, sizeof(registry->seed));
    fe_rng_fill(rng, &seed, sizeof(seed));
    registry->rng = fe_rng_from_seed(&registry->seeded, seed);
    fe_list_init(&registry->calls);
    fe_list_init(&registry->held);
    fe_map_init(&registry->services, registry->seed);
    fe_map_init(&registry->handles, registry->seed);
}

void fe_registry_deinit(struct fe_registry *registry)
{
    FE_ASSERT(registry->services.n == 0 && registry->handles.n == 0,
              "a registry that is freed is empty");
    fe_map_deinit(&registry->services);
    fe_map_deinit(&registry->handles);
}

struct fe_service *fe_service_find(const struct fe_registry *registry, struct fe_view name)
{
    struct fe_map_node *node = fe_map_find(&registry->services, name);

    return node == NULL ? NULL : FE_CONTAINER_OF(node, struct fe_service, node);
}

static struct fe_service *new_service(struct fe_registry *registry, struct fe_view name)
{
    struct fe_service *service = calloc(1, sizeof(*service) + name.len);

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

static void free_service_if_unused(struct fe_registry *registry, struct fe_service *service)
{
    if (service->n_entries > 0) {
        return;
    }
    fe_map_remove(&registry->services, &service->node);
    free(service->entries);
    free(service);
}

/* The peer's entry for a service, or NULL. One of the two lists is short: else a peer that names
 * many services again and again would make us look through all of them for each. */
static struct fe_offer_entry *find_entry(const struct fe_peer *peer,
                                         const struct fe_service *service)
{
    if (service->n_entries < peer->n_offers) {
        for (size_t i = 0; i < service->n_entries; i++) {
            if (service->entries[i]->peer == peer) {
                return service->entries[i];
            }
        }
        return NULL;
    }
    FE_LIST_FOREACH (link, tmp, &peer->offers) {
        struct fe_offer_entry *entry = FE_CONTAINER_OF(link, struct fe_offer_entry, link);

        if (entry->service == service) {
            return entry;
        }
    }
    return NULL;
}

static int add_entry(struct fe_service *service, struct fe_peer *peer, uint16_t weight)
{
    struct fe_offer_entry *entry;

    if (FE_ARRAY_RESERVE(service->entries, service->n_entries, service->cap) != 0) {
        return FLATEND_ENOMEM;
    }
    entry = malloc(sizeof(*entry));
    if (entry == NULL) {
        return FLATEND_ENOMEM;
    }
    *entry = (struct fe_offer_entry){
        .peer = peer,
        .service = service,
        .index = service->n_entries,
        .weight = weight,
    };
    FE_ASSERT(service->n_entries < service->cap, "entries have room");
    service->entries[service->n_entries++] = entry;
    fe_list_push_back(&peer->offers, &entry->link);
    peer->n_offers++;
    return 0;
}

/* One service more; what is offered already stays as it is. */
static int offer_name(struct fe_registry *registry, struct fe_peer *peer, struct fe_view name,
                      uint16_t weight)
{
    struct fe_service *service = fe_service_find(registry, name);
    int code;

    if (name.len == 0 || name.len > NAME_MAX_LEN) {
        return FLATEND_EINVAL;
    }
    if (service != NULL && find_entry(peer, service) != NULL) {
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
    code = add_entry(service, peer, weight);
    free_service_if_unused(registry, service);
    return code;
}

/* Gives the peer its handle, unless it has one. */
static int enter(struct fe_registry *registry, struct fe_peer *peer)
{
    int code;

    FE_ASSERT(peer->registry == NULL || peer->registry == registry, "a peer is in one registry");
    if (peer->registry != NULL) {
        return 0;
    }
    peer->handle = registry->next_handle;
    peer->by_handle.key = fe_view_of(&peer->handle, sizeof(peer->handle));
    code = fe_map_insert(&registry->handles, &peer->by_handle);
    if (code != 0) {
        return code;
    }
    registry->next_handle++;
    peer->registry = registry;
    peer->health = (struct fe_health){0};
    return 0;
}

int fe_registry_offer(struct fe_registry *registry, struct fe_peer *peer, struct fe_names services)
{
    struct fe_view name;
    int code = enter(registry, peer);

    while (code == 0 && fe_names_next(&services, &name)) {
        code = offer_name(registry, peer, name, FE_WEIGHT_DEFAULT);
    }
    FE_CHECK(fe_registry_check(registry));
    return code;
}

static void withdraw(struct fe_registry *registry, struct fe_offer_entry *entry)
{
    struct fe_service *service = entry->service;
    struct fe_offer_entry *last;

    FE_ASSERT(entry->index < service->n_entries && service->entries[entry->index] == entry,
              "an entry knows its place");
    FE_ASSERT(entry->peer->n_offers > 0, "what is offered is counted");
    last = service->entries[--service->n_entries];

    service->entries[entry->index] = last;
    last->index = entry->index;
    fe_list_remove(&entry->link);
    entry->peer->n_offers--;
    free_service_if_unused(registry, service);
    free(entry);
}

/* Marks what is still offered, with its present weight. */
static void mark(struct fe_registry *registry, struct fe_peer *peer, struct fe_offers offers)
{
    struct fe_offer offer;

    FE_LIST_FOREACH (link, tmp, &peer->offers) {
        FE_CONTAINER_OF(link, struct fe_offer_entry, link)->is_stale = true;
    }
    while (fe_offers_next(&offers, &offer)) {
        struct fe_service *service = fe_service_find(registry, offer.name);
        struct fe_offer_entry *entry = service == NULL ? NULL : find_entry(peer, service);

        if (entry != NULL) {
            entry->is_stale = false;
            entry->weight = offer.weight;
        }
    }
}

int fe_registry_replace(struct fe_registry *registry, struct fe_peer *peer, struct fe_offers offers)
{
    struct fe_offer offer;
    int code;

    if (offers.n > PEER_OFFERS_MAX) {
        return FLATEND_ELIMIT;
    }
    code = enter(registry, peer);
    if (code != 0) {
        return code;
    }
    mark(registry, peer, offers);
    FE_LIST_FOREACH (link, tmp, &peer->offers) {
        struct fe_offer_entry *entry = FE_CONTAINER_OF(link, struct fe_offer_entry, link);

        if (entry->is_stale) {
            withdraw(registry, entry);
        }
    }
    while (code == 0 && fe_offers_next(&offers, &offer)) {
        code = offer_name(registry, peer, offer.name, offer.weight);
    }
    FE_CHECK(fe_registry_check(registry));
    return code;
}

void fe_registry_remove(struct fe_registry *registry, struct fe_peer *peer)
{
    if (peer->registry == NULL) {
        return;
    }
    FE_ASSERT(peer->registry == registry, "a peer is removed from the registry that it is in");
    FE_LIST_FOREACH (link, tmp, &peer->offers) {
        withdraw(registry, FE_CONTAINER_OF(link, struct fe_offer_entry, link));
    }
    FE_ASSERT(peer->n_offers == 0, "a peer that is removed offers nothing");
    fe_registry_end_ejection(registry, &peer->health);
    FE_ASSERT(registry->n_returning >= peer->health.is_returning,
              "providers that return are counted");
    registry->n_returning -= peer->health.is_returning;
    peer->health.is_returning = false;
    fe_map_remove(&registry->handles, &peer->by_handle);
    peer->registry = NULL;
    FE_CHECK(fe_registry_check(registry));
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

/* Of the connections of one node, that on which it has proven its key counts, or else the first: by
 * an old Handshake, which can be recorded, anybody may seem to be it. */
static bool hides(const struct fe_candidates *candidates, size_t a, size_t b)
{
    const struct fe_peer *const first = fe_candidate_at(candidates, a)->peer;
    const struct fe_peer *const second = fe_candidate_at(candidates, b)->peer;

    if (a == b || !is_same_node(first, second)) {
        return false;
    }
    return first->is_proven != second->is_proven ? first->is_proven : a < b;
}

size_t fe_registry_list(struct fe_registry *registry, const struct fe_view *services,
                        size_t n_services, struct fe_peer **peers, size_t cap)
{
    struct fe_candidates candidates;
    size_t n = 0;

    fe_candidates_gather(registry, services, n_services, &candidates);
    for (size_t i = 0; i < candidates.n; i++) {
        struct fe_peer *peer = fe_candidate_at(&candidates, i)->peer;
        bool is_new = true;

        /* Quadratic, but asked for by people and not per request. */
        for (size_t j = 0; j < candidates.n && is_new; j++) {
            is_new = !hides(&candidates, j, i);
        }
        if (is_new && n++ < cap) {
            peers[n - 1] = peer;
        }
    }
    return n;
}
