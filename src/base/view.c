#include "base/view.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool fe_view_equal_nocase(struct fe_view a, struct fe_view b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.ptr[i]) != fold(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool fe_view_has_prefix(struct fe_view v, struct fe_view prefix)
{
    return v.len >= prefix.len && fe_view_equal(fe_view_of(v.ptr, prefix.len), prefix);
}
