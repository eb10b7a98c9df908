/* The form of large heads (docs/PROTOCOL.md §2.3): as REQUEST, RESPONSE and TRAILERS, but with
 * longer lengths. */
#include "ground/base/assert.h"
#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"

enum { NAMES_MAX = UINT8_MAX };

static size_t names_size(const struct fe_view *names, size_t n)
{
    size_t size = 1;

    if (n > NAMES_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i].len > UINT16_MAX) {
            return SIZE_MAX;
        }
        size += 2 + names[i].len;
    }
    return size;
}

/* Each length is compared before it is added: so few of so many bytes cannot overflow. */
static size_t headers_size(const struct fe_header *headers, size_t n)
{
    size_t size = 2;

    if (n > FE_SECURE_HEAD_HEADERS_MAX) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < n; i++) {
        if (headers[i].name.len > UINT16_MAX || headers[i].value.len > FE_HEAD_MAX) {
            return SIZE_MAX;
        }
        size += 2 + headers[i].name.len + 4 + headers[i].value.len;
    }
    return size;
}

size_t fe_secure_head_size(const struct fe_secure_head *head)
{
    size_t size = headers_size(head->headers, head->n_headers);

    if (head->type == FE_SECURE_REQUEST) {
        size = fe_size_plus(size, names_size(head->services, head->n_services));
    }
    return size <= FE_HEAD_MAX ? size : SIZE_MAX;
}

static void names_encode(struct fe_writer *writer, const struct fe_view *names, size_t n)
{
    FE_ASSERT(n <= NAMES_MAX, "names are counted in a byte");
    fe_write_u8(writer, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        FE_ASSERT(names[i].len <= UINT16_MAX, "a long name's length is two bytes");
        fe_write_u16(writer, (uint16_t)names[i].len);
        fe_write_bytes(writer, names[i]);
    }
}

void fe_secure_head_encode(struct fe_writer *writer, const struct fe_secure_head *head)
{
    FE_ASSERT(head->n_headers <= FE_SECURE_HEAD_HEADERS_MAX, "headers are as many as peers take");
    if (head->type == FE_SECURE_REQUEST) {
        names_encode(writer, head->services, head->n_services);
    }
    fe_write_u16(writer, (uint16_t)head->n_headers);
    for (size_t i = 0; i < head->n_headers; i++) {
        const struct fe_header *header = &head->headers[i];

        FE_ASSERT(header->name.len <= UINT16_MAX, "a long name's length is two bytes");
        fe_write_u16(writer, (uint16_t)header->name.len);
        fe_write_bytes(writer, header->name);
        fe_write_u32(writer, (uint32_t)header->value.len);
        fe_write_bytes(writer, header->value);
    }
}

void fe_secure_head_prefix_encode(struct fe_writer *writer, uint8_t type, size_t size)
{
    FE_ASSERT(size > 0 && size <= FE_HEAD_MAX, "a head is of a size that peers take");
    fe_write_u8(writer, type);
    fe_write_u32(writer, (uint32_t)size);
}

int fe_secure_head_prefix_decode(struct fe_reader *piece, uint8_t *type, uint32_t *size)
{
    *type = fe_read_u8(piece);
    *size = fe_read_u32(piece);
    if (piece->is_failed || *size == 0 || *size > FE_HEAD_MAX) {
        return FLATEND_EPROTO;
    }
    return *type == FE_SECURE_REQUEST || *type == FE_SECURE_RESPONSE || *type == FE_SECURE_TRAILERS
               ? 0
               : FLATEND_EPROTO;
}

static struct fe_names names_decode(struct fe_reader *reader)
{
    struct fe_names names = {.n = fe_read_u8(reader), .is_long = true};
    const uint8_t *start = reader->ptr;
    size_t left = reader->left;

    for (unsigned i = 0; i < names.n && !reader->is_failed; i++) {
        (void)fe_read_bytes(reader, fe_read_u16(reader));
    }
    names.bytes = fe_view_of(start, left - reader->left);
    return names;
}

static struct fe_headers headers_decode(struct fe_reader *reader)
{
    struct fe_headers headers = {.n = fe_read_u16(reader), .is_long = true};
    const uint8_t *start = reader->ptr;
    size_t left = reader->left;

    reader->is_failed |= headers.n > FE_SECURE_HEAD_HEADERS_MAX;
    for (unsigned i = 0; i < headers.n && !reader->is_failed; i++) {
        (void)fe_read_bytes(reader, fe_read_u16(reader));
        (void)fe_read_bytes(reader, fe_read_u32(reader));
    }
    headers.bytes = fe_view_of(start, left - reader->left);
    return headers;
}

int fe_secure_head_decode(uint8_t type, struct fe_view head, struct fe_event *event)
{
    struct fe_reader reader = fe_reader_of(head);

    switch ((enum fe_secure_type)type) {
    case FE_SECURE_REQUEST:
        event->u.request.services = names_decode(&reader);
        event->u.request.headers = headers_decode(&reader);
        break;
    case FE_SECURE_RESPONSE:
        event->u.response.handled = true;
        event->u.response.headers = headers_decode(&reader);
        break;
    default:
        event->u.trailers = headers_decode(&reader);
        break;
    }
    return fe_reader_end(&reader);
}
