/* The state directory: its permissions, its names, and what is there after an end at any
 * moment. */
#include <ftw.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/acme_ca.h"
#include "support/temp_dir.h"
#include "web/acme/store.h"
#include "web/tls/openssl.h"

static const char *const NAMES[] = {"b.test", "a.test"};
static const char *const REVERSED[] = {"a.test", "b.test"};
static const char *const OTHER[] = {"c.test"};

static int setup(void **state)
{
    static struct temp_dir dir;

    umask(0); /* the files do not rely on it */
    temp_dir_make(&dir);
    *state = &dir;
    return 0;
}

static int teardown(void **state)
{
    umask(022);
    temp_dir_remove(*state);
    return 0;
}

static struct fe_acme_store *open_store(void **state, const char *const *names, size_t n)
{
    struct fe_acme_store *store;

    assert_int_equal(
        fe_acme_store_open(((struct temp_dir *)*state)->path, ACME_CA_URL, names, n, &store), 0);
    return store;
}

static void lock(struct fe_acme_store *store, struct fe_acme_saved *saved)
{
    struct flatend_error err;

    if (fe_acme_store_lock(store, saved, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

/* ---- what is kept --------------------------------------------------------------------------- */

static void test_everything_comes_back(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    struct fe_acme_saved back;
    struct flatend_error err;

    lock(store, &saved);
    assert_non_null(saved.account_key);
    assert_string_equal(saved.account_url, "");
    assert_false(saved.has_certificate);
    strcpy(saved.account_url, "https://ca.test/account/1");
    strcpy(saved.order_url, "https://ca.test/order/1");
    saved.order_key = fe_acme_key_generate(FE_ACME_P256);
    saved.n_failures = 3;
    saved.preferred[0] = 2;
    saved.wait_from_ms = 1000;
    saved.wait_until_ms = 2000;
    saved.refused = 2;
    assert_int_equal(fe_acme_store_save_account(store, &saved, &err), 0);
    assert_int_equal(fe_acme_store_save_order(store, &saved, &err), 0);
    assert_int_equal(fe_acme_store_save_key(store, &saved, &err), 0);
    fe_acme_store_close(store);

    store = open_store(state, NAMES, 2);
    lock(store, &back);
    assert_int_equal(EVP_PKEY_eq(saved.account_key, back.account_key), 1);
    assert_int_equal(EVP_PKEY_eq(saved.order_key, back.order_key), 1);
    assert_string_equal(back.account_url, saved.account_url);
    assert_string_equal(back.order_url, saved.order_url);
    assert_int_equal(back.n_failures, 3);
    assert_int_equal(back.preferred[0], 2);
    assert_int_equal(back.wait_from_ms, 1000);
    assert_int_equal(back.wait_until_ms, 2000);
    assert_int_equal(back.refused, 2);
    back.order_url[0] = '\0';
    assert_int_equal(fe_acme_store_save_order(store, &back, &err),
                     0); /* without an order, no key */
    fe_acme_saved_deinit(&back);
    fe_acme_store_unlock(store);
    lock(store, &back);
    assert_null(back.order_key);
    fe_acme_saved_deinit(&back);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

/* In another order they are the same names. */
static void test_order_of_names(void **state)
{
    struct fe_acme_store *one = open_store(state, NAMES, 2);
    struct fe_acme_store *two = open_store(state, REVERSED, 2);
    struct fe_acme_store *three = open_store(state, OTHER, 1);

    assert_string_not_equal(fe_acme_store_path(one), fe_acme_store_path(three));
    assert_non_null(strstr(fe_acme_store_path(one), "/acme/certificates/a.test-"));
    assert_string_equal(fe_acme_store_path(one), fe_acme_store_path(two));
    fe_acme_store_close(one);
    fe_acme_store_close(two);
    fe_acme_store_close(three);
}

static void test_one_account_for_all_names(void **state)
{
    struct fe_acme_store *one = open_store(state, NAMES, 2);
    struct fe_acme_store *two = open_store(state, OTHER, 1);
    struct fe_acme_saved a;
    struct fe_acme_saved b;

    lock(one, &a);
    lock(two, &b);
    assert_int_equal(EVP_PKEY_eq(a.account_key, b.account_key), 1);
    fe_acme_saved_deinit(&a);
    fe_acme_saved_deinit(&b);
    fe_acme_store_close(one);
    fe_acme_store_close(two);
}

static void save_certificate(struct fe_acme_store *store, const char *const *names, size_t n,
                             struct fe_acme_saved *saved)
{
    struct fe_view views[2] = {{NULL, 0}, {NULL, 0}};
    const struct fe_cert_spec spec = {
        .names = views, .n_names = n, .not_before_s = 1800000000, .not_after_s = 1900000000};
    struct flatend_error err;
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cert;
    char *text;
    long len;

    for (size_t i = 0; i < n; i++) {
        views[i] = fe_view_str(names[i]);
    }
    saved->order_key = fe_acme_key_generate(FE_ACME_P256);
    cert = fe_x509_make(&spec, saved->order_key, saved->order_key);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    len = BIO_get_mem_data(bio, &text);
    assert_int_equal(
        fe_acme_store_save_certificate(store, saved, fe_view_of(text, (size_t)len), &err), 0);
    BIO_free(bio);
    X509_free(cert);
}

static void damage(const char *folder, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* What was ordered for another list, and what is good for a name now. */
static void test_found_certificates(void **state)
{
    static const char *const wanted[] = {"c.test", "b.test", "a.test"};
    const char *const dir = ((struct temp_dir *)*state)->path;
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    struct fe_cert *certs[3];
    size_t n = 1;

    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1800000000, certs, &n), 0);
    assert_int_equal(n, 0);
    lock(store, &saved);
    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1800000000, certs, &n), 0);
    assert_int_equal(n, 0); /* a directory without a certificate */
    save_certificate(store, NAMES, 2, &saved);
    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1800000000, certs, &n), 0);
    assert_int_equal(n, 1); /* once for both */
    assert_true(fe_cert_covers(certs[0], FE_VIEW_LIT("a.test")));
    assert_true(fe_cert_covers(certs[0], FE_VIEW_LIT("b.test")));
    fe_cert_unref(certs[0]);
    assert_int_equal(fe_acme_store_find(dir, wanted, 1, 1800000000, certs, &n), 0);
    assert_int_equal(n, 0); /* not for c.test */
    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1799999999, certs, &n), 0);
    assert_int_equal(n, 0); /* not yet */
    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1900000000, certs, &n), 0);
    assert_int_equal(n, 0); /* not any more */
    damage(fe_acme_store_path(store), "certificate.pem", "no certificate");
    assert_int_equal(fe_acme_store_find(dir, wanted, 3, 1800000000, certs, &n), 0);
    assert_int_equal(n, 0);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

