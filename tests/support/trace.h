/* What happened, in order, as text: the expected trace is the assertion. */
#ifndef TESTS_SUPPORT_TRACE_H
#define TESTS_SUPPORT_TRACE_H

#include <flatend.h>
#include <stdbool.h>

enum { TRACE_MAX = 16384 };

struct trace {
    char text[TRACE_MAX];
    size_t len;
    bool is_off; /* for tests that make too many events to read */
};

/* Appends one event; a blank separates it from the one before. A full trace is a failed test. */
void trace_add(struct trace *trace, const char *format, ...) FLATEND_PRINTF(2, 3);

/* Fails the test unless exactly this has happened since the last call, and forgets it. */
#define trace_expect(trace, expected) trace_check((trace), (expected), __FILE__, __LINE__)
void trace_check(struct trace *trace, const char *expected, const char *file, int line);

#endif
