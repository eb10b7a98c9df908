#include "support/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

/* Atomic, because programs with threads allocate on all of them. */
static atomic_size_t count;
static atomic_size_t fail_at = SIZE_MAX;
static atomic_bool has_failed = true;

/* The linker makes these names (--wrap); a program without it links all the same, and calls none.
 */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__real_realloc(void *ptr, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

bool fe_fault_arm(size_t nth)
{
    if (nth > 1 && !has_failed) {
        return false;
    }
    has_failed = false;
    count = 0;
    fail_at = nth;
    return true;
}

size_t fe_fault_count(void)
{
    return count;
}

bool fe_fault_disarm(void)
{
    fail_at = SIZE_MAX;
    return has_failed;
}

static bool must_fail(void)
{
    if (atomic_fetch_add(&count, 1) + 1 != fail_at) {
        return false;
    }
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : __real_realloc(ptr, size);
}
