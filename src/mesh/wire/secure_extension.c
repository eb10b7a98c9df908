/* The extension of a Handshake (docs/PROTOCOL.md §2.1): "FLT2", u16 length, TLVs. */
#include "ground/base/assert.h"
#include "mesh/wire/secure.h"

#define MAGIC FE_VIEW_LIT("FLT2")

enum {
    TLV_FEATURES = 1,
    TLV_RECORD = 2,
    TLV_WINDOWS = 3,
    TLV_STREAMS = 4,
    TLV_CONNECTIONS = 5,
    TLV_SEEN = 6,
    TLV_AGENT = 7,
    TLV_SIGNATURE = 0x40,
    TLV_CRITICAL = 0x80, /* an unknown type with this bit is a fault */
    TLV_HEADER = 3,
    KNOWN_MAX = TLV_SIGNATURE + 1,
    /* The fixed values are 22 bytes, an address at most 19. */
    LARGEST = 4 + 2 + 7 * TLV_HEADER + 22 + 19 + FE_SECURE_AGENT_MAX + FE_SECURE_SIGNATURE_TLV_SIZE,
};

_Static_assert((int)LARGEST <= (int)FE_SECURE_EXTENSION_SENT_MAX,
               "what a node has set aside for it");

bool fe_secure_has_extension(struct fe_view rest)
{
    return fe_view_has_prefix(rest, MAGIC);
}

static bool read_seen(struct fe_reader *value, struct fe_ip_addr *addr)
{
    uint8_t family = fe_read_u8(value);
    struct fe_view ip = fe_read_bytes(value, family == 0 ? 4 : 16);

    addr->family = family == 0 ? FE_IPV4 : FE_IPV6;
    addr->port = fe_read_u16(value);
    if (family > 1 || ip.ptr == NULL || value->is_failed) {
        return false;
    }
    memcpy(addr->ip, ip.ptr, ip.len);
    return true;
}

/* The value of a type that we know; others leave the reader as it is, and false comes back. */
static bool read_value(uint8_t type, struct fe_reader *value, struct fe_secure_extension *extension)
{
    switch (type) {
    case TLV_FEATURES:
        extension->features = fe_read_u32(value);
        return true;
    case TLV_RECORD:
        extension->record_max = fe_read_u32(value);
        return true;
    case TLV_WINDOWS:
        extension->stream_window = fe_read_u32(value);
        extension->connection_window = fe_read_u32(value);
        return true;
    case TLV_STREAMS:
        extension->streams_max = fe_read_u32(value);
        return true;
    case TLV_CONNECTIONS:
        extension->connections = fe_read_u16(value);
        return true;
    case TLV_SEEN:
        extension->has_seen = read_seen(value, &extension->seen);
        value->is_failed |= !extension->has_seen;
        return true;
    case TLV_AGENT:
        value->is_failed |= value->left > FE_SECURE_AGENT_MAX;
        extension->agent = fe_read_bytes(value, value->left);
        return true;
    case TLV_SIGNATURE:
        extension->signature = fe_read_bytes(value, FE_SIGNATURE_LEN);
        return true;
    default:
        return false;
    }
}

struct seen {
    bool types[KNOWN_MAX];
};

static int read_tlv(struct fe_reader *tlvs, struct seen *seen,
                    struct fe_secure_extension *extension, struct flatend_error *err)
{
    uint8_t type = fe_read_u8(tlvs);
    struct fe_reader value = fe_reader_of(fe_read_bytes(tlvs, fe_read_u16(tlvs)));

    if (tlvs->is_failed) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: truncated");
    }
    if (!read_value(type, &value, extension)) {
        if ((type & TLV_CRITICAL) != 0) {
            return fe_err_set(err, FLATEND_EPROTO, "extension: unknown type %u", type);
        }
        return 0;
    }
    if (!fe_reader_is_complete(&value)) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: malformed value of type %u", type);
    }
    FE_ASSERT(type < KNOWN_MAX, "a type that was read is known");
    if (seen->types[type]) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: duplicate type %u", type);
    }
    seen->types[type] = true;
    if (type == TLV_SIGNATURE && tlvs->left > 0) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: bytes after the signature");
    }
    return 0;
}

