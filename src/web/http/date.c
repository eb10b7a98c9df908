#include "web/http/date.h"

#include <stdio.h>
#include <time.h>

enum { YEAR_MAX = 9999 };

void fe_http_date_format(char buf[FE_HTTP_DATE_LEN + 1], int64_t unix_seconds)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int64_t first = -62167219200; /* 0000-01-01 */
    const int64_t last = 253402300799;  /* 9999-12-31, the last second of four digits */
    time_t t = (time_t)(unix_seconds < first ? first : unix_seconds > last ? last : unix_seconds);
    struct tm tm;

    gmtime_r(&t, &tm);
    /* The remainders change nothing: they let the compiler see that the text fits. */
    snprintf(buf, FE_HTTP_DATE_LEN + 1, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday],
             (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
             (unsigned)(tm.tm_year + 1900) % (YEAR_MAX + 1), (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}
