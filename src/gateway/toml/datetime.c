#include "gateway/toml/datetime.h"

/* What is left of a text; once it is not as expected, `is_wrong` stays. */
struct datetime {
    struct fe_view text;
    bool is_wrong;  /* not written as one */
    bool is_absent; /* a day or time that there is not */
};

static bool is_digit_at(struct fe_view text, size_t at)
{
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

static bool are_digits(struct fe_view text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_digit_at(text, i)) {
            return false;
        }
    }
    return true;
}

bool fe_toml_is_like_datetime(struct fe_view text)
{
    return (are_digits(text, 4) && text.len > 4 && text.ptr[4] == '-') ||
           (are_digits(text, 2) && text.len > 2 && text.ptr[2] == ':');
}

static unsigned take_number(struct datetime *d, size_t n_digits, unsigned min, unsigned max)
{
    unsigned number = 0;

    d->is_wrong = d->is_wrong || !are_digits(d->text, n_digits);
    for (size_t i = 0; !d->is_wrong && i < n_digits; i++) {
        number = number * 10 + (unsigned)(d->text.ptr[i] - '0');
    }
    if (!d->is_wrong) {
        d->text = fe_view_skip(d->text, n_digits);
        d->is_absent = d->is_absent || number < min || number > max;
    }
    return number;
}

/* One of these characters, if it is next. */
static bool take_any(struct datetime *d, const char *characters)
{
    const bool is_next =
        d->text.len > 0 && d->text.ptr[0] != 0 && strchr(characters, d->text.ptr[0]) != NULL;

    d->text = fe_view_skip(d->text, is_next ? 1 : 0);
    return is_next;
}

static void expect(struct datetime *d, const char *characters)
{
    d->is_wrong = !take_any(d, characters) || d->is_wrong;
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

static void take_date(struct datetime *d)
{
    unsigned year = take_number(d, 4, 0, 9999);
    unsigned month;

    expect(d, "-");
    month = take_number(d, 2, 1, 12);
    expect(d, "-");
    (void)take_number(d, 2, 1, d->is_wrong || d->is_absent ? 31 : days_of(year, month));
}

/* A minute may have a leap second (RFC 3339 §5.7). */
static void take_time(struct datetime *d)
{
    (void)take_number(d, 2, 0, 23);
    expect(d, ":");
    (void)take_number(d, 2, 0, 59);
    expect(d, ":");
    (void)take_number(d, 2, 0, 60);
    if (take_any(d, ".")) {
        expect(d, "0123456789");
        while (take_any(d, "0123456789")) {
        }
    }
}

/* False: there is none. */
static bool take_offset(struct datetime *d)
{
    if (take_any(d, "Zz")) {
        return true;
    }
    if (!take_any(d, "+-")) {
        return false;
    }
    (void)take_number(d, 2, 0, 23);
    expect(d, ":");
    (void)take_number(d, 2, 0, 59);
    return true;
}

static enum fe_toml_type take_datetime(struct datetime *d)
{
    if (d->text.len > 2 && d->text.ptr[2] == ':') {
        take_time(d);
        return FE_TOML_TIME;
    }
    take_date(d);
    if (!take_any(d, "Tt ")) {
        return FE_TOML_DATE;
    }
    take_time(d);
    return take_offset(d) ? FE_TOML_OFFSET_DATE_TIME : FE_TOML_DATE_TIME;
}

int fe_toml_datetime_type(struct fe_view text, enum fe_toml_type *type)
{
    struct datetime d = {.text = text};

    *type = take_datetime(&d);
    if (d.is_wrong || d.text.len > 0) {
        return FLATEND_ESYNTAX;
    }
    return d.is_absent ? FLATEND_EINVAL : 0;
}
