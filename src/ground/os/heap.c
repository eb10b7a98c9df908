#include "ground/os/heap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

uint64_t fe_heap_resident(void)
{
    char text[128];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    unsigned long long pages = 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    if (sscanf(text, "%*u %llu", &pages) != 1) { /* proc(5): size, resident ... */
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)

bool fe_heap_in_use(uint64_t *in_use)
{
    const struct mallinfo2 info = mallinfo2();

    *in_use = info.uordblks + info.hblkhd;
    return *in_use > 0; /* another allocator in glibc's place says 0 */
}

#else

bool fe_heap_in_use(uint64_t *in_use)
{
    *in_use = 0;
    return false;
}

#endif

void fe_heap_trim(void)
{
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
}
