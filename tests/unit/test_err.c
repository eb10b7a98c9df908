#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/err.h"

static void every_code_has_name_and_text(void **state)
{
    (void)state;
#define CHECK(name, code, text)                                                                    \
    assert_int_equal(FLATEND_##name, code);                                                        \
    assert_string_equal(flatend_error_name(code), #name);                                          \
    assert_string_equal(flatend_strerror(code), text);
    FLATEND_ERRORS(CHECK)
#undef CHECK
}

static void codes_that_are_none_have_a_text_too(void **state)
{
    (void)state;
    assert_string_equal(flatend_strerror(0), "success");
    assert_string_equal(flatend_error_name(0), "OK");
    assert_string_equal(flatend_strerror(-1000), "unknown error");
    assert_string_equal(flatend_error_name(1), "UNKNOWN");
}

static void version_has_three_numbers(void **state)
{
    unsigned major, minor, patch;
    char rest;

    (void)state;
    assert_int_equal(sscanf(flatend_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

static void a_code_has_its_text(void **state)
{
    struct flatend_error err;

    (void)state;
    assert_int_equal(fe_err_code(&err, FLATEND_ENOMEM), FLATEND_ENOMEM);
    assert_int_equal(err.code, FLATEND_ENOMEM);
    assert_string_equal(err.text, flatend_strerror(FLATEND_ENOMEM));
    assert_int_equal(fe_err_code(NULL, FLATEND_EPROTO), FLATEND_EPROTO);
}

static void context_is_put_in_front(void **state)
{
    struct flatend_error err;

    (void)state;
    assert_int_equal(fe_err_set(&err, FLATEND_EREFUSED, "%s", "connection refused"),
                     FLATEND_EREFUSED);
    assert_int_equal(fe_err_wrap(&err, "dial %s:%d", "10.0.0.2", 9000), FLATEND_EREFUSED);
    assert_int_equal(err.code, FLATEND_EREFUSED);
    assert_string_equal(err.text, "dial 10.0.0.2:9000: connection refused");
}

static void long_texts_are_cut_and_keep_the_context(void **state)
{
    struct flatend_error err;
    char text[sizeof(err.text)];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fe_err_set(&err, FLATEND_EPROTO, "%s%s", text, "tail");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    fe_err_wrap(&err, "context");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "context: xxx", 12);
    fe_err_wrap(&err, "%s", text);
    assert_string_equal(err.text, text);
}

static void an_error_need_not_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(fe_err_set(NULL, FLATEND_ENOMEM, "unread"), FLATEND_ENOMEM);
    assert_int_equal(fe_err_wrap(NULL, "unread"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_and_text),
        cmocka_unit_test(codes_that_are_none_have_a_text_too),
        cmocka_unit_test(version_has_three_numbers),
        cmocka_unit_test(a_code_has_its_text),
        cmocka_unit_test(context_is_put_in_front),
        cmocka_unit_test(long_texts_are_cut_and_keep_the_context),
        cmocka_unit_test(an_error_need_not_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
