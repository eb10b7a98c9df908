#include "ground/base/utc.h"

#include <stdio.h>

#define DAY_S    INT64_C(86400)
#define MIN_S    INT64_C(-62167219200) /* 0000-01-01 00:00:00 */
#define MAX_S    INT64_C(253402300799) /* 9999-12-31 23:59:59 */
#define MARCH_0  INT64_C(719468)       /* days from 0000-03-01 to 1970-01-01 */
#define YEARS400 INT64_C(146097)       /* days after which the calendar repeats */

bool fe_utc_is_valid(const struct fe_utc *utc)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return utc->year >= 1 && utc->year <= 9999 && utc->month >= 1 && utc->month <= 12 &&
           utc->day >= 1 && utc->day <= days[utc->month - 1] && utc->hour <= 23 &&
           utc->minute <= 59 && utc->second <= 60;
}

/* Years begin in March here, so that the leap day is the last one of its year: the days before a
 * month are then 153 for each five months. They are counted from 400 BC, so that no division is of
 * a negative number. */
static int64_t days_of(const struct fe_utc *utc)
{
    const int64_t year = (int64_t)utc->year + 400 - (utc->month <= 2 ? 1 : 0);
    const int64_t month = (utc->month + 9) % 12;
    const int64_t day_of_year = (153 * month + 2) / 5 + utc->day - 1;

    return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - MARCH_0 - YEARS400;
}

int64_t fe_utc_to_seconds(const struct fe_utc *utc)
{
    return days_of(utc) * DAY_S + utc->hour * INT64_C(3600) + utc->minute * INT64_C(60) +
           utc->second;
}

static void set_date(struct fe_utc *utc, int64_t days)
{
    const int64_t from = days + MARCH_0 + YEARS400; /* as above */
    const int64_t of_era = from % YEARS400;
    const int64_t year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / (YEARS400 - 1)) / 365; /* of the era */
    const int64_t of_year = of_era - (year * 365 + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153; /* from March */

    utc->day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    utc->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    utc->year = (int)(from / YEARS400 * 400 - 400 + year + (utc->month <= 2 ? 1 : 0));
}

static int64_t clamp(int64_t seconds)
{
    return seconds < MIN_S ? MIN_S : seconds > MAX_S ? MAX_S : seconds;
}

struct fe_utc fe_utc_of_seconds(int64_t seconds)
{
    const int64_t from_0 = clamp(seconds) - MIN_S; /* so that the division rounds down */
    const unsigned of_day = (unsigned)(from_0 % DAY_S);
    struct fe_utc utc = {
        .hour = of_day / 3600,
        .minute = of_day / 60 % 60,
        .second = of_day % 60,
    };

    set_date(&utc, from_0 / DAY_S + MIN_S / DAY_S);
    return utc;
}

unsigned fe_utc_weekday(int64_t seconds)
{
    return (unsigned)(((clamp(seconds) - MIN_S) / DAY_S + 6) % 7); /* 0000-01-01: a Saturday */
}

const char *fe_utc_format(int64_t seconds, char text[FE_UTC_TEXT_MAX])
{
    const struct fe_utc utc = fe_utc_of_seconds(seconds);

    /* The remainders change nothing: they let the compiler see that the text fits. */
    snprintf(text, FE_UTC_TEXT_MAX, "%04u-%02u-%02u %02u:%02u:%02u", (unsigned)utc.year % 10000,
             utc.month % 100, utc.day % 100, utc.hour % 100, utc.minute % 100, utc.second % 100);
    return text;
}
