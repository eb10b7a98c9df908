/* Peers of the old dialect (docs/PROTOCOL.md §1.4): which implementation they are, when they are
 * ready for requests, and which nodes they are told of.
 *
 * A Go node keeps the ID of its peer where its handlers look for it without checking, and forgets
 * it for the time of each probe: a request that comes then ends its process. It is ready
 *
 *     if it was dialed:   with its answer to our Handshake, if that had an ID; an anonymous node
 *                         introduces itself for the session first
 *     if it has dialed:   when it looks for nodes, which is what it does next after a probe
 *
 * and it mixes up its connections under load: an answer comes on one that another of the same
 * process was asked on. So requests go over one link to such a node, and ids of streams differ on
 * all of them.
 *
 * A Node.js peer is ready with its Handshake. Requests wait until it is known which of them a peer
 * is, and until it is ready, but no longer than FE_MESH_HOLD_MS from its last Handshake on: a Go
 * node that reconnects does not look for nodes.
 *
 * How a Handshake writes its address shows a Go node. Else it is asked; but one that has dialed
 * only once it looks for nodes: a Go node that has something to write when it begins to do that
 * dials once more.
 *
 * A Node.js node that starts asks every node that it is told of, again and again, as often as it is
 * told of it. It comes to an end only if the answers do: on its connection no node is named twice;
 * and two old nodes, which would name each other for ever, are not named at all. Old nodes are not
 * told of those that run the other implementation. */
#include "ground/base/assert.h"
#include "mesh/kad/table.h"
#include "mesh/net/internal.h"
#include "mesh/session/old.h"

static bool is_old(const struct fe_link *link)
{
    return link->state == FE_LINK_READY && !fe_sender_is_secure(&link->session.sender);
}

/* ---- which nodes a peer is told of ---- */

static bool has_key(const struct fe_link *link, const uint8_t key[FE_KEY_LEN])
{
    return memcmp(link->peer.id.public_key, key, FE_KEY_LEN) == 0;
}

/* A node that can be named to `asker`, which looks for `target`. */
static bool is_other(const struct fe_link *link, const struct fe_link *asker,
                     const uint8_t target[FE_KEY_LEN])
{
    if (link == asker || link->state != FE_LINK_READY || link->peer.is_anonymous ||
        has_key(link, target)) {
        return false;
    }
    return asker->peer.is_anonymous || !has_key(link, asker->peer.id.public_key);
}

/* Whether an old node may be told of another. A Go node and a Node.js node must not meet: the first
 * repeats its Handshake, and sends responses on the wrong connection; either ends a Node.js
 * process. */
static bool get_along(const struct fe_link *asker, const struct fe_link *link)
{
    return (link->old.kind == FE_OLD_GO) == (asker->old.kind == FE_OLD_GO);
}

static size_t count_old_others(const struct fe_link *asker, const uint8_t target[FE_KEY_LEN])
{
    size_t n = 0;

    FE_LIST_FOREACH (node, next, &asker->mesh->links) {
        const struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        n += is_other(link, asker, target) && is_old(link) && get_along(asker, link);
    }
    return n;
}

static bool is_known_to(const struct fe_id *ids, size_t n, const struct fe_link *link)
{
    for (size_t i = 0; i < n; i++) {
        if (has_key(link, ids[i].public_key)) {
            return true;
        }
    }
    return false;
}

/* A Node.js node ends when it is told of an IPv6 address that it cannot read: "2001:db8::1". */
static bool is_for(const struct fe_link *asker, const struct fe_link *link, bool are_old_named)
{
    if (is_old(link) && !(are_old_named && get_along(asker, link))) {
        return false;
    }
    return asker->old.kind == FE_OLD_GO ||
           (link->old.order > asker->old.told && link->peer.id.addr.family == FE_IPV4);
}

static size_t choose_nodes(struct fe_link *asker, const uint8_t target[FE_KEY_LEN],
                           struct fe_id ids[FE_NODES_MAX])
{
    const bool are_old_named = asker->old.kind == FE_OLD_GO || count_old_others(asker, target) < 2;
    size_t n = 0;

