#include "mesh/node/read_all.h"

enum { STEP = 16 * 1024 };

int fe_read_all(struct fe_buf *buf, ssize_t (*read)(void *from, void *buf, size_t cap), void *from,
                size_t limit, const char **data, size_t *len)
{
    /* One byte beyond the limit tells a body that has it from one that ends there. */
    size_t most = limit < SIZE_MAX - 2 ? limit + 1 : SIZE_MAX - 1;

    *data = NULL;
    *len = 0;
    buf->max = most + 1; /* and a NUL */
    for (;;) {
        size_t left;
        size_t step;
        ssize_t n;
        int code;

        if (buf->len > limit) {
            return FLATEND_ETOOBIG; /* before, too, if it is asked again */
        }
        left = most - buf->len;
        step = left < STEP ? left : STEP;
        code = fe_buf_reserve(buf, step + 1);
        if (code != 0) {
            return code;
        }
        n = read(from, buf->data + buf->len, step);
        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            break;
        }
        buf->len += (size_t)n;
    }
    buf->data[buf->len] = '\0';
    *data = (const char *)buf->data;
    *len = buf->len;
    return 0;
}
