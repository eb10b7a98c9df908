/* Selection of a provider: two at random, of these the less loaded (Mitzenmacher: the power of two
 * choices); and outlier ejection.
 *
 *               FE_EJECT_AFTER failures in a row          its time is over
 *     HEALTHY ───────────────────────────────▶ EJECTED ─────────────────▶ BACK
 *        ▲                                        ▲  one failure more,      │
 *        │                                        └──── for twice as long ──┤
 *        └───────────── FE_EJECT_AFTER successes in a row ──────────────────┘
 *
 * One that is back begins with a tenth of its share, which grows for FE_RETURN_MS: what has just
 * restarted is slow, and what still fails is noticed by few.
 *
 * No timer is needed: the next selection readmits an ejected provider, and no clock is read while
 * none is ejected or returns. */
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
    uint32_t head_min;    /* 0: any will do */
    uint64_t now_ms;      /* only while a provider is ejected or returns */
    bool ignores_ejected; /* most of the candidates are */
};

enum { MEMORY = 32 /* requests: how long a failure counts */ };

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

static bool is_listed(const struct fe_peer *peer, const uint64_t *handles, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (handles[i] == peer->handle) {
            return true;
        }
    }
    return false;
}

static bool is_excluded(const struct drawing *drawing, const struct fe_peer *peer)
{
    return peer->is_held || (drawing->head_min > 0 && peer->sender->head_max < drawing->head_min) ||
           is_listed(peer, drawing->excluded, drawing->n_excluded);
}

bool fe_registry_is_held(const struct fe_registry *registry, const struct fe_view *services,
                         size_t n_services, const uint64_t *excluded, size_t n_excluded)
{
    struct fe_candidates candidates;

    fe_candidates_gather(registry, services, n_services, &candidates);
    for (size_t i = 0; i < candidates.n; i++) {
        const struct fe_peer *peer = fe_candidate_at(&candidates, i)->peer;

        if (peer->is_held && !is_listed(peer, excluded, n_excluded)) {
            return true;
        }
    }
    return false;
}

void fe_registry_end_ejection(struct fe_registry *registry, struct fe_health *health)
{
    FE_ASSERT(registry->n_ejected >= health->is_ejected, "ejected providers are counted");
    registry->n_ejected -= health->is_ejected;
    health->is_ejected = false;
}

/* Takes the peer back when its time is over. */
static bool is_ejected(const struct drawing *drawing, struct fe_peer *peer)
{
    struct fe_registry *const registry = drawing->registry;
    struct fe_health *const health = &peer->health;

    if (!health->is_ejected) {
        return false;
    }
    if (drawing->now_ms < health->until_ms) {
        return !drawing->ignores_ejected;
    }
    fe_registry_end_ejection(registry, health);
    health->is_returning = true;
    health->until_ms = drawing->now_ms + FE_RETURN_MS;
    registry->n_returning++;
    return false;
}

static enum tier tier_of(const struct drawing *drawing, const struct fe_offer_entry *entry)
{
    if (is_ejected(drawing, entry->peer)) {
        return TIER_EJECTED;
    }
    return entry->weight > 0 ? TIER_READY : TIER_RESERVE;
}

/* How much of its share one that returns has: from a tenth on. */
static uint64_t returned(const struct drawing *drawing, struct fe_health *health, uint64_t share)
{
    const uint64_t left_ms =
        health->until_ms > drawing->now_ms ? health->until_ms - drawing->now_ms : 0;

    if (left_ms == 0) {
        FE_ASSERT(drawing->registry->n_returning > 0, "providers that return are counted");
        health->is_returning = false;
        drawing->registry->n_returning--;
        return share;
    }
    return share / 10 + share * 9 / 10 * (FE_RETURN_MS - left_ms) / FE_RETURN_MS + 1;
}

/* What its share of the requests is by: its weight, in finer units, less what has failed. */
static uint64_t share_of(const struct drawing *drawing, const struct fe_offer_entry *entry)
{
    struct fe_health *const health = &entry->peer->health;
    uint64_t weight = entry->weight < FE_WEIGHT_MAX ? entry->weight : FE_WEIGHT_MAX;
    uint64_t share;

    FE_ASSERT(health->failing < FE_HEALTH_WHOLE, "a share is less than the whole");
    share = (weight > 0 ? weight : 1) * (FE_HEALTH_WHOLE - health->failing);
    return health->is_returning ? returned(drawing, health, share) : share;
}

static bool is_candidate(const struct drawing *drawing, enum tier tier,
                         const struct fe_offer_entry *other, const struct fe_offer_entry *entry)
{
    return (other == NULL || entry->peer != other->peer) && !is_excluded(drawing, entry->peer) &&
           tier_of(drawing, entry) == tier;
}

