/* Selection of a provider: two at random, of these the less loaded (Mitzenmacher: the power of two
 * choices); and outlier ejection.
 *
 *               FE_EJECT_AFTER failures in a row          its time is over
 *     HEALTHY ───────────────────────────────▶ EJECTED ─────────────────▶ BACK
 *        ▲                                        ▲  one failure more,      │
 *        │                                        └──── for twice as long ──┤
 *        └───────────── FE_EJECT_AFTER successes in a row ──────────────────┘
 *
 * No timer is needed: the next selection readmits an ejected provider, and no clock is read while
 * none is ejected. */
#include "ground/base/assert.h"
#include "mesh/rpc/providers.h"

/* Which providers may be drawn. A tier is considered only if the one before is empty, so that the
 * last provider is never left out. */
enum tier {
    TIER_READY,   /* a weight, and not ejected */
    TIER_RESERVE, /* weight 0 */
    TIER_EJECTED, /* better than none */
    N_TIERS,
};

struct drawing {
    struct fe_registry *registry;
    struct fe_candidates candidates;
    const uint64_t *excluded;
    size_t n_excluded;
    uint32_t head_min; /* 0: any will do */
    uint64_t now_ms;   /* only while a provider is ejected */
};

void fe_registry_set_clock(struct fe_registry *registry, uint64_t (*now_ms)(void *arg), void *arg)
{
    registry->now_ms = now_ms;
    registry->now_arg = arg;
}

void fe_candidates_gather(const struct fe_registry *registry, const struct fe_view *names,
                          size_t n_names, struct fe_candidates *candidates)
{
    candidates->n = 0;
    candidates->n_services = 0;
    for (size_t i = 0; i < n_names && i < FE_CANDIDATE_NAMES_MAX; i++) {
        const struct fe_service *service = fe_service_find(registry, names[i]);

        if (service != NULL) {
            candidates->services[candidates->n_services++] = service;
            candidates->n += service->n_entries;
        }
    }
}

const struct fe_offer_entry *fe_candidate_at(const struct fe_candidates *candidates, size_t index)
{
    size_t i = 0;

    FE_ASSERT(index < candidates->n, "a candidate is one of those that were counted");
    while (i + 1 < candidates->n_services && index >= candidates->services[i]->n_entries) {
        index -= candidates->services[i++]->n_entries;
    }
    return candidates->services[i]->entries[index];
}

/* ---- choosing ---- */

static bool is_excluded(const struct drawing *drawing, const struct fe_peer *peer)
{
    if (drawing->head_min > 0 && peer->sender->head_max < drawing->head_min) {
        return true;
    }
    for (size_t i = 0; i < drawing->n_excluded; i++) {
        if (drawing->excluded[i] == peer->handle) {
            return true;
        }
    }
    return false;
}

/* Takes the peer back when its time is over. */
static bool is_ejected(const struct drawing *drawing, struct fe_peer *peer)
{
    if (!peer->health.is_ejected) {
        return false;
    }
    if (drawing->now_ms < peer->health.until_ms) {
        return true;
    }
    FE_ASSERT(drawing->registry->n_ejected > 0, "ejected providers are counted");
    peer->health.is_ejected = false;
    drawing->registry->n_ejected--;
    return false;
}

static enum tier tier_of(const struct drawing *drawing, const struct fe_offer_entry *entry)
{
    if (is_ejected(drawing, entry->peer)) {
        return TIER_EJECTED;
    }
    return entry->weight > 0 ? TIER_READY : TIER_RESERVE;
}

/* The first candidate of the tier, from a random place on, that is neither excluded nor `other`. */
static const struct fe_offer_entry *draw(struct drawing *drawing, enum tier tier,
                                         const struct fe_offer_entry *other)
{
    size_t n = drawing->candidates.n;
    size_t at = n > 1 ? fe_rng_below(&drawing->registry->rng, (uint32_t)n) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct fe_offer_entry *entry = fe_candidate_at(&drawing->candidates, at);

        if ((other == NULL || entry->peer != other->peer) && !is_excluded(drawing, entry->peer) &&
            tier_of(drawing, entry) == tier) {
            return entry;
        }
        at = at + 1 < n ? at + 1 : 0;
    }
    return NULL;
}

