#include "mesh/net/self.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/net/internal.h"
#include "mesh/wire/secure.h"

enum {
    SPACE = 256 * 1024, /* body bytes on their way before a writer waits */
    STREAM_WINDOW = 256 * 1024,
    CONNECTION_WINDOW = 8 * 1024 * 1024,
};

/* An event on its way. What it views lies behind it. */
struct packet {
    struct fe_list link;
    struct fe_event event;
    size_t n_data;
    uint8_t bytes[];
};

/* ---- sending -------------------------------------------------------------------------------- */

static struct fe_self_end *end_of(const struct fe_sender *sender)
{
    return FE_CONTAINER_OF((struct fe_sender *)(uintptr_t)sender, struct fe_self_end, sender);
}

static struct fe_self_link *link_of(struct fe_self_end *end)
{
    return end->peer.owner;
}

/* Room for a packet with `len` bytes behind it; NULL: out of memory. */
static struct packet *packet_new(enum fe_event_type type, uint32_t stream, size_t len)
{
    struct packet *packet = malloc(sizeof(*packet) + len);

    if (packet != NULL) {
        packet->event = (struct fe_event){.type = type, .stream = stream};
        packet->n_data = 0;
        fe_list_init(&packet->link);
    }
    return packet;
}

/* In the next turn. The timer always has a place in the heap: on_delivery. */
static void deliver_soon(struct fe_self_link *self)
{
    int code = fe_mesh_start_timer(self->mesh, &self->delivery, 0);

    FE_ASSERT(code == 0, "a timer that is always armed keeps its place in the heap");
    (void)code;
}

static void send(struct fe_self_end *end, struct packet *packet)
{
    deliver_soon(link_of(end));
    end->n_waiting += packet->n_data;
    fe_list_push_back(&end->packets, &packet->link);
}

/* A head of any size, in the form of large ones. */
static int send_head(struct fe_self_end *end, uint32_t stream, const struct fe_secure_head *head,
                     enum fe_event_type type)
{
    const size_t size = fe_secure_head_size(head);
    struct fe_writer writer;
    struct packet *packet;
    int code;

    if (size == SIZE_MAX) {
        return FLATEND_ETOOBIG;
    }
    packet = packet_new(type, stream, size);
    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    writer = fe_writer_of(packet->bytes, size);
    fe_secure_head_encode(&writer, head);
    code =
        fe_secure_head_decode((uint8_t)head->type, fe_view_of(packet->bytes, size), &packet->event);
    FE_ASSERT(code == 0, "what was encoded can be decoded");
    (void)code;
    packet->event.type = type;
    packet->event.stream = stream;
    send(end, packet);
    return 0;
}

static uint32_t next_stream(struct fe_sender *sender)
{
    struct fe_self_end *end = end_of(sender);
    const uint32_t stream = end->next_stream;

    end->next_stream = fe_stream_id_after(stream);
    return stream;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    const struct fe_secure_head head = {FE_SECURE_REQUEST, services, n_services, headers,
                                        n_headers};

    return send_head(end_of(sender), stream, &head, FE_EVENT_REQUEST);
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool is_handled,
                         const struct fe_header *headers, size_t n_headers)
{
    const struct fe_secure_head head = {
        .type = FE_SECURE_RESPONSE, .headers = headers, .n_headers = n_headers};
    struct packet *packet;

    if (is_handled) {
        return send_head(end_of(sender), stream, &head, FE_EVENT_RESPONSE);
    }
    packet = packet_new(FE_EVENT_RESPONSE, stream, 0);
    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    packet->event.u.response.handled = false;
    send(end_of(sender), packet);
    return 0;
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct packet *packet = packet_new(FE_EVENT_DATA, stream, bytes.len);

    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    memcpy(packet->bytes, bytes.ptr, bytes.len);
    packet->event.u.data = fe_view_of(packet->bytes, bytes.len);
    packet->n_data = bytes.len;
    send(end_of(sender), packet);
    return 0;
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    const struct fe_secure_head head = {
        .type = FE_SECURE_TRAILERS, .headers = trailers, .n_headers = n_trailers};
    struct packet *packet;

    if (n_trailers > 0) {
        return send_head(end_of(sender), stream, &head, FE_EVENT_END);
    }
    packet = packet_new(FE_EVENT_END, stream, 0);
    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    send(end_of(sender), packet);
    return 0;
}

