/* An address that this node dials, and dials again when the peer is lost.
 *
 * Happy path: dial, the link is ready, stay. When the link is lost: wait, dial, and so on, until
 * the peer answers or the attempts are used up.
 *
 * Failure modes: an address that discovery has heard of and that never answered is forgotten at
 * once; one that rejects this node is retried after a minute; without memory for the timer the
 * address is dropped. */
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

enum {
    DELAY_TEXT_MAX = 32,
    DELAY_MAX_MS = 3600 * 1000, /* whatever the options say, so that no sum overflows */
};

/* As Go writes durations: "500ms", "1s", "1.5s", "1m30s". */
static const char *format_delay(unsigned ms, char text[DELAY_TEXT_MAX])
{
    unsigned minutes = ms / 60000;
    unsigned rest = ms % 60000;
    int n = 0;

    if (ms < 1000) {
        snprintf(text, DELAY_TEXT_MAX, "%ums", ms);
        return text;
    }
    if (minutes > 0) {
        n = snprintf(text, DELAY_TEXT_MAX, "%um", minutes);
    }
    n += snprintf(text + n, DELAY_TEXT_MAX - (size_t)n, "%u.%03u", rest / 1000, rest % 1000);
    while (text[n - 1] == '0') {
        n--;
    }
    if (text[n - 1] == '.') {
        n--;
    }
    text[n] = 's';
    text[n + 1] = '\0';
    return text;
}

static unsigned at_most(unsigned ms, unsigned limit)
{
    return ms < limit ? ms : limit;
}

/* From `min`, growing by `factor` up to `max`; anywhere between `min` and that, so that the nodes
 * that lost one peer at once do not come back all at once. */
static unsigned delay_before(struct fe_mesh *mesh, unsigned n_attempts)
{
    const struct fe_mesh_config *config = &mesh->config;
    unsigned max = at_most(config->reconnect_backoff_max_ms, DELAY_MAX_MS);
    unsigned min = at_most(config->reconnect_backoff_min_ms, max);
    double delay = min;

    for (unsigned i = 0; i < n_attempts && delay < max; i++) {
        delay *= config->reconnect_backoff_factor;
    }
    if (delay > max) {
        delay = max;
    }
    FE_ASSERT(delay >= min, "a delay grows");
    return min + fe_rng_below(&mesh->rng, (unsigned)delay - min + 1);
}

static void settle(struct fe_dial *dial, bool is_connected)
{
    enum fe_seed_state seed = dial->seed;

    dial->seed = FE_SEED_RESOLVED;
    if (seed != FE_SEED_RESOLVED) {
        fe_join_on_resolved(dial->mesh, seed == FE_SEED_UNTRIED, is_connected);
    }
}

void fe_dial_free(struct fe_dial *dial)
{
    if (dial->link != NULL) {
        dial->link->dial = NULL;
    }
    fe_timer_stop(dial->mesh->timers, &dial->timer);
    fe_list_remove(&dial->node);
    free(dial);
}

void fe_dial_give_up(struct fe_dial *dial)
{
    settle(dial, false);
    fe_dial_free(dial);
}

/* What was expected to be there is not waited for any more. */
static void give_up(struct fe_dial *dial)
{
    fe_dial_tell_given_up(dial);
    fe_dial_give_up(dial);
}