/* The first candidate of the tier, from a random place on, that is neither excluded nor `other`. */
static const struct fe_offer_entry *draw_equally(const struct drawing *drawing, enum tier tier,
                                                 const struct fe_offer_entry *other)
{
    size_t n = drawing->candidates.n;
    size_t at = n > 1 ? fe_rng_below(&drawing->registry->rng, (uint32_t)n) : 0;

    for (size_t i = 0; i < n; i++) {
        const struct fe_offer_entry *entry = fe_candidate_at(&drawing->candidates, at);

        if (is_candidate(drawing, tier, other, entry)) {
            return entry;
        }
        at = at + 1 < n ? at + 1 : 0;
    }
    return NULL;
}

/* In units of which 2^32 are enough for all candidates. */
static uint32_t coarse_share(const struct drawing *drawing, const struct fe_offer_entry *entry)
{
    return (uint32_t)(share_of(drawing, entry) / FE_HEALTH_WHOLE) + 1;
}

/* By their shares: where two of those that fail would often be drawn, and one of them chosen. */
static const struct fe_offer_entry *draw_by_share(const struct drawing *drawing, enum tier tier,
                                                  const struct fe_offer_entry *other)
{
    const struct fe_offer_entry *chosen = NULL;
    uint32_t sum = 0;

    for (size_t i = 0; i < drawing->candidates.n; i++) {
        const struct fe_offer_entry *entry = fe_candidate_at(&drawing->candidates, i);

        if (is_candidate(drawing, tier, other, entry)) {
            const uint32_t share = coarse_share(drawing, entry);

            sum += share;
            chosen = fe_rng_below(&drawing->registry->rng, sum) < share ? entry : chosen;
        }
    }
    return chosen;
}

static const struct fe_offer_entry *draw(const struct drawing *drawing, enum tier tier,
                                         const struct fe_offer_entry *other)
{
    return drawing->ignores_ejected ? draw_by_share(drawing, tier, other)
                                    : draw_equally(drawing, tier, other);
}

/* Fewer streams for its share; equals divide the work by their shares. */
static const struct fe_offer_entry *better(const struct drawing *drawing,
                                           const struct fe_offer_entry *a,
                                           const struct fe_offer_entry *b)
{
    uint64_t share_a = share_of(drawing, a);
    uint64_t share_b = share_of(drawing, b);
    uint64_t load_a = a->peer->n_streams * share_b;
    uint64_t load_b = b->peer->n_streams * share_a;

    if (load_a != load_b) {
        return load_a < load_b ? a : b;
    }
    if (share_a == share_b) {
        return a; /* drawn at random already */
    }
    return fe_rng_below(&drawing->registry->rng, (uint32_t)(share_a + share_b)) < share_a ? a : b;
}

/* Whether more than half of the candidates are ejected. */
static bool most_are_ejected(const struct drawing *drawing)
{
    size_t n_ejected = 0;

    for (size_t i = 0; i < drawing->candidates.n; i++) {
        n_ejected += is_ejected(drawing, fe_candidate_at(&drawing->candidates, i)->peer);
    }
    return n_ejected > drawing->candidates.n / 2;
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
    drawing.ignores_ejected = false;
    fe_candidates_gather(registry, services, n_services, &drawing.candidates);
    if (registry->n_ejected + registry->n_returning > 0) {
        drawing.now_ms = registry->now_ms(registry->now_arg);
        drawing.ignores_ejected = most_are_ejected(&drawing);
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
    return second == NULL ? first->peer : better(&drawing, first, second)->peer;
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
    registry->n_returning -= health->is_returning;
    health->is_returning = false;
}

static void on_success(struct fe_registry *registry, struct fe_health *health)
{
    health->failing -= health->failing / MEMORY;
    if (health->failing < MEMORY) {
        health->failing = 0; /* or it would never get there */
    }
    if (health->n_ejections > 0 && ++health->n_successes < FE_EJECT_AFTER) {
        return;
    }
    /* It was asked although it was ejected: there was no other, or the caller wanted this one. */
    fe_registry_end_ejection(registry, health);
    health->n_ejections = 0;
    health->n_failures = 0;
}

static void on_failure(struct fe_registry *registry, struct fe_health *health)
{
    health->n_successes = 0;
    health->failing += (FE_HEALTH_WHOLE - health->failing) / MEMORY;
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
        on_success(registry, health);
    } else if (is_failure(code)) {
        on_failure(registry, health);
    }
    FE_CHECK(fe_registry_check_peer(registry, peer));
}
