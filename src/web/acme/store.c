#include "web/acme/store.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/dir.h"
#include "ground/os/fd.h"
#include "ground/os/file.h"
#include "web/acme/record.h"

enum {
    HASH_LEN =
        8, /* bytes of a digest that distinguish names, where a collision helps no attacker */
    READ_STEP = 8192, /* space that fe_file_read needs beyond the file itself */
    KEY_FILE_MAX = FE_ACME_PEM_KEY_MAX + READ_STEP,
    FILE_MAX = FE_ACME_CHAIN_MAX + FE_ACME_PEM_KEY_MAX + READ_STEP,
};

struct fe_acme_store {
    const char *directory;
    const char *const *names;
    size_t n_names;
    char *account_dir;
    char *account_key;
    char *account_json;
    char *dir;
    char *order_json;
    char *order_key;
    char *certificate;
    char *names_dir;
    size_t n_locks; /* of names, in the order in which they are sorted */
    int locks[FE_ACME_NAMES_MAX];
    const char *sorted[FE_ACME_NAMES_MAX];
};

/* ---- paths ---------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void hash(const struct fe_acme_store *store, bool with_names, char text[2 * HASH_LEN + 1])
{
    uint8_t digest[SHA256_DIGEST_LENGTH] = {0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(ctx, store->directory, strlen(store->directory)) == 1;

    for (size_t i = 0; is_good && with_names && i < store->n_names; i++) {
        is_good = EVP_DigestUpdate(ctx, "\n", 1) == 1 &&
                  EVP_DigestUpdate(ctx, store->sorted[i], strlen(store->sorted[i])) == 1;
    }
    is_good = is_good && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    text[0] = '\0';
    for (size_t i = 0; is_good && i < HASH_LEN; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
}

/* The host of the directory's URL, for people; only of characters that a path may have. */
static void host_of(const char *url, char host[64])
{
    const char *at = strstr(url, "://");
    size_t n = 0;

    for (at = at != NULL ? at + 3 : url; n < 63 && *at != '\0' && strchr("/:@?#[]%", *at) == NULL;
         at++) {
        host[n++] = *at;
    }
    host[n] = '\0';
}

static bool make_paths(struct fe_acme_store *store, const char *state_dir)
{
    char of_directory[2 * HASH_LEN + 1];
    char of_all[2 * HASH_LEN + 1];
    char host[64];

    hash(store, false, of_directory);
    hash(store, true, of_all);
    host_of(store->directory, host);
    if (of_directory[0] == '\0' || of_all[0] == '\0' ||
        asprintf(&store->account_dir, "%s/acme/accounts/%s-%s", state_dir, host, of_directory) <
            0) {
        store->account_dir = NULL;
        return false;
    }
    if (asprintf(&store->dir, "%s/acme/certificates/%.200s-%s", state_dir, store->sorted[0],
                 of_all) < 0) {
        store->dir = NULL;
        return false;
    }
    store->names_dir = fe_path_join(state_dir, "acme/names");
    store->account_key = fe_path_join(store->account_dir, "account.key");
    store->account_json = fe_path_join(store->account_dir, "account.json");
    store->order_json = fe_path_join(store->dir, "order.json");
    store->order_key = fe_path_join(store->dir, "order.key");
    store->certificate = fe_path_join(store->dir, "certificate.pem");
    return store->names_dir != NULL && store->account_key != NULL && store->account_json != NULL &&
           store->order_json != NULL && store->order_key != NULL && store->certificate != NULL;
}

int fe_acme_store_open(const char *state_dir, const char *directory, const char *const *names,
                       size_t n_names, struct fe_acme_store **store)
{
    struct fe_acme_store *opened = calloc(1, sizeof(*opened));

    *store = NULL;
    if (opened == NULL) {
        return FLATEND_ENOMEM;
    }
    FE_ASSERT(n_names > 0 && n_names <= FE_ACME_NAMES_MAX, "each name has room for its lock");
    opened->directory = directory;
    opened->names = names;
    opened->n_names = n_names;
    memcpy(opened->sorted, names, n_names * sizeof(*names));
    /* So that the order in the configuration affects neither the path nor the locking order. */
    qsort(opened->sorted, n_names, sizeof(*opened->sorted), compare_names);
    if (!make_paths(opened, state_dir)) {
        fe_acme_store_close(opened);
        return FLATEND_ENOMEM;
    }
    *store = opened;
    return 0;
}

