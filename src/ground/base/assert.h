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

/* Ends the process with one line on standard error, unless `condition` holds. `guards` says in
 * words what is guarded: FE_ASSERT(n <= len, "a reader takes no more than it was given"). */
#define FE_ASSERT(condition, guards)                                                               \
    ((condition) ? (void)0 : fe_assert_fail(__FILE__, __LINE__, #condition, guards))

/* A line that cannot be reached. */
#define FE_UNREACHABLE(guards) fe_assert_fail(__FILE__, __LINE__, "unreachable", guards)

#ifdef FLATEND_INVARIANTS
#define FE_CHECK(call) (call)
#else
#define FE_CHECK(call) ((void)sizeof(((call), 0))) /* not called, but its arguments are used */
#endif

_Noreturn void fe_assert_fail(const char *file, int line, const char *condition,
                              const char *guards);

#endif
