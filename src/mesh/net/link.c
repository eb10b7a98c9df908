/* One connection to a peer.
 *
 * Happy path: fe_link_dial, on_open, both ephemeral keys, both Handshakes, READY; or
 * fe_mesh_accept and the same from the other side. Then events until either side closes.
 *
 * Failure modes: the address cannot be dialed or does not answer in time; the peer violates the
 * protocol or does not read its responses; memory runs out. Each closes this link only, with one
 * log line. */
#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

void fe_link_flush(struct fe_link *link)
{
    link->mesh->transport.ops->flush(link->io);
}

static bool is_open(const struct fe_link *link)
{
    return link->state <= FE_LINK_READY;
}

void fe_link_close(struct fe_link *link, bool drain)
{
    struct fe_mesh *mesh = link->mesh;

    if (link->state == FE_LINK_CLOSING || (link->state == FE_LINK_DRAINING && drain)) {
        return;
    }
    if (link->state == FE_LINK_READY) {
        /* It is no longer eligible as a provider. Its streams end in on_close, since this call may
         * come from within one of their callbacks. */
        fe_registry_remove(&mesh->registry, &link->peer);
    }
    FE_ASSERT(fe_list_is_linked(&link->node), "a link is its mesh's until it is closed");
    fe_stranger_leave(&link->stranger);
    fe_timer_stop(mesh->timers, &link->timer);
    fe_keepalive_stop(link);
    fe_old_peer_stop(link);
    if (drain && fe_mesh_start_timer(mesh, &link->timer, FE_MESH_LINGER_MS) != 0) {
        drain = false;
    }
    link->state = drain ? FE_LINK_DRAINING : FE_LINK_CLOSING;
    mesh->transport.ops->close(link->io, drain);
}

/* Sends the peer the text that is logged. False: it cannot be sent, and the link is closed at once.
 * An old peer is told nothing; but a Node.js process ends when a connection of it is reset, so what
 * it still sends is read. */
static bool tell_fault(struct fe_link *link, int code, const struct flatend_error *err)
{
    struct fe_sender *sender = &link->session.sender;
    enum fe_reason reason = code == FLATEND_EPROTO ? link->peer.fault_reason : FE_REASON_INTERNAL;

    if (link->has_session && link->session.state == FE_SESSION_FAILED) {
        return true; /* the session has said so, as far as it could */
    }
    if (code == FLATEND_ETIMEDOUT) {
        return false; /* nothing reaches it, and its streams need not wait for that (keepalive.c) */
    }
    if (link->old.kind == FE_OLD_NPM) {
        return true;
    }
    return link->state == FE_LINK_READY && fe_sender_is_secure(sender) &&
           sender->ops->goaway(sender, link->peer.last_remote, reason, fe_view_str(err->text)) == 0;
}

/* What a peer says when it rejects us: its own words, without ours about them. */
static const char *words_of(const char *text)
{
    static const char before[] = "rejected by the peer: ";

    return strncmp(text, before, sizeof(before) - 1) == 0 ? text + sizeof(before) - 1 : text;
}

static void note_fault(struct fe_link *link, int code, const char *text)
{
    struct fe_dial *dial = link->dial;

    if (code == FLATEND_EDENIED) {
        dial->is_refused = true;
        dial->is_refused_by_us = !(link->has_session && link->session.is_refused);
    }
    fe_dial_note_failure(dial, code, words_of(text));
}

void fe_link_fail(struct fe_link *link, int code, const struct flatend_error *err)
{
    const char *text = err->text[0] != '\0' ? err->text : flatend_strerror(code);
    enum flatend_log_level level = FLATEND_LOG_WARN;
    char name[FE_PEER_NAME_MAX];

    FE_ASSERT(code < 0 && is_open(link), "a link fails once, and for a reason");
    if (link->dial != NULL) {
        level = fe_dial_log_level(link->dial, level);
        note_fault(link, code, text);
    }
    link->mesh->stats.failures++;
    if (fe_link_may_log(link, level)) {
        fe_log(&link->mesh->log, level, "Closed the connection to %s: %s.",
               fe_link_name(link, name), text);
    }
    fe_link_close(link, tell_fault(link, code, err));
}

