#include "wire/event.h"

#include "wire/cursor.h"

bool fe_headers_next(struct fe_headers *headers, struct fe_header *header)
{
    struct fe_reader reader = fe_reader_of(headers->bytes);

    if (headers->n == 0) {
        return false;
    }
    header->name = fe_read_bytes(&reader, fe_read_u8(&reader));
    header->value = fe_read_bytes(&reader, fe_read_u16(&reader));
    headers->bytes = fe_view_of(reader.ptr, reader.left);
    headers->n--;
    return !reader.is_failed;
}

bool fe_names_next(struct fe_names *names, struct fe_view *name)
{
    struct fe_reader reader = fe_reader_of(names->bytes);

    if (names->n == 0) {
        return false;
    }
    *name = fe_read_bytes(&reader, fe_read_u8(&reader));
    names->bytes = fe_view_of(reader.ptr, reader.left);
    names->n--;
    return !reader.is_failed;
}

bool fe_headers_find(struct fe_headers headers, struct fe_view name, struct fe_view *value)
{
    struct fe_header header;
    bool is_found = false;

    while (fe_headers_next(&headers, &header)) {
        if (fe_view_equal(header.name, name)) {
            *value = header.value;
            is_found = true;
        }
    }
    return is_found;
}