void fe_acme_store_close(struct fe_acme_store *store)
{
    if (store == NULL) {
        return;
    }
    fe_acme_store_unlock(store);
    free(store->account_dir);
    free(store->account_key);
    free(store->account_json);
    free(store->dir);
    free(store->order_json);
    free(store->order_key);
    free(store->certificate);
    free(store->names_dir);
    free(store);
}

const char *fe_acme_store_path(const struct fe_acme_store *store)
{
    return store->dir;
}

/* ---- locks ---------------------------------------------------------------------------------- */

static bool is_locked(const struct fe_acme_store *store)
{
    return store->n_locks == store->n_names;
}

void fe_acme_store_unlock(struct fe_acme_store *store)
{
    while (store->n_locks > 0) {
        fe_file_unlock(store->locks[--store->n_locks]);
    }
}

static int lock_name(struct fe_acme_store *store, const char *name, struct flatend_error *err)
{
    char *path;
    int lock;

    if (asprintf(&path, "%s/%s.lock", store->names_dir, name) < 0) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    lock = fe_file_lock(path, false, err);
    free(path);
    if (lock < 0) {
        return lock;
    }
    FE_ASSERT(store->n_locks < store->n_names, "each name is locked once");
    store->locks[store->n_locks++] = lock;
    return 0;
}

static int lock_names(struct fe_acme_store *store, struct flatend_error *err)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < store->n_names; i++) {
        code = lock_name(store, store->sorted[i], err);
    }
    if (code != 0) {
        fe_acme_store_unlock(store);
    }
    return code;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* Writes what was put into `text`, if it could be, and forgets it. */
static int save_text(const char *path, struct fe_buf *text, int code, struct flatend_error *err)
{
    code = code != 0 ? fe_err_set(err, code, "'%s': %s", path, flatend_strerror(code))
                     : fe_file_write(path, fe_buf_view(text), FE_FILE_SECRET, err);
    fe_file_wipe(text);
    return code;
}

static int save_key(const char *path, const struct evp_pkey_st *key, struct flatend_error *err)
{
    struct fe_buf pem;

    fe_buf_init(&pem, FE_ACME_PEM_KEY_MAX);
    return save_text(path, &pem, fe_acme_key_to_pem(key, &pem), err);
}

static int load_key(const char *path, struct evp_pkey_st **key, struct flatend_error *err)
{
    struct fe_buf pem;
    int code;

    *key = NULL;
    fe_buf_init(&pem, KEY_FILE_MAX);
    code = fe_file_read(path, &pem, NULL, err);
    if (code == 0) {
        *key = fe_acme_key_from_pem(fe_buf_view(&pem));
        code = *key != NULL ? 0 : fe_err_set(err, FLATEND_EKEY, "'%s': not a private key", path);
    }
    fe_file_wipe(&pem);
    return code;
}

/* Under the lock of the account's directory, which several sets of names share: the first process
 * creates the key and stores it durably before any server sees it. One that cannot be read is an
 * error: a second account in its place would not be what its owner wants. */
static int load_account_key(struct fe_acme_store *store, struct evp_pkey_st **key,
                            struct flatend_error *err)
{
    const int lock = fe_dir_lock(store->account_dir, err);
    int code = lock < 0 ? lock : load_key(store->account_key, key, err);

    if (code == FLATEND_ENOENT) {
        *key = fe_acme_key_generate(FE_ACME_P256);
        code = *key != NULL ? save_key(store->account_key, *key, err)
                            : fe_err_code(err, FLATEND_ENOMEM);
    }
    if (code == 0 && !fe_acme_key_is(*key, FE_ACME_P256)) {
        code = fe_err_set(err, FLATEND_EKEY, "'%s': not an ECDSA key on P-256", store->account_key);
    }
    if (lock >= 0) {
        fe_file_unlock(lock);
    }
    return code;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads a file that need not be there, and need not make sense. */
static int load_text(const char *path, struct fe_buf *text, struct flatend_error *err)
{
    const int code = fe_file_read(path, text, NULL, err);

    if (code == FLATEND_ENOENT || code == FLATEND_ETOOBIG) {
        fe_buf_reset(text);
        return 0;
    }
    return code;
}

static int load_records(struct fe_acme_store *store, struct fe_acme_saved *saved,
                        struct flatend_error *err)
{
    struct fe_buf text;
    int code;