/* An unreachable address is not an error: dial.c logs what it does next. */
static void log_unreached(const struct fe_link *link, int code)
{
    char name[FE_PEER_NAME_MAX];

    code = code != 0 ? code : FLATEND_ECLOSED;
    if (link->dial != NULL) {
        fe_dial_note_failure(link->dial, code, flatend_strerror(code));
    }
    fe_log(&link->mesh->log, FLATEND_LOG_DEBUG, "Cannot connect to %s: %s.",
           fe_link_name(link, name), flatend_strerror(code));
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_link *link = FE_CONTAINER_OF(timer, struct fe_link, timer);
    struct flatend_error err = {0};

    switch (link->state) {
    case FE_LINK_DIALING:
        log_unreached(link, FLATEND_ETIMEDOUT);
        fe_link_close(link, false);
        break;
    case FE_LINK_HANDSHAKE:
        if (link->mesh->state != FE_MESH_RUNNING) {
            fe_link_close(link, false); /* goaway.c does not wait for it any longer */
            break;
        }
        fe_err_set(&err, FLATEND_ETIMEDOUT, "handshake timed out after %d ms",
                   FE_MESH_HANDSHAKE_MS);
        fe_link_fail(link, FLATEND_ETIMEDOUT, &err);
        break;
    case FE_LINK_DRAINING:
        fe_link_close(link, false);
        break;
    case FE_LINK_READY:
    case FE_LINK_CLOSING:
        FE_UNREACHABLE("a link's timer runs only while it waits");
        break;
    }
}

/* ---- the peer's side of the link ---- */

static void on_peer_request(struct fe_peer *peer, struct fe_stream *stream,
                            struct fe_names services, struct fe_headers headers)
{
    struct fe_link *link = peer->owner;
    struct fe_mesh *mesh = link->mesh;

    if (fe_goaway_accepts_requests(link)) {
        mesh->ops->on_request(mesh->arg, peer, stream, services, headers);
    }
}

/* At the end of this turn. */
static void defer_settle(struct fe_link *link)
{
    if (fe_list_is_linked(&link->unsettled)) {
        return;
    }
    if (fe_list_is_empty(&link->mesh->unsettled)) {
        fe_mesh_wake(link->mesh);
    }
    fe_list_push_back(&link->mesh->unsettled, &link->unsettled);
}

static void on_peer_output(struct fe_peer *peer)
{
    struct fe_link *link = peer->owner;

    if (is_open(link)) {
        fe_link_flush(link);
    }
    if (!link->is_in_peer_call) {
        defer_settle(link);
    }
}

static void on_peer_want_read(struct fe_peer *peer)
{
    struct fe_link *link = peer->owner;

    if (is_open(link)) {
        link->mesh->transport.ops->set_reading(link->io, fe_peer_want_read(peer));
    }
}

static const struct fe_peer_ops peer_ops = {
    .on_request = on_peer_request,
    .on_output = on_peer_output,
    .on_want_read = on_peer_want_read,
};

void fe_link_settle(struct fe_link *link)
{
    struct flatend_error err = {0};
    int code;

    link->is_in_peer_call = true;
    code = fe_peer_settle(&link->peer);
    link->is_in_peer_call = false;
    if ((code != 0 || link->is_broken) && is_open(link)) {
        fe_link_fail(link, FLATEND_ENOMEM, &err);
    }
    FE_CHECK(fe_link_check(link));
}

/* ---- opening ---- */

struct fe_link *fe_link_new(struct fe_mesh *mesh)
{
    struct fe_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return NULL;
    }
    link->mesh = mesh;
    link->opened_ms = mesh->now_ms(mesh->now_arg);
    fe_timer_init(&link->timer, on_timer);
    fe_timer_init(&link->keepalive, NULL);
    fe_old_peer_init(link);
    if (fe_mesh_start_timer(mesh, &link->timer, FE_MESH_HANDSHAKE_MS) != 0) {
        free(link);
        return NULL;
    }
    fe_buf_init(&link->services, FE_MESH_SERVICES_TEXT_MAX);
    fe_list_init(&link->unsettled);
    fe_list_push_back(&mesh->links, &link->node);
    mesh->n_links++;
    return link;
}

void fe_link_free(struct fe_link *link)
{
    struct fe_mesh *mesh = link->mesh;

    fe_stranger_leave(&link->stranger);
    if (fe_list_is_linked(&link->node)) {
        fe_list_remove(&link->node);
        FE_ASSERT(mesh->n_links > 0, "links are counted");
        mesh->n_links--;
    }
    fe_list_remove(&link->unsettled);
    fe_timer_stop(mesh->timers, &link->timer);
    fe_keepalive_stop(link);
    fe_old_peer_stop(link);
    fe_buf_deinit(&link->services);
    free(link);
}

int fe_link_start_session(struct fe_link *link, bool is_initiator)
{
    struct fe_mesh *mesh = link->mesh;
    int code;

    FE_ASSERT(link->state == FE_LINK_DIALING && !link->has_session, "a link has one session");
    code = fe_session_init(&link->session, is_initiator, &mesh->config.self, &mesh->rng,
                           mesh->transport.ops->out(link->io));

    if (code != 0) {
        return code;
    }
    if (link->dial != NULL && link->dial->is_pinned) {
        fe_session_pin(&link->session, link->dial->key);
    }
    fe_peer_init(&link->peer, &link->session.sender, mesh->pool, mesh->map_seed, &peer_ops, link);
    link->peer.is_anonymous = true;
    link->state = FE_LINK_HANDSHAKE;
    link->has_session = true;
    return 0;
}

