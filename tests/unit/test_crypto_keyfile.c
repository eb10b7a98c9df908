#include <pthread.h>
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

static void a_key_is_made_once(void **state)
{
    const struct folder *folder = *state;
    struct flatend_secret_key key, again;
    struct flatend_error err;

    assert_int_equal(flatend_secret_key_load_or_create(&key, folder->key, &err), 0);
    assert_int_equal(fe_ed25519_check(&key), 0);
    assert_int_equal(flatend_secret_key_load_or_create(&again, folder->key, &err), 0);
    assert_memory_equal(again.bytes, key.bytes, sizeof(key.bytes));
    unlink(folder->key);
    write_file(folder->key, "no key", 0600);
    assert_int_equal(flatend_secret_key_load_or_create(&key, folder->key, &err), FLATEND_EKEY);
    assert_int_equal(flatend_secret_key_load_or_create(&key, "no-such-folder/key", &err),
                     FLATEND_ENOENT);
    assert_non_null(strstr(err.text, "no-such-folder/key"));
}

/* Those that start at once. */
struct starter {
    const char *path;
    pthread_barrier_t *barrier;
    struct flatend_secret_key key;
    int code;
};

static void *load_or_create(void *arg)
{
    struct starter *starter = arg;

    pthread_barrier_wait(starter->barrier);
    starter->code = flatend_secret_key_load_or_create(&starter->key, starter->path, NULL);
    return NULL;
}

static void all_that_start_at_once_get_the_same_key(void **state)
{
    enum { N_STARTERS = 8, N_ROUNDS = 30 };
    const struct folder *folder = *state;
    struct starter starters[N_STARTERS];
    pthread_t threads[N_STARTERS];
    pthread_barrier_t barrier;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, N_STARTERS), 0);
    for (int round = 0; round < N_ROUNDS; round++) {
        for (int i = 0; i < N_STARTERS; i++) {
            starters[i] = (struct starter){.path = folder->key, .barrier = &barrier};
            assert_int_equal(pthread_create(&threads[i], NULL, load_or_create, &starters[i]), 0);
        }
        for (int i = 0; i < N_STARTERS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(starters[i].code, 0);
            assert_memory_equal(starters[i].key.bytes, starters[0].key.bytes,
                                sizeof(starters[0].key.bytes));
        }
        unlink(folder->key);
    }
    pthread_barrier_destroy(&barrier);
}

/* ---- secrets of a mesh ---- */

static void a_secret_is_what_is_in_its_file(void **state)
{
    static const char *const texts[] = {"0123456789abcdef", "0123456789abcdef\n",
                                        "0123456789abcdef\r\n\n"};
    const struct folder *folder = *state;
    struct flatend_error err;
    char secret[4096];
    size_t len;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(folder->key, texts[i], 0600);
        assert_int_equal(flatend_mesh_secret_load(folder->key, secret, 16, &len, &err), 0);
        assert_int_equal(len, 16);
        assert_memory_equal(secret, "0123456789abcdef", 16);
    }
    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, 15, &len, &err),
                     FLATEND_EOVERFLOW);
    assert_int_equal(len, 0);
}

static void secrets_that_are_refused(void **state)
{
    const struct folder *folder = *state;
    struct flatend_error err;
    char secret[4096];
    char text[4099];
    size_t len;

    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, sizeof(secret), &len, &err),
                     FLATEND_ENOENT);
    assert_non_null(strstr(err.text, "read mesh secret '"));
    write_file(folder->key, "0123456789abcde\n", 0600);
    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, sizeof(secret), &len, &err),
                     FLATEND_EINVAL);
    assert_non_null(strstr(err.text, "must have 16 to 4096 bytes"));
    memset(text, 'x', sizeof(text));
    text[4096] = '\0';
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, sizeof(secret), &len, &err), 0);
    assert_int_equal(len, 4096);
    text[4096] = 'x';
    text[4097] = '\0';
    write_file(folder->key, text, 0600);
    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, sizeof(secret), &len, &err),
                     FLATEND_EINVAL);
    assert_int_equal(chmod(folder->key, 0640), 0);
    assert_int_equal(flatend_mesh_secret_load(folder->key, secret, sizeof(secret), &len, NULL),
                     FLATEND_EACCESS);
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
        IN_FOLDER(a_key_is_made_once),
        IN_FOLDER(all_that_start_at_once_get_the_same_key),
        IN_FOLDER(a_secret_is_what_is_in_its_file),
        IN_FOLDER(secrets_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
