#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/crypto/crypto.h"
#include "support/fault.h"

static void a_context_is_made_whole_or_not_at_all(void **state)
{
    static const uint8_t key[FE_AEAD_KEY_LEN];

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_aead *aead = fe_aead_new(key, true);

        if (fe_fault_disarm()) {
            assert_null(aead);
        } else {
            assert_non_null(aead);
        }
        fe_aead_free(aead);
    }
}

static void a_key_is_not_saved_without_memory(void **state)
{
    struct flatend_secret_key key = {{0}};
    struct flatend_error err;

    (void)state;
    assert_true(fe_fault_arm(1));
    assert_int_equal(flatend_secret_key_save(&key, "no-such-folder/key", &err), FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_string_equal(err.text, "write key 'no-such-folder/key': out of memory");
}

static void a_key_is_not_made_without_memory(void **state)
{
    struct flatend_secret_key zero = {{0}};
    struct flatend_secret_key key;
    struct flatend_error err;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        int code = flatend_secret_key_load_or_create(&key, "no-such-folder/key", &err);

        if (fe_fault_disarm()) {
            assert_int_equal(code, FLATEND_ENOMEM);
        } else {
            assert_int_equal(code, FLATEND_ENOENT);
        }
        assert_memory_equal(key.bytes, zero.bytes, sizeof(key.bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_is_made_whole_or_not_at_all),
        cmocka_unit_test(a_key_is_not_saved_without_memory),
        cmocka_unit_test(a_key_is_not_made_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