    fe_buf_init(&text, FILE_MAX);
    code = load_text(store->account_json, &text, err);
    if (code == 0) {
        fe_acme_record_read_account(fe_buf_view(&text), saved);
        fe_buf_reset(&text);
        code = load_text(store->order_json, &text, err);
    }
    if (code == 0) {
        fe_acme_record_read_order(fe_buf_view(&text), store->names, store->n_names, saved);
    }
    fe_buf_deinit(&text);
    return code;
}

static int load_certificate(struct fe_acme_store *store, struct fe_acme_saved *saved,
                            struct flatend_error *err)
{
    struct evp_pkey_st *key = NULL;
    struct fe_buf pem;
    int code;

    fe_buf_init(&pem, FILE_MAX);
    code = load_text(store->certificate, &pem, err);
    if (code == 0 && pem.len > 0) {
        /* One that cannot be served is as good as none, and makes place for another one. */
        key = fe_acme_key_from_pem(fe_buf_view(&pem));
        saved->has_certificate =
            key != NULL && fe_acme_chain_check(fe_buf_view(&pem), key, store->names, store->n_names,
                                               &saved->certificate, NULL) == 0;
    }
    fe_acme_key_free(key);
    fe_file_wipe(&pem);
    return code;
}

static int load_all(struct fe_acme_store *store, struct fe_acme_saved *saved,
                    struct flatend_error *err)
{
    int code = load_account_key(store, &saved->account_key, err);

    if (code == 0) {
        code = load_records(store, saved, err);
    }
    if (code == 0) {
        code = load_certificate(store, saved, err);
    }
    if (code == 0 && saved->order_url[0] != '\0') {
        /* An order without its key can still be finalized, with another one. */
        (void)load_key(store->order_key, &saved->order_key, NULL);
    }
    return code;
}

int fe_acme_store_lock(struct fe_acme_store *store, struct fe_acme_saved *saved,
                       struct flatend_error *err)
{
    int code = fe_dir_make(store->names_dir, err);

