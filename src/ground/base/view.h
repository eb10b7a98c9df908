/* A view borrows bytes: it owns nothing and is valid as long as what it looks at. */
#ifndef FE_GROUND_BASE_VIEW_H
#define FE_GROUND_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fe_view {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define FE_VIEW_LIT(literal) ((struct fe_view){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct fe_view fe_view_of(const void *ptr, size_t len)
{
    return (struct fe_view){(const uint8_t *)ptr, len};
}

static inline struct fe_view fe_view_str(const char *s)
{
    return fe_view_of(s, strlen(s));
}

static inline bool fe_view_equal(struct fe_view a, struct fe_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Equality that folds ASCII letters, as header names compare. */
bool fe_view_equal_nocase(struct fe_view a, struct fe_view b);

/* No other byte than zero; so are no bytes at all. */
bool fe_view_is_zero(struct fe_view v);

bool fe_view_has_prefix(struct fe_view v, struct fe_view prefix);

/* Without the first `n` bytes; `n` is at most the length. */
static inline struct fe_view fe_view_skip(struct fe_view v, size_t n)
{
    return n == 0 ? v : (struct fe_view){v.ptr + n, v.len - n};
}

enum { FE_DIGITS_MAX = 20 }; /* of a uint64_t */

/* `n` in decimal, printed into `digits`. */
struct fe_view fe_view_of_number(uint8_t digits[FE_DIGITS_MAX], uint64_t n);

#endif
