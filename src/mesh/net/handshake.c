/* The peer's Handshake: its identity and its services (docs/PROTOCOL.md §1.3, §2.3). The first one
 * makes the link ready; an old peer may repeat it, a secure one sends SERVICES instead. */
#include <stdio.h>

#include "ground/base/assert.h"
#include "mesh/net/internal.h"

struct fe_addr fe_link_addr(const struct fe_link *link)
{
    bool has_come = link->has_session && !link->session.is_initiator;

    return has_come && !link->peer.is_anonymous ? fe_addr_of_ip(&link->peer.id.addr) : link->addr;
}

/* The key that the peer has proven on this link; NULL: none, or not yet. */
static const uint8_t *proven_key(const struct fe_link *link)
{
    return link->has_session && link->peer.is_proven ? link->peer.id.public_key : NULL;
}

const char *fe_link_name(const struct fe_link *link, char buf[FE_PEER_NAME_MAX])
{
    const struct fe_addr addr = fe_link_addr(link);

    return fe_peer_name(&addr, proven_key(link), buf);
}

/* An address that a peer advertises is only what it says: the log keeps where it really came from.
 */
static bool has_come_from_elsewhere(const struct fe_link *link)
{
    struct fe_addr addr = fe_link_addr(link);

    addr.port = link->addr.port; /* 0 of a unix socket */
    return !fe_addr_equal(&addr, &link->addr);
}

enum { NOTE_MAX = FE_ADDR_TEXT_MAX + FE_KEY_DIGITS + 24 };

/* " (key 1f3a9c2e, from 10.9.9.9:50000)", as much of it as there is. */
static const char *format_note(const struct fe_link *link, char buf[NOTE_MAX])
{
    const uint8_t *key = proven_key(link);
    bool is_elsewhere = has_come_from_elsewhere(link);
    char digits[FE_KEY_DIGITS + 1];
    char source[FE_ADDR_TEXT_MAX] = "";

    buf[0] = '\0';
    if (is_elsewhere) {
        (void)fe_addr_format(&link->addr, source);
    }
    if (is_elsewhere || key != NULL) {
        (void)snprintf(buf, NOTE_MAX, " (%s%s%s%s%s)", key != NULL ? "key " : "",
                       fe_peer_name_key(key, digits), is_elsewhere && key != NULL ? ", " : "",
                       is_elsewhere ? "from " : "", source);
    }
    return buf;
}

bool fe_link_may_log(const struct fe_link *link, enum flatend_log_level level)
{
    struct fe_mesh *mesh = link->mesh;

    return fe_log_limit_passes(&mesh->peer_lines, &mesh->log, level, "peers",
                               mesh->now_ms(mesh->now_arg));
}

void fe_link_log(const struct fe_link *link, const char *before, const char *after)
{
    const struct fe_addr addr = fe_link_addr(link);
    char text[FE_ADDR_TEXT_MAX];
    char note[NOTE_MAX];

    if (fe_link_may_log(link, FLATEND_LOG_INFO)) {
        fe_log(&link->mesh->log, FLATEND_LOG_INFO, "%s%s%s Services: [%.*s]%s", before,
               fe_addr_format(&addr, text), after, (int)link->services.len,
               link->services.len > 0 ? (const char *)link->services.data : "",
               format_note(link, note));
    }
}

bool fe_link_has_key(const struct fe_link *link, const uint8_t key[FE_KEY_LEN])
{
    return link->state == FE_LINK_READY && !link->peer.is_anonymous &&
           memcmp(link->peer.id.public_key, key, FE_KEY_LEN) == 0;
}

/* For the log: false when there is no room. */
static bool note_service(struct fe_buf *text, struct fe_view name)
{
    return fe_buf_reserve(text, name.len + 1) == 0 &&
           (text->len == 0 || fe_buf_append(text, " ", 1) == 0) &&
           fe_buf_append(text, name.ptr, name.len) == 0;
}

static void note_services(struct fe_link *link, struct fe_names services)
{
    struct fe_buf *text = &link->services;
    struct fe_view name;

    fe_buf_reset(text);
    while (fe_names_next(&services, &name) && note_service(text, name)) {
    }
}

static void log_ready(const struct fe_link *link)
{
    if (link->dial != NULL) {
        fe_link_log(link, "You are now connected to ", ".");
    } else if (link->peer.is_anonymous) {
        fe_link_log(link, "", " has connected to you.");
    } else {
        fe_link_log(link, "", " has connected.");
    }
}

static bool is_our_own(const struct fe_link *link, const struct fe_id *id)
{
    const struct fe_self *self = &link->mesh->config.self;

    return id != NULL && !self->is_anonymous &&
           memcmp(id->public_key, self->id.public_key, FE_KEY_LEN) == 0;
}

void fe_link_complete_addr(const struct fe_link *link, struct fe_ip_addr *addr)
{
    static const struct fe_ip_addr loopback = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};
    const uint16_t port = addr->port;

    if (!fe_ip_addr_is_unspecified(addr)) {
        return;
    }
    if (!fe_addr_to_ip(&link->addr, addr)) {
        *addr = loopback; /* a unix socket leads to this machine */
    }
    addr->port = port;
}