    FE_ASSERT(store->n_locks == 0, "a lock is taken once");
    *saved = (struct fe_acme_saved){0};
    if (code == 0) {
        code = lock_names(store, err);
    }
    if (code != 0) {
        return code;
    }
    code = fe_dir_make(store->account_dir, err);
    if (code == 0) {
        code = fe_dir_make(store->dir, err);
    }
    if (code == 0) {
        code = load_all(store, saved, err);
    }
    if (code != 0) {
        fe_acme_saved_deinit(saved);
        fe_acme_store_unlock(store);
    }
    return code;
}

int fe_acme_store_load(const struct fe_acme_store *store, struct fe_cert **cert,
                       struct flatend_error *err)
{
    return fe_cert_load(store->certificate, store->certificate, cert, NULL, err);
}

/* ---- what other lists have left ------------------------------------------------------------- */

struct search {
    const char *dir; /* acme/certificates */
    const char *const *names;
    size_t n_names;
    int64_t now_s;
    size_t n_seen;
    struct fe_cert *best[FE_ACME_NAMES_MAX]; /* by name */
};

static bool is_better(const struct search *search, const struct fe_cert *cert, size_t i)
{
    return fe_cert_covers(cert, fe_view_str(search->names[i])) &&
           (search->best[i] == NULL ||
            fe_cert_not_after(cert) > fe_cert_not_after(search->best[i]));
}

static int look_at(void *arg, const char *name, bool is_dir)
{
    struct search *const search = arg;
    struct fe_cert *cert = NULL;
    char *path;
    int code;

    if (!is_dir || name[0] == '.') {
        return 0;
    }
    if (++search->n_seen > FE_ACME_FOUND_MAX) {
        return FLATEND_ELIMIT;
    }
    if (asprintf(&path, "%s/%s/certificate.pem", search->dir, name) < 0) {
        return FLATEND_ENOMEM;
    }
    code = fe_cert_load(path, path, &cert, NULL, NULL);
    free(path);
    if (code != 0) {
        return code == FLATEND_ENOMEM ? code : 0;
    }
    if (fe_cert_not_before(cert) <= search->now_s && search->now_s < fe_cert_not_after(cert)) {
        for (size_t i = 0; i < search->n_names; i++) {
            if (is_better(search, cert, i)) {
                fe_cert_unref(search->best[i]);
                search->best[i] = fe_cert_ref(cert);
            }
        }
    }
    fe_cert_unref(cert);
    return 0;
}

static void take_each_once(struct search *search, struct fe_cert **certs, size_t *n)
{
    for (size_t i = 0; i < search->n_names; i++) {
        size_t k = 0;

        while (k < *n && certs[k] != search->best[i]) {
            k++;
        }
        if (k == *n && search->best[i] != NULL) {
            certs[(*n)++] = search->best[i];
        } else {
            fe_cert_unref(search->best[i]);
        }
    }
}

int fe_acme_store_find(const char *state_dir, const char *const *names, size_t n_names,
                       int64_t now_s, struct fe_cert **certs, size_t *n)
{
    char *const dir = fe_path_join(state_dir, "acme/certificates");
    struct search search = {.dir = dir, .names = names, .n_names = n_names, .now_s = now_s};
    int code = 0;
    int fd;

    FE_ASSERT(n_names <= FE_ACME_NAMES_MAX, "each name has room for its certificate");
    *n = 0;
    if (dir == NULL) {
        return FLATEND_ENOMEM;
    }
    fd = fe_dir_open_beneath(dir, fe_view_of(NULL, 0));
    if (fd >= 0) {
        code = fe_dir_list(fd, look_at, &search);
    }
    free(dir);
    if (code == FLATEND_ENOMEM) {
        for (size_t i = 0; i < n_names; i++) {
            fe_cert_unref(search.best[i]);
        }
        return code;
    }
    take_each_once(&search, certs, n);
    return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

int fe_acme_store_save_account(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                               struct flatend_error *err)
{
    struct fe_buf text;
    int code;

    FE_ASSERT(is_locked(store), "what others read is written under the lock");
    fe_buf_init(&text, FILE_MAX);
    code = fe_acme_record_write_account(saved, store->directory, &text);
    return save_text(store->account_json, &text, code, err);
}

int fe_acme_store_save_order(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                             struct flatend_error *err)
{
    struct fe_buf text;
    int code;

    FE_ASSERT(is_locked(store), "what others read is written under the lock");
    fe_buf_init(&text, FILE_MAX);
    code = fe_acme_record_write_order(saved, store->names, store->n_names, &text);
    code = save_text(store->order_json, &text, code, err);
    if (code == 0 && saved->order_url[0] == '\0') {
        (void)fe_path_remove(store->order_key);
    }
    return code;
}

int fe_acme_store_save_key(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                           struct flatend_error *err)
{
    FE_ASSERT(is_locked(store), "what others read is written under the lock");
    FE_ASSERT(saved->order_key != NULL, "a key is made before it is kept");
    return save_key(store->order_key, saved->order_key, err);
}

/* One file, so that a key is never beside the certificate of another one. */
int fe_acme_store_save_certificate(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                                   struct fe_view chain, struct flatend_error *err)
{
    struct fe_buf pem;
    int code;

    FE_ASSERT(is_locked(store), "what others read is written under the lock");
    FE_ASSERT(saved->order_key != NULL && chain.len <= FE_ACME_CHAIN_MAX,
              "a certificate is kept with its key");
    fe_buf_init(&pem, FILE_MAX);
    code = fe_buf_reserve(&pem, FE_ACME_PEM_KEY_MAX + chain.len); /* a key is not moved about */
    if (code == 0) {
        code = fe_acme_key_to_pem(saved->order_key, &pem);
    }
    if (code == 0) {
        code = fe_buf_append(&pem, chain.ptr, chain.len);
    }
    return save_text(store->certificate, &pem, code, err);
}
