/* Certificates: what is read, what is refused and why, and for which names one is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/dir.h"
#include "ground/os/file.h"
#include "support/pem.h"
#include "web/tls/local_ca.h"

#define DAY_S INT64_C(86400)

/* An RSA key of 1024 bits, and a certificate for it: too weak to be used any more. */
static const char WEAK_CERT[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIB/DCCAWWgAwIBAgIURuocxaXSYvlMWPFMgUnigcwJZyAwDQYJKoZIhvcNAQEL\n"
                                "BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjUyMjM4NTFaGA8yMTI2MTEwMTIy\n"
                                "Mzg1MVowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC\n"
                                "gYEAws1Aic/t5zjpSDIRvTbV0Slth9d8adfIboilKr7qHSeoMljwMNc+N9TUuEdw\n"
                                "4vKuN2bVL7WorcI+u9unvWDpwtE9pLRJuz9k7TzOIXcAMX5n6bsVF30hcoU0f+F1\n"
                                "YPUDEC2CuNXsqyW5gNUZdWQV0SaUaS25d/7DjgC1UiS89IsCAwEAAaNTMFEwHQYD\n"
                                "VR0OBBYEFD/W0BDABINCaIL8GUrpaQwUwjADMB8GA1UdIwQYMBaAFD/W0BDABINC\n"
                                "aIL8GUrpaQwUwjADMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEA\n"
                                "tEfFFgSMmK3ECTyMVaWpRaBvSYmx54cQz0gUqG91Svdg+aIqMhVcVzWoEDNTYGcz\n"
                                "4bzgwChTnGWq1Tvo2FO6/BQUKpu+cvOwi4U4kuHMU8s67JPIljcOdlLmaPRpAe61\n"
                                "mcXfEUTvEwlbbbXvYm0XzuP8SrvZ7qj4u/osC5nCHkY=\n"
                                "-----END CERTIFICATE-----\n";
static const char WEAK_KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAMLNQInP7ec46Ugy\n"
                               "Eb021dEpbYfXfGnXyG6IpSq+6h0nqDJY8DDXPjfU1LhHcOLyrjdm1S+1qK3CPrvb\n"
                               "p71g6cLRPaS0Sbs/ZO08ziF3ADF+Z+m7FRd9IXKFNH/hdWD1AxAtgrjV7KsluYDV\n"
                               "GXVkFdEmlGktuXf+w44AtVIkvPSLAgMBAAECgYEAsWhF/3wrGKoe4k4fE6gt4BgP\n"
                               "lWgs+SO4eNnfOee2xKiKKJgQ3xoXorckp1MAvt7uxKvVOWcCYISHp4Rq5jCtkdMi\n"
                               "j1hyMTPBqsn0bM/vG+8Wqehl3PY3ohMZf+WSQBqrChPZ4bEjBnlnRw0cD2vkfO4d\n"
                               "dpFWo3/z12oBhhiB3SECQQD3bfXERHIHZ+2jMcFc+TlT/3xP+viBsgQ/qxuJljHj\n"
                               "HI3NPoDEHRNXj6fblpUp4A+/kePljZCmN3h/FGsbYB6RAkEAyYyfycRzw2rYrn1b\n"
                               "ZRezuxnbrzlOX37AHnbLSIvBnm0m9PJsBAxSKPU/UTYzPHZSQ0H/ZVdjXXlY5ymR\n"
                               "f0onWwJBAI3fZQ522JNaii4K936iALcjRVpu41MqibkgGZgYoN5CnyRSdG7+5PpO\n"
                               "CsekXj82lJEZy/zx4UENiXAEey2lPaECQHIoNFkT7H3DBvfOCPY5dpODEestijaM\n"
                               "lEStBHcSsZgKOwaCSKwCTobkYfidumeEnRN7Ti0YUi+fi7ti0AZI+gECQHYU3NQr\n"
                               "8LhqYx5sEQ8Jsk+uWL+Ahqed3an0Mg1AyXOlBC756mkAgKdNYScdvCLwWR2bASK2\n"
                               "Wle4jO4RXTnuwq8=\n"
                               "-----END PRIVATE KEY-----\n";

/* PKCS #8, encrypted with the password "secret". */
static const char ENCRYPTED_KEY[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjT/RensNd8EAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGeR0PCf4QbOuNTQE+wtr3UEgZD0\n"
    "HImjmW9uBO1ufLy9IOjaHQL3eqG5iUxcS7kTfDparXA6QKJqWzLL6fmvn8GxJuhc\n"
    "n4jEPVBMcwMGDY4i5nQS9CItryPxRk1/FHYupV/ZjwgPP8aWnv/fzz9TCtZMdmlF\n"
    "nAW6EIKYjasge8bOK90/SZ9qDmU+nz5CufBncGu4vjunGBm1rsUvvFLYmF7Az34=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static void test_parse(void **state)
{
    struct pem pem;
    struct fe_cert *cert;

    (void)state;
    pem_make(&pem, "a.test", 10);
    cert = pem_parse(&pem);
    assert_true(fe_cert_covers(cert, FE_VIEW_LIT("a.test")));
    assert_in_range(fe_cert_not_after(cert) - (int64_t)time(NULL), 9 * DAY_S - 60, 9 * DAY_S + 60);
    assert_in_range((int64_t)time(NULL) - fe_cert_not_before(cert), DAY_S - 60, DAY_S + 60);
    assert_false(fe_cert_is_key_exposed(cert));
    fe_cert_unref(fe_cert_ref(cert));
    fe_cert_unref(cert);
    fe_cert_unref(NULL);
}

static void refuse(const char *cert_pem, const char *key_pem, int code, enum fe_cert_part part,
                   const char *message)
{
    struct flatend_error err = {0};
    enum fe_cert_part found;
    struct fe_cert *cert;

    assert_int_equal(
        fe_cert_parse(fe_view_str(cert_pem), fe_view_str(key_pem), &cert, &found, &err), code);
    assert_null(cert);
    assert_string_equal(err.text, message);
    assert_int_equal(found, part);
}

static void test_refused(void **state)
{
    struct pem mine;
    struct pem other;
    char cut[PEM_MAX];

    (void)state;
    pem_make(&mine, "a.test", 10);
    pem_make(&other, "a.test", 10);
    refuse("", mine.key, FLATEND_ESYNTAX, FE_CERT_PART_CHAIN,
           "no certificate in PEM form: no start line");
    refuse(mine.key, mine.key, FLATEND_ESYNTAX, FE_CERT_PART_CHAIN,
           "no certificate in PEM form: no start line");
    refuse(mine.cert, "", FLATEND_ESYNTAX, FE_CERT_PART_KEY,
           "no private key in PEM form: unsupported");
    refuse(mine.cert, other.key, FLATEND_EKEY, FE_CERT_PART_KEY,
           "key does not match the certificate");
    refuse(mine.cert, ENCRYPTED_KEY, FLATEND_EKEY, FE_CERT_PART_KEY,
           "the key is encrypted: decrypt it with 'openssl pkey'");
    refuse(WEAK_CERT, WEAK_KEY, FLATEND_EKEY, FE_CERT_PART_KEY,
           "the key is too weak: RSA needs 2048 bits, ECDSA 224 bits");
    memcpy(cut, mine.cert, sizeof(cut));
    cut[strlen(cut) / 2] = '\0';
    refuse(cut, mine.key, FLATEND_ESYNTAX, FE_CERT_PART_CHAIN,
           "no certificate in PEM form: bad end line");
}

/* `n` times the certificate, then `more`. */
static const char *repeat(const struct pem *pem, int n, const char *more)
{
    static char chain[(FE_CERT_CHAIN_MAX + 2) * 1024];
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        len += (size_t)snprintf(chain + len, sizeof(chain) - len, "%s", pem->cert);
    }
    len += (size_t)snprintf(chain + len, sizeof(chain) - len, "%s", more);
    assert_true(len < sizeof(chain));
    return chain;
}

/* The chain follows, up to a limit; what follows and is broken is not ignored. */
static void test_chain(void **state)
{
    struct fe_cert *cert;
    struct pem pem;
    const char *chain;

    (void)state;
    pem_make(&pem, "a.test", 10);
    chain = repeat(&pem, FE_CERT_CHAIN_MAX, "");
    assert_int_equal(fe_cert_parse(fe_view_str(chain), fe_view_str(pem.key), &cert, NULL, NULL), 0);
    fe_cert_unref(cert);
    chain = repeat(&pem, 2, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_equal(fe_cert_parse(fe_view_str(chain), fe_view_str(pem.key), &cert, NULL, NULL),
                     FLATEND_ESYNTAX);
    refuse(repeat(&pem, FE_CERT_CHAIN_MAX + 1, ""), pem.key, FLATEND_ELIMIT, FE_CERT_PART_CHAIN,
           "more than 10 certificates in a chain");
}

static void test_names(void **state)
{
    static const struct {
        const char *name; /* the certificate's */
        const char *asked;
        bool is_covered;
    } cases[] = {
        {"a.test", "a.test", true},        {"a.test", "A.TEST", true},
        {"a.test", "b.test", false},       {"a.test", "x.a.test", false},
        {"*.test", "a.test", true},        {"*.test", "a.b.test", false},
        {"*.test", "test", false},         {"*.test", ".test", false},
        {"*.test", "*.test", true},        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false}, {"::1", "0:0::1", true},
        {"::1", "127.0.0.1", false},       {"a.test", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fe_cert *cert;
        struct pem pem;

        pem_make(&pem, cases[i].name, 10);
        cert = pem_parse(&pem);
        if (fe_cert_covers(cert, fe_view_str(cases[i].asked)) != cases[i].is_covered) {
            fail_msg("%s for %s", cases[i].name, cases[i].asked);
        }
        fe_cert_unref(cert);
    }
}

static void test_no_names(void **state)
{
    struct fe_cert *cert;
    struct pem pem;

    (void)state;
    pem_make(&pem, NULL, 10);
    cert = pem_parse(&pem);
    assert_false(fe_cert_covers(cert, FE_VIEW_LIT("a.test")));
    assert_false(fe_cert_covers(cert, FE_VIEW_LIT("127.0.0.1")));
    fe_cert_unref(cert);
}

static void test_name_syntax(void **state)
{
    static const char *const good[] = {"a", "example.com", "a-b.c", "1.example",
                                       "xn--bcher-kva.de"};
    static const char *const bad[] = {"",     ".",   "a.",    ".a",        "a..b",
                                      "-a",   "a-",  "a-.b",  "a_b",       "a b",
                                      "a:80", "*.a", "a\xc3", "https://a", "a/"};
    char label[80];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(fe_name_is_valid(fe_view_str(good[i]), false));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (fe_name_is_valid(fe_view_str(bad[i]), false)) {
            fail_msg("%s", bad[i]);
        }
    }
    assert_true(fe_name_is_valid(FE_VIEW_LIT("*.example.com"), true));
    assert_false(fe_name_is_valid(FE_VIEW_LIT("*.*.com"), true));
    memset(label, 'a', sizeof(label));
    assert_true(fe_name_is_valid(fe_view_of(label, 63), false));
    assert_false(fe_name_is_valid(fe_view_of(label, 64), false));
}

static void test_self_signed(void **state)
{
    const struct fe_view names[] = {FE_VIEW_LIT("a.test"), FE_VIEW_LIT("127.0.0.1"),
                                    FE_VIEW_LIT("::1")};
    struct fe_cert *cert;

    (void)state;
    assert_int_equal(fe_cert_self_signed(names, 3, 1000000000, &cert), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(fe_cert_covers(cert, names[i]));
    }
    assert_true(fe_cert_not_before(cert) == 1000000000 - 3600);
    assert_true(fe_cert_not_after(cert) == 1000000000 + 90 * DAY_S);
    fe_cert_unref(cert);
    assert_int_equal(fe_cert_self_signed(NULL, 0, 1000000000, &cert), 0);
    fe_cert_unref(cert);
}

/* ---- files ---------------------------------------------------------------------------------- */

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_load(void **state)
{
    struct flatend_error err = {0};
    enum fe_cert_part part;
    struct temp_dir dir;
    struct fe_cert *cert;
    struct pem pem;
    char cert_path[128];
    char key_path[128];

    (void)state;
    temp_dir_make(&dir);
    pem_make(&pem, "a.test", 10);
    pem_write(&pem, &dir, "x");
    (void)snprintf(cert_path, sizeof(cert_path), "%s", temp_dir_path(&dir, "x.pem"));
    (void)snprintf(key_path, sizeof(key_path), "%s", temp_dir_path(&dir, "x.key"));
    assert_int_equal(chmod(key_path, 0640), 0);
    assert_int_equal(fe_cert_load(cert_path, key_path, &cert, &part, &err), 0);
    assert_false(fe_cert_is_key_exposed(cert));
    fe_cert_unref(cert);
    assert_int_equal(chmod(key_path, 0644), 0);
    assert_int_equal(fe_cert_load(cert_path, key_path, &cert, &part, &err), 0);
    assert_true(fe_cert_is_key_exposed(cert));
    fe_cert_unref(cert);
    assert_int_equal(fe_cert_load("missing.pem", key_path, &cert, &part, &err), FLATEND_ENOENT);
    assert_int_equal(part, FE_CERT_PART_CHAIN);
    assert_string_equal(err.text, "'missing.pem': No such file or directory");
    assert_int_equal(fe_cert_load(cert_path, dir.path, &cert, &part, &err), FLATEND_EIO);
    assert_int_equal(part, FE_CERT_PART_KEY);
    assert_int_equal(truncate(key_path, 0), 0);
    assert_int_equal(fe_cert_load(cert_path, key_path, &cert, &part, &err), FLATEND_ESYNTAX);
    assert_non_null(strstr(err.text, "x.key': no private key in PEM form"));
    assert_int_equal(truncate(key_path, FE_CERT_PEM_MAX + 1), 0);
    assert_int_equal(fe_cert_load(cert_path, key_path, &cert, &part, &err), FLATEND_ETOOBIG);
    assert_null(cert);
    temp_dir_remove(&dir);
}

static void test_write(void **state)
{
    const mode_t old = umask(0277); /* what we write has its mode all the same */
    struct flatend_error err = {0};
    struct temp_dir dir;
    struct fe_buf buf;
    unsigned mode;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(chmod(dir.path, 0700), 0);
    assert_int_equal(
        fe_file_write(temp_dir_path(&dir, "a"), FE_VIEW_LIT("one"), FE_FILE_SECRET, &err), 0);
    assert_int_equal(
        fe_file_write(temp_dir_path(&dir, "a"), FE_VIEW_LIT("two"), FE_FILE_PUBLIC, &err), 0);
    fe_buf_init(&buf, 100);
    assert_int_equal(fe_file_read(temp_dir_path(&dir, "a"), &buf, &mode, &err), 0);
    assert_int_equal(mode, 0644);
    assert_int_equal(buf.len, 3);
    assert_memory_equal(buf.data, "two", 3);
    fe_buf_deinit(&buf);
    assert_int_equal(
        fe_file_write(temp_dir_path(&dir, "no/a"), FE_VIEW_LIT("x"), FE_FILE_SECRET, &err),
        FLATEND_ENOENT);
    (void)umask(old);
    temp_dir_remove(&dir);
}

static void test_dir(void **state)
{
    struct flatend_error err = {0};
    struct temp_dir dir;
    int lock;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(fe_dir_make(temp_dir_path(&dir, "a/b/c"), &err), 0);
    assert_int_equal(mode_of(temp_dir_path(&dir, "a")), 0700);
    assert_int_equal(mode_of(temp_dir_path(&dir, "a/b/c")), 0700);
    assert_int_equal(fe_dir_make(temp_dir_path(&dir, "a/b/c"), &err), 0);
    lock = fe_dir_lock(temp_dir_path(&dir, "a"), &err);
    assert_true(lock >= 0);
    assert_int_equal(mode_of(temp_dir_path(&dir, "a/lock")), 0600);
    fe_file_unlock(lock);
    temp_dir_write(&dir, "file", "", 0);
    assert_int_equal(fe_dir_make(temp_dir_path(&dir, "file/a"), &err), FLATEND_ENOENT);
    assert_int_equal(fe_dir_lock(temp_dir_path(&dir, "none"), &err), FLATEND_ENOENT);
    temp_dir_remove(&dir);
}

/* ---- the local CA --------------------------------------------------------------------------- */

/* Made once, and the same ever after; its key is its owner's only. */
static void test_local_ca(void **state)
{
    const struct fe_view names[] = {FE_VIEW_LIT("localhost"), FE_VIEW_LIT("127.0.0.1")};
    const int64_t now_s = (int64_t)time(NULL);
    struct flatend_error err = {0};
    struct fe_local_ca *ca;
    struct fe_cert *cert;
    struct temp_dir dir;
    struct stat first;
    struct stat second;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    assert_int_equal(stat(fe_local_ca_path(ca), &first), 0);
    assert_int_equal(mode_of(temp_dir_path(&dir, "local")), 0700);
    assert_int_equal(mode_of(temp_dir_path(&dir, "local/ca.key")), 0600);
    assert_int_equal(fe_local_ca_issue(ca, names, 2, now_s, &cert), 0);
    assert_true(fe_cert_covers(cert, names[0]) && fe_cert_covers(cert, names[1]));
    assert_true(fe_cert_not_after(cert) == now_s + FE_LOCAL_CERT_DAYS * DAY_S);
    fe_cert_unref(cert);
    fe_local_ca_close(ca);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    assert_int_equal(stat(fe_local_ca_path(ca), &second), 0);
    assert_true(first.st_ino == second.st_ino);
    fe_local_ca_close(ca);
    temp_dir_remove(&dir);
}

/* A crash between the two files leaves a key alone, which does not count. */
static void test_local_ca_half(void **state)
{
    const int64_t now_s = (int64_t)time(NULL);
    struct flatend_error err = {0};
    struct fe_local_ca *ca;
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    fe_local_ca_close(ca);
    assert_int_equal(unlink(temp_dir_path(&dir, "local/ca.pem")), 0);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    fe_local_ca_close(ca);
    assert_int_equal(unlink(temp_dir_path(&dir, "local/ca.key")), 0);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), FLATEND_ENOENT);
    assert_non_null(strstr(err.text, "local CA (delete it to create a new one)"));
    assert_null(ca);
    temp_dir_remove(&dir);
}

