/* A growable byte buffer in one piece, with a limit. */
#ifndef FE_GROUND_BASE_BUF_H
#define FE_GROUND_BASE_BUF_H

#include "ground/base/err.h"
#include "ground/base/view.h"

struct fe_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max; /* never holds more than this */
};

void fe_buf_init(struct fe_buf *buf, size_t max);
void fe_buf_deinit(struct fe_buf *buf);

/* Makes room for `n` more bytes: FLATEND_ETOOBIG beyond `max`, FLATEND_ENOMEM. Unchanged then. */
int fe_buf_reserve(struct fe_buf *buf, size_t n) FE_MUST_USE;
int fe_buf_append(struct fe_buf *buf, const void *data, size_t len) FE_MUST_USE;
/* Needs room for one byte more: vsnprintf ends with a NUL, which is not counted in `len`. */
int fe_buf_printf(struct fe_buf *buf, const char *format, ...) FE_MUST_USE FLATEND_PRINTF(2, 3);

/* Invariants. */
void fe_buf_check(const struct fe_buf *buf);

/* Drops the first `n` bytes (at most `len`). */
void fe_buf_consume(struct fe_buf *buf, size_t n);

/* Empties the buffer, and gives memory back that a large item had needed. */
void fe_buf_reset(struct fe_buf *buf);

static inline struct fe_view fe_buf_view(const struct fe_buf *buf)
{
    return fe_view_of(buf->data, buf->len);
}

#endif
