#include "ground/os/processor.h"

#include <sched.h>
#include <unistd.h>

unsigned fe_processor_count(void)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof(set), &set) == 0
                 ? CPU_COUNT(&set)
                 : sysconf(_SC_NPROCESSORS_ONLN); /* more than a set has room for */

    return n < 1 ? 1 : (unsigned)n;
}
