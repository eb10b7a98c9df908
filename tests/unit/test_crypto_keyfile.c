#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mesh/crypto/crypto.h"

struct folder {
    char path[64];
    char key[96];
};

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    assert_non_null(folder);
    strcpy(folder->path, "keyfile-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->key, sizeof(folder->key), "%s/node.key", folder->path);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    struct folder *folder = *state;

    unlink(folder->key);
    assert_int_equal(rmdir(folder->path), 0); /* also: nothing else was left behind */
    free(folder);
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_key(struct flatend_secret_key *key, char text[130])
{
    assert_int_equal(flatend_secret_key_generate(key), 0);
    for (size_t i = 0; i < sizeof(key->bytes); i++) {
        snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
    }
}

static void generated_keys_are_whole_and_differ(void **state)
{
    struct flatend_secret_key a, b;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&a), 0);
    assert_int_equal(flatend_secret_key_generate(&b), 0);
    assert_int_equal(fe_ed25519_check(&a), 0);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void a_saved_key_loads(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key, loaded;
    struct stat st;

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(flatend_secret_key_save(&key, folder->key, NULL), 0);
    assert_int_equal(stat(folder->key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 129);
    assert_int_equal(flatend_secret_key_load(&loaded, folder->key, NULL), 0);
    assert_memory_equal(loaded.bytes, key.bytes, sizeof(key.bytes));
}

static void a_key_is_never_overwritten(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key, other, loaded;
    struct flatend_error err;

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(flatend_secret_key_generate(&other), 0);
    assert_int_equal(flatend_secret_key_save(&key, folder->key, &err), 0);
    assert_int_equal(flatend_secret_key_save(&other, folder->key, &err), FLATEND_EEXIST);
    assert_non_null(strstr(err.text, folder->key));
    assert_int_equal(flatend_secret_key_load(&loaded, folder->key, &err), 0);
    assert_memory_equal(loaded.bytes, key.bytes, sizeof(key.bytes));
}

static void a_folder_that_is_missing(void **state)
{
    struct flatend_secret_key key;
    struct flatend_error err;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(flatend_secret_key_save(&key, "no-such-folder/key", &err), FLATEND_ENOENT);
    assert_int_equal(flatend_secret_key_load(&key, "no-such-folder/key", &err), FLATEND_ENOENT);
    assert_string_equal(err.text, "read key 'no-such-folder/key': no such file");
}

static void a_newline_is_optional(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key, loaded;
    char text[130];

    make_key(&key, text);
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_secret_key_load(&loaded, folder->key, NULL), 0);
    assert_memory_equal(loaded.bytes, key.bytes, sizeof(key.bytes));
}

static void a_file_that_others_may_read(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0601};
    const struct folder *folder = *state;
    struct flatend_secret_key key;
    struct flatend_error err;
    char text[130];

    make_key(&key, text);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file(folder->key, text, modes[i]);
        assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EACCESS);
        assert_non_null(strstr(err.text, "expected 0600"));
        unlink(folder->key);
    }
}

static void what_is_no_key(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key;
    struct flatend_error err;
    char text[136];

    make_key(&key, text);
    memcpy(text + 128, "\n\n", 3);
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EKEY);
    text[127] = '\0';
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EKEY);
    make_key(&key, text);
    text[5] = 'g';
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EKEY);
    write_file(folder->key, "", 0600);
    assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EKEY);
    assert_int_equal(flatend_secret_key_load(&key, folder->path, &err), FLATEND_EKEY);
    assert_non_null(strstr(err.text, "not a regular file"));
}

static void a_public_half_of_another_seed(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key;
    struct flatend_error err;
    char text[130];

    make_key(&key, text);
    text[127] = text[127] == '0' ? '1' : '0';
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_secret_key_load(&key, folder->key, &err), FLATEND_EKEY);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_keys_are_whole_and_differ),
        IN_FOLDER(a_saved_key_loads),
        IN_FOLDER(a_key_is_never_overwritten),
        cmocka_unit_test(a_folder_that_is_missing),
        IN_FOLDER(a_newline_is_optional),
        IN_FOLDER(a_file_that_others_may_read),
        IN_FOLDER(what_is_no_key),
        IN_FOLDER(a_public_half_of_another_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
