/* refuse CALL ERROR COMMAND...: runs the command, to which the system call CALL (openat2 or
 * a number) answers ERROR (EPERM, ENOSYS or a number). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/refusal.h"

static int number_of(const char *text)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {
        {"openat2", SYS_openat2},
        {"EPERM", EPERM},
        {"ENOSYS", ENOSYS},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(text, known[i].name) == 0) {
            return known[i].number;
        }
    }
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: refuse CALL ERROR COMMAND...\n", stderr);
        return 2;
    }
    if (refuse_call(number_of(argv[1]), number_of(argv[2])) != 0) {
        perror("refuse: seccomp");
        return 1;
    }
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 1;
}
