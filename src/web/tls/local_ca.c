#include "web/tls/local_ca.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/utc.h"
#include "ground/os/dir.h"
#include "ground/os/fd.h"
#include "ground/os/file.h"
#include "web/tls/openssl.h"

#define DAY_S INT64_C(86400)

/* RFC 6761, RFC 6762, RFC 8375, ICANN's .internal, and what routers at home have long used. */
static const char *const DOMAINS[] = {
    "localhost", "test", "local", "internal", "home.arpa", "lan", "example",
};

/* Loopback, link-local and private addresses (RFC 6890). */
static const char ADDRESSES[] = "permitted;IP:127.0.0.0/255.0.0.0,"
                                "permitted;IP:10.0.0.0/255.0.0.0,"
                                "permitted;IP:172.16.0.0/255.240.0.0,"
                                "permitted;IP:192.168.0.0/255.255.0.0,"
                                "permitted;IP:169.254.0.0/255.255.0.0,"
                                "permitted;IP:0:0:0:0:0:0:0:1/"
                                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,"
                                "permitted;IP:fe80:0:0:0:0:0:0:0/ffc0:0:0:0:0:0:0:0,"
                                "permitted;IP:fc00:0:0:0:0:0:0:0/fe00:0:0:0:0:0:0:0";

struct fe_local_ca {
    struct fe_cert *cert;
    char *cert_path;
    char *key_path;
    char *dir;
    char replaced[64]; /* "": it replaced none */
};

/* ---- making one ----------------------------------------------------------------------------- */

static int format_constraints(char *text, size_t cap)
{
    int len = snprintf(text, cap, "critical");

    for (size_t i = 0; i < sizeof(DOMAINS) / sizeof(DOMAINS[0]); i++) {
        FE_ASSERT(len >= 0 && (size_t)len < cap, "the constraints fit");
        len += snprintf(text + len, cap - (size_t)len, ",permitted;DNS:%s", DOMAINS[i]);
    }
    FE_ASSERT((size_t)len + sizeof(ADDRESSES) < cap, "the constraints fit");
    return len + snprintf(text + len, cap - (size_t)len, ",%s", ADDRESSES);
}

static X509 *make_x509(EVP_PKEY *key, int64_t now_s)
{
    char constraints[1024];
    char name[64];
    uint16_t tag; /* two CAs with one name and different keys confuse clients that trust both */
    const struct fe_cert_spec spec = {
        .common_name = name,
        .not_before_s = now_s - DAY_S,
        .not_after_s = now_s + FE_LOCAL_CA_DAYS * DAY_S,
        .is_ca = true,
        .name_constraints = constraints,
    };

    if (RAND_bytes((unsigned char *)&tag, sizeof(tag)) != 1) {
        ERR_clear_error();
        return NULL;
    }
    (void)snprintf(name, sizeof(name), "flatend local CA %04x", tag);
    (void)format_constraints(constraints, sizeof(constraints));
    return fe_x509_make(&spec, key, key);
}

static int write_bio(const char *path, BIO *bio, unsigned mode, struct flatend_error *err)
{
    char *data;
    const long len = BIO_get_mem_data(bio, &data);

    return fe_file_write(path, fe_view_of(data, len > 0 ? (size_t)len : 0), mode, err);
}

static int write_ca(const struct fe_local_ca *ca, X509 *x509, EVP_PKEY *key,
                    struct flatend_error *err)
{
    BIO *secret = BIO_new(BIO_s_secmem());
    BIO *public = BIO_new(BIO_s_mem());
    int code = FLATEND_ENOMEM;

    if (secret != NULL && public != NULL &&
        PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
        PEM_write_bio_X509(public, x509) == 1) {
        code = write_bio(ca->key_path, secret, FE_FILE_SECRET, err);
        if (code == 0) {
            code = write_bio(ca->cert_path, public, FE_FILE_PUBLIC, err);
        }
    } else {
        code = fe_openssl_fail(err, code, "local CA");
    }
    BIO_free(secret);
    BIO_free(public);
    return code;
}

