
#include "ground/base/assert.h"
#include "mesh/wire/old.h"

static size_t id_size(const struct fe_id *id)
{
    return FE_KEY_LEN + 1 + (id->addr.family == FE_IPV4 ? 4 : 16) + 2;
}

void fe_old_id_encode(struct fe_writer *writer, const struct fe_id *id)
{
    bool is_ipv4 = id->addr.family == FE_IPV4;

    FE_ASSERT(is_ipv4 || id->addr.family == FE_IPV6, "an ID has an address of the network");
    fe_write_bytes(writer, fe_view_of(id->public_key, FE_KEY_LEN));
    fe_write_u8(writer, is_ipv4 ? 0 : 1);
    fe_write_bytes(writer, fe_view_of(id->addr.ip, is_ipv4 ? 4 : 16));
    fe_write_u16(writer, id->addr.port);
}

size_t fe_old_names_size(const struct fe_view *names, size_t n)
{
    size_t size = 1;

    if (n > UINT8_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i].len > UINT8_MAX) {
            return SIZE_MAX;
        }
        size += 1 + names[i].len;
    }
    return size;
}

void fe_old_names_encode(struct fe_writer *writer, const struct fe_view *names, size_t n)
{
    FE_ASSERT(n <= UINT8_MAX, "names are counted in a byte");
    fe_write_u8(writer, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        FE_ASSERT(names[i].len <= UINT8_MAX, "a name's length is a byte");
        fe_write_u8(writer, (uint8_t)names[i].len);
        fe_write_bytes(writer, names[i]);
    }
}

size_t fe_old_headers_size(const struct fe_header *headers, size_t n)
{
    size_t size = 2;

    if (n > UINT16_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        if (headers[i].name.len > UINT8_MAX || headers[i].value.len > UINT16_MAX) {
            return SIZE_MAX;
        }
        size += 1 + headers[i].name.len + 2 + headers[i].value.len;
    }
    return size;
}

void fe_old_headers_encode(struct fe_writer *writer, const struct fe_header *headers, size_t n)
{
    FE_ASSERT(n <= UINT16_MAX, "headers are counted in two bytes");
    fe_write_u16(writer, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        fe_write_u8(writer, (uint8_t)headers[i].name.len);
        fe_write_bytes(writer, headers[i].name);
        fe_write_u16(writer, (uint16_t)headers[i].value.len);
        fe_write_bytes(writer, headers[i].value);
    }
}

size_t fe_old_handshake_size(const struct fe_id *id, const struct fe_view *services, size_t n)
{
    size_t identity = id != NULL ? id_size(id) + FE_SIGNATURE_LEN : 0;

    return fe_size_plus(1 + identity, fe_old_names_size(services, n));
}

void fe_old_handshake_encode(struct fe_writer *writer, const struct fe_id *id,
                             const struct fe_view *services, size_t n,
                             const uint8_t signature[FE_SIGNATURE_LEN])
{
    FE_ASSERT(id == NULL || signature != NULL, "an ID is signed");
    fe_write_u8(writer, id != NULL ? 1 : 0);
    if (id != NULL) {
        fe_old_id_encode(writer, id);
    }
    fe_old_names_encode(writer, services, n);
    if (id != NULL) {
        fe_write_bytes(writer, fe_view_of(signature, FE_SIGNATURE_LEN));
    }
}

size_t fe_old_request_size(const struct fe_view *services, size_t n_services,
                           const struct fe_header *headers, size_t n_headers)
{
    return fe_size_plus(fe_size_plus(4, fe_old_names_size(services, n_services)),
                        fe_old_headers_size(headers, n_headers));
}

void fe_old_request_encode(struct fe_writer *writer, uint32_t stream,
                           const struct fe_view *services, size_t n_services,
                           const struct fe_header *headers, size_t n_headers)
{
    fe_write_u32(writer, stream);
    fe_old_names_encode(writer, services, n_services);
    fe_old_headers_encode(writer, headers, n_headers);
}

size_t fe_old_response_size(const struct fe_header *headers, size_t n)
{
    return fe_size_plus(4 + 1, fe_old_headers_size(headers, n));
}

void fe_old_response_encode(struct fe_writer *writer, uint32_t stream, bool is_handled,
                            const struct fe_header *headers, size_t n)
{
    fe_write_u32(writer, stream);
    fe_write_u8(writer, is_handled ? 1 : 0);
    fe_old_headers_encode(writer, headers, n);
}

size_t fe_old_data_size(struct fe_view bytes)
{
    return 4 + 2 + bytes.len;
}

void fe_old_data_encode(struct fe_writer *writer, uint32_t stream, struct fe_view bytes)
{
    FE_ASSERT(bytes.len <= FE_OLD_DATA_MAX, "the caller has cut the body into packets");
    fe_write_u32(writer, stream);
    fe_write_u16(writer, (uint16_t)bytes.len);
    fe_write_bytes(writer, bytes);
}

size_t fe_old_nodes_size(const struct fe_id *ids, size_t n)
{
    size_t size = 1;

    if (n > UINT8_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        size += id_size(&ids[i]);
    }
    return size;
}

void fe_old_nodes_encode(struct fe_writer *writer, const struct fe_id *ids, size_t n)
{
    FE_ASSERT(n <= UINT8_MAX, "nodes are counted in a byte");
    fe_write_u8(writer, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        fe_old_id_encode(writer, &ids[i]);
    }
}
