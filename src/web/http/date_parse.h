/* Dates as HTTP clients write them (RFC 9110 §5.6.7). */
#ifndef FE_WEB_HTTP_DATE_PARSE_H
#define FE_WEB_HTTP_DATE_PARSE_H

#include "ground/base/view.h"

/* Reads any of the three forms: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
 * "Sun Nov  6 08:49:37 1994". The day of the week is not compared with the date. False: no date. */
bool fe_http_date_parse(struct fe_view text, int64_t *unix_seconds);

#endif
