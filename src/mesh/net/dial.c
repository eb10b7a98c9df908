/* An address that this node dials, and dials again when the peer is lost.
 *
 * Happy path: dial, the link is ready, stay. When the link is lost: dial at once, then wait, dial,
 * and so on, until the peer answers or the attempts are used up. An address that somebody has
 * configured has attempts without end, unless the configuration says how many. A host name is
 * looked up before each attempt (name.c), and all of its addresses are dialed.
 *
 * Failure modes: an address that discovery has heard of and that never answered is forgotten at
 * once; one that rejects this node is retried after a minute; without memory for the timer the
 * address is dropped. */
#include <limits.h>
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

static unsigned longest_interval(const struct fe_mesh *mesh)
{
    return at_most(mesh->config.reconnect_backoff_max_ms, DELAY_MAX_MS);
}

/* That the application wants the same delay each time. */
static bool is_constant(const struct fe_mesh_config *config)
{
    return config->reconnect_backoff_min_ms >= config->reconnect_backoff_max_ms &&
           config->reconnect_backoff_factor <= 1;
}

/* The interval grows from `min` by `factor` up to `max`; the delay is anything up to it (full
 * jitter), so that the nodes that lost one peer at once do not come back all at once. */
static unsigned delay_before(struct fe_mesh *mesh, const struct fe_dial *dial)
{
    const struct fe_mesh_config *config = &mesh->config;
    unsigned max = longest_interval(mesh);
    double interval = at_most(config->reconnect_backoff_min_ms, max);

    for (unsigned i = 0; i < dial->n_waits && interval < max; i++) {
        interval *= config->reconnect_backoff_factor;
    }
    if (interval > max) {
        interval = max;
    }
    if (dial->n_attempts >= FE_MESH_ATTEMPTS && interval < FE_MESH_INTERVAL_MIN_MS) {
        interval = FE_MESH_INTERVAL_MIN_MS;
    }
    return is_constant(config) ? (unsigned)interval
                               : fe_rng_below(&mesh->rng, (unsigned)interval + 1);
}

/* UINT_MAX: for ever. */
static unsigned n_allowed(const struct fe_dial *dial)
{
    const int n = dial->mesh->config.reconnect_attempts;

    if (n == FLATEND_RECONNECT_UNSET) {
        return dial->is_configured ? UINT_MAX : FE_MESH_ATTEMPTS;
    }
    return n > 0 ? (unsigned)n : 0;
}

enum flatend_log_level fe_dial_log_level(const struct fe_dial *dial, enum flatend_log_level level)
{
    return dial->n_attempts > FE_MESH_ATTEMPTS ? FLATEND_LOG_DEBUG : level;
}

const char *fe_dial_name(const struct fe_dial *dial, char buf[FE_DIAL_NAME_MAX])
{
    if (dial->name == NULL) {
        return fe_addr_format(&dial->addr, buf);
    }
    (void)snprintf(buf, FE_DIAL_NAME_MAX, "%.255s:%u", dial->name->host, (unsigned)dial->addr.port);
    return buf;
}

/* " (10.0.0.2)": which of a name's addresses it was, if one is known. */
static const char *format_host(const struct fe_dial *dial, char buf[FE_ADDR_TEXT_MAX + 4])
{
    char host[FE_ADDR_TEXT_MAX];
    struct fe_ip_addr ip;

    buf[0] = '\0';
    if (dial->name != NULL && dial->addr.family != 0 && fe_addr_to_ip(&dial->addr, &ip)) {
        (void)snprintf(buf, FE_ADDR_TEXT_MAX + 4, " (%s)", fe_ip_addr_format_host(&ip, host));
    }
    return buf;
}

