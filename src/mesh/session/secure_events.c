/* Packets of the secure session become events (docs/PROTOCOL.md §2.3). */
#include "ground/base/assert.h"
#include "mesh/session/pending.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

enum place { ON_CONNECTION, ON_STREAM, ON_EITHER };

struct kind {
    const char *name;
    enum place place;
    enum fe_event_type event;
    int (*decode)(struct fe_view body, struct fe_event *event); /* NULL: not that simple */
};

static const struct kind kinds[] = {
    [FE_SECURE_DATA] = {"DATA", ON_STREAM, FE_EVENT_DATA, NULL},
    [FE_SECURE_REQUEST] = {"REQUEST", ON_STREAM, FE_EVENT_REQUEST, fe_secure_request_decode},
    [FE_SECURE_RESPONSE] = {"RESPONSE", ON_STREAM, FE_EVENT_RESPONSE, fe_secure_response_decode},
    [FE_SECURE_TRAILERS] = {"TRAILERS", ON_STREAM, FE_EVENT_END, fe_secure_trailers_decode},
    [FE_SECURE_RESET] = {"RESET", ON_STREAM, FE_EVENT_RESET, fe_secure_reset_decode},
    [FE_SECURE_WINDOW] = {"WINDOW", ON_EITHER, FE_EVENT_WINDOW, fe_secure_window_decode},
    [FE_SECURE_PING] = {"PING", ON_CONNECTION, FE_EVENT_PONG, fe_secure_ping_decode},
    [FE_SECURE_GOAWAY] = {"GOAWAY", ON_CONNECTION, FE_EVENT_GOAWAY, fe_secure_goaway_decode},
    [FE_SECURE_SERVICES] = {"SERVICES", ON_CONNECTION, FE_EVENT_SERVICES,
                            fe_secure_services_decode},
    [FE_SECURE_FIND_NODE] = {"FIND_NODE", ON_CONNECTION, FE_EVENT_FIND_NODE,
                             fe_secure_find_node_decode},
    [FE_SECURE_NODES] = {"NODES", ON_CONNECTION, FE_EVENT_NODES, NULL},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

_Static_assert((int)N_KINDS == (int)FE_SECURE_HEAD, "a HEAD is not an event by itself");

static bool is_local(const struct fe_session *session, uint32_t stream)
{
    return (stream & 1) == (session->is_initiator ? 1U : 0U);
}

/* Ids grow by the arithmetic of serial numbers (RFC 1982 §3.2), so that they never run out. */
static bool is_newer(uint32_t stream, uint32_t than)
{
    return stream != than && stream - than < 0x80000000U;
}

static inline int check_stream(const struct fe_session *session, uint8_t type, uint32_t stream,
                               struct flatend_error *err)
{
    const struct kind *kind = &kinds[type];

    if ((kind->place == ON_CONNECTION && stream != 0) ||
        (kind->place == ON_STREAM && stream == 0)) {
        return fe_err_set(err, FLATEND_EPROTO, "%s with stream %u", kind->name, (unsigned)stream);
    }
    if ((type == FE_SECURE_REQUEST && is_local(session, stream)) ||
        (type == FE_SECURE_RESPONSE && !is_local(session, stream))) {
        return fe_err_set(err, FLATEND_EPROTO, "%s on stream %u with the wrong parity", kind->name,
                          (unsigned)stream);
    }
    if (type == FE_SECURE_REQUEST && !is_newer(stream, session->peer_stream)) {
        return fe_err_set(err, FLATEND_EPROTO, "REQUEST on stream %u after %u", (unsigned)stream,
                          (unsigned)session->peer_stream);
    }
    return 0;
}

int fe_secure_check_stream(const struct fe_session *session, uint8_t type, uint32_t stream,
                           struct flatend_error *err)
{
    return check_stream(session, type, stream, err);
}

static int malformed(const struct kind *kind, struct flatend_error *err)
{
    return fe_err_set(err, FLATEND_EPROTO, "malformed %s", kind->name);
}

/* An empty one is only there for its flag. */
static int on_data(const struct fe_secure_packet *packet, struct fe_event *event,
                   struct flatend_error *err)
{
    if (packet->body.len > 0) {
        event->u.data = packet->body;
        return 1;
    }
    if ((packet->flags & FE_SECURE_END) == 0) {
        return fe_err_set(err, FLATEND_EPROTO, "empty DATA");
    }
    return 0; /* END follows */
}

static int on_nodes(struct fe_session *session, struct fe_view body, struct fe_event *event,
                    struct flatend_error *err)
{
    uint32_t *slot;

    event->u.nodes.ids = session->nodes;
    if (fe_secure_nodes_decode(body, &event->token, session->nodes, &event->u.nodes.n) != 0) {
        return malformed(&kinds[FE_SECURE_NODES], err);
    }
    slot = event->token != 0 ? fe_pending_find(session, event->token) : NULL;
    if (slot == NULL) {
        return fe_err_set(err, FLATEND_EPROTO, "unsolicited NODES (token %u)",
                          (unsigned)event->token);
    }
    *slot = 0;
    return 1;
}

/* Answered here. No peer needs many at a time; a flood would cost work and output. */
static int on_ping(struct fe_session *session, const struct fe_event *event,
                   struct flatend_error *err)
{
    int code;

    if (session->n_pings >= FE_SESSION_PINGS_MAX) {
        return fe_err_set(err, FLATEND_EPROTO, "more than %d unanswered pings",
                          FE_SESSION_PINGS_MAX);
    }
    session->n_pings++;
    code = fe_secure_send_pong(session, event->u.ping);
    return code == 0 ? 0 : fe_err_set(err, code, "ping: %s", flatend_strerror(code));
}

static int on_services(const struct fe_session *session, struct fe_offers offers,
                       struct flatend_error *err)
{
    const struct fe_trust *trust = session->self->trust;
    const uint8_t *key = session->has_peer_id ? session->peer_id.public_key : NULL;
    struct fe_offer offer;
    int code = 0;

    while (trust != NULL && code == 0 && fe_offers_next(&offers, &offer)) {
        code = fe_trust_check_service(trust, key, offer.name, err);
    }
    return code == 0 ? 1 : code;
}

static int on_goaway(struct fe_session *session, const struct fe_event *event,
                     struct flatend_error *err)
{
    const struct fe_view text = event->u.goaway.text;

    if (event->u.goaway.reason != FE_REASON_DENIED) {
        return 1;
    }
    session->is_refused = true;
    return fe_err_set(err, FLATEND_EDENIED, "rejected by the peer: %.*s", (int)text.len,
                      (const char *)text.ptr);
}

/* What is left to do once the body is decoded: 1, the event counts; 0, it does not; or a fault. */
static int finish(struct fe_session *session, const struct fe_secure_packet *packet,
                  struct fe_event *event, struct flatend_error *err)
{
    switch ((enum fe_secure_type)packet->type) {
    case FE_SECURE_DATA:
        return on_data(packet, event, err);
    case FE_SECURE_REQUEST:
        session->peer_stream = packet->stream;
        return 1;
    case FE_SECURE_PING:
        return (packet->flags & FE_SECURE_ACK) != 0 ? 1 : on_ping(session, event, err);
    case FE_SECURE_GOAWAY:
        return on_goaway(session, event, err);
    case FE_SECURE_SERVICES:
        return on_services(session, event->u.offers, err);
    case FE_SECURE_NODES:
        return on_nodes(session, packet->body, event, err);
    default:
        return 1;
    }
}

/* Whether the peer's direction of the stream ends with this packet, in an event of its own. After a
 * response with `handled` 0 nothing follows anyway. */
static bool has_end(const struct fe_secure_packet *packet, const struct fe_event *event)
{
    return (packet->flags & FE_SECURE_END) != 0 &&
           (packet->type == FE_SECURE_DATA || packet->type == FE_SECURE_REQUEST ||
            (packet->type == FE_SECURE_RESPONSE && event->u.response.handled));
}

static int on_packet(struct fe_session *session, const struct fe_secure_packet *packet,
                     struct fe_event *event, struct flatend_error *err)
{
    const struct kind *kind = &kinds[packet->type];
    int code = check_stream(session, packet->type, packet->stream, err);

    if (code != 0) {
        return code;
    }
    event->type = kind->event;
    event->stream = packet->stream;
    event->token = 0;
    if (kind->decode != NULL && kind->decode(packet->body, event) != 0) {
        return malformed(kind, err);
    }
    FE_ASSERT(session->ended == 0, "an END is told before the next packet");
    code = finish(session, packet, event, err);
    if (code >= 0 && has_end(packet, event)) {
        session->ended = packet->stream;
    }
    return code;
}

static bool take_end(struct fe_session *session, struct fe_event *event)
{
    if (session->ended == 0) {
        return false;
    }
    event->type = FE_EVENT_END;
    event->stream = session->ended;
    event->token = 0;
    event->u.trailers = (struct fe_headers){0};
    session->ended = 0;
    return true;
}

/* The next packet of the record at hand: 1, 0 if it makes no event, or a fault. */
static int next_packet(struct fe_session *session, struct fe_event *event,
                       struct flatend_error *err)
{
    struct fe_reader reader = fe_reader_of(session->packets);
    struct fe_secure_packet packet;

    if (fe_secure_packet_decode(&reader, &packet) != 0) {
        return fe_err_set(err, FLATEND_EPROTO, "packet exceeds its record");
    }
    FE_ASSERT(reader.left < session->packets.len, "each packet takes bytes of its record");
    session->packets = fe_view_of(reader.ptr, reader.left);
    if (packet.type < N_KINDS && session->head.size == 0) {
        return on_packet(session, &packet, event, err);
    }
    if (session->has_heads && (packet.type == FE_SECURE_HEAD || session->head.size > 0)) {
        return fe_secure_on_head(session, &packet, event, err);
    }
    return 0; /* of a peer that knows more than we do */
}

int fe_secure_next(struct fe_session *session, struct fe_event *event, struct flatend_error *err)
{
    int code = 0;

    if (session->head.bytes.cap > 0 && session->head.size == 0) {
        fe_buf_deinit(&session->head.bytes); /* the last event's */
    }
    while (code == 0 && !take_end(session, event)) {
        if (session->packets.len == 0) {
            code = fe_record_next(session, &session->packets, err);
            if (code <= 0) {
                return code;
            }
        }
        code = next_packet(session, event, err);
    }
    return code == 0 ? 1 : code;
}
