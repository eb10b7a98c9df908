#include "web/acme/message.h"

/* Exactly `n` digits; moves on. -1: something else. */
static int get_digits(const char **at, unsigned n)
{
    int value = 0;

    for (; n > 0; n--, (*at)++) {
        if (**at < '0' || **at > '9') {
            return -1;
        }
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip_char(const char **at, const char *any_of)
{
    const bool is_there = **at != '\0' && strchr(any_of, **at) != NULL;

    *at += is_there ? 1 : 0;
    return is_there;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar (RFC 3339 appendix C knows no other):
 * years are counted from March, so that a leap day is a year's last. */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t m = month <= 2 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "Z", "+01:00": seconds that the local time is ahead. */
static bool get_offset(const char **at, int64_t *seconds)
{
    const char sign = **at;
    int hours;
    int minutes;

    *seconds = 0;
    if (skip_char(at, "Zz")) {
        return true;
    }
    if (!skip_char(at, "+-")) {
        return false;
    }
    hours = get_digits(at, 2);
    if (hours < 0 || hours > 23 || !skip_char(at, ":")) {
        return false;
    }
    minutes = get_digits(at, 2);
    *seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return minutes >= 0 && minutes <= 59;
}

static bool get_date(const char **at, int64_t *days)
{
    int year = get_digits(at, 4);
    int month = year >= 0 && skip_char(at, "-") ? get_digits(at, 2) : -1;
    int day = month >= 0 && skip_char(at, "-") ? get_digits(at, 2) : -1;

    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    *days = days_of(year, month, day);
    return true;
}

static bool get_time_of_day(const char **at, int64_t *seconds)
{
    int hour = get_digits(at, 2);
    int minute = hour >= 0 && skip_char(at, ":") ? get_digits(at, 2) : -1;
    int second = minute >= 0 && skip_char(at, ":") ? get_digits(at, 2) : -1;

    *seconds = ((int64_t)hour * 60 + minute) * 60 + second;
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 60;
}

int fe_acme_time_parse(const char *text, int64_t *seconds)
{
    int64_t days;
    int64_t of_day;
    int64_t offset;

    *seconds = 0;
    if (!get_date(&text, &days) || !skip_char(&text, "Tt ") || !get_time_of_day(&text, &of_day)) {
        return FLATEND_ESYNTAX;
    }
    if (skip_char(&text, ".")) {
        if (get_digits(&text, 1) < 0) {
            return FLATEND_ESYNTAX;
        }
        while (get_digits(&text, 1) >= 0) {
        }
    }
    if (!get_offset(&text, &offset) || *text != '\0') {
        return FLATEND_ESYNTAX;
    }
    *seconds = days * 24 * 3600 + of_day - offset;
    return 0;
}
