/* Makes the n-th allocation fail, for the fault layer.
 *
 *     for (size_t nth = 1; fe_fault_arm(nth); nth++) {
 *         int code = scenario();
 *         if (fe_fault_disarm()) {
 *             assert_int_equal(code, FLATEND_ENOMEM);
 *         }
 *     }
 *
 * The loop ends after the first run in which nothing failed: the scenario has no n-th allocation.
 * Only programs linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc (tests/fault) see
 * faults, and only in calls from the objects of that link, not inside shared libraries. */
#ifndef TESTS_SUPPORT_FAULT_H
#define TESTS_SUPPORT_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the `nth` allocation (1: the next) returns NULL, once. Returns false, and arms
 * nothing, when the last armed run ended without its fault. */
bool fe_fault_arm(size_t nth);

/* Allocations since the last arm. */
size_t fe_fault_count(void);

/* No more faults; whether the armed one happened. */
bool fe_fault_disarm(void);

#endif
