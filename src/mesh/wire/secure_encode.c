
#include "ground/base/assert.h"
#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"

static size_t text_len(struct fe_view text)
{
    return text.len < FE_REASON_TEXT_MAX ? text.len : FE_REASON_TEXT_MAX;
}

static void write_text(struct fe_writer *writer, struct fe_view text)
{
    FE_ASSERT(text_len(text) <= UINT8_MAX, "a text's length is a byte");
    fe_write_u8(writer, (uint8_t)text_len(text));
    fe_write_bytes(writer, fe_view_of(text.ptr, text_len(text)));
}

void fe_secure_header_encode(struct fe_writer *writer, uint8_t type, uint8_t flags, uint32_t stream,
                             size_t body_len)
{
    FE_ASSERT(body_len < 1U << 24, "a packet's length fits its three bytes");
    fe_write_u8(writer, (uint8_t)(body_len >> 16));
    fe_write_u16(writer, (uint16_t)body_len);
    fe_write_u8(writer, type);
    fe_write_u8(writer, flags);
    fe_write_u32(writer, stream);
}

size_t fe_secure_request_size(const struct fe_view *services, size_t n_services,
                              const struct fe_header *headers, size_t n_headers)
{
    return fe_size_plus(fe_old_names_size(services, n_services),
                        fe_old_headers_size(headers, n_headers));
}

void fe_secure_request_encode(struct fe_writer *writer, const struct fe_view *services,
                              size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    fe_old_names_encode(writer, services, n_services);
    fe_old_headers_encode(writer, headers, n_headers);
}

size_t fe_secure_response_size(const struct fe_header *headers, size_t n)
{
    return fe_size_plus(1, fe_old_headers_size(headers, n));
}

void fe_secure_response_encode(struct fe_writer *writer, bool is_handled,
                               const struct fe_header *headers, size_t n)
{
    fe_write_u8(writer, is_handled ? 1 : 0);
    fe_old_headers_encode(writer, headers, n);
}

size_t fe_secure_reset_size(struct fe_view text)
{
    return 4 + 1 + text_len(text);
}

void fe_secure_reset_encode(struct fe_writer *writer, uint32_t reason, struct fe_view text)
{
    fe_write_u32(writer, reason);
    write_text(writer, text);
}

size_t fe_secure_refusal_size(struct fe_view text)
{
    return fe_secure_reset_size(text);
}

void fe_secure_refusal_encode(struct fe_writer *writer, uint32_t reason, struct fe_view text)
{
    fe_secure_reset_encode(writer, reason, text);
}

size_t fe_secure_goaway_size(struct fe_view text)
{
    return 4 + fe_secure_reset_size(text);
}

void fe_secure_goaway_encode(struct fe_writer *writer, uint32_t last, uint32_t reason,
                             struct fe_view text)
{
    fe_write_u32(writer, last);
    fe_secure_reset_encode(writer, reason, text);
}

void fe_secure_ping_encode(struct fe_writer *writer, uint64_t token)
{
    fe_write_u32(writer, (uint32_t)(token >> 32));
    fe_write_u32(writer, (uint32_t)token);
}

size_t fe_secure_services_size(const struct fe_offer *offers, size_t n)
{
    size_t size = 2;

    if (n > FE_SERVICES_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        if (offers[i].name.len > UINT8_MAX) {
            return SIZE_MAX;
        }
        size += 1 + offers[i].name.len + 2;
    }
    return size;
}

void fe_secure_services_encode(struct fe_writer *writer, const struct fe_offer *offers, size_t n)
{
    FE_ASSERT(n <= FE_SERVICES_MAX, "services are as many as a Handshake can name");
    fe_write_u16(writer, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        FE_ASSERT(offers[i].name.len <= UINT8_MAX, "a name's length is a byte");
        fe_write_u8(writer, (uint8_t)offers[i].name.len);
        fe_write_bytes(writer, offers[i].name);
        fe_write_u16(writer, offers[i].weight);
    }
}

size_t fe_secure_nodes_size(const struct fe_id *ids, size_t n)
{
    return fe_size_plus(4, fe_old_nodes_size(ids, n));
}

void fe_secure_nodes_encode(struct fe_writer *writer, uint32_t token, const struct fe_id *ids,
                            size_t n)
{
    FE_ASSERT(n <= FE_NODES_MAX, "an answer names k nodes");
    fe_write_u32(writer, token);
    fe_old_nodes_encode(writer, ids, n);
}
