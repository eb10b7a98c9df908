/* Tells a process from the children that it forks.
 *
 * A child has the memory of its parent, but of its threads only the one that forked: a lock that
 * another one held stays locked, and what another one was to do is never done. So what has threads
 * has a guard, and asks it before it takes a lock.
 *
 * The guard is a page that the system clears in a child (MADV_WIPEONFORK): asking is one load.
 * Where it cannot do that, the process's id is compared, which is a system call. What shares its
 * memory with the parent until it executes another program (vfork, posix_spawn) is no child here.
 */
#ifndef FE_GROUND_OS_FORK_GUARD_H
#define FE_GROUND_OS_FORK_GUARD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "ground/base/err.h"

enum fe_fork_guard_kind {
    FE_FORK_GUARD_CLEARED = 0, /* in a child */
    FE_FORK_GUARD_CLEARS,      /* the page is cleared in a child */
    FE_FORK_GUARD_COMPARES,    /* it is copied as any other: `pid` says */
};

struct fe_fork_guard {
    enum fe_fork_guard_kind kind;
    pid_t pid;
    _Alignas(64) atomic_uint n_refs; /* apart from what all threads read */
};

/* With one reference. `clears` false: as where the system cannot clear a page. FLATEND_ENOMEM. */
int fe_fork_guard_new(struct fe_fork_guard **guard, bool clears) FE_MUST_USE;

struct fe_fork_guard *fe_fork_guard_ref(struct fe_fork_guard *guard);

/* Does nothing in a child, where no reference is counted. */
void fe_fork_guard_unref(struct fe_fork_guard *guard);

/* The slow part of fe_fork_guard_is_child. */
bool fe_fork_guard_compare(const struct fe_fork_guard *guard);

/* Whether this process is a child of the one that has made the guard. Any thread. */
static inline bool fe_fork_guard_is_child(const struct fe_fork_guard *guard)
{
    return guard->kind != FE_FORK_GUARD_CLEARS && fe_fork_guard_compare(guard);
}

/* Ends the process, as a child that has come back to where only its parent can go on: nothing of
 * what they share is touched, not even the buffers of standard output. */
void fe_fork_end_child(void) FLATEND_ATTRIBUTE(noreturn);

#endif