static int make(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err)
{
    EVP_PKEY *key = fe_key_new();
    X509 *x509 = key != NULL ? make_x509(key, now_s) : NULL;
    int code;

    if (x509 == NULL) {
        EVP_PKEY_free(key);
        return fe_err_set(err, FLATEND_ENOMEM, "local CA: %s", flatend_strerror(FLATEND_ENOMEM));
    }
    code = write_ca(ca, x509, key, err);
    if (code != 0) {
        X509_free(x509);
        EVP_PKEY_free(key);
        return code;
    }
    code = fe_cert_new(x509, NULL, key, &ca->cert);
    return code == 0 ? 0 : fe_err_set(err, code, "local CA: %s", flatend_strerror(code));
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Why it has to be replaced. False: it is good. */
static bool is_outdated(const struct fe_cert *cert, int64_t now_s, char reason[64])
{
    const int64_t begin_s = fe_cert_not_before(cert);
    const int64_t end_s = fe_cert_not_after(cert);
    char text[FE_UTC_TEXT_MAX];

    if (now_s < begin_s) {
        (void)snprintf(reason, 64, "is not valid before %s UTC", fe_utc_format(begin_s, text));
        return true;
    }
    if (now_s + FE_LOCAL_CERT_DAYS * DAY_S >= end_s) {
        (void)snprintf(reason, 64, "is valid only until %s UTC", fe_utc_format(end_s, text));
        return true;
    }
    return false;
}

static int read_ca(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err)
{
    int code = fe_cert_load(ca->cert_path, ca->key_path, &ca->cert, NULL, err);

    if (code == 0 && is_outdated(ca->cert, now_s, ca->replaced)) {
        fe_cert_unref(ca->cert);
        ca->cert = NULL;
        /* First of all, so that a crash leaves no certificate beside another one's key. */
        (void)fe_path_remove(ca->cert_path);
        code = make(ca, now_s, err);
    }
    return code;
}

/* Both files are there or neither counts: a key alone is what a crash has left. */
static int read_or_make(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err)
{
    struct fe_buf ignored;
    int code;

    fe_buf_init(&ignored, FE_CERT_PEM_MAX);
    code = fe_file_read(ca->cert_path, &ignored, NULL, NULL);
    fe_buf_deinit(&ignored);
    if (code == FLATEND_ENOENT) {
        return make(ca, now_s, err);
    }
    code = read_ca(ca, now_s, err);
    if (code != 0 && code != FLATEND_ENOMEM) {
        (void)fe_err_wrap(err, "local CA (delete it to create a new one)");
    }
    return code;
}

/* Another process may have made or replaced it. */
static int open_locked(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err)
{
    int code = fe_dir_make(ca->dir, err);
    int lock;

    if (code != 0) {
        return code;
    }
    lock = fe_dir_lock(ca->dir, err);
    if (lock < 0) {
        return lock;
    }
    ca->replaced[0] = '\0';
    code = read_or_make(ca, now_s, err);
    FE_ASSERT(code != 0 || ca->cert != NULL, "a CA that is open has its certificate");
    fe_file_unlock(lock);
    return code;
}

int fe_local_ca_renew(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err)
{
    struct fe_cert *const old = ca->cert;
    char reason[64];
    int code;

    ca->replaced[0] = '\0';
    if (!is_outdated(old, now_s, reason)) {
        return 0;
    }
    ca->cert = NULL;
    code = open_locked(ca, now_s, err);
    if (code != 0) {
        fe_cert_unref(ca->cert);
        ca->cert = old;
        return code;
    }
    fe_cert_unref(old);
    return 0;
}

const char *fe_local_ca_replaced(const struct fe_local_ca *ca)
{
    return ca->replaced[0] != '\0' ? ca->replaced : NULL;
}

int fe_local_ca_open(const char *state_dir, int64_t now_s, struct fe_local_ca **ca,
                     struct flatend_error *err)
{
    struct fe_local_ca *opened = calloc(1, sizeof(*opened));
    int code = FLATEND_ENOMEM;

    *ca = NULL;
    if (opened != NULL) {
        opened->dir = fe_path_join(state_dir, "local");
    }
    if (opened != NULL && opened->dir != NULL) {
        opened->cert_path = fe_path_join(opened->dir, "ca.pem");
        opened->key_path = fe_path_join(opened->dir, "ca.key");
        if (opened->cert_path != NULL && opened->key_path != NULL) {
            code = 0;
        }
    }
    code = code == 0 ? open_locked(opened, now_s, err)
                     : fe_err_set(err, code, "local CA: %s", flatend_strerror(code));
    if (code != 0) {
        fe_local_ca_close(opened);
        return code;
    }
    *ca = opened;
    return 0;
}

void fe_local_ca_close(struct fe_local_ca *ca)
{
    if (ca == NULL) {
        return;
    }
    fe_cert_unref(ca->cert);
    free(ca->cert_path);
    free(ca->key_path);
    free(ca->dir);
    free(ca);
}

const char *fe_local_ca_path(const struct fe_local_ca *ca)
{
    return ca->cert_path;
}

/* ---- issuing -------------------------------------------------------------------------------- */

int fe_local_ca_issue(const struct fe_local_ca *ca, const struct fe_view *names, size_t n_names,
                      int64_t now_s, struct fe_cert **cert)
{
    const struct fe_cert_spec spec = {
        .names = names,
        .n_names = n_names,
        .not_before_s = now_s - DAY_S, /* clocks differ */
        .not_after_s = now_s + FE_LOCAL_CERT_DAYS * DAY_S,
        .issuer = ca->cert->leaf,
    };
    EVP_PKEY *key = fe_key_new();
    X509 *x509 = key != NULL ? fe_x509_make(&spec, key, ca->cert->key) : NULL;

    *cert = NULL;
    if (x509 == NULL) {
        EVP_PKEY_free(key);
        return FLATEND_ENOMEM;
    }
    return fe_cert_new(x509, NULL, key, cert);
}

static bool is_private_v4(const unsigned char *ip)
{
    return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
           (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254);
}

static bool is_private_v6(const unsigned char *ip)
{
    static const unsigned char loopback[16] = {[15] = 1};

    return memcmp(ip, loopback, sizeof(loopback)) == 0 || (ip[0] & 0xfe) == 0xfc ||
           (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
}

bool fe_local_ca_permits(struct fe_view name)
{
    unsigned char bytes[FE_ADDRESS_LEN_MAX];
    const size_t len = fe_name_to_address(name, bytes);

    if (len > 0) {
        return len == 4 ? is_private_v4(bytes) : is_private_v6(bytes);
    }
    for (size_t i = 0; i < sizeof(DOMAINS) / sizeof(DOMAINS[0]); i++) {
        const struct fe_view domain = fe_view_str(DOMAINS[i]);
        const size_t before = name.len - domain.len; /* wraps if the name is shorter */

        if (name.len >= domain.len && fe_view_equal_nocase(fe_view_skip(name, before), domain) &&
            (before == 0 || name.ptr[before - 1] == '.')) {
            return true;
        }
    }
    return false;
}
