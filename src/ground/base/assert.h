/* Invariants: what holds unless we made a mistake. A peer's fault, a failed allocation or a wrong
 * argument of the application is an error code, never an assertion.
 *
 * FE_ASSERT is on in every build, in what is shipped too: going on with a broken invariant would
 * turn a mistake into corrupted data. It guards one line each and costs a comparison.
 *
 * Each state machine also has one function that checks all of it, written from the diagram in its
 * header: `void fe_<machine>_check(const struct fe_<machine> *)`. FE_CHECK calls it after each
 * event where FLATEND_INVARIANTS is defined, as it is for tests, simulation and fuzzing. */
#ifndef FE_GROUND_BASE_ASSERT_H
#define FE_GROUND_BASE_ASSERT_H

/* Ends the process with one line on standard error, unless `condition` holds. `guards`, a literal,
 * says in words what is guarded: FE_ASSERT(n <= len, "a reader takes no more than it was given").
 * All of the line is one literal, so that the call is one instruction more and out of the way. */
#define FE_ASSERT(condition, guards)                                                               \
    ((condition) ? (void)0 : fe_assert_fail(FE_ASSERT_LINE(__LINE__, guards, #condition)))

/* A line that cannot be reached. */
#define FE_UNREACHABLE(guards) fe_assert_fail(FE_ASSERT_LINE(__LINE__, guards, "unreachable"))

#ifdef FLATEND_INVARIANTS
#define FE_CHECK(call) (call)
#else
#define FE_CHECK(call) ((void)sizeof(((call), 0))) /* not called, but its arguments are used */
#endif

#define FE_ASSERT_LINE(line, guards, condition)                                                    \
    __FILE__ ":" FE_ASSERT_TEXT(line) ": " guards " (" condition ")"
#define FE_ASSERT_TEXT(line)  FE_ASSERT_TEXT_(line)
#define FE_ASSERT_TEXT_(line) #line

#if defined(__GNUC__)
__attribute__((cold))
#endif
_Noreturn void
fe_assert_fail(const char *line);

#endif
