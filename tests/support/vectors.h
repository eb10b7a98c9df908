/* Test vectors: files of "name hex" lines, written by tests/vectors/generate.mjs. */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include "ground/base/view.h"

enum { VECTOR_MAX = 8192 };

struct vector {
    uint8_t bytes[VECTOR_MAX];
    size_t len;
};

/* Reads one vector of a file in tests/vectors/. A file or a name that is missing fails the test. */
void vector_load(struct vector *vector, const char *file, const char *name);

static inline struct fe_view vector_view(const struct vector *vector)
{
    return fe_view_of(vector->bytes, vector->len);
}

#endif
