/* A body whose bytes say where they belong: the i-th is i % 251, which no block's size divides. */
#ifndef TESTS_SUPPORT_COUNTING_H
#define TESTS_SUPPORT_COUNTING_H

#include <stdbool.h>

#include "ground/base/view.h"

/* The bytes from the `from`-th on. */
static inline void counting_fill(uint8_t *bytes, size_t len, size_t from)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)((from + i) % 251);
    }
}

static inline bool counting_continues(struct fe_view bytes, size_t from)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != (uint8_t)((from + i) % 251)) {
            return false;
        }
    }
    return true;
}

#endif