int fe_link_dial(struct fe_dial *dial, const struct fe_addr *addrs, size_t n)
{
    struct fe_mesh *mesh = dial->mesh;
    struct fe_link *link;
    int code;

    FE_ASSERT(dial->link == NULL && dial->state == FE_DIAL_DIALING, "a dial has one link");
    if (mesh->n_links >= mesh->links_max) {
        return FLATEND_ELIMIT;
    }
    link = fe_link_new(mesh);
    if (link == NULL) {
        return FLATEND_ENOMEM;
    }
    link->addr = addrs[0];
    code = mesh->transport.ops->dial(mesh->transport.arg, link, addrs, n, &link->io);
    if (code != 0) {
        fe_link_free(link);
        return code;
    }
    link->dial = dial;
    dial->link = link;
    mesh->stats.dialed++;
    return 0;
}

/* Which of its addresses has answered. If it turns out not to be the peer, the others come first
 * the next time. */
static void note_where(struct fe_link *link)
{
    struct fe_mesh *mesh = link->mesh;

    if (link->dial != NULL && link->dial->name != NULL) {
        mesh->transport.ops->peer_addr(link->io, &link->addr);
        link->dial->addr = link->addr;
        link->dial->passed_over = link->addr;
    }
}

void fe_link_release(struct fe_link *link)
{
    if (link->is_held) {
        link->is_held = false;
        if (is_open(link)) {
            link->mesh->transport.ops->set_reading(link->io, true);
        }
    }
}

void fe_link_on_open(struct fe_link *link, int code)
{
    const bool is_running = link->mesh->state == FE_MESH_RUNNING;
    struct flatend_error err = {0};

    if (code != 0 || link->state != FE_LINK_DIALING) {
        return; /* on_close follows, with the same code */
    }
    link->opened_ms = link->mesh->now_ms(link->mesh->now_arg);
    note_where(link);
    code = fe_link_start_session(link, true);
    if (code == 0) {
        code = fe_mesh_start_timer(link->mesh, &link->timer,
                                   is_running ? FE_MESH_HANDSHAKE_MS : FE_MESH_LINGER_MS);
    }
    if (code != 0) {
        fe_link_fail(link, code, &err);
        return;
    }
    fe_link_flush(link);
    FE_CHECK(fe_link_check(link));
}

/* ---- reading ---- */

/* Whether the peer needs to be told of a node: it knows itself, and has the one that it looks for.
 */
static bool is_news(const struct fe_link *link, const uint8_t target[FE_KEY_LEN],
                    const struct fe_id *id)
{
    return memcmp(id->public_key, target, FE_KEY_LEN) != 0 &&
           (link->peer.is_anonymous ||
            memcmp(id->public_key, link->peer.id.public_key, FE_KEY_LEN) != 0);
}

static int answer_find_node(struct fe_link *link, const struct fe_event *event)
{
    struct fe_sender *sender = &link->session.sender;
    struct fe_id ids[FE_NODES_MAX + 2]; /* two of them may be no news */
    const size_t n_closest =
        fe_kad_table_closest(&link->mesh->table, event->u.target, ids, FE_NODES_MAX + 2);
    size_t n = 0;

    for (size_t i = 0; i < n_closest && n < FE_NODES_MAX; i++) {
        if (is_news(link, event->u.target, &ids[i])) {
            ids[n++] = ids[i];
        }
    }
    return sender->ops->nodes(sender, event->token, ids, n);
}

static int on_find_node(struct fe_link *link, const struct fe_event *event,
                        struct flatend_error *err)
{
    int code = fe_budget_spend(&link->budget, FE_BUDGET_FIND_NODE, 1, link->last_read_ms, err);

    if (code != 0) {
        return code;
    }
    return fe_sender_is_secure(&link->session.sender) ? answer_find_node(link, event)
                                                      : fe_old_peer_on_find_node(link, event);
}

static int on_event(struct fe_link *link, const struct fe_event *event, struct flatend_error *err)
{
    if (event->type == FE_EVENT_HANDSHAKE) {
        return fe_link_on_handshake(link, event, err);
    }
    FE_ASSERT(link->state == FE_LINK_READY, "the session lets nothing pass before the Handshake");
    switch (event->type) {
    case FE_EVENT_FIND_NODE:
        return on_find_node(link, event, err);
    case FE_EVENT_SERVICES:
        return fe_link_on_services(link, event->u.offers, err);
    case FE_EVENT_GOAWAY:
        fe_goaway_on_goaway(link, event);
        return fe_peer_on_event(&link->peer, event, err);
    case FE_EVENT_PONG:
        fe_rtt_on_pong(&link->rtt, link->last_read_ms);
        fe_goaway_on_pong(link, event->u.ping);
        return 0;
    case FE_EVENT_KIND:
        return fe_old_peer_on_kind(link, event->u.kind);
    case FE_EVENT_NODES:
        link->peer.n_events++;
        fe_discovery_on_nodes(link->mesh, link, event->token, event->u.nodes.ids, event->u.nodes.n);
        return 0;
    default:
        return fe_peer_on_event(&link->peer, event, err);
    }
}

