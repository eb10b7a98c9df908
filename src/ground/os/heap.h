/* What the allocator holds of the system's memory, and giving it back. For a program that is a
 * process's whole; a library leaves its application's allocator alone. */
#ifndef FE_GROUND_OS_HEAP_H
#define FE_GROUND_OS_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* The memory of this process that is in the machine's; 0: the system does not say. A read of a
 * small file. */
uint64_t fe_heap_resident(void);

/* How much of it was allocated and is not freed yet. False: the allocator does not say. Walks over
 * what is free, for milliseconds: not on a loop. */
bool fe_heap_in_use(uint64_t *in_use);

/* Gives what is free back to the system. Takes 0.1 ms a MiB, during which allocations of other
 * threads may wait: not on a loop, and not often. Does nothing where the allocator cannot. */
void fe_heap_trim(void);

#endif
