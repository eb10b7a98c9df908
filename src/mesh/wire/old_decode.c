#include "ground/base/assert.h"
#include "mesh/wire/old.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* A byte that is 0 or 1; anything else fails the reader. */
static bool read_flag(struct fe_reader *reader)
{
    uint8_t value = fe_read_u8(reader);

    if (value > 1) {
        reader->is_failed = true;
    }
    return value == 1;
}

struct fe_names fe_old_names_decode(struct fe_reader *reader)
{
    struct fe_names names = {.n = fe_read_u8(reader)};
    const uint8_t *start = reader->ptr;
    size_t left = reader->left;

    for (unsigned i = 0; i < names.n && !reader->is_failed; i++) {
        (void)fe_read_bytes(reader, fe_read_u8(reader));
    }
    names.bytes = fe_view_of(start, left - reader->left);
    return names;
}

struct fe_headers fe_old_headers_decode(struct fe_reader *reader)
{
    struct fe_headers headers = {.n = fe_read_u16(reader)};
    const uint8_t *start = reader->ptr;
    size_t left = reader->left;

    for (unsigned i = 0; i < headers.n && !reader->is_failed; i++) {
        (void)fe_read_bytes(reader, fe_read_u8(reader));
        (void)fe_read_bytes(reader, fe_read_u16(reader));
    }
    headers.bytes = fe_view_of(start, left - reader->left);
    return headers;
}

int fe_old_id_decode(struct fe_reader *reader, struct fe_id *id)
{
    struct fe_view key = fe_read_bytes(reader, FE_KEY_LEN);
    bool is_ipv6 = read_flag(reader);
    struct fe_view ip = fe_read_bytes(reader, is_ipv6 ? 16 : 4);

    *id = (struct fe_id){.addr.family = FE_IPV4, .addr.port = fe_read_u16(reader)};
    if (reader->is_failed) {
        return FLATEND_EPROTO;
    }
    memcpy(id->public_key, key.ptr, FE_KEY_LEN);
    if (fe_view_has_prefix(ip, fe_view_of(mapped_prefix, sizeof(mapped_prefix)))) {
        ip = fe_view_skip(ip, sizeof(mapped_prefix));
    } else if (is_ipv6) {
        id->addr.family = FE_IPV6;
    }
    FE_ASSERT(ip.len == 4 || ip.len == 16, "an address is of one family or the other");
    memcpy(id->addr.ip, ip.ptr, ip.len);
    return 0;
}

int fe_old_handshake_decode(struct fe_view body, struct fe_old_handshake *handshake)
{
    struct fe_reader reader = fe_reader_of(body);

    *handshake = (struct fe_old_handshake){.has_id = read_flag(&reader)};
    if (handshake->has_id) {
        const uint8_t *start = reader.ptr;

        if (fe_old_id_decode(&reader, &handshake->id) != 0) {
            return FLATEND_EPROTO;
        }
        handshake->id_bytes = fe_view_of(start, (size_t)(reader.ptr - start));
    }
    handshake->services = fe_old_names_decode(&reader);
    if (handshake->has_id) {
        handshake->signature = fe_read_bytes(&reader, FE_SIGNATURE_LEN);
    }
    handshake->rest = fe_view_of(reader.ptr, reader.left);
    return reader.is_failed ? FLATEND_EPROTO : 0;
}

int fe_old_request_decode(struct fe_view body, struct fe_old_request *request)
{
    struct fe_reader reader = fe_reader_of(body);

    request->stream = fe_read_u32(&reader);
    request->services = fe_old_names_decode(&reader);
    request->headers = fe_old_headers_decode(&reader);
    return fe_reader_end(&reader);
}

int fe_old_response_decode(struct fe_view body, struct fe_old_response *response)
{
    struct fe_reader reader = fe_reader_of(body);

    response->stream = fe_read_u32(&reader);
    response->is_handled = read_flag(&reader);
    response->headers = fe_old_headers_decode(&reader);
    return fe_reader_end(&reader);
}

int fe_old_data_decode(struct fe_view body, struct fe_old_data *data)
{
    struct fe_reader reader = fe_reader_of(body);

    data->stream = fe_read_u32(&reader);
    data->bytes = fe_read_bytes(&reader, fe_read_u16(&reader));
    return fe_reader_end(&reader);
}

int fe_old_find_node_decode(struct fe_view body, uint8_t target[FE_KEY_LEN])
{
    if (body.len != FE_KEY_LEN) {
        return FLATEND_EPROTO;
    }
    memcpy(target, body.ptr, FE_KEY_LEN);
    return 0;
}

static bool is_dialable(const struct fe_id *id)
{
    static const uint8_t zero_key[FE_KEY_LEN];
    static const uint8_t broadcast[] = {0xff, 0xff, 0xff,
                                        0xff}; /* callers' that have no identity */
    bool leads_nowhere =
        id->addr.family == FE_IPV4 && memcmp(id->addr.ip, broadcast, sizeof(broadcast)) == 0;

    return id->addr.port != 0 && !leads_nowhere &&
           memcmp(id->public_key, zero_key, FE_KEY_LEN) != 0;
}

int fe_old_nodes_decode(struct fe_view body, struct fe_id ids[FE_NODES_MAX], size_t *n)
{
    struct fe_reader reader = fe_reader_of(body);
    unsigned n_sent = fe_read_u8(&reader);

    *n = 0;
    for (unsigned i = 0; i < n_sent; i++) {
        struct fe_id id;

        if (fe_old_id_decode(&reader, &id) != 0) {
            return FLATEND_EPROTO;
        }
        if (*n < FE_NODES_MAX && is_dialable(&id)) {
            ids[(*n)++] = id;
        }
    }
    FE_ASSERT(*n <= FE_NODES_MAX, "no more nodes are kept than there is room for");
    return fe_reader_end(&reader);
}
