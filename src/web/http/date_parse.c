#include "web/http/date_parse.h"

#include "ground/base/utc.h"

/* A cursor that remembers that something did not fit. */
struct cursor {
    struct fe_view left;
    bool has_failed;
};

static void take_text(struct cursor *c, const char *text)
{
    const struct fe_view expected = fe_view_str(text);

    if (c->has_failed || !fe_view_has_prefix(c->left, expected)) {
        c->has_failed = true;
        return;
    }
    c->left = fe_view_skip(c->left, expected.len);
}

/* Exactly `n` digits; with `may_pad` the first may be a space. */
static unsigned take_digits(struct cursor *c, size_t n, bool may_pad)
{
    unsigned number = 0;

    if (c->has_failed || c->left.len < n) {
        c->has_failed = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t digit = c->left.ptr[i];
        if (digit == ' ' && may_pad && i == 0) {
            continue;
        }
        c->has_failed = c->has_failed || digit < '0' || digit > '9';
        number = number * 10 + (unsigned)(digit - '0');
    }
    c->left = fe_view_skip(c->left, n);
    return number;
}

/* One of `names`, counted from 1. */
static unsigned take_name(struct cursor *c, const char *const *names, unsigned n_names)
{
    for (unsigned i = 0; !c->has_failed && i < n_names; i++) {
        const struct fe_view name = fe_view_str(names[i]);
        if (fe_view_has_prefix(c->left, name)) {
            c->left = fe_view_skip(c->left, name.len);
            return i + 1;
        }
    }
    c->has_failed = true;
    return 0;
}

static unsigned take_month(struct cursor *c)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return take_name(c, months, 12);
}

static void take_time(struct cursor *c, struct fe_utc *date)
{
    date->hour = take_digits(c, 2, false);
    take_text(c, ":");
    date->minute = take_digits(c, 2, false);
    take_text(c, ":");
    date->second = take_digits(c, 2, false);
}

/* "06 Nov 1994 08:49:37 GMT" */
static void take_imf_fixdate(struct cursor *c, struct fe_utc *date)
{
    date->day = take_digits(c, 2, false);
    take_text(c, " ");
    date->month = take_month(c);
    take_text(c, " ");
    date->year = (int)take_digits(c, 4, false);
    take_text(c, " ");
    take_time(c, date);
    take_text(c, " GMT");
}

/* "06-Nov-94 08:49:37 GMT" */
static void take_rfc850_date(struct cursor *c, struct fe_utc *date)
{
    date->day = take_digits(c, 2, false);
    take_text(c, "-");
    date->month = take_month(c);
    take_text(c, "-");
    date->year = (int)take_digits(c, 2, false);
    date->year += date->year < 70 ? 2000 : 1900;
    take_text(c, " ");
    take_time(c, date);
    take_text(c, " GMT");
}

/* "Nov  6 08:49:37 1994" */
static void take_asctime_date(struct cursor *c, struct fe_utc *date)
{
    date->month = take_month(c);
    take_text(c, " ");
    date->day = take_digits(c, 2, true);
    take_text(c, " ");
    take_time(c, date);
    take_text(c, " ");
    date->year = (int)take_digits(c, 4, false);
}

bool fe_http_date_parse(struct fe_view text, int64_t *unix_seconds)
{
    static const char *const days[] = {"Sunday", "Monday",   "Tuesday", "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sun",     "Mon",       "Tue",
                                       "Wed",    "Thu",      "Fri",     "Sat"};
    struct cursor c = {text, false};
    struct fe_utc date;
    const unsigned day = take_name(&c, days, 14);
    const bool is_short = day > 7;

    if (!is_short) {
        take_text(&c, ", ");
        take_rfc850_date(&c, &date);
    } else if (c.left.len > 0 && c.left.ptr[0] == ',') {
        take_text(&c, ", ");
        take_imf_fixdate(&c, &date);
    } else {
        take_text(&c, " ");
        take_asctime_date(&c, &date);
    }
    if (c.has_failed || c.left.len > 0 || !fe_utc_is_valid(&date)) {
        return false;
    }
    *unix_seconds = fe_utc_to_seconds(&date);
    return true;
}