    FE_LIST_FOREACH (node, next, &asker->mesh->links) {
        const struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        if (is_other(link, asker, target) && is_for(asker, link, are_old_named) &&
            !is_known_to(ids, n, link)) {
            n = fe_kad_keep_closest(ids, n, FE_NODES_MAX, target, &link->peer.id);
        }
    }
    asker->old.told = asker->mesh->n_ready;
    return n;
}

static int answer(struct fe_link *link, uint32_t token, const uint8_t target[FE_KEY_LEN])
{
    struct fe_sender *sender = &link->session.sender;
    struct fe_id ids[FE_NODES_MAX];

    return sender->ops->nodes(sender, token, ids, choose_nodes(link, target, ids));
}

static int answer_question(struct fe_link *link)
{
    if (!link->old.has_question) {
        return 0;
    }
    link->old.has_question = false;
    return answer(link, link->old.token, link->old.target);
}

/* ---- when it is ready ---- */

/* What waits for the peer goes on, unless it has to wait for another reason. */
static void release(struct fe_link *link)
{
    bool is_held = link->old.is_spare || fe_timer_is_armed(&link->old.hold);

    if (link->peer.is_held && !is_held) {
        link->mesh->is_resume_due = true;
        fe_mesh_wake(link->mesh);
    }
    link->peer.is_held = is_held;
}

static void set_ready(struct fe_link *link)
{
    fe_timer_stop(link->mesh->timers, &link->old.hold);
    release(link);
}

/* Requests wait until the peer is ready, or for `ms`. */
static int hold(struct fe_link *link, uint64_t ms)
{
    int code = fe_mesh_start_timer(link->mesh, &link->old.hold, ms);

    release(link);
    return code;
}

static int ask_kind(struct fe_link *link)
{
    if (link->old.is_asked || link->old.kind != FE_OLD_UNKNOWN) {
        return 0;
    }
    link->old.is_asked = true;
    return fe_old_ask_kind(&link->session, fe_mesh_key(link->mesh));
}

static bool is_ready(const struct fe_link *link)
{
    const struct fe_old_peer *old = &link->old;

    if (old->kind != FE_OLD_GO) {
        return old->kind == FE_OLD_NPM;
    }
    if (!link->session.is_initiator) {
        return old->has_looked;
    }
    return !link->mesh->config.self.is_anonymous ||
           (old->is_introduced && link->session.handshake_seq == 0);
}

/* Something was learnt of the peer. */
static int update(struct fe_link *link)
{
    struct fe_old_peer *old = &link->old;
    int code = old->kind != FE_OLD_UNKNOWN ? answer_question(link) : 0;

    if (code == 0 && old->kind == FE_OLD_GO && link->session.is_initiator &&
        link->mesh->config.self.is_anonymous && !old->is_introduced) {
        old->is_introduced = true;
        code = fe_old_introduce(&link->session, &link->mesh->rng);
    }
    if (code == 0 && is_ready(link)) {
        set_ready(link);
    }
    return code;
}

/* It does not look for nodes (it has reconnected, or is no Go node), or does not answer. */
static int give_up_waiting(struct fe_link *link)
{
    if (link->old.kind == FE_OLD_UNKNOWN && !link->old.is_asked) {
        int code = ask_kind(link);

        return code == 0 ? hold(link, FE_MESH_HOLD_MS - FE_MESH_LOOK_MS) : code;
    }
    release(link);
    return answer_question(link);
}

static void on_hold_timer(struct fe_timer *timer)
{
    struct fe_link *link = FE_CONTAINER_OF(timer, struct fe_link, old.hold);
    struct flatend_error err = {0};
    int code = give_up_waiting(link);

    if (code != 0) {
        fe_link_fail(link, code, &err);
    } else {
        fe_link_flush(link);
    }
    FE_CHECK(fe_link_check(link));
}

/* ---- links to one Go node ---- */

static struct fe_link *find_twin(const struct fe_link *link, bool is_spare)
{
    FE_LIST_FOREACH (node, next, &link->mesh->links) {
        struct fe_link *other = FE_CONTAINER_OF(node, struct fe_link, node);

        if (other != link && is_old(other) && other->old.kind == FE_OLD_GO &&
            other->old.is_spare == is_spare && !other->peer.is_anonymous &&
            has_key(other, link->peer.id.public_key)) {
            return other;
        }
    }
    return NULL;
}