static size_t space(const struct fe_sender *sender)
{
    struct fe_self_end *end = end_of(sender);

    end->is_blocked = end->n_waiting >= SPACE;
    return end->is_blocked ? 0 : SPACE - end->n_waiting;
}

static int send_reset(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                      struct fe_view text)
{
    struct packet *packet = packet_new(FE_EVENT_RESET, stream, 0);

    (void)text; /* for another node's log */
    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    packet->event.u.reset.reason = reason;
    send(end_of(sender), packet);
    return 0;
}

static int send_window(struct fe_sender *sender, uint32_t stream, uint32_t increment)
{
    struct packet *packet = packet_new(FE_EVENT_WINDOW, stream, 0);

    if (packet == NULL) {
        return FLATEND_ENOMEM;
    }
    packet->event.u.increment = increment;
    send(end_of(sender), packet);
    return 0;
}

/* What concerns a connection between two nodes is not asked of this one. */
static const struct fe_sender_ops sender_ops = {
    .next_stream = next_stream,
    .request = send_request,
    .response = send_response,
    .data = send_data,
    .end = send_end,
    .space = space,
    .reset = send_reset,
    .window = send_window,
};

/* ---- receiving ------------------------------------------------------------------------------ */

static void drop_packets(struct fe_self_end *end)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&end->packets)) != NULL) {
        free(FE_CONTAINER_OF(link, struct packet, link));
    }
    end->n_waiting = 0;
}

/* Hands on what this end had sent before. Non-zero: there is no going on. */
static int deliver(struct fe_self_end *from, struct fe_self_end *to)
{
    struct fe_list packets;
    struct fe_list *link;
    int code = 0;

    fe_list_init(&packets);
    fe_list_move(&packets, &from->packets);
    while ((link = fe_list_pop_front(&packets)) != NULL) {
        struct packet *packet = FE_CONTAINER_OF(link, struct packet, link);

        FE_ASSERT(from->n_waiting >= packet->n_data, "bytes on their way are counted");
        from->n_waiting -= packet->n_data;
        if (code == 0) {
            code = fe_peer_on_event(&to->peer, &packet->event, NULL);
        }
        free(packet);
    }
    return code;
}

static void let_write(struct fe_self_end *end)
{
    if (end->is_blocked && end->n_waiting < SPACE / 2) {
        end->is_blocked = false;
        fe_peer_on_writable(&end->peer);
    }
}

static void on_delivery(struct fe_timer *timer)
{
    struct fe_self_link *self = FE_CONTAINER_OF(timer, struct fe_self_link, delivery);
    struct fe_self_end *ends = self->ends;
    int code = fe_timer_start(self->mesh->timers, timer, FE_MESH_FAR_AHEAD_MS);

    FE_ASSERT(code == 0, "a timer that has just fired has a place in the heap");
    code = deliver(&ends[FE_SELF_CALLER], &ends[FE_SELF_PROVIDER]);
    if (code == 0) {
        code = deliver(&ends[FE_SELF_PROVIDER], &ends[FE_SELF_CALLER]);
    }
    for (int i = 0; i < FE_SELF_SIDES && code == 0; i++) {
        let_write(&ends[i]);
        code = fe_peer_settle(&ends[i].peer);
    }
    if (code != 0) {
        /* Out of memory: calls end, and the next ones begin anew. */
        fe_self_link_close(self, code);
        if (self->mesh->state == FE_MESH_RUNNING) {
            const struct fe_self *config = &self->mesh->config.self;

            code = fe_self_link_offer(self, config->services, config->n_services);
            (void)code; /* without memory for that either, others provide the services */
        }
    }
}

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    struct fe_self_link *self = peer->owner;
    struct fe_mesh *mesh = self->mesh;

    /* Draining, too: handlers that still run may need it. */
    if (mesh->state == FE_MESH_RUNNING || mesh->state == FE_MESH_DRAINING) {
        mesh->ops->on_request(mesh->arg, peer, stream, services, headers);
    }
}

static void on_output(struct fe_peer *peer)
{
    deliver_soon(peer->owner); /* or a packet was lost, which on_delivery is to see */
}

static void on_want_read(struct fe_peer *peer)
{
    FE_ASSERT(peer->has_windows, "windows hold back what is not read");
}

static const struct fe_peer_ops peer_ops = {
    .on_request = on_request,
    .on_output = on_output,
    .on_want_read = on_want_read,
};

