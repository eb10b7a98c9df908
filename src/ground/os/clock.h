/* The clocks of the system. Rooms that decide get the time as an argument; these are for the skin.
 */
#ifndef FE_GROUND_OS_CLOCK_H
#define FE_GROUND_OS_CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment of the past: never goes back, and is the same for every thread. */
uint64_t fe_clock_ms(void);

/* The time of day, since 1970 in UTC: it can be set, back too. */
int64_t fe_wall_clock_s(void);
int64_t fe_wall_clock_ms(void);

#endif
