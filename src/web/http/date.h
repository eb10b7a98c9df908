/* Dates as HTTP writes them (RFC 9110 §5.6.7). */
#ifndef FE_WEB_HTTP_DATE_H
#define FE_WEB_HTTP_DATE_H

#include <stdint.h>

enum { FE_HTTP_DATE_LEN = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes the IMF-fixdate of a Unix time and a NUL. Years 0 to 9999; other times are clamped. */
void fe_http_date_format(char buf[FE_HTTP_DATE_LEN + 1], int64_t unix_seconds);

#endif
