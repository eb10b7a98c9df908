#include "web/http/syntax.h"

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

bool fe_is_token(struct fe_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (fe_token_lower[v.ptr[i]] == 0) {
            return false;
        }
    }
    return v.len > 0;
}

bool fe_is_field_value(struct fe_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!fe_is_field_char(v.ptr[i])) {
            return false;
        }
    }
    return true;
}

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

bool fe_parse_number(struct fe_view text, uint64_t *number)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = text.ptr[i] - (unsigned)'0';

        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    if (text.len > 0) {
        *number = n;
    }
    return text.len > 0;
}

bool fe_list_next(struct fe_view *list, struct fe_view *element)
{
    while (list->len > 0) {
        const uint8_t *comma = memchr(list->ptr, ',', list->len);
        size_t len = comma != NULL ? (size_t)(comma - list->ptr) : list->len;

        *element = fe_trim_ows(fe_view_of(list->ptr, len));
        *list = fe_view_skip(*list, comma != NULL ? len + 1 : len);
        if (element->len > 0) {
            return true;
        }
    }
    return false;
}
