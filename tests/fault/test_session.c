/* Every allocation of a conversation fails in turn: the code comes up, and nothing is lost. */
#include "support/fault.h"
#include "support/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Pieces that cut most records, which are then put together in the session's own buffer. */
static size_t cut_pieces(void *arg, size_t left)
{
    (void)arg;
    return left < 700 ? left : 700;
}

static void each_allocation_fails_in_turn(talk_cut_fn cut)
{
    size_t n_faults = 0;

    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct flatend_error err;
        struct talk talk;
        int rv;

        talk_init(&talk, 1);
        rv = talk_run(&talk, cut, NULL, &err);
        if (fe_fault_disarm()) {
            assert_int_equal(rv, FLATEND_ENOMEM);
            n_faults++;
        } else {
            assert_int_equal(rv, 0);
            assert_string_equal(talk.trace, talk_expected);
        }
        talk_deinit(&talk);
    }
    assert_true(n_faults > 10);
}

static void records_that_arrive_whole(void **state)
{
    (void)state;
    each_allocation_fails_in_turn(talk_whole);
}

static void records_that_arrive_in_pieces(void **state)
{
    (void)state;
    each_allocation_fails_in_turn(cut_pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_arrive_whole),
        cmocka_unit_test(records_that_arrive_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
