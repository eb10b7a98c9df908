#include "gateway/config/units.h"

#include <stdio.h>

#include "ground/base/assert.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* A longer name stands before a shorter one that begins it. */
static const struct unit DURATION_UNITS[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", 60000},
    {"h", 3600000},
};

static const struct unit SIZE_UNITS[] = {
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},   {"kB", 1000},
    {"KB", 1000},     {"MB", 1000000},  {"GB", 1000000000}, {"B", 1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Takes digits off the front of `text`. FLATEND_ESYNTAX: none; FLATEND_ETOOBIG: more than `max`. */
static int take_digits(struct fe_view *text, uint64_t max, uint64_t *number)
{
    size_t n = 0;
    *number = 0;
    while (n < text->len && is_digit(text->ptr[n])) {
        const uint64_t digit = text->ptr[n] - (uint64_t)'0';
        if (digit > max || *number > (max - digit) / 10) {
            return FLATEND_ETOOBIG;
        }
        *number = *number * 10 + digit;
        n++;
    }
    *text = fe_view_skip(*text, n);
    return n == 0 ? FLATEND_ESYNTAX : 0;
}

static int take_unit(struct fe_view *text, const struct unit *units, size_t n_units,
                     uint64_t *factor)
{
    for (size_t i = 0; i < n_units; i++) {
        const struct fe_view name = fe_view_str(units[i].name);
        if (fe_view_has_prefix(*text, name)) {
            *text = fe_view_skip(*text, name.len);
            *factor = units[i].factor;
            return 0;
        }
    }
    return FLATEND_ESYNTAX;
}

/* ".25": the digits' value and the power of ten that they count parts of. */
static int take_fraction(struct fe_view *text, uint64_t *number, uint64_t *scale)
{
    enum { DIGITS_MAX = 6 }; /* a millionth of an hour is finer than a millisecond can tell */
    struct fe_view digits;
    int code;

    *number = 0;
    *scale = 1;
    if (text->len == 0 || text->ptr[0] != '.') {
        return 0;
    }
    digits = fe_view_skip(*text, 1);
    *text = digits;
    code = take_digits(text, 999999, number);
    if (code != 0 || digits.len - text->len > DIGITS_MAX) {
        return FLATEND_ESYNTAX;
    }
    for (size_t i = text->len; i < digits.len; i++) {
        *scale *= 10;
    }
    return 0;
}

/* One number with its unit, added to `*sum_ms`. */
static int take_part(struct fe_view *text, uint64_t max_ms, uint64_t *sum_ms)
{
    uint64_t number;
    uint64_t fraction;
    uint64_t scale;
    uint64_t factor;
    int code = take_digits(text, max_ms, &number);
    if (code != 0) {
        return code;
    }
    if (take_fraction(text, &fraction, &scale) != 0 ||
        take_unit(text, DURATION_UNITS, COUNT(DURATION_UNITS), &factor) != 0) {
        return FLATEND_ESYNTAX;
    }
    FE_ASSERT(*sum_ms <= max_ms && scale > 0, "a sum is within its limit");
    if (number > (max_ms - *sum_ms) / factor) {
        return FLATEND_ETOOBIG;
    }
    *sum_ms += number * factor;
    fraction = fraction * factor / scale; /* at most 10^6 * 3.6 * 10^6 before the division */
    if (fraction > max_ms - *sum_ms) {
        return FLATEND_ETOOBIG;
    }
    *sum_ms += fraction;
    return 0;
}

int fe_duration_parse(struct fe_view text, uint64_t max_ms, uint64_t *ms)
{
    uint64_t sum_ms = 0;

    if (fe_view_equal(text, FE_VIEW_LIT("0"))) {
        *ms = 0;
        return 0;
    }
    do {
        const int code = take_part(&text, max_ms, &sum_ms);
        if (code != 0) {
            return code;
        }
    } while (text.len > 0);
    *ms = sum_ms;
    return 0;
}

int fe_size_parse(struct fe_view text, uint64_t max, uint64_t *bytes)
{
    uint64_t number;
    uint64_t factor = 1;
    const int code = take_digits(&text, max, &number);
    if (code != 0) {
        return code;
    }
    if (text.len > 0 &&
        (take_unit(&text, SIZE_UNITS, COUNT(SIZE_UNITS), &factor) != 0 || text.len > 0)) {
        return FLATEND_ESYNTAX;
    }
    if (number > max / factor) {
        return FLATEND_ETOOBIG;
    }
    *bytes = number * factor;
    return 0;
}

const char *fe_duration_format(uint64_t ms, char text[FE_DURATION_TEXT_MAX])
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    const uint64_t year_ms = UINT64_C(365) * DAY_MS;
    size_t len = 0;

    if (ms == 0 || ms == DAY_MS || ms == year_ms) {
        snprintf(text, FE_DURATION_TEXT_MAX, "%s",
                 ms == 0        ? "0"
                 : ms == DAY_MS ? "a day"
                                : "a year");
        return text;
    }
    for (size_t i = COUNT(DURATION_UNITS); i-- > 0;) {
        const uint64_t n = ms / DURATION_UNITS[i].factor;

        if (n > 0) {
            FE_ASSERT(len < FE_DURATION_TEXT_MAX, "a duration's text fits");
            len += (size_t)snprintf(text + len, FE_DURATION_TEXT_MAX - len, "%llu%s",
                                    (unsigned long long)n, DURATION_UNITS[i].name);
        }
        ms %= DURATION_UNITS[i].factor;
    }
    return text;
}

const char *fe_size_format(uint64_t bytes, char text[FE_SIZE_TEXT_MAX])
{
    const char *const names[] = {"", "KiB", "MiB", "GiB"};
    unsigned power = 0;

    while (bytes > 0 && bytes % 1024 == 0 && power + 1 < COUNT(names)) {
        bytes /= 1024;
        power++;
    }
    snprintf(text, FE_SIZE_TEXT_MAX, "%llu%s", (unsigned long long)bytes, names[power]);
    return text;
}
