/* Graceful shutdown with GOAWAY, so that no request is lost (docs/PROTOCOL.md §2.7).
 *
 * Happy path: GOAWAY followed by a PING. The peer stops sending requests, and its reply to the PING
 * follows all requests sent before. Then no further request can arrive, and running ones may end.
 *
 * Failure modes: an old peer does not support GOAWAY; its requests are answered with `handled` 0. A
 * link that is lost meanwhile carries no requests either. No Handshake yet: a peer that dialed has
 * received none from us and sends no requests; a peer that we dialed, or are dialing, may already
 * be open, and gets GOAWAY as soon as its Handshake arrives. */
#include "ground/base/assert.h"
#include "mesh/net/internal.h"

bool fe_goaway_accepts_requests(const struct fe_link *link)
{
    return link->mesh->state == FE_MESH_RUNNING ||
           (link->mesh->state == FE_MESH_DRAINING && link->goaway == FE_GOAWAY_SENT);
}

/* The peer's Handshake has not arrived. One that has sent its key may be a Node.js process, which
 * ends when its connection is reset; and one that we dial ends when it gets a connection without a
 * key, so a dial has the moment that a host nearby needs (docs/PROTOCOL.md 1.6). */
static void close_early(struct fe_link *link)
{
    const bool is_dialing = link->state == FE_LINK_DIALING;
    const unsigned ms = is_dialing ? FE_MESH_DIAL_LINGER_MS : FE_MESH_LINGER_MS;

    if (fe_link_is_stranger(link)) {
        fe_link_close(link, link->session.state == FE_SESSION_HANDSHAKE);
    } else if (fe_mesh_start_timer(link->mesh, &link->timer, ms) != 0) {
        fe_link_close(link, false);
    }
}

static void send_goaway(struct fe_link *link)
{
    struct fe_sender *sender = &link->session.sender;
    struct flatend_error err = {0};
    int code;

    FE_ASSERT(link->goaway == FE_GOAWAY_NONE && link->mesh->state != FE_MESH_RUNNING,
              "a mesh that drains sends GOAWAY once");
    link->goaway = FE_GOAWAY_SENT;
    code = sender->ops->goaway(sender, UINT32_MAX, FE_REASON_NONE, FE_VIEW_LIT("shutting down"));
    if (code == 0) {
        code = sender->ops->ping(sender, FE_PING_GOAWAY);
    }
    if (code != 0) {
        fe_link_fail(link, code, &err);
        return;
    }
    fe_rtt_on_ping(&link->rtt, link->mesh->now_ms(link->mesh->now_arg));
    fe_link_flush(link);
}

void fe_goaway_send(struct fe_link *link)
{
    if (link->state == FE_LINK_DIALING || link->state == FE_LINK_HANDSHAKE) {
        close_early(link);
    } else if (link->state == FE_LINK_READY && fe_sender_is_secure(&link->session.sender)) {
        send_goaway(link);
    }
}

void fe_goaway_on_pong(struct fe_link *link, uint64_t token)
{
    if (token == FE_PING_GOAWAY && link->goaway == FE_GOAWAY_SENT) {
        link->goaway = FE_GOAWAY_ACKED;
        fe_mesh_wake(link->mesh);
    }
}

void fe_goaway_on_goaway(struct fe_link *link, const struct fe_event *event)
{
    struct fe_mesh *mesh = link->mesh;
    struct fe_view why = fe_view_str(fe_reason_text(event->u.goaway.reason));
    char name[FE_PEER_NAME_MAX];

    if (link->has_goaway) {
        return; /* logged once */
    }
    link->has_goaway = true;
    if (event->u.goaway.text.len > 0) {
        why = event->u.goaway.text;
    }
    if (fe_link_may_log(link, FLATEND_LOG_INFO)) {
        fe_log(&mesh->log, FLATEND_LOG_INFO, "%s accepts no more requests: %.*s.",
               fe_link_name(link, name), (int)why.len, (const char *)why.ptr);
    }
}

static bool is_waited_for(const struct fe_link *link)
{
    return link->state == FE_LINK_DIALING || link->state == FE_LINK_HANDSHAKE ||
           (link->state == FE_LINK_READY && link->goaway == FE_GOAWAY_SENT);
}

void fe_goaway_report_drained(struct fe_mesh *mesh)
{
    if (mesh->drain != FE_DRAIN_RUNNING) {
        return;
    }
    FE_LIST_FOREACH (node, next, &mesh->links) {
        if (is_waited_for(FE_CONTAINER_OF(node, struct fe_link, node))) {
            return;
        }
    }
    FE_ASSERT(mesh->state != FE_MESH_RUNNING, "only a mesh that drains is drained");
    mesh->drain = FE_DRAIN_REPORTED;
    mesh->ops->on_drained(mesh->arg);
}