/* ---- the whole ------------------------------------------------------------------------------ */

void fe_self_link_init(struct fe_self_link *self, struct fe_mesh *mesh)
{
    *self = (struct fe_self_link){.mesh = mesh};
    fe_timer_init(&self->delivery, on_delivery);
}

/* As after the Handshakes of two secure nodes, both of which are this one. */
static int open_end(struct fe_self_link *self, enum fe_self_side side)
{
    struct fe_self_end *end = &self->ends[side];
    struct fe_mesh *mesh = self->mesh;
    const struct fe_self *config = &mesh->config.self;
    const struct fe_event hello = {.type = FE_EVENT_HANDSHAKE};

    *end = (struct fe_self_end){
        .sender = {.ops = &sender_ops,
                   .dialect = FE_DIALECT_SECURE,
                   .head_max = FE_HEAD_MAX,
                   .flow = {.stream_out = STREAM_WINDOW,
                            .connection_out = CONNECTION_WINDOW,
                            .stream_in = STREAM_WINDOW,
                            .connection_in = CONNECTION_WINDOW,
                            .streams_out = FE_PEER_STREAMS_MAX}},
        .next_stream = side == FE_SELF_CALLER ? 2 : 1, /* ids tell whose a stream is */
    };
    fe_list_init(&end->packets);
    fe_peer_init(&end->peer, &end->sender, mesh->pool, mesh->map_seed, &peer_ops, self);
    end->peer.is_anonymous = config->is_anonymous;
    end->peer.is_proven = !config->is_anonymous;
    end->peer.id = config->id;
    return fe_peer_on_event(&end->peer, &hello, NULL);
}

static int open(struct fe_self_link *self)
{
    int code = fe_timer_start(self->mesh->timers, &self->delivery, FE_MESH_FAR_AHEAD_MS);

    if (code != 0) {
        return code;
    }
    for (int i = 0; i < FE_SELF_SIDES; i++) {
        const int opened = open_end(self, (enum fe_self_side)i);

        code = code != 0 ? code : opened;
    }
    /* In no registry; so that its requester is not taken for another peer. */
    self->ends[FE_SELF_PROVIDER].peer.handle = UINT64_MAX;
    self->is_open = true;
    if (code != 0) {
        fe_self_link_close(self, code);
    }
    return code;
}

/* The registry takes what a peer would have announced. */
static int offer(struct fe_self_link *self, const struct fe_view *services, size_t n)
{
    struct fe_offer offers[FE_SERVICES_MAX];
    struct fe_event event;
    struct fe_writer writer;
    uint8_t *bytes;
    size_t size;
    int code;

    for (size_t i = 0; i < n; i++) {
        offers[i] = (struct fe_offer){services[i], FE_WEIGHT_DEFAULT};
    }
    size = fe_secure_services_size(offers, n);
    bytes = malloc(size);
    if (bytes == NULL) {
        return FLATEND_ENOMEM;
    }
    writer = fe_writer_of(bytes, size);
    fe_secure_services_encode(&writer, offers, n);
    code = fe_secure_services_decode(fe_view_of(bytes, size), &event);
    if (code == 0) {
        code = fe_registry_replace(&self->mesh->registry, &self->ends[FE_SELF_CALLER].peer,
                                   event.u.offers);
    }
    free(bytes);
    return code;
}

int fe_self_link_offer(struct fe_self_link *self, const struct fe_view *services, size_t n)
{
    int code = 0;

    FE_ASSERT(n <= FE_SERVICES_MAX, "what a node offers fits its Handshake");
    if (!self->mesh->config.provides_to_itself) {
        return 0;
    }
    if (!self->is_open) {
        code = n > 0 ? open(self) : 0;
    }
    return code == 0 && self->is_open ? offer(self, services, n) : code;
}

void fe_self_link_close(struct fe_self_link *self, int code)
{
    if (!self->is_open) {
        return;
    }
    self->is_open = false;
    for (int i = 0; i < FE_SELF_SIDES; i++) {
        fe_peer_close(&self->ends[i].peer, code);
    }
    for (int i = 0; i < FE_SELF_SIDES; i++) {
        drop_packets(&self->ends[i]);
        fe_peer_deinit(&self->ends[i].peer);
    }
    fe_timer_stop(self->mesh->timers, &self->delivery);
}
