/* Debian's libuv_a.a for amd64 is made for programs, not for shared objects: three names of the C
 * library's are the only ones that it wants in its own reach. It is linked with these in their
 * place; none of them is used by what this library does with libuv. */
#include <netinet/in.h>
#include <stdio.h>

extern char **flatend_environ;
extern FILE *flatend_stderr;
extern const struct in6_addr flatend_in6addr_any;

char **flatend_environ; /* of uv_spawn: no program is started */
FILE *flatend_stderr;   /* of what libuv says before it aborts */
const struct in6_addr flatend_in6addr_any = IN6ADDR_ANY_INIT;

static void __attribute__((constructor)) init(void)
{
    flatend_stderr = stderr;
}
