#include "gateway/toml/number.h"

#include "ground/base/assert.h"

#define RANGE "an integer is from -2^63 to 2^63-1"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The value of a digit of base 16; 16: it is none. */
static unsigned digit_of(uint8_t c)
{
    const uint8_t lower = c | 0x20;

    if (is_digit(c)) {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10U : 16;
}

/* The length of the digits that `text` begins with, each '_' of which is between two of them. */
static size_t digits_len(struct fe_view text, unsigned base)
{
    size_t n = 0;

    while (n < text.len) {
        const bool is_joint = text.ptr[n] == '_' && n > 0 && n + 1 < text.len;

        if (digit_of(text.ptr[n + (is_joint ? 1 : 0)]) >= base) {
            break;
        }
        n += is_joint ? 2 : 1;
    }
    return n;
}

/* The value of a whole `text` of digits; false: it is larger than `max`. */
static bool sum_up(struct fe_view text, unsigned base, uint64_t max, uint64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned digit = digit_of(text.ptr[i]);

        if (text.ptr[i] == '_') {
            continue;
        }
        FE_ASSERT(digit < base, "these are digits");
        if (*sum > (max - digit) / base) {
            return false;
        }
        *sum = *sum * base + digit;
    }
    return true;
}

/* ---- 0x, 0o, 0b ----------------------------------------------------------------------------- */

static unsigned base_of(struct fe_view text)
{
    if (text.len < 2 || text.ptr[0] != '0') {
        return 10;
    }
    switch (text.ptr[1]) {
    case 'x':
        return 16;
    case 'o':
        return 8;
    case 'b':
        return 2;
    default:
        return 10;
    }
}

static const char *read_based(struct fe_view text, unsigned base, int64_t *integer)
{
    const struct fe_view digits = fe_view_skip(text, 2);
    uint64_t sum;

    if (digits.len == 0 || digits_len(digits, base) != digits.len) {
        return base == 16  ? "behind 0x stand hexadecimal digits, with '_' only between two"
               : base == 8 ? "behind 0o stand octal digits, with '_' only between two"
                           : "behind 0b stand binary digits, with '_' only between two";
    }
    if (!sum_up(digits, base, INT64_MAX, &sum)) {
        return RANGE;
    }
    *integer = (int64_t)sum;
    return NULL;
}

/* ---- decimal -------------------------------------------------------------------------------- */

/* What is wrong with a number that is none. */
static const char *complaint_about(struct fe_view unsigned_text)
{
    size_t n_dots = 0;

    for (size_t i = 0; i < unsigned_text.len; i++) {
        const uint8_t c = unsigned_text.ptr[i];

        n_dots += c == '.' ? 1 : 0;
        if (!is_digit(c) && c != '.' && c != '_' && (c | 0x20) != 'e' && c != '+' && c != '-') {
            return "";
        }
    }
    if (n_dots > 1) {
        return ""; /* an address, a version */
    }
    if (memchr(unsigned_text.ptr, '_', unsigned_text.len) != NULL) {
        return "a '_' stands between two digits";
    }
    return n_dots > 0 ? "a float has digits on both sides of its dot" : "";
}

static const char *read_integer(struct fe_view digits, bool is_negative, int64_t *integer)
{
    uint64_t sum;

    if (!sum_up(digits, 10, (uint64_t)INT64_MAX + (is_negative ? 1 : 0), &sum)) {
        return RANGE;
    }
    /* -2^63 has no positive counterpart. */
    *integer = is_negative && sum > 0 ? -(int64_t)(sum - 1) - 1 : (int64_t)sum;
    return NULL;
}

/* Does it go on as a float does, behind its whole part: ".5", "e+10", ".5e10"? */
static bool is_rest_of_float(struct fe_view rest)
{
    size_t n;

    if (rest.len > 0 && rest.ptr[0] == '.') {
        rest = fe_view_skip(rest, 1);
        n = digits_len(rest, 10);
        rest = fe_view_skip(rest, n);
        if (n == 0 || rest.len == 0) {
            return n > 0;
        }
    }
    if (rest.len == 0 || (rest.ptr[0] | 0x20) != 'e') {
        return false;
    }
    rest = fe_view_skip(rest, 1);
    if (rest.len > 0 && (rest.ptr[0] == '+' || rest.ptr[0] == '-')) {
        rest = fe_view_skip(rest, 1);
    }
    n = digits_len(rest, 10);
    return n > 0 && n == rest.len;
}

static bool is_named_float(struct fe_view unsigned_text)
{
    return fe_view_equal(unsigned_text, FE_VIEW_LIT("inf")) ||
           fe_view_equal(unsigned_text, FE_VIEW_LIT("nan"));
}

const char *fe_toml_read_number(struct fe_view text, enum fe_toml_type *type, int64_t *integer)
{
    const bool has_sign = text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-');
    const struct fe_view rest = fe_view_skip(text, has_sign ? 1 : 0);
    const unsigned base = base_of(text);
    const size_t n = digits_len(rest, 10);

    *type = FE_TOML_INTEGER;
    if (base != 10) {
        return read_based(text, base, integer);
    }
    if (is_named_float(rest)) {
        *type = FE_TOML_FLOAT;
        return NULL;
    }
    if (n == 0) {
        return rest.len > 0 ? complaint_about(rest) : "";
    }
    if (n < rest.len && !is_rest_of_float(fe_view_skip(rest, n))) {
        return complaint_about(rest);
    }
    if (n > 1 && rest.ptr[0] == '0') {
        return "a number has no zeros in front (octal: 0o17)";
    }
    if (n < rest.len) {
        *type = FE_TOML_FLOAT;
        return NULL;
    }
    return read_integer(rest, has_sign && text.ptr[0] == '-', integer);
}
