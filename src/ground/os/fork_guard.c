#include "ground/os/fork_guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ground/base/assert.h"

/* All of the page is the guard's: the system clears no less. */
static bool clears_in_child(void *page)
{
#ifdef MADV_WIPEONFORK
    return madvise(page, sizeof(struct fe_fork_guard), MADV_WIPEONFORK) == 0;
#else
    (void)page;
    return false;
#endif
}

int fe_fork_guard_new(struct fe_fork_guard **out, bool clears)
{
    struct fe_fork_guard *guard =
        mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *out = NULL;
    if (guard == MAP_FAILED) {
        return FLATEND_ENOMEM;
    }
    guard->kind = clears && clears_in_child(guard) ? FE_FORK_GUARD_CLEARS : FE_FORK_GUARD_COMPARES;
    guard->pid = getpid();
    atomic_init(&guard->n_refs, 1);
    *out = guard;
    return 0;
}

struct fe_fork_guard *fe_fork_guard_ref(struct fe_fork_guard *guard)
{
    (void)atomic_fetch_add_explicit(&guard->n_refs, 1, memory_order_relaxed);
    return guard;
}

void fe_fork_guard_unref(struct fe_fork_guard *guard)
{
    unsigned n;

    if (fe_fork_guard_is_child(guard)) {
        return;
    }
    n = atomic_fetch_sub_explicit(&guard->n_refs, 1, memory_order_acq_rel);
    FE_ASSERT(n > 0, "references are counted");
    if (n == 1) {
        (void)munmap(guard, sizeof(*guard));
    }
}

bool fe_fork_guard_compare(const struct fe_fork_guard *guard)
{
    return guard->kind == FE_FORK_GUARD_CLEARED || guard->pid != getpid();
}

void fe_fork_end_child(void)
{
    _exit(EXIT_FAILURE);
}
