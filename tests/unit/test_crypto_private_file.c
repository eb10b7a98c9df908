/* Public keys as text, and files that hold a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/file.h"
#include "support/temp_dir.h"

/* ---- public keys ---- */

static const char text[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static void a_key_is_64_digits(void **state)
{
    struct flatend_public_key key;
    char again[FLATEND_PUBLIC_KEY_TEXT];

    (void)state;
    assert_int_equal(flatend_public_key_parse(&key, text), 0);
    assert_int_equal(key.bytes[0], 0x9d);
    assert_int_equal(key.bytes[31], 0x60);
    flatend_public_key_format(&key, again);
    assert_string_equal(again, text);
}

static void capitals_are_digits(void **state)
{
    struct flatend_public_key key;
    char upper[FLATEND_PUBLIC_KEY_TEXT];
    char again[FLATEND_PUBLIC_KEY_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(upper); i++) {
        upper[i] = (char)(text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 'A' : text[i]);
    }
    assert_int_equal(flatend_public_key_parse(&key, upper), 0);
    flatend_public_key_format(&key, again);
    assert_string_equal(again, text);
}

static void what_is_no_key(void **state)
{
    struct flatend_public_key key;
    char bad[FLATEND_PUBLIC_KEY_TEXT + 2];

    (void)state;
    assert_int_equal(flatend_public_key_parse(&key, ""), FLATEND_EKEY);
    for (size_t len = 1; len <= sizeof(text); len++) {
        if (len != FLATEND_PUBLIC_KEY_TEXT - 1) {
            memset(bad, '0', len);
            bad[len] = '\0';
            assert_int_equal(flatend_public_key_parse(&key, bad), FLATEND_EKEY);
        }
    }
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        static const char wrong[] = "gG:/ \n@`x";

        for (const char *c = wrong; *c != '\0'; c++) {
            memcpy(bad, text, sizeof(text));
            bad[i] = *c;
            assert_int_equal(flatend_public_key_parse(&key, bad), FLATEND_EKEY);
        }
    }
}

static void the_public_half_of_a_secret_key(void **state)
{
    struct flatend_secret_key secret;
    struct flatend_public_key key;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    flatend_secret_key_public(&secret, &key);
    assert_memory_equal(key.bytes, secret.bytes + 32, sizeof(key.bytes));
}

/* ---- files ---- */

static int setup(void **state)
{
    struct temp_dir *dir = calloc(1, sizeof(*dir));

    assert_non_null(dir);
    temp_dir_make(dir);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

static void what_is_written_is_read(void **state)
{
    struct temp_dir *dir = *state;
    const char *path = temp_dir_path(dir, "secret");
    char read[16];
    struct stat st;

    assert_int_equal(fe_file_create(path, "write it", FE_VIEW_LIT("hidden"), NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fe_file_read_private(path, "read it", read, sizeof(read), NULL), 6);
    assert_memory_equal(read, "hidden", 6);
    assert_int_equal(fe_file_read_private(path, "read it", read, 3, NULL), 3); /* at most */
}

static void a_file_that_is_there_stays(void **state)
{
    struct temp_dir *dir = *state;
    const char *path = temp_dir_path(dir, "secret");
    struct flatend_error error;
    char read[16];

    assert_int_equal(fe_file_create(path, "write it", FE_VIEW_LIT("first"), &error), 0);
    assert_int_equal(fe_file_create(path, "write it", FE_VIEW_LIT("other"), &error),
                     FLATEND_EEXIST);
    assert_non_null(strstr(error.text, "write it '"));
    assert_non_null(strstr(error.text, "already exists"));
    assert_int_equal(fe_file_read_private(path, "read it", read, sizeof(read), NULL), 5);
    assert_memory_equal(read, "first", 5);
    assert_int_equal(unlink(path), 0);
    temp_dir_link(dir, "secret", "nowhere"); /* nor is a link followed that leads nowhere */
    assert_int_equal(fe_file_create(path, "write it", FE_VIEW_LIT("other"), &error),
                     FLATEND_EEXIST);
}

static void what_cannot_be_read(void **state)
{
    struct temp_dir *dir = *state;
    struct flatend_error error;
    char read[16];

    assert_int_equal(
        fe_file_read_private(temp_dir_path(dir, "none"), "read it", read, sizeof(read), &error),
        FLATEND_ENOENT);
    assert_non_null(strstr(error.text, "read it '"));
    temp_dir_subdir(dir, "folder");
    assert_int_equal(
        fe_file_read_private(temp_dir_path(dir, "folder"), "read it", read, sizeof(read), &error),
        FLATEND_EKEY);
    assert_int_equal(mkfifo(temp_dir_path(dir, "fifo"), 0600), 0);
    assert_int_equal(
        fe_file_read_private(temp_dir_path(dir, "fifo"), "read it", read, sizeof(read), &error),
        FLATEND_EKEY);
    assert_int_equal(
        fe_file_create(temp_dir_path(dir, "none/secret"), "write it", FE_VIEW_LIT("a"), &error),
        FLATEND_ENOENT);
}

static void others_may_not_read_it(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0444};
    struct temp_dir *dir = *state;
    const char *path;
    struct flatend_error error;
    char read[16];

    temp_dir_write(dir, "secret", "hidden", 6);
    path = temp_dir_path(dir, "secret");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(fe_file_read_private(path, "read it", read, sizeof(read), &error),
                         FLATEND_EACCESS);
        assert_non_null(strstr(error.text, "expected 0600"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(fe_file_read_private(path, "read it", read, sizeof(read), NULL), 6);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_64_digits), cmocka_unit_test(capitals_are_digits),
        cmocka_unit_test(what_is_no_key),     cmocka_unit_test(the_public_half_of_a_secret_key),
        IN_DIR(what_is_written_is_read),      IN_DIR(a_file_that_is_there_stays),
        IN_DIR(what_cannot_be_read),          IN_DIR(others_may_not_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