static int check_limits(const struct seen *seen, const struct fe_secure_extension *extension,
                        struct flatend_error *err)
{
    if (!seen->types[TLV_RECORD] || !seen->types[TLV_WINDOWS] || !seen->types[TLV_STREAMS]) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: missing limits");
    }
    if (extension->record_max < FE_SECURE_RECORD_MIN) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: records of %u bytes (at least %d)",
                          (unsigned)extension->record_max, FE_SECURE_RECORD_MIN);
    }
    if (extension->stream_window > FE_SECURE_WINDOW_MAX ||
        extension->connection_window > FE_SECURE_WINDOW_MAX) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: a window beyond 2^31 - 1");
    }
    return 0;
}

int fe_secure_extension_decode(struct fe_view rest, struct fe_secure_extension *extension,
                               struct flatend_error *err)
{
    struct fe_reader reader = fe_reader_of(fe_view_skip(rest, MAGIC.len));
    uint16_t len = fe_read_u16(&reader);
    struct seen seen = {0};

    *extension = (struct fe_secure_extension){.connections = 1};
    if (len > FE_SECURE_EXTENSION_MAX) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: %u bytes (at most %d)", len,
                          FE_SECURE_EXTENSION_MAX);
    }
    if (reader.is_failed || len != reader.left) {
        return fe_err_set(err, FLATEND_EPROTO, "extension: length mismatch");
    }
    while (reader.left > 0) {
        int code = read_tlv(&reader, &seen, extension, err);

        if (code != 0) {
            return code;
        }
    }
    return check_limits(&seen, extension, err);
}

/* ---- encoding ------------------------------------------------------------------------------- */

static size_t ip_size(const struct fe_ip_addr *addr)
{
    return addr->family == FE_IPV4 ? 4 : 16;
}

static size_t tlvs_size(const struct fe_secure_extension *extension, bool is_signed)
{
    size_t size = TLV_HEADER + 4 + TLV_HEADER + 4 + TLV_HEADER + 8 + TLV_HEADER + 4;

    size += TLV_HEADER + 2;
    if (extension->has_seen) {
        size += TLV_HEADER + 1 + ip_size(&extension->seen) + 2;
    }
    size += TLV_HEADER + extension->agent.len;
    return size + (is_signed ? FE_SECURE_SIGNATURE_TLV_SIZE : 0);
}

size_t fe_secure_extension_size(const struct fe_secure_extension *extension, bool is_signed)
{
    return MAGIC.len + 2 + tlvs_size(extension, is_signed);
}

static void write_header(struct fe_writer *writer, uint8_t type, size_t len)
{
    FE_ASSERT(len <= UINT16_MAX, "a value's length is two bytes");
    fe_write_u8(writer, type);
    fe_write_u16(writer, (uint16_t)len);
}

void fe_secure_extension_encode(struct fe_writer *writer,
                                const struct fe_secure_extension *extension, bool is_signed)
{
    FE_ASSERT(extension->agent.len <= FE_SECURE_AGENT_MAX, "an agent that peers take");
    FE_ASSERT(extension->record_max >= FE_SECURE_RECORD_MIN, "records that peers may send");
    fe_write_bytes(writer, MAGIC);
    fe_write_u16(writer, (uint16_t)tlvs_size(extension, is_signed));
    write_header(writer, TLV_FEATURES, 4);
    fe_write_u32(writer, extension->features);
    write_header(writer, TLV_RECORD, 4);
    fe_write_u32(writer, extension->record_max);
    write_header(writer, TLV_WINDOWS, 8);
    fe_write_u32(writer, extension->stream_window);
    fe_write_u32(writer, extension->connection_window);
    write_header(writer, TLV_STREAMS, 4);
    fe_write_u32(writer, extension->streams_max);
    write_header(writer, TLV_CONNECTIONS, 2);
    fe_write_u16(writer, extension->connections);
    if (extension->has_seen) {
        write_header(writer, TLV_SEEN, 1 + ip_size(&extension->seen) + 2);
        fe_write_u8(writer, extension->seen.family == FE_IPV4 ? 0 : 1);
        fe_write_bytes(writer, fe_view_of(extension->seen.ip, ip_size(&extension->seen)));
        fe_write_u16(writer, extension->seen.port);
    }
    write_header(writer, TLV_AGENT, extension->agent.len);
    fe_write_bytes(writer, extension->agent);
}

void fe_secure_signature_encode(struct fe_writer *writer, const uint8_t signature[FE_SIGNATURE_LEN])
{
    write_header(writer, TLV_SIGNATURE, FE_SIGNATURE_LEN);
    fe_write_bytes(writer, fe_view_of(signature, FE_SIGNATURE_LEN));
}
