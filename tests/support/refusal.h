/* System calls that are refused, as by the filter of a container's runtime or by an older kernel.
 */
#ifndef TESTS_SUPPORT_REFUSAL_H
#define TESTS_SUPPORT_REFUSAL_H

/* From here on this process, and what it executes, gets `error` (an errno) as the answer to the
 * system call `number`: there is no way back. -1 with errno: it could not be done. */
int refuse_call(int number, int error);

#endif
