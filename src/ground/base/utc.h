/* Dates of the Gregorian calendar in UTC, and seconds since 1970 (POSIX time: without leap
 * seconds). */
#ifndef FE_GROUND_BASE_UTC_H
#define FE_GROUND_BASE_UTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fe_utc {
    int year;
    unsigned month; /* from 1 */
    unsigned day;   /* from 1 */
    unsigned hour;
    unsigned minute;
    unsigned second;
};

enum {
    FE_UTC_TEXT_MAX = 20, /* "2026-11-30 21:05:09", with its NUL */
};

/* A day, an hour, a minute and a second that there can be, in the years 1 to 9999. 60 is a leap
 * second, and 29 February is let pass in every year: it counts as 1 March then. */
bool fe_utc_is_valid(const struct fe_utc *utc);

/* Of a valid one; a leap second is the next minute's first. */
int64_t fe_utc_to_seconds(const struct fe_utc *utc);

/* Times beyond the years 0 to 9999 become the first or the last second of these. */
struct fe_utc fe_utc_of_seconds(int64_t seconds);

/* 0: Sunday. */
unsigned fe_utc_weekday(int64_t seconds);

/* "2026-11-30 21:05:09"; returns `text`. */
const char *fe_utc_format(int64_t seconds, char text[FE_UTC_TEXT_MAX]);

#endif