/* "refused by 10.0.0.2:9000: a mesh secret is required", "connect 10.0.0.2:9000: timed out". */
void fe_dial_note_failure(struct fe_dial *dial, int code, const char *text)
{
    const bool is_met = dial->link != NULL && dial->link->has_session;
    const char *before = is_met ? "" : "connect ";
    char text_of[FE_DIAL_NAME_MAX];
    char host[FE_ADDR_TEXT_MAX + 4];

    if (code == FLATEND_EDENIED && dial->is_refused_by_us) {
        before = "rejected ";
    } else if (code == FLATEND_EDENIED || (code == FLATEND_EREFUSED && is_met)) {
        before = "refused by ";
    }
    (void)fe_err_set(&dial->why, code, "%s%.140s%s: %.150s", before, fe_dial_name(dial, text_of),
                     format_host(dial, host), text);
    if (dial->seed != FE_SEED_RESOLVED) {
        fe_join_on_failure(dial->mesh, &dial->why);
    }
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
    struct fe_name *name = dial->name;

    if (dial->link != NULL) {
        dial->link->dial = NULL;
    }
    fe_timer_stop(dial->mesh->timers, &dial->timer);
    fe_list_remove(&dial->node);
    free(dial);
    if (name != NULL) {
        fe_name_unref(name);
    }
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

/* The first attempts have a line each; then there is one from time to time, with the reason. */
static void log_retry(struct fe_dial *dial, unsigned delay_ms)
{
    struct fe_mesh *mesh = dial->mesh;
    const uint64_t now_ms = mesh->now_ms(mesh->now_arg);
    char addr[FE_DIAL_NAME_MAX];
    char text[DELAY_TEXT_MAX];

    (void)fe_dial_name(dial, addr);
    if (dial->is_own) {
        return;
    }
    if (dial->is_refused) {
        fe_log(&mesh->log, FLATEND_LOG_INFO,
               dial->is_refused_by_us ? "Rejected %s: not allowed; retrying in %s."
                                      : "Rejected by %s: not allowed; retrying in %s.",
               addr, format_delay(delay_ms, text));
    } else if (dial->n_attempts < FE_MESH_ATTEMPTS) {
        fe_log(&mesh->log, FLATEND_LOG_INFO, "Trying to reconnect to %s. Sleeping for %s.", addr,
               format_delay(delay_ms, text));
    } else if (dial->n_attempts == FE_MESH_ATTEMPTS || now_ms - dial->logged_ms >= FE_MESH_LOG_MS) {
        dial->logged_ms = now_ms;
        fe_log(&mesh->log, FLATEND_LOG_INFO, "Tried %u times reconnecting to %s: %s. Trying on.",
               dial->n_attempts, addr,
               dial->why.code != 0 ? dial->why.text : "the connection was lost");
    }
}

/* What was there a moment ago is most likely there again: a link that broke, a restart. */
static bool take_at_once(struct fe_dial *dial)
{
    struct fe_mesh *mesh = dial->mesh;
    const uint64_t now_ms = mesh->now_ms(mesh->now_arg);
    unsigned pause_ms = longest_interval(mesh);

    if (pause_ms < FE_MESH_AT_ONCE_MS) {
        pause_ms = FE_MESH_AT_ONCE_MS;
    }
    if (dial->was_at_once && now_ms - dial->at_once_ms < pause_ms) {
        return false;
    }
    dial->was_at_once = true;
    dial->at_once_ms = now_ms;
    return true;
}

/* A name may have moved by the time when it can be looked up again: an attempt comes right then. If
 * it has no address at all, none comes before. */
static unsigned delay_by_name(struct fe_dial *dial, unsigned delay_ms)
{
    struct fe_mesh *mesh = dial->mesh;
    const uint64_t now_ms = mesh->now_ms(mesh->now_arg);
    const uint64_t due_ms = dial->name != NULL ? fe_name_due_ms(dial->name) : 0;
    unsigned to_due_ms;

    if (due_ms <= now_ms) {
        return delay_ms;
    }
    to_due_ms = (unsigned)(due_ms - now_ms);
    if (dial->name->n_addrs == 0 || delay_ms > to_due_ms) {
        return to_due_ms + fe_rng_below(&mesh->rng, FE_MESH_LOOK_UP_JITTER_MS);
    }
    return delay_ms;
}

static void wait_for_next(struct fe_dial *dial, bool is_at_once)
{
    struct fe_mesh *mesh = dial->mesh;
    const bool is_settled = dial->is_refused || dial->is_own;
    unsigned delay_ms = 0;

    FE_ASSERT(dial->link == NULL, "a dial has a link, or waits for the next");
    dial->is_away = dial->is_away || !is_at_once;
    if (is_settled) {
        delay_ms = FE_MESH_REFUSED_MS;
    } else if (!is_at_once) {
        delay_ms = delay_by_name(dial, delay_before(mesh, dial));
        dial->n_waits++;
    }
    if (!is_at_once || is_settled) {
        log_retry(dial, delay_ms);
    }
    if (fe_mesh_start_timer(mesh, &dial->timer, delay_ms) != 0) {
        char addr[FE_DIAL_NAME_MAX];

        fe_log(&mesh->log, FLATEND_LOG_WARN, "Cannot reconnect to %s: out of memory.",
               fe_dial_name(dial, addr));
        give_up(dial);
        return;
    }
    dial->state = FE_DIAL_WAITING;
    if (is_settled) {
        settle(dial, false); /* join does not wait for a minute */
    } else if (dial->seed == FE_SEED_UNTRIED) {
        dial->seed = FE_SEED_TRIED;
        fe_join_on_tried(mesh);
    }
}

/* Waits for the next attempt, or gives up. */
static void retry(struct fe_dial *dial, bool is_lost)
{
    struct fe_mesh *mesh = dial->mesh;
    const unsigned n_max = n_allowed(dial);
    char addr[FE_DIAL_NAME_MAX];

    if (mesh->state != FE_MESH_RUNNING || !dial->is_persistent) {
        fe_dial_give_up(dial);
        return;
    }
    if (n_max == 0) {
        give_up(dial);
        return;
    }
    if (dial->n_attempts >= n_max) {
        fe_log(&mesh->log, FLATEND_LOG_INFO, "Tried %u times reconnecting to %s. Giving up.", n_max,
               fe_dial_name(dial, addr));
        give_up(dial);
        return;
    }
    wait_for_next(dial, is_lost && take_at_once(dial));
}

static bool is_in(const struct fe_addr *addrs, size_t n, const struct fe_addr *addr)
{
    for (size_t i = 0; i < n; i++) {
        if (fe_addr_equal(&addrs[i], addr)) {
            return true;
        }
    }
    return false;
}

/* What to dial: all addresses of the name but our own; last of all one at which another was. */
static size_t list_addrs(const struct fe_dial *dial, struct fe_addr addrs[FE_TRANSPORT_ADDRS_MAX])
{
    const struct fe_mesh *mesh = dial->mesh;
    bool is_last = false;
    size_t n = 0;

    if (dial->name == NULL) {
        addrs[0] = dial->addr;
        return 1;
    }
    for (size_t i = 0; i < dial->name->n_addrs; i++) {
        struct fe_addr addr = dial->name->addrs[i];

        addr.port = dial->addr.port;
        if (is_in(mesh->own_addrs, mesh->n_own_addrs, &addr)) {
            continue;
        }
        if (dial->passed_over.family != 0 && fe_addr_equal(&addr, &dial->passed_over)) {
            is_last = true;
        } else {
            addrs[n++] = addr;
        }
    }
    if (is_last) {
        addrs[n++] = dial->passed_over;
    }
    return n;
}

static void dial_now(struct fe_dial *dial)
{
    struct fe_addr addrs[FE_TRANSPORT_ADDRS_MAX];
    const size_t n = list_addrs(dial, addrs);
    int code;

    FE_ASSERT(n > 0 || dial->name != NULL, "only a name can have no address");
    dial->state = FE_DIAL_DIALING;
    if (n == 0 && dial->name->n_addrs > 0) {
        dial->is_own = true;
        fe_dial_note_failure(dial, FLATEND_EUNREACHABLE, "it is this node's own address");
        retry(dial, false);
        return;
    }
    if (n == 0) {
        dial->why = dial->name->err;
        if (dial->seed != FE_SEED_RESOLVED) {
            fe_join_on_failure(dial->mesh, &dial->why);
        }
        retry(dial, false);
        return;
    }
    dial->addr = addrs[0];
    code = fe_link_dial(dial, addrs, n);
    if (code != 0) {
        fe_dial_note_failure(dial, code, flatend_strerror(code));
        retry(dial, false);
    }
}

/* Looks up what has to be known before: the name, and what our Handshake says of us. */
static void attempt(struct fe_dial *dial)
{
    struct fe_mesh *mesh = dial->mesh;
    const bool awaits_name = dial->name != NULL && fe_name_ask(dial->name);
    const bool awaits_ours = mesh->public_name != NULL && fe_name_ask(mesh->public_name);

    if (awaits_name || awaits_ours) {
        dial->state = FE_DIAL_LOOKING_UP;
    } else {
        dial_now(dial);
    }
}

void fe_dial_on_name(struct fe_dial *dial)
{
    const struct fe_name *ours = dial->mesh->public_name;

    FE_ASSERT(dial->state == FE_DIAL_LOOKING_UP, "what waits for a name goes on once");
    if ((dial->name == NULL || !fe_name_is_awaited(dial->name)) &&
        (ours == NULL || !fe_name_is_awaited(ours))) {
        dial_now(dial);
    }
}

void fe_dial_on_own(struct fe_dial *dial)
{
    struct fe_mesh *mesh = dial->mesh;

    fe_dial_note_failure(dial, FLATEND_EUNREACHABLE, "it is this node's own address");
    if (dial->name == NULL) {
        fe_dial_give_up(dial);
    } else if (!is_in(mesh->own_addrs, mesh->n_own_addrs, &dial->addr)) {
        /* The name may have others, or move. */
        mesh->own_addrs[mesh->n_own_addrs % FE_MESH_OWN_ADDRS_MAX] = dial->addr;
        mesh->n_own_addrs += mesh->n_own_addrs < FE_MESH_OWN_ADDRS_MAX;
    }
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_dial *dial = FE_CONTAINER_OF(timer, struct fe_dial, timer);
    struct fe_mesh *mesh = dial->mesh;

    /* A rejection is a reply: the count of attempts starts again. */
    dial->n_waits = dial->is_refused ? 0 : dial->n_waits;
    dial->n_attempts = dial->is_refused ? 0 : dial->n_attempts + 1;
    dial->is_refused = false;
    dial->is_refused_by_us = false;
    dial->is_own = false;
    attempt(dial);
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
    code = fe_link_dial(dial, addr, 1);
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
    dial->is_configured = true;
    dial->is_persistent = true;
    dial->seed = FE_SEED_UNTRIED;
    dial->is_pinned = seed->is_pinned;
    memcpy(dial->key, seed->key, FE_KEY_LEN);
    if (seed->host.len > 0) {
        dial->name = fe_name_ref(mesh, seed->host);
        if (dial->name == NULL) {
            fe_dial_free(dial);
            return FLATEND_ENOMEM;
        }
    }
    attempt(dial);
    return 0;
}

void fe_dial_on_ready(struct fe_dial *dial)
{
    bool was_away;

    FE_ASSERT(dial->link != NULL && dial->state == FE_DIAL_DIALING, "a dial connects once");
    dial->state = FE_DIAL_CONNECTED;
    dial->is_persistent = true;
    was_away = dial->is_away;
    dial->is_away = false;
    dial->n_attempts = 0;
    dial->n_waits = 0;
    dial->why = (struct flatend_error){0};
    dial->addr = dial->link->addr;
    dial->passed_over = (struct fe_addr){0};
    dial->is_proven = dial->link->peer.is_proven;
    memcpy(dial->last_key, dial->link->peer.id.public_key, FE_KEY_LEN);
    if (dial->seed != FE_SEED_RESOLVED) {
        settle(dial, true);
    } else if (dial->is_configured && was_away) {
        fe_join_on_return(dial->mesh);
    }
}

void fe_dial_on_lost(struct fe_dial *dial)
{
    const bool is_lost = dial->state == FE_DIAL_CONNECTED;

    FE_ASSERT(dial->state == FE_DIAL_DIALING || is_lost, "only what was connected is lost");
    dial->link = NULL;
    retry(dial, is_lost);
}

/* Whether it leads to this address, or may. */
static bool leads_to(const struct fe_dial *dial, const struct fe_addr *addr)
{
    struct fe_addr addrs[FE_TRANSPORT_ADDRS_MAX];

    if (dial->name == NULL || dial->state == FE_DIAL_CONNECTED) {
        return fe_addr_equal(&dial->addr, addr);
    }
    return is_in(addrs, list_addrs(dial, addrs), addr);
}

struct fe_dial *fe_dial_find(struct fe_mesh *mesh, const struct fe_addr *addr)
{
    FE_LIST_FOREACH (node, next, &mesh->dials) {
        struct fe_dial *dial = FE_CONTAINER_OF(node, struct fe_dial, node);

        if (leads_to(dial, addr)) {
            return dial;
        }
    }
    return NULL;
}
