/* Cursors over bytes. The error is sticky: read or write everything, then ask once.
 *
 * All integers are big-endian. A reader that ran short yields zeros and empty views; a writer that
 * has no room left writes nothing. */
#ifndef FE_MESH_WIRE_CURSOR_H
#define FE_MESH_WIRE_CURSOR_H

#include "ground/base/view.h"

struct fe_reader {
    const uint8_t *ptr;
    size_t left;
    bool is_failed;
};

static inline struct fe_reader fe_reader_of(struct fe_view bytes)
{
    return (struct fe_reader){.ptr = bytes.ptr, .left = bytes.len};
}

static inline struct fe_view fe_read_bytes(struct fe_reader *reader, size_t n)
{
    struct fe_view bytes = {reader->ptr, n};

    if (n > reader->left) {
        reader->is_failed = true;
        reader->left = 0;
        return (struct fe_view){0};
    }
    if (n > 0) {
        reader->ptr += n;
        reader->left -= n;
    }
    return bytes;
}

static inline uint8_t fe_read_u8(struct fe_reader *reader)
{
    struct fe_view b = fe_read_bytes(reader, 1);

    return b.len == 0 ? 0 : b.ptr[0];
}

static inline uint16_t fe_read_u16(struct fe_reader *reader)
{
    struct fe_view b = fe_read_bytes(reader, 2);

    return b.len == 0 ? 0 : (uint16_t)((uint32_t)b.ptr[0] << 8 | b.ptr[1]);
}

static inline uint32_t fe_read_u32(struct fe_reader *reader)
{
    struct fe_view b = fe_read_bytes(reader, 4);

    if (b.len == 0) {
        return 0;
    }
    return (uint32_t)b.ptr[0] << 24 | (uint32_t)b.ptr[1] << 16 | (uint32_t)b.ptr[2] << 8 | b.ptr[3];
}

/* Everything was there and nothing is left over. */
static inline bool fe_reader_is_complete(const struct fe_reader *reader)
{
    return !reader->is_failed && reader->left == 0;
}

struct fe_writer {
    uint8_t *ptr;
    size_t left;
    bool is_failed;
};

static inline struct fe_writer fe_writer_of(uint8_t *ptr, size_t cap)
{
    return (struct fe_writer){.ptr = ptr, .left = cap};
}

static inline void fe_write_bytes(struct fe_writer *writer, struct fe_view bytes)
{
    if (bytes.len > writer->left) {
        writer->is_failed = true;
        writer->left = 0;
        return;
    }
    if (bytes.len > 0) {
        memcpy(writer->ptr, bytes.ptr, bytes.len);
        writer->ptr += bytes.len;
        writer->left -= bytes.len;
    }
}

static inline void fe_write_u8(struct fe_writer *writer, uint8_t value)
{
    fe_write_bytes(writer, fe_view_of(&value, 1));
}

static inline void fe_write_u16(struct fe_writer *writer, uint16_t value)
{
    const uint8_t b[] = {(uint8_t)(value >> 8), (uint8_t)value};

    fe_write_bytes(writer, fe_view_of(b, sizeof(b)));
}

static inline void fe_write_u32(struct fe_writer *writer, uint32_t value)
{
    const uint8_t b[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                         (uint8_t)value};

    fe_write_bytes(writer, fe_view_of(b, sizeof(b)));
}

/* The space was filled exactly. */
static inline bool fe_writer_is_complete(const struct fe_writer *writer)
{
    return !writer->is_failed && writer->left == 0;
}

#endif
