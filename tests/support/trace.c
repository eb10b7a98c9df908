#include "support/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void trace_add(struct trace *trace, const char *format, ...)
{
    char *at = trace->text + trace->len;
    size_t room = sizeof(trace->text) - trace->len;
    va_list args;
    int n;

    if (trace->is_off) {
        return;
    }
    if (trace->len > 0) {
        *at++ = ' ';
        room--;
    }
    va_start(args, format);
    n = vsnprintf(at, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n + 1 >= room) {
        fail_msg("the trace is full");
    }
    trace->len = (size_t)(at - trace->text) + (size_t)n;
}

void trace_check(struct trace *trace, const char *expected, const char *file, int line)
{
    trace->text[trace->len] = '\0';
    trace->len = 0;
    if (strcmp(trace->text, expected) != 0) {
        print_error("expected: %s\nhappened: %s\n", expected, trace->text);
        _fail(file, line);
    }
}
