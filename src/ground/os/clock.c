#include "ground/os/clock.h"

#include <time.h>

static int64_t now_ms(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t fe_clock_ms(void)
{
    return (uint64_t)now_ms(CLOCK_MONOTONIC);
}

int64_t fe_wall_clock_s(void)
{
    return (int64_t)time(NULL);
}

int64_t fe_wall_clock_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}