static void adopt_identity(struct fe_link *link, const struct fe_id *id, bool is_proven)
{
    if (id == NULL) {
        return;
    }
    link->peer.is_anonymous = false;
    link->peer.is_proven = is_proven;
    link->peer.id = *id;
    fe_link_complete_addr(link, &link->peer.id.addr);
}

/* The registry and the table learn of the peer. After a fault fe_link_close and fe_link_on_close
 * undo it, because the link has come to READY. */
static int enter(struct fe_link *link, struct fe_names services, struct flatend_error *err)
{
    struct fe_mesh *mesh = link->mesh;
    int code = link->has_goaway ? 0 : fe_registry_offer(&mesh->registry, &link->peer, services);

    if (code != 0) {
        return fe_err_set(err, code, "services: %s", flatend_strerror(code));
    }
    if (!link->peer.is_anonymous) {
        code = fe_kad_table_update(&mesh->table, &link->peer.id);
        if (code < 0) {
            return fe_err_set(err, code, "routing table: %s", flatend_strerror(code));
        }
    }
    note_services(link, services);
    return 0;
}

static void note_offers(struct fe_link *link, struct fe_offers offers)
{
    struct fe_buf *text = &link->services;
    struct fe_offer offer;

    fe_buf_reset(text);
    while (fe_offers_next(&offers, &offer) && note_service(text, offer.name)) {
    }
}

int fe_link_on_services(struct fe_link *link, struct fe_offers offers, struct flatend_error *err)
{
    char name[FE_PEER_NAME_MAX];
    int code;

    if (link->has_goaway) {
        return 0;
    }
    code =
        fe_budget_spend(&link->budget, FE_BUDGET_SERVICES, 1U + offers.n, link->last_read_ms, err);
    if (code != 0) {
        return code;
    }
    code = fe_registry_replace(&link->mesh->registry, &link->peer, offers);
    if (code != 0) {
        return fe_err_set(err, code, "services: %s", flatend_strerror(code));
    }
    note_offers(link, offers);
    if (fe_link_may_log(link, FLATEND_LOG_INFO)) {
        fe_log(&link->mesh->log, FLATEND_LOG_INFO, "%s has updated its services. Services: [%.*s]",
               fe_link_name(link, name), (int)link->services.len,
               link->services.len > 0 ? (const char *)link->services.data : "");
    }
    return 0;
}

/* With its Handshake a peer has proven itself, or it is an old one that we did not dial. */
static int settle_stranger(struct fe_link *link, struct flatend_error *err)
{
    struct fe_strangers *const old = &link->mesh->old_strangers;
    const bool was_counted = link->stranger.addr != NULL;

    fe_stranger_leave(&link->stranger);
    if (!was_counted || fe_sender_is_secure(&link->session.sender)) {
        return 0;
    }
    if (fe_strangers_at_limit(old, &link->addr) != NULL) {
        return fe_err_set(err, FLATEND_ELIMIT, "limit of %zu old nodes at one address reached",
                          old->max);
    }
    return fe_stranger_enter(old, &link->stranger, &link->addr);
}

/* The first Handshake of a peer that may come in. */
static int become_ready(struct fe_link *link, const struct fe_event *event,
                        struct flatend_error *err)
{
    int code = settle_stranger(link, err);

    if (code != 0) {
        return code;
    }
    adopt_identity(link, event->u.handshake.id, event->u.handshake.is_proven);
    link->state = FE_LINK_READY;
    link->mesh->stats.handshakes++;
    fe_timer_stop(link->mesh->timers, &link->timer);
    code = fe_peer_on_event(&link->peer, event, err);
    if (code == 0) {
        code = fe_old_peer_on_handshake(link);
    }
    return code == 0 ? enter(link, event->u.handshake.services, err) : code;
}

int fe_link_on_handshake(struct fe_link *link, const struct fe_event *event,
                         struct flatend_error *err)
{
    const struct fe_id *id = event->u.handshake.id;
    int code;

    if (link->state == FE_LINK_READY) { /* the session saw to the identity */
        code = fe_budget_spend(&link->budget, FE_BUDGET_HANDSHAKE, 1, link->last_read_ms, err);
        if (code == 0) {
            code = enter(link, event->u.handshake.services, err);
        }
        return code == 0 ? fe_old_peer_on_handshake(link) : code;
    }
    if (is_our_own(link, id)) {
        /* Not proven, it may be a recording of ours: then the address is not given up for it. */
        if (link->dial != NULL && event->u.handshake.is_proven) {
            fe_dial_on_own(link->dial);
        }
        fe_link_close(link, false);
        return 0;
    }
    FE_ASSERT(link->state == FE_LINK_HANDSHAKE, "a link is ready once");
    FE_ASSERT(id != NULL || !event->u.handshake.is_proven, "only an identity is proven");
    code = become_ready(link, event, err);
    if (code != 0) {
        return code;
    }
    fe_keepalive_start(link);
    log_ready(link);
    fe_link_tell(link, FE_MESH_PEER_UP);
    if (link->dial != NULL) {
        fe_dial_on_ready(link->dial);
    }
    fe_discovery_on_ready(link->mesh, link);
    if (link->mesh->state == FE_MESH_DRAINING) {
        fe_goaway_send(link);
        fe_mesh_wake(link->mesh); /* an old peer was waited for only until now */
    }
    return 0;
}
