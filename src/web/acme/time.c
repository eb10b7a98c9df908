#include <limits.h>

#include "ground/base/utc.h"
#include "web/acme/message.h"

/* Exactly `n` digits; moves on. UINT_MAX, which no part of a date may be: something else. */
static unsigned get_digits(const char **at, unsigned n)
{
    unsigned value = 0;

    for (; n > 0; n--, (*at)++) {
        if (**at < '0' || **at > '9') {
            return UINT_MAX;
        }
        value = value * 10 + (unsigned)(**at - '0');
    }
    return value;
}

static bool skip_char(const char **at, const char *any_of)
{
    const bool is_there = **at != '\0' && strchr(any_of, **at) != NULL;

    *at += is_there ? 1 : 0;
    return is_there;
}

/* "Z", "+01:00": seconds that the local time is ahead. */
static bool get_offset(const char **at, int64_t *seconds)
{
    const char sign = **at;
    unsigned hours;
    unsigned minutes;

    *seconds = 0;
    if (skip_char(at, "Zz")) {
        return true;
    }
    if (!skip_char(at, "+-")) {
        return false;
    }
    hours = get_digits(at, 2);
    if (hours > 23 || !skip_char(at, ":")) {
        return false;
    }
    minutes = get_digits(at, 2);
    *seconds = ((int64_t)hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return minutes <= 59;
}

/* A part that is missing becomes one that fe_utc_is_valid refuses. */
static struct fe_utc get_utc(const char **at)
{
    struct fe_utc utc = {.year = (int)(get_digits(at, 4) & INT_MAX)};

    utc.month = skip_char(at, "-") ? get_digits(at, 2) : UINT_MAX;
    utc.day = skip_char(at, "-") ? get_digits(at, 2) : UINT_MAX;
    utc.hour = skip_char(at, "Tt ") ? get_digits(at, 2) : UINT_MAX;
    utc.minute = skip_char(at, ":") ? get_digits(at, 2) : UINT_MAX;
    utc.second = skip_char(at, ":") ? get_digits(at, 2) : UINT_MAX;
    return utc;
}

int fe_acme_time_parse(const char *text, int64_t *seconds)
{
    const struct fe_utc utc = get_utc(&text);
    int64_t offset;

    *seconds = 0;
    if (!fe_utc_is_valid(&utc) || utc.year < 1970) {
        return FLATEND_ESYNTAX;
    }
    if (skip_char(&text, ".")) {
        if (get_digits(&text, 1) > 9) {
            return FLATEND_ESYNTAX;
        }
        while (get_digits(&text, 1) <= 9) {
        }
    }
    if (!get_offset(&text, &offset) || *text != '\0') {
        return FLATEND_ESYNTAX;
    }
    *seconds = fe_utc_to_seconds(&utc) - offset;
    return 0;
}
