/* The same conversation, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/talk.h"

enum { RANDOM_RUNS = 100, PIECE_MAX = 80 };

static void expect_talk_in(bool is_old, uint64_t seed, talk_cut_fn cut, void *arg)
{
    struct flatend_error err = {0};
    struct talk talk;
    int code;

    talk_init(&talk, seed, is_old);
    code = talk_run(&talk, cut, arg, &err);
    if (code != 0) {
        fail_msg("%d: %s", code, err.text);
    }
    assert_string_equal(talk.trace, talk_expected(is_old));
    talk_deinit(&talk);
}

/* In both dialects. */
static void expect_talk(uint64_t seed, talk_cut_fn cut, void *arg)
{
    expect_talk_in(true, seed, cut, arg);
    expect_talk_in(false, seed, cut, arg);
}

static void whole(void **state)
{
    (void)state;
    expect_talk(1, talk_whole, NULL);
}

static size_t cut_pieces(void *arg, size_t left)
{
    const size_t *piece = arg;

    return left < *piece ? left : *piece;
}

static void in_pieces_of_every_small_size(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= PIECE_MAX; piece++) {
        expect_talk(1, cut_pieces, &piece);
    }
}

static size_t cut_randomly(void *arg, size_t left)
{
    const struct fe_rng *rng = arg;
    uint32_t max = 1U << fe_rng_below(rng, 14);
    size_t n = 1 + fe_rng_below(rng, max);

    return n < left ? n : left;
}

static void at_random_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < RANDOM_RUNS; seed++) {
        struct fe_rng_seeded seeded;
        struct fe_rng rng = fe_rng_from_seed(&seeded, seed);

        expect_talk(seed, cut_randomly, &rng);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(in_pieces_of_every_small_size),
        cmocka_unit_test(at_random_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
