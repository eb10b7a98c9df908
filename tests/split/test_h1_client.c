/* The whole corpus of responses, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "support/h1_client_corpus.h"

enum { N_RANDOM = 20, SHORT = 400 };

static void check(const struct h1_client_case *c, cut_fn cut, void *arg)
{
    struct h1_client_reading reading;

    assert_true(h1_client_read(&reading, c, cut, arg));
    if (strcmp(reading.text, c->expected) != 0) {
        fail_msg("%s: expected %s, read %s", c->name, c->expected, reading.text);
    }
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < h1_client_corpus_n; i++) {
        check(&h1_client_corpus[i], NULL, NULL);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < h1_client_corpus_n; i++) {
        check(&h1_client_corpus[i], cut_one, NULL);
    }
}

static void test_each_single_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < h1_client_corpus_n; i++) {
        const size_t len = strlen(h1_client_corpus[i].bytes);

        for (size_t at = 1; at < len && len < SHORT; at++) {
            size_t first = at;

            check(&h1_client_corpus[i], cut_once, &first);
        }
    }
}

static void test_random_cuts(void **state)
{
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 9112);

    (void)state;
    for (size_t i = 0; i < h1_client_corpus_n; i++) {
        for (size_t n = 0; n < N_RANDOM; n++) {
            check(&h1_client_corpus[i], cut_at_random, &rng);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_each_single_cut),
        cmocka_unit_test(test_random_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
