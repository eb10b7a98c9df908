/* A body whose bytes tell where they belong. */
#ifndef TESTS_SUPPORT_BYTES_H
#define TESTS_SUPPORT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* `len` bytes, which repeat after 251: no block or record is a multiple of that. The caller frees
 * them. */
uint8_t *bytes_make(size_t len);

#endif