/* Fewer streams for its weight; equals share the work by their weights. */
static const struct fe_offer_entry *
better(struct fe_registry *registry, const struct fe_offer_entry *a, const struct fe_offer_entry *b)
{
    uint32_t weight_a = a->weight > 0 ? a->weight : 1;
    uint32_t weight_b = b->weight > 0 ? b->weight : 1;
    uint64_t load_a = (uint64_t)a->peer->n_streams * weight_b;
    uint64_t load_b = (uint64_t)b->peer->n_streams * weight_a;

    if (load_a != load_b) {
        return load_a < load_b ? a : b;
    }
    if (weight_a == weight_b) {
        return a; /* drawn at random already */
    }
    return fe_rng_below(&registry->rng, weight_a + weight_b) < weight_a ? a : b;
}

struct fe_peer *fe_registry_choose_for_head(struct fe_registry *registry,
                                            const struct fe_view *services, size_t n_services,
                                            const uint64_t *excluded, size_t n_excluded,
                                            uint32_t head_min)
{
    struct drawing drawing; /* not cleared: it has room for 255 services */
    const struct fe_offer_entry *first = NULL;
    const struct fe_offer_entry *second;
    enum tier tier = TIER_READY;

    drawing.registry = registry;
    drawing.excluded = excluded;
    drawing.n_excluded = n_excluded;
    drawing.head_min = head_min;
    drawing.now_ms = 0;
    fe_candidates_gather(registry, services, n_services, &drawing.candidates);
    if (registry->n_ejected > 0) {
        drawing.now_ms = registry->now_ms(registry->now_arg);
    }
    for (; first == NULL && tier < N_TIERS; tier++) {
        first = draw(&drawing, tier, NULL);
    }
    if (first == NULL) {
        return NULL;
    }
    if (drawing.candidates.n == 1) {
        return first->peer;
    }
    second = draw(&drawing, tier - 1, first);
    return second == NULL ? first->peer : better(registry, first, second)->peer;
}

struct fe_peer *fe_registry_choose(struct fe_registry *registry, const struct fe_view *services,
                                   size_t n_services, const uint64_t *excluded, size_t n_excluded)
{
    return fe_registry_choose_for_head(registry, services, n_services, excluded, n_excluded, 0);
}

/* ---- ejecting ---- */

static bool is_failure(int code)
{
    return code == FLATEND_ETIMEDOUT || code == FLATEND_ERESET || code == FLATEND_ECLOSED ||
           code == FLATEND_EUNHANDLED;
}

static void eject(struct fe_registry *registry, struct fe_health *health)
{
    uint64_t now_ms = registry->now_ms(registry->now_arg);
    uint64_t time_ms = FE_EJECT_MIN_MS;

    FE_ASSERT(health->n_failures == FE_EJECT_AFTER, "only what keeps failing is ejected");
    if (health->is_ejected && now_ms < health->until_ms) {
        return; /* what was under way when it was ejected says nothing new */
    }
    for (unsigned i = 0; i < health->n_ejections && time_ms < FE_EJECT_MAX_MS; i++) {
        time_ms *= 2;
    }
    health->until_ms = now_ms + (time_ms < FE_EJECT_MAX_MS ? time_ms : FE_EJECT_MAX_MS);
    health->n_ejections++;
    registry->n_ejected += !health->is_ejected;
    health->is_ejected = true;
}

static void on_success(struct fe_health *health)
{
    if (health->n_ejections > 0 && ++health->n_successes < FE_EJECT_AFTER) {
        return;
    }
    health->n_ejections = 0;
    health->n_failures = 0;
}

static void on_failure(struct fe_registry *registry, struct fe_health *health)
{
    health->n_successes = 0;
    if (health->n_failures < FE_EJECT_AFTER) {
        health->n_failures++;
    }
    if (health->n_failures == FE_EJECT_AFTER) {
        eject(registry, health);
    }
}

void fe_registry_report(struct fe_registry *registry, struct fe_peer *peer, int code)
{
    struct fe_health *health = &peer->health;

    if (peer->registry != registry || registry->now_ms == NULL) {
        return;
    }
    if (code == 0) {
        on_success(health);
    } else if (is_failure(code)) {
        on_failure(registry, health);
    }
    FE_CHECK(fe_registry_check_peer(registry, peer));
}
