#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"

static uint32_t read_u24(struct fe_reader *reader)
{
    uint32_t high = fe_read_u8(reader);

    return high << 16 | fe_read_u16(reader);
}

static struct fe_view read_text(struct fe_reader *reader)
{
    return fe_read_bytes(reader, fe_read_u8(reader));
}

int fe_secure_packet_decode(struct fe_reader *reader, struct fe_secure_packet *packet)
{
    uint32_t len = read_u24(reader);

    packet->type = fe_read_u8(reader);
    packet->flags = fe_read_u8(reader);
    packet->stream = fe_read_u32(reader);
    packet->body = fe_read_bytes(reader, len);
    return reader->is_failed ? FLATEND_EPROTO : 0;
}

int fe_secure_request_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->u.request.services = fe_old_names_decode(&reader);
    event->u.request.headers = fe_old_headers_decode(&reader);
    return fe_reader_end(&reader);
}

int fe_secure_response_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);
    uint8_t handled = fe_read_u8(&reader);

    event->u.response.handled = handled == 1;
    event->u.response.headers = fe_old_headers_decode(&reader);
    return handled > 1 ? FLATEND_EPROTO : fe_reader_end(&reader);
}

int fe_secure_trailers_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->u.trailers = fe_old_headers_decode(&reader);
    return fe_reader_end(&reader);
}

int fe_secure_reset_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->u.reset.reason = fe_read_u32(&reader);
    event->u.reset.text = read_text(&reader);
    return fe_reader_end(&reader);
}

/* RFC 9113 §6.9: an increment of 0 is a fault, and so is one that no window could take. */
int fe_secure_window_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->u.increment = fe_read_u32(&reader);
    if (event->u.increment == 0 || event->u.increment > FE_SECURE_WINDOW_MAX) {
        return FLATEND_EPROTO;
    }
    return fe_reader_end(&reader);
}

int fe_secure_ping_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);
    uint64_t high = fe_read_u32(&reader);

    event->u.ping = high << 32 | fe_read_u32(&reader);
    return fe_reader_end(&reader);
}

int fe_secure_goaway_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->u.goaway.last = fe_read_u32(&reader);
    event->u.goaway.reason = fe_read_u32(&reader);
    event->u.goaway.text = read_text(&reader);
    return fe_reader_end(&reader);
}

int fe_secure_services_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);
    uint16_t n = fe_read_u16(&reader);

    if (n > FE_SERVICES_MAX) {
        return FLATEND_EPROTO;
    }
    event->u.offers = (struct fe_offers){fe_view_of(reader.ptr, reader.left), n};
    for (unsigned i = 0; i < n && !reader.is_failed; i++) {
        (void)read_text(&reader);
        (void)fe_read_u16(&reader);
    }
    return fe_reader_end(&reader);
}

int fe_secure_find_node_decode(struct fe_view body, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(body);

    event->token = fe_read_u32(&reader);
    return fe_old_find_node_decode(fe_view_of(reader.ptr, reader.left), event->u.target);
}

int fe_secure_nodes_decode(struct fe_view body, uint32_t *token, struct fe_id ids[FE_NODES_MAX],
                           size_t *n)
{
    struct fe_reader reader = fe_reader_of(body);

    *token = fe_read_u32(&reader);
    *n = 0;
    return fe_old_nodes_decode(fe_view_of(reader.ptr, reader.left), ids, n);
}

int fe_secure_refusal_decode(struct fe_view body, struct fe_secure_refusal *refusal)
{
    struct fe_reader reader = fe_reader_of(body);

    refusal->reason = fe_read_u32(&reader);
    refusal->text = read_text(&reader);
    return fe_reader_end(&reader);
}