/* All events there are, until one of them closes the link. Zero, or the fault. */
static int run_events(struct fe_link *link, struct flatend_error *err)
{
    struct fe_event event;
    int code = 0;

    while (code == 0 && is_open(link)) {
        code = fe_session_next(&link->session, &event, err);
        if (code <= 0) {
            return code;
        }
        code = on_event(link, &event, err);
    }
    return code;
}

/* What was fed, event by event. */
static void receive(struct fe_link *link)
{
    struct flatend_error err = {0};
    int code;

    link->is_in_peer_call = true;
    code = run_events(link, &err);
    link->is_in_peer_call = false;
    if (!is_open(link)) {
        return;
    }
    if (code == 0 && link->session.out->len > FE_MESH_OUT_MAX) {
        code = fe_err_set(&err, FLATEND_EPROTO, "output limit exceeded: peer does not read");
    }
    if (code != 0) {
        fe_link_fail(link, code, &err);
        return;
    }
    fe_link_flush(link);
}

void fe_link_on_read(struct fe_link *link, uint8_t *data, size_t len)
{
    if (!is_open(link)) {
        return;
    }
    FE_ASSERT(link->state != FE_LINK_DIALING, "a link without a connection receives nothing");
    link->last_read_ms = link->mesh->now_ms(link->mesh->now_arg);
    link->n_received += len;
    link->session.n_repeats_left =
        fe_budget_left(&link->budget, FE_BUDGET_HANDSHAKE, link->last_read_ms);
    fe_old_peer_on_read(link);
    fe_session_feed(&link->session, data, len);
    receive(link);
    FE_CHECK(fe_link_check(link));
}

void fe_link_on_flush(struct fe_link *link)
{
    if (link->has_session && link->state != FE_LINK_CLOSING &&
        fe_session_flush(&link->session) != 0) {
        link->is_broken = true; /* what was held back is lost, and so are the streams it was for */
        defer_settle(link);
    }
    if (link->has_session && is_open(link)) {
        fe_output_on_flush(link);
    }
}

void fe_link_on_drain(struct fe_link *link)
{
    if (link->state == FE_LINK_READY) {
        link->is_in_peer_call = true;
        fe_peer_on_writable(&link->peer);
        link->is_in_peer_call = false;
        FE_CHECK(fe_link_check(link));
    }
}

/* ---- the end ---- */

void fe_link_on_close(struct fe_link *link, int code)
{
    struct fe_mesh *mesh = link->mesh;
    struct fe_dial *dial;

    if (link->state == FE_LINK_READY) {
        fe_link_log(link, "", " has disconnected from you.");
    } else if (is_open(link)) {
        log_unreached(link, code);
    }
    /* From here on no lookup returns it. The callbacks below may close the mesh. */
    FE_ASSERT(fe_list_is_linked(&link->node) && mesh->n_links > 0, "a link is closed once");
    FE_ASSERT(!link->is_in_peer_call, "a link dies between two events");
    link->state = FE_LINK_CLOSING;
    fe_list_remove(&link->node);
    mesh->n_links--;
    fe_link_add_stats(link, &mesh->stats);
    if (link->is_up) {
        fe_link_tell(link, FE_MESH_PEER_DOWN);
    }
    if (link->has_session) {
        fe_mesh_forget(mesh, link);
        link->is_in_peer_call = true;
        fe_peer_close(&link->peer,
                      mesh->state == FE_MESH_CLOSING ? FLATEND_ECANCELED : FLATEND_ECLOSED);
        fe_peer_deinit(&link->peer);
        fe_session_deinit(&link->session);
    }
    if (mesh->drain == FE_DRAIN_RUNNING && mesh->state != FE_MESH_CLOSING) {
        fe_mesh_wake(mesh); /* perhaps the last link that the drain waited for */
    }
    fe_discovery_on_lost(mesh, link);
    dial = link->dial;
    fe_link_free(link);
    if (dial != NULL) {
        fe_dial_on_lost(dial);
    }
    if (mesh->state == FE_MESH_CLOSING && mesh->n_links == 0) {
        fe_mesh_wake(mesh);
    }
    FE_CHECK(fe_mesh_check(mesh));
}
