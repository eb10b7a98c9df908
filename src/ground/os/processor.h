/* The processors of the machine. */
#ifndef FE_GROUND_OS_PROCESSOR_H
#define FE_GROUND_OS_PROCESSOR_H

/* How many this process may use, at least one: a set of them (cpuset, taskset) counts, a quota of
 * time does not. */
unsigned fe_processor_count(void);

#endif
