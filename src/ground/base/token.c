#include "ground/base/token.h"

#include <string.h>

const uint8_t fe_token_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',   ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',   ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',   ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',   ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',   ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',   ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',   ['Z'] = 'z',
};

struct fe_view fe_trim_ows(struct fe_view v)
{
    while (v.len > 0 && fe_is_ows(v.ptr[0])) {
        v = fe_view_skip(v, 1);
    }
    while (v.len > 0 && fe_is_ows(v.ptr[v.len - 1])) {
        v.len--;
    }
    return v;
}

bool fe_is_token(struct fe_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (fe_token_lower[v.ptr[i]] == 0) {
            return false;
        }
    }
    return v.len > 0;
}

static bool are_field_chars(const uint8_t *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!fe_is_field_char(ptr[i])) {
            return false;
        }
    }
    return true;
}

/* Eight bytes, each subtracted from at once: bit 7 of one is set that was below 0x20, or that is
 * zero behind the exclusive or, which is 0x7f. HTAB is among the former. */
static bool may_hold_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t deleted = word ^ ones * 0x7f;

    return ((((word - ones * 0x20) & ~word) | ((deleted - ones) & ~deleted)) & ones * 0x80) != 0;
}

bool fe_is_field_value(struct fe_view v)
{
    size_t i;

    for (i = 0; v.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, v.ptr + i, sizeof(word));
        if (may_hold_control(word) && !are_field_chars(v.ptr + i, sizeof(word))) {
            return false;
        }
    }
    return are_field_chars(v.ptr + i, v.len - i);
}

bool fe_is_header_name(struct fe_view v)
{
    return v.len > 0 && fe_is_field_value(v) && memchr(v.ptr, '\t', v.len) == NULL;
}
