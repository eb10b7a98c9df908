/* Reading a whole body into one piece of memory. */
#ifndef FE_MESH_NODE_READ_ALL_H
#define FE_MESH_NODE_READ_ALL_H

#include "ground/base/buf.h"

/* Adds to `buf` all that `read` gives, at most `limit` bytes together, and a NUL; `data` views it.
 * FLATEND_ETOOBIG, FLATEND_ENOMEM, or a code of `read`: after FLATEND_EAGAIN the next call goes on.
 */
int fe_read_all(struct fe_buf *buf, ssize_t (*read)(void *from, void *buf, size_t cap), void *from,
                size_t limit, const char **data, size_t *len) FE_MUST_USE;

#endif