static void set_kind(struct fe_link *link, enum fe_old_kind kind)
{
    link->old.kind = kind;
    if (kind == FE_OLD_GO) {
        link->peer.is_confused = true;
        link->old.is_spare = !link->peer.is_anonymous && find_twin(link, false) != NULL;
        fe_old_scatter_streams(&link->session, &link->mesh->rng);
        release(link);
    }
}

/* One that was spare takes the place of the link that has gone. */
static void replace(struct fe_link *link)
{
    struct fe_link *twin = NULL;

    if (link->old.kind == FE_OLD_GO && !link->peer.is_anonymous && !link->old.is_spare) {
        twin = find_twin(link, true);
    }
    link->old.is_spare = false;
    if (twin != NULL) {
        twin->old.is_spare = false;
        release(twin);
    }
}

/* ---- events ---- */

static int on_first_handshake(struct fe_link *link)
{
    bool may_look = !link->session.is_initiator &&
                    (link->peer.is_anonymous || link->peer.id.addr.family == FE_IPV6);

    link->peer.is_old = true;
    if (link->session.is_id_mapped) {
        fe_old_set_kind(&link->session, FE_OLD_GO);
        set_kind(link, FE_OLD_GO);
    }
    if (!may_look) {
        int code = ask_kind(link);

        return code == 0 ? hold(link, FE_MESH_HOLD_MS) : code;
    }
    return hold(link, FE_MESH_LOOK_MS);
}

int fe_old_peer_on_handshake(struct fe_link *link)
{
    struct fe_old_peer *old = &link->old;
    bool is_first = old->order == 0;
    int code = 0;

    if (is_first) {
        old->order = ++link->mesh->n_ready;
    }
    if (fe_sender_is_secure(&link->session.sender)) {
        return 0;
    }
    if (is_first) {
        code = on_first_handshake(link);
    } else if (!link->session.is_initiator && old->kind != FE_OLD_NPM) {
        old->has_looked = false; /* a Go node probes again: nothing else repeats its Handshake */
        code = hold(link, FE_MESH_HOLD_MS);
    }
    return code == 0 ? update(link) : code;
}

/* One waits at a time: an earlier one is answered with nothing. */
static int keep_question(struct fe_link *link, const struct fe_event *event)
{
    struct fe_old_peer *old = &link->old;
    struct fe_sender *sender = &link->session.sender;
    int code = old->has_question ? sender->ops->nodes(sender, old->token, NULL, 0) : 0;

    old->has_question = true;
    old->token = event->token;
    memcpy(old->target, event->u.target, FE_KEY_LEN);
    return code == 0 ? ask_kind(link) : code;
}

int fe_old_peer_on_find_node(struct fe_link *link, const struct fe_event *event)
{
    bool may_wait = link->old.kind == FE_OLD_UNKNOWN && fe_timer_is_armed(&link->old.hold);
    int code;

    FE_ASSERT(is_old(link), "a secure peer asks otherwise");
    link->old.has_looked = true;
    code = may_wait ? keep_question(link, event) : answer(link, event->token, event->u.target);
    return code == 0 ? update(link) : code;
}

int fe_old_peer_on_kind(struct fe_link *link, enum fe_old_kind kind)
{
    FE_ASSERT(link->old.kind == FE_OLD_UNKNOWN, "a peer is of one kind");
    set_kind(link, kind);
    return update(link);
}

/* Node.js writes a response in pieces, and waits with all but the first until that is acknowledged:
 * 40 ms, if we have nothing to send to it. */
void fe_old_peer_on_read(struct fe_link *link)
{
    const struct fe_transport_ops *ops = link->mesh->transport.ops;

    if (is_old(link) && link->old.kind != FE_OLD_GO && ops->acknowledge != NULL) {
        ops->acknowledge(link->io);
    }
}

void fe_old_peer_init(struct fe_link *link)
{
    fe_timer_init(&link->old.hold, on_hold_timer);
}

void fe_old_peer_stop(struct fe_link *link)
{
    if (link->old.order > 0) {
        replace(link);
        set_ready(link);
    }
}
