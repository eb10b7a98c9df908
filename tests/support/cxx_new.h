/* C++'s operator new and delete on top of malloc and free, so that the faults of fault.h reach C++
 * code too. A program that includes this (once) has all its C++ allocations go through it. */
#ifndef TESTS_SUPPORT_CXX_NEW_H
#define TESTS_SUPPORT_CXX_NEW_H

#include <stdlib.h>

/* The names are those of the Itanium C++ ABI.
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *_Znwm(size_t size);                      /* operator new(size_t) */
void _ZdlPv(void *ptr);                        /* operator delete(void *) */
void _ZdlPvm(void *ptr, size_t size);          /* operator delete(void *, size_t) */
_Noreturn void _ZSt17__throw_bad_allocv(void); /* std::__throw_bad_alloc() of libstdc++ */

void *_Znwm(size_t size)
{
    void *const ptr = malloc(size);
    if (ptr == NULL) {
        _ZSt17__throw_bad_allocv();
    }
    return ptr;
}

void _ZdlPv(void *ptr)
{
    free(ptr);
}

void _ZdlPvm(void *ptr, size_t size)
{
    (void)size;
    free(ptr);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
