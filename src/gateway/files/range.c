#include "gateway/files/range.h"

#include "ground/base/assert.h"
#include "web/http/syntax.h"

/* Takes a number off the front, at most UINT64_MAX: a larger one is beyond every file all the same.
 * False: there is none. */
static bool take_number(struct fe_view *text, uint64_t *number)
{
    size_t n = 0;

    *number = 0;
    while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9') {
        const uint64_t digit = text->ptr[n] - (uint64_t)'0';
        *number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *number * 10 + digit;
        n++;
    }
    *text = fe_view_skip(*text, n);
    return n > 0;
}

/* "-500": the last 500 bytes. */
static enum fe_range_result suffix_range(struct fe_view text, uint64_t size, struct fe_range *range)
{
    uint64_t n;

    text = fe_view_skip(text, 1);
    if (!take_number(&text, &n) || text.len > 0) {
        return FE_RANGE_WHOLE;
    }
    if (n == 0) {
        return FE_RANGE_UNSATISFIABLE;
    }
    if (size == 0) {
        return FE_RANGE_WHOLE; /* satisfiable, but no content-range can say so */
    }
    range->first = n < size ? size - n : 0;
    range->last = size - 1;
    return FE_RANGE_PART;
}

enum fe_range_result fe_range_parse(struct fe_view value, uint64_t size, struct fe_range *range)
{
    const struct fe_view unit = FE_VIEW_LIT("bytes=");
    uint64_t last = UINT64_MAX;

    if (value.len <= unit.len || !fe_view_equal_nocase(fe_view_of(value.ptr, unit.len), unit)) {
        return FE_RANGE_WHOLE;
    }
    value = fe_trim_ows(fe_view_skip(value, unit.len));
    if (value.len > 0 && value.ptr[0] == '-') {
        return suffix_range(value, size, range);
    }
    if (!take_number(&value, &range->first) || value.len == 0 || value.ptr[0] != '-') {
        return FE_RANGE_WHOLE;
    }
    value = fe_view_skip(value, 1);
    if ((value.len > 0 && !take_number(&value, &last)) || value.len > 0 || last < range->first) {
        return FE_RANGE_WHOLE; /* a comma and more ranges end up here too */
    }
    if (range->first >= size) {
        return FE_RANGE_UNSATISFIABLE;
    }
    range->last = last < size ? last : size - 1;
    FE_ASSERT(range->first <= range->last, "a range holds a byte");
    return FE_RANGE_PART;
}
