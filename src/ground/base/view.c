#include "ground/base/view.h"

#include "ground/base/ascii.h"

bool fe_view_equal_nocase(struct fe_view a, struct fe_view b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (fe_ascii_lower(a.ptr[i]) != fe_ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool fe_view_is_zero(struct fe_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] != 0) {
            return false;
        }
    }
    return true;
}

bool fe_view_has_prefix(struct fe_view v, struct fe_view prefix)
{
    return v.len >= prefix.len && fe_view_equal(fe_view_of(v.ptr, prefix.len), prefix);
}

struct fe_view fe_view_of_number(uint8_t digits[FE_DIGITS_MAX], uint64_t n)
{
    size_t i = FE_DIGITS_MAX;

    do {
        digits[--i] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return fe_view_of(digits + i, FE_DIGITS_MAX - i);
}
