#include "ground/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"

enum {
    CAP_MIN = 256,        /* small items need one allocation */
    CAP_KEEP = 16 * 1024, /* what a reset buffer may hold on to */
};

void fe_buf_init(struct fe_buf *buf, size_t max)
{
    *buf = (struct fe_buf){.max = max};
}

void fe_buf_deinit(struct fe_buf *buf)
{
    free(buf->data);
    *buf = (struct fe_buf){.max = buf->max};
}

void fe_buf_check(const struct fe_buf *buf)
{
    FE_ASSERT(buf->len <= buf->cap, "a buffer has space for what it holds");
    FE_ASSERT(buf->cap <= buf->max, "a buffer does not grow beyond its limit");
    FE_ASSERT((buf->data == NULL) == (buf->cap == 0), "a buffer's bytes are where its space is");
}

int fe_buf_reserve(struct fe_buf *buf, size_t n)
{
    size_t cap;
    uint8_t *data;

    if (n <= buf->cap - buf->len) {
        return 0;
    }
    if (n > buf->max - buf->len) {
        return FLATEND_ETOOBIG;
    }
    cap = buf->cap > buf->max / 2 ? buf->max : buf->cap * 2;
    if (cap < buf->len + n) {
        cap = buf->len + n;
    }
    if (cap < CAP_MIN && CAP_MIN <= buf->max) {
        cap = CAP_MIN;
    }
    data = realloc(buf->data, cap);
    if (data == NULL) {
        return FLATEND_ENOMEM;
    }
    buf->data = data;
    buf->cap = cap;
    FE_CHECK(fe_buf_check(buf));
    return 0;
}

int fe_buf_append(struct fe_buf *buf, const void *data, size_t len)
{
    int code = fe_buf_reserve(buf, len);

    if (code == 0 && len > 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
    return code;
}

int fe_buf_printf(struct fe_buf *buf, const char *format, ...)
{
    va_list args;
    int len;
    int code;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        return FLATEND_EINVAL;
    }
    /* One byte more, for the NUL that vsnprintf writes and does not count. */
    code = fe_buf_reserve(buf, (size_t)len + 1);
    if (code != 0) {
        return code;
    }
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
    return 0;
}

void fe_buf_consume(struct fe_buf *buf, size_t n)
{
    if (n >= buf->len) {
        buf->len = 0;
        return;
    }
    if (n > 0) {
        memmove(buf->data, buf->data + n, buf->len - n);
        buf->len -= n;
    }
    FE_CHECK(fe_buf_check(buf));
}

void fe_buf_reset(struct fe_buf *buf)
{
    if (buf->cap > CAP_KEEP) {
        fe_buf_deinit(buf);
    }
    buf->len = 0;
}