static void test_certificate(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    struct flatend_error err;
    struct fe_cert *cert;

    assert_int_equal(fe_acme_store_load(store, &cert, &err), FLATEND_ENOENT);
    lock(store, &saved);
    save_certificate(store, NAMES, 2, &saved);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_unlock(store);
    assert_int_equal(fe_acme_store_load(store, &cert, &err), 0);
    assert_true(fe_cert_covers(cert, FE_VIEW_LIT("a.test")));
    assert_false(fe_cert_is_key_exposed(cert));
    fe_cert_unref(cert);
    lock(store, &saved);
    assert_true(saved.has_certificate);
    assert_int_equal(saved.certificate.not_after_s, 1900000000);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

/* ---- permissions ---------------------------------------------------------------------------- */

static int check_mode(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const mode_t expected = type == FTW_D ? 0700 : 0600;

    (void)ftw;
    if (strstr(path, "/acme") != NULL && (st->st_mode & 07777) != expected) {
        fail_msg("%s: mode %04o", path, (unsigned)(st->st_mode & 07777));
    }
    return 0;
}

static void test_modes(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    struct flatend_error err;

    lock(store, &saved);
    assert_int_equal(fe_acme_store_save_account(store, &saved, &err), 0);
    strcpy(saved.order_url, "https://ca.test/order/1");
    assert_int_equal(fe_acme_store_save_order(store, &saved, &err), 0);
    save_certificate(store, NAMES, 2, &saved);
    assert_int_equal(fe_acme_store_save_key(store, &saved, &err), 0);
    assert_int_equal(nftw(((struct temp_dir *)*state)->path, check_mode, 8, FTW_PHYS), 0);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

/* ---- locks ---------------------------------------------------------------------------------- */

static void test_one_order_at_a_time(void **state)
{
    static const char *const overlapping[] = {"a.test", "z.test"};
    struct fe_acme_store *one = open_store(state, NAMES, 2);
    struct fe_acme_store *two = open_store(state, overlapping, 2);
    struct fe_acme_store *three = open_store(state, OTHER, 1);
    struct fe_acme_saved a;
    struct fe_acme_saved b;
    struct flatend_error err;

    lock(one, &a);
    assert_int_equal(fe_acme_store_lock(two, &b, &err), FLATEND_EAGAIN);
    assert_null(b.account_key);
    fe_acme_saved_deinit(&a);
    lock(three, &a); /* has nothing to do with it */
    fe_acme_saved_deinit(&a);
    fe_acme_store_unlock(one);
    lock(two, &b); /* and it had not kept z.test */
    assert_int_equal(fe_acme_store_lock(one, &a, &err), FLATEND_EAGAIN);
    fe_acme_saved_deinit(&b);
    fe_acme_store_close(one);
    fe_acme_store_close(two);
    fe_acme_store_close(three);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void test_damaged_files(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;

    lock(store, &saved);
    strcpy(saved.order_url, "https://ca.test/order/1");
    fe_acme_saved_deinit(&saved);
    fe_acme_store_unlock(store);
    damage(fe_acme_store_path(store), "order.json", "{\"order\":");
    damage(fe_acme_store_path(store), "order.key", "no key");
    damage(fe_acme_store_path(store), "certificate.pem", "no certificate");
    lock(store, &saved);
    assert_string_equal(saved.order_url, "");
    assert_null(saved.order_key);
    assert_false(saved.has_certificate);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

/* A certificate that cannot be served makes place for another one, whatever its dates say. */
static void test_damaged_certificate_key(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    char path[512];
    FILE *file;

    lock(store, &saved);
    save_certificate(store, NAMES, 2, &saved);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_unlock(store);
    snprintf(path, sizeof(path), "%s/certificate.pem", fe_acme_store_path(store));
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 40, SEEK_SET), 0); /* the key comes first */
    fputs("AAAAAAAA", file);
    fclose(file);
    lock(store, &saved);
    assert_false(saved.has_certificate);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
}

/* No second account takes the place of one whose key cannot be read. */
static int damage_key(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_F && strstr(path, "account.key") != NULL) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        fclose(file);
    }
    return 0;
}

static void test_damaged_account_key(void **state)
{
    struct fe_acme_store *store = open_store(state, NAMES, 2);
    struct fe_acme_saved saved;
    struct flatend_error err;

    lock(store, &saved);
    fe_acme_saved_deinit(&saved);
    fe_acme_store_unlock(store);
    assert_int_equal(nftw(((struct temp_dir *)*state)->path, damage_key, 8, FTW_PHYS), 0);
    assert_int_equal(fe_acme_store_lock(store, &saved, &err), FLATEND_EKEY);
    assert_non_null(strstr(err.text, "account.key': not a private key"));
    fe_acme_store_close(store);
}

static void test_no_directory(void **state)
{
    struct fe_acme_store *store;
    struct fe_acme_saved saved;
    struct flatend_error err;

    (void)state;
    assert_int_equal(fe_acme_store_open("/dev/null/x", ACME_CA_URL, NAMES, 2, &store), 0);
    assert_true(fe_acme_store_lock(store, &saved, &err) != 0);
    assert_non_null(strstr(err.text, "/dev/null"));
    fe_acme_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_account_for_all_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_found_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_order_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_certificate_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_account_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
