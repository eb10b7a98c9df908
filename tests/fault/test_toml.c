/* Each allocation of the parser fails in turn, for every text of the corpus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/toml/toml.h"
#include "ground/base/buf.h"
#include "support/fault.h"
#include "support/toml_corpus.h"

static size_t parse_with_faults(struct fe_view text, bool is_valid)
{
    size_t n_faults = 0;

    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_arena arena;
        struct fe_toml_value *root;
        struct fe_toml_pos pos;
        struct flatend_error err = {0};
        bool has_failed;
        int code;

        fe_arena_init(&arena, 0);
        code = fe_toml_parse(text, &arena, &root, &pos, &err);
        has_failed = fe_fault_disarm();
        n_faults += has_failed ? 1 : 0;
        if (has_failed) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_int_equal(err.code, FLATEND_ENOMEM);
        } else {
            assert_int_equal(code == 0, is_valid);
        }
        assert_int_equal(root != NULL, code == 0);
        fe_arena_deinit(&arena);
    }
    return n_faults;
}

static void check_case(const struct toml_case *c, void *arg)
{
    (void)arg;
    (void)parse_with_faults(c->text, toml_case_is_valid(c));
}

static void test_corpus(void **state)
{
    (void)state;
    toml_corpus_each(check_case, NULL);
}

/* Large enough for all that grows to grow: chunks, the index, tables, arrays, a decoded string. */
static void test_growth(void **state)
{
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(
            fe_buf_printf(&text, "[[a]]\nb%u.c = [1, 2, 3, 4, 5, '%u', \"\\u0041\"]\n", i, i), 0);
    }
    assert_true(parse_with_faults(fe_buf_view(&text), true) > 20);
    fe_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
