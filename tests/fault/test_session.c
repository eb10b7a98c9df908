/* Every allocation of a conversation fails in turn: the code comes up, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/talk.h"

/* Pieces that cut most records, which are then put together in the session's own buffer. */
static size_t cut_pieces(void *arg, size_t left)
{
    (void)arg;
    return left < 700 ? left : 700;
}

static void each_allocation_fails_in_turn(bool is_old, talk_cut_fn cut)
{
    size_t n_faults = 0;

    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct flatend_error err;
        struct talk talk;
        int code;

        talk_init(&talk, 1, is_old);
        code = talk_run(&talk, cut, NULL, &err);
        if (fe_fault_disarm()) {
            assert_int_equal(code, FLATEND_ENOMEM);
            n_faults++;
        } else {
            assert_int_equal(code, 0);
            assert_string_equal(talk.trace, talk_expected(is_old));
        }
        talk_deinit(&talk);
    }
    assert_true(n_faults > 10);
}

static void records_that_arrive_whole(void **state)
{
    (void)state;
    each_allocation_fails_in_turn(true, talk_whole);
    each_allocation_fails_in_turn(false, talk_whole);
}

static void records_that_arrive_in_pieces(void **state)
{
    (void)state;
    each_allocation_fails_in_turn(true, cut_pieces);
    each_allocation_fails_in_turn(false, cut_pieces);
}

/* A head in pieces of which a part was sent cannot be taken back: the next flush says so. */
static void a_large_head_that_is_cut(void **state)
{
    static uint8_t value[FE_HEAD_MAX / 2];
    const struct fe_header header = {FE_VIEW_LIT("a"), fe_view_of(value, sizeof(value))};
    const struct fe_view service = FE_VIEW_LIT("echo");
    size_t n_uncut = 0;
    size_t n_cut = 0;
    bool has_failed;

    (void)state;
    for (size_t nth = 1;; nth++) {
        struct pair pair;
        struct fe_sender *sender = pair_sender(&pair, PAIR_INITIATOR);
        struct flatend_error err;
        int code;

        pair_init(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        (void)!fe_fault_arm(nth);
        code = sender->ops->request(sender, 1, &service, 1, &header, 1);
        has_failed = fe_fault_disarm();
        assert_int_equal(code, has_failed ? FLATEND_ENOMEM : 0);
        if (has_failed && pair.sides[PAIR_INITIATOR].out.len > 0) {
            assert_int_equal(fe_session_flush(&pair.sides[PAIR_INITIATOR].session), FLATEND_ENOMEM);
            n_cut++;
        } else {
            assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, NULL, NULL, &err), 0);
            assert_int_equal(pair.sides[PAIR_RESPONDER].session.peer_stream, has_failed ? 0 : 1);
            n_uncut += has_failed;
        }
        pair_deinit(&pair);
        if (!has_failed) {
            break;
        }
    }
    assert_true(n_uncut >= 2);
    assert_true(n_cut >= 7);
}

/* A responder that does not allow the initiator's key: whatever fails, no session opens. */
static int be_refused(struct pair *pair)
{
    static const uint8_t none[1][FE_KEY_LEN];
    static const struct fe_trust trust = {.allowed = none, .n_allowed = 1};
    struct flatend_error err;
    int code;

    pair->sides[PAIR_RESPONDER].self.trust = &trust;
    code = pair_start(pair);
    for (int i = 0; code == 0 && i < 4; i++) {
        code = pair_carry(pair, i & 1, 0, NULL, NULL, &err);
    }
    assert_int_not_equal(pair->sides[PAIR_RESPONDER].session.state, FE_SESSION_OPEN);
    return code;
}

static void a_refusal(void **state)
{
    size_t n_faults = 0;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct pair pair;
        int code;

        pair_init(&pair, 1);
        code = be_refused(&pair);
        if (fe_fault_disarm()) {
            assert_true(code == FLATEND_ENOMEM || code == FLATEND_EDENIED);
            n_faults++;
        } else {
            assert_int_equal(code, FLATEND_EDENIED);
        }
        pair_deinit(&pair);
    }
    assert_true(n_faults > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_arrive_whole),
        cmocka_unit_test(records_that_arrive_in_pieces),
        cmocka_unit_test(a_large_head_that_is_cut),
        cmocka_unit_test(a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