/* Waits for the next attempt, or gives up. */
static void retry(struct fe_dial *dial)
{
    struct fe_mesh *mesh = dial->mesh;
    int n_allowed = mesh->config.reconnect_attempts;
    char addr[FE_ADDR_TEXT_MAX];
    char text[DELAY_TEXT_MAX];
    unsigned delay_ms;

    if (mesh->state != FE_MESH_RUNNING || !dial->is_persistent) {
        fe_dial_give_up(dial);
        return;
    }
    if (n_allowed <= 0) {
        give_up(dial);
        return;
    }
    fe_addr_format(&dial->addr, addr);
    if (dial->n_attempts == (unsigned)n_allowed) {
        fe_log(&mesh->log, FLATEND_LOG_INFO, "Tried %d times reconnecting to %s. Giving up.",
               n_allowed, addr);
        give_up(dial);
        return;
    }
    FE_ASSERT(dial->link == NULL, "a dial has a link, or waits for the next");
    delay_ms = dial->is_refused ? FE_MESH_REFUSED_MS : delay_before(mesh, dial->n_attempts);
    fe_log(&mesh->log, FLATEND_LOG_INFO,
           !dial->is_refused        ? "Trying to reconnect to %s. Sleeping for %s."
           : dial->is_refused_by_us ? "Rejected %s: not allowed; retrying in %s."
                                    : "Rejected by %s: not allowed; retrying in %s.",
           addr, format_delay(delay_ms, text));
    if (fe_mesh_start_timer(mesh, &dial->timer, delay_ms) != 0) {
        fe_log(&mesh->log, FLATEND_LOG_WARN, "Cannot reconnect to %s: out of memory.", addr);
        give_up(dial);
        return;
    }
    dial->state = FE_DIAL_WAITING;
    if (dial->is_refused) {
        settle(dial, false); /* join does not wait for a minute */
    } else if (dial->seed == FE_SEED_UNTRIED) {
        dial->seed = FE_SEED_TRIED;
        fe_join_on_tried(mesh);
    }
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_dial *dial = FE_CONTAINER_OF(timer, struct fe_dial, timer);
    struct fe_mesh *mesh = dial->mesh;

    /* A rejection is a reply: the count of attempts starts again. */
    dial->n_attempts = dial->is_refused ? 0 : dial->n_attempts + 1;
    dial->is_refused = false;
    dial->state = FE_DIAL_DIALING;
    if (fe_link_dial(dial) != 0) {
        retry(dial);
    }
    FE_CHECK(fe_mesh_check(mesh));
}

static struct fe_dial *dial_alloc(struct fe_mesh *mesh, const struct fe_addr *addr)
{
    struct fe_dial *dial = calloc(1, sizeof(*dial));

    if (dial != NULL) {
        dial->mesh = mesh;
        dial->addr = *addr;
        dial->state = FE_DIAL_DIALING;
        dial->seed = FE_SEED_RESOLVED;
        fe_timer_init(&dial->timer, on_timer);
        fe_list_push_back(&mesh->dials, &dial->node);
    }
    return dial;
}

int fe_dial_new(struct fe_mesh *mesh, const struct fe_addr *addr, struct fe_dial **dial_out)
{
    struct fe_dial *dial = dial_alloc(mesh, addr);
    int code;

    if (dial == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_link_dial(dial);
    if (code != 0) {
        fe_dial_free(dial);
        return code;
    }
    *dial_out = dial;
    return 0;
}

int fe_dial_seed(struct fe_mesh *mesh, const struct fe_seed *seed)
{
    struct fe_dial *dial = dial_alloc(mesh, &seed->addr);

    if (dial == NULL) {
        return FLATEND_ENOMEM;
    }
    dial->is_persistent = true;
    dial->seed = FE_SEED_UNTRIED;
    dial->is_pinned = seed->is_pinned;
    memcpy(dial->key, seed->key, FE_KEY_LEN);
    if (fe_link_dial(dial) != 0) {
        retry(dial);
    }
    return 0;
}

void fe_dial_on_ready(struct fe_dial *dial)
{
    FE_ASSERT(dial->link != NULL && dial->state == FE_DIAL_DIALING, "a dial connects once");
    dial->state = FE_DIAL_CONNECTED;
    dial->is_persistent = true;
    dial->n_attempts = 0;
    dial->is_proven = dial->link->peer.is_proven;
    memcpy(dial->last_key, dial->link->peer.id.public_key, FE_KEY_LEN);
    settle(dial, true);
}

void fe_dial_on_lost(struct fe_dial *dial)
{
    FE_ASSERT(dial->state != FE_DIAL_WAITING, "only what was connected is lost");
    dial->link = NULL;
    retry(dial);
}

struct fe_dial *fe_dial_find(struct fe_mesh *mesh, const struct fe_addr *addr)
{
    FE_LIST_FOREACH (node, next, &mesh->dials) {
        struct fe_dial *dial = FE_CONTAINER_OF(node, struct fe_dial, node);

        if (fe_addr_equal(&dial->addr, addr)) {
            return dial;
        }
    }
    return NULL;
}
