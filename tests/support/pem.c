#include "support/pem.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "web/tls/openssl.h"

#define DAY_S INT64_C(86400)

static void read_bio(BIO *bio, char text[PEM_MAX])
{
    char *data;
    const long len = BIO_get_mem_data(bio, &data);

    assert_in_range(len, 1, PEM_MAX - 1);
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
    BIO_free(bio);
}

void pem_make(struct pem *pem, const char *name, int days)
{
    const struct fe_view names[] = {fe_view_str(name != NULL ? name : "")};
    const int64_t start = (int64_t)time(NULL) - DAY_S;
    const struct fe_cert_spec spec = {
        .names = names,
        .n_names = name != NULL ? 1 : 0,
        .not_before_s = start,
        .not_after_s = start + days * DAY_S,
    };
    EVP_PKEY *key = fe_key_new();
    X509 *x509 = fe_x509_make(&spec, key, key);
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());

    assert_non_null(x509);
    assert_int_equal(PEM_write_bio_X509(cert_bio, x509), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL), 1);
    read_bio(cert_bio, pem->cert);
    read_bio(key_bio, pem->key);
    X509_free(x509);
    EVP_PKEY_free(key);
}

void pem_write(const struct pem *pem, struct temp_dir *dir, const char *name)
{
    char file[64];

    (void)snprintf(file, sizeof(file), "%s.pem", name);
    temp_dir_write(dir, file, pem->cert, strlen(pem->cert));
    (void)snprintf(file, sizeof(file), "%s.key", name);
    temp_dir_write(dir, file, pem->key, strlen(pem->key));
    assert_int_equal(chmod(temp_dir_path(dir, file), 0600), 0);
}

struct fe_cert *pem_parse(const struct pem *pem)
{
    struct flatend_error err = {0};
    struct fe_cert *cert;

    if (fe_cert_parse(fe_view_str(pem->cert), fe_view_str(pem->key), &cert, NULL, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return cert;
}
