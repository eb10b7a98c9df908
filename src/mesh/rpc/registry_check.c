/* What holds of the registry between any two calls: providers and peers know each other. */
#include "ground/base/assert.h"
#include "mesh/rpc/providers.h"

static void check_entry(const struct fe_registry *registry, const struct fe_service *service,
                        size_t index)
{
    const struct fe_offer_entry *entry = service->entries[index];

    FE_ASSERT(entry->index == index && entry->service == service, "an entry knows its place");
    FE_ASSERT(entry->peer->registry == registry, "a provider is in the registry");
    FE_ASSERT(fe_list_is_linked(&entry->link), "a provider knows what it offers");
    FE_ASSERT(index == 0 || service->entries[index - 1]->peer != entry->peer,
              "a peer offers a service once");
}

static size_t check_services(const struct fe_registry *registry)
{
    struct fe_map_node *node = NULL;
    size_t n_entries = 0;

    while ((node = fe_map_next(&registry->services, node)) != NULL) {
        const struct fe_service *service = FE_CONTAINER_OF(node, struct fe_service, node);

        FE_ASSERT(service->n_entries > 0, "a service that is not offered is forgotten");
        FE_ASSERT(service->n_entries <= service->cap, "entries have room");
        for (size_t i = 0; i < service->n_entries; i++) {
            check_entry(registry, service, i);
        }
        n_entries += service->n_entries;
    }
    return n_entries;
}

static void check_health(const struct fe_registry *registry, const struct fe_health *health)
{
    FE_ASSERT(health->n_failures <= FE_EJECT_AFTER, "failures in a row are counted up to ejection");
    FE_ASSERT(health->n_successes <= FE_EJECT_AFTER, "successes are counted up to forgetting");
    FE_ASSERT(!health->is_ejected || (health->n_ejections > 0 && registry->now_ms != NULL),
              "only what keeps failing is ejected, and for a time");
    FE_ASSERT(!health->is_ejected || !health->is_returning, "what is ejected has not returned");
    FE_ASSERT(health->failing < FE_HEALTH_WHOLE, "a share is less than the whole");
}

static size_t check_offers(const struct fe_peer *peer)
{
    size_t n = 0;

    FE_LIST_FOREACH (link, next, &peer->offers) {
        const struct fe_offer_entry *entry = FE_CONTAINER_OF(link, struct fe_offer_entry, link);

        FE_ASSERT(entry->peer == peer, "what a peer offers is its own");
        FE_ASSERT(entry->service->entries[entry->index] == entry, "a service knows its providers");
        n++;
    }
    FE_ASSERT(n == peer->n_offers, "what is offered is counted");
    return n;
}

static void check_calls(const struct fe_registry *registry)
{
    size_t n = 0;

    FE_LIST_FOREACH (link, next, &registry->calls) {
        n++;
    }
    FE_ASSERT(n == registry->n_calls, "calls that run are counted");
}

void fe_registry_check(const struct fe_registry *registry)
{
    struct fe_map_node *node = NULL;
    size_t n_entries = check_services(registry);
    size_t n_offers = 0;
    size_t n_ejected = 0;
    size_t n_returning = 0;

    while ((node = fe_map_next(&registry->handles, node)) != NULL) {
        const struct fe_peer *peer = FE_CONTAINER_OF(node, struct fe_peer, by_handle);

        FE_ASSERT(peer->registry == registry && !peer->is_closed, "a handle is that of a provider");
        FE_ASSERT(peer->handle != 0 && peer->handle < registry->next_handle, "handles are unique");
        check_health(registry, &peer->health);
        n_offers += check_offers(peer);
        n_ejected += peer->health.is_ejected;
        n_returning += peer->health.is_returning;
    }
    FE_ASSERT(n_entries == n_offers, "services and peers know of the same offers");
    FE_ASSERT(n_ejected == registry->n_ejected, "ejected providers are counted");
    FE_ASSERT(n_returning == registry->n_returning, "providers that return are counted");
    check_calls(registry);
}

void fe_registry_check_peer(const struct fe_registry *registry, const struct fe_peer *peer)
{
    FE_ASSERT(peer->registry == NULL || peer->registry == registry, "a peer is in one registry");
    FE_ASSERT(!peer->health.is_ejected || registry->n_ejected > 0, "ejected providers are counted");
    check_health(registry, &peer->health);
    (void)check_offers(peer);
}
