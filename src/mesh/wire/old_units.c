/* Requests and responses of Node.js nodes. They write the UTF-8 of a text, and as its length the
 * number of its UTF-16 units, which is less if it is not ASCII. The lengths are put right in place;
 * the bytes between them stay where they are. */
#include "ground/base/utf8.h"
#include "mesh/wire/old.h"

struct walk {
    uint8_t *ptr;
    size_t left;
    bool is_failed;
};

/* The next `n` bytes, or, if there are not so many, NULL from then on. */
static uint8_t *take(struct walk *walk, size_t n)
{
    uint8_t *start = walk->ptr;

    if (walk->is_failed || walk->left < n) {
        walk->is_failed = true;
        return NULL;
    }
    walk->ptr += n;
    walk->left -= n;
    return start;
}

static size_t read_count(struct walk *walk, size_t width)
{
    const uint8_t *bytes = take(walk, width);

    if (bytes == NULL) {
        return 0;
    }
    return width == 1 ? bytes[0] : ((size_t)bytes[0] << 8) + bytes[1];
}

/* How many bytes the characters take that are `n_units` UTF-16 units; SIZE_MAX: there are none. */
static size_t count_bytes(const struct walk *walk, size_t n_units)
{
    size_t n = 0;

    while (n_units > 0) {
        const size_t len = fe_utf8_len(walk->ptr + n, walk->left - n);
        const size_t units = len == 4 ? 2 : 1; /* a pair of surrogates */

        if (len == 0 || units > n_units) {
            return SIZE_MAX;
        }
        n += len;
        n_units -= units;
    }
    return n;
}

/* A text behind its length, which has `width` bytes. */
static void convert(struct walk *walk, size_t width)
{
    uint8_t *length = walk->ptr;
    const size_t n_units = read_count(walk, width);
    const size_t n = walk->is_failed ? SIZE_MAX : count_bytes(walk, n_units);

    if (n >= (size_t)1 << (8 * width)) {
        walk->is_failed = true;
        return;
    }
    length[width - 1] = (uint8_t)n;
    if (width == 2) {
        length[0] = (uint8_t)(n >> 8);
    }
    (void)take(walk, n);
}

static void convert_headers(struct walk *walk)
{
    const size_t n = read_count(walk, 2);

    for (size_t i = 0; i < n && !walk->is_failed; i++) {
        convert(walk, 1);
        convert(walk, 2);
    }
}

static int end(const struct walk *walk)
{
    return walk->is_failed || walk->left > 0 ? FLATEND_EPROTO : 0;
}

int fe_old_request_convert(uint8_t *body, size_t len)
{
    struct walk walk = {body, len, false};
    size_t n_services;

    (void)take(&walk, 4);
    n_services = read_count(&walk, 1);
    for (size_t i = 0; i < n_services && !walk.is_failed; i++) {
        convert(&walk, 1);
    }
    convert_headers(&walk);
    return end(&walk);
}

int fe_old_response_convert(uint8_t *body, size_t len)
{
    struct walk walk = {body, len, false};

    (void)take(&walk, 4 + 1);
    convert_headers(&walk);
    return end(&walk);
}
