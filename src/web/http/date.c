#include "web/http/date.h"

#include <stdio.h>

#include "ground/base/utc.h"

void fe_http_date_format(char buf[FE_HTTP_DATE_LEN + 1], int64_t unix_seconds)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const struct fe_utc utc = fe_utc_of_seconds(unix_seconds);

    /* The remainders change nothing: they let the compiler see that the text fits. */
    snprintf(buf, FE_HTTP_DATE_LEN + 1, "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[fe_utc_weekday(unix_seconds)], utc.day % 100, months[utc.month - 1],
             (unsigned)utc.year % 10000, utc.hour % 100, utc.minute % 100, utc.second % 100);
}