/* Replaced while there is still time for a certificate: near its end, and when the clock under
 * which it was made has been set back. */
static void test_local_ca_replaced(void **state)
{
    const int64_t end_s = (int64_t)time(NULL);
    const int64_t late_s = end_s - FE_LOCAL_CERT_DAYS * DAY_S;
    const int64_t now_s = end_s - FE_LOCAL_CA_DAYS * DAY_S;
    const struct fe_view name = FE_VIEW_LIT("localhost");
    struct flatend_error err = {0};
    struct fe_local_ca *ca;
    struct fe_cert *cert;
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    assert_null(fe_local_ca_replaced(ca));
    fe_local_ca_close(ca);
    assert_int_equal(fe_local_ca_open(dir.path, late_s - 1, &ca, &err), 0);
    assert_null(fe_local_ca_replaced(ca));
    assert_int_equal(fe_local_ca_renew(ca, late_s - 1, &err), 0);
    assert_null(fe_local_ca_replaced(ca));
    assert_int_equal(fe_local_ca_renew(ca, late_s, &err), 0);
    assert_non_null(strstr(fe_local_ca_replaced(ca), "is valid only until "));
    assert_int_equal(fe_local_ca_issue(ca, &name, 1, late_s, &cert), 0);
    fe_cert_unref(cert);
    fe_local_ca_close(ca);
    assert_int_equal(fe_local_ca_open(dir.path, late_s, &ca, &err), 0);
    assert_null(fe_local_ca_replaced(ca)); /* it was stored */
    fe_local_ca_close(ca);
    assert_int_equal(fe_local_ca_open(dir.path, now_s, &ca, &err), 0);
    assert_non_null(strstr(fe_local_ca_replaced(ca), "is not valid before "));
    fe_local_ca_close(ca);
    temp_dir_remove(&dir);
}

static void test_local_names(void **state)
{
    static const char *const good[] = {"localhost",   "a.localhost", "LOCALHOST", "my.test",
                                       "nas.local",   "x.home.arpa", "127.0.0.1", "127.9.9.9",
                                       "192.168.1.1", "10.0.0.1",    "::1",       "fe80::1",
                                       "fd00::1",     "172.31.0.1",  "a.internal"};
    static const char *const bad[] = {"example.com", "notlocalhost", "8.8.8.8",
                                      "172.32.0.1",  "2001:db8::1",  "",
                                      "local.com",   "::2"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!fe_local_ca_permits(fe_view_str(good[i]))) {
            fail_msg("%s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (fe_local_ca_permits(fe_view_str(bad[i]))) {
            fail_msg("%s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_names),
        cmocka_unit_test(test_name_syntax),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_dir),
        cmocka_unit_test(test_local_ca),
        cmocka_unit_test(test_local_ca_half),
        cmocka_unit_test(test_local_ca_replaced),
        cmocka_unit_test(test_local_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
