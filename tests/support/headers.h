/* Received headers by name. */
#ifndef TESTS_SUPPORT_HEADERS_H
#define TESTS_SUPPORT_HEADERS_H

#include "mesh/wire/event.h"

/* The value of the last header of that name; false if there is none, and it is left as it was. */
static inline bool headers_find(struct fe_headers headers, struct fe_view name,
                                struct fe_view *value)
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

#endif
