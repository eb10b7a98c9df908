/* An identity as a file: 128 hexadecimal digits that only their owner may read. */
#include <sodium.h>

#include "ground/base/wipe.h"
#include "ground/os/file.h"
#include "mesh/crypto/crypto.h"

enum {
    KEY_DIGITS = 2 * FLATEND_SECRET_KEY_LEN,
    KEY_TEXT_MAX = KEY_DIGITS + 1, /* with its newline */
};

int flatend_secret_key_generate(struct flatend_secret_key *key)
{
    struct fe_rng rng;

    if (key == NULL) {
        return FLATEND_EINVAL;
    }
    if (sodium_init() < 0) {
        return FLATEND_EIO;
    }
    rng = fe_rng_system();
    fe_ed25519_keypair(&rng, key);
    return 0;
}

static int parse_key(struct flatend_secret_key *key, const char *text, size_t len)
{
    size_t n;

    if (len == KEY_TEXT_MAX && text[KEY_DIGITS] == '\n') {
        len--;
    }
    if (len != KEY_DIGITS ||
        sodium_hex2bin(key->bytes, sizeof(key->bytes), text, len, NULL, &n, NULL) != 0 ||
        n != sizeof(key->bytes)) {
        return FLATEND_EKEY;
    }
    return fe_ed25519_check(key);
}

int flatend_secret_key_load(struct flatend_secret_key *key, const char *path,
                            struct flatend_error *error)
{
    char text[KEY_TEXT_MAX + 1]; /* one more than may be there, to see that it is not */
    ssize_t len;
    int code;

    if (key == NULL || path == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "read key: NULL");
    }
    len = fe_file_read_private(path, "read key", text, sizeof(text), error);
    if (len < 0) {
        return (int)len;
    }
    code = parse_key(key, text, (size_t)len);
    fe_wipe(text, sizeof(text));
    if (code != 0) {
        fe_wipe(key, sizeof(*key));
        return fe_err_set(error, code, "read key '%s': not a secret key of %d hexadecimal digits",
                          path, KEY_DIGITS);
    }
    return 0;
}

/* Of those that find no key at once, one makes the file, and the others read it. */
int flatend_secret_key_load_or_create(struct flatend_secret_key *key, const char *path,
                                      struct flatend_error *error)
{
    int code = flatend_secret_key_load(key, path, error);

    if (code != FLATEND_ENOENT) {
        return code;
    }
    code = flatend_secret_key_generate(key);
    if (code != 0) {
        return fe_err_set(error, code, "create key '%s': %s", path, flatend_strerror(code));
    }
    code = flatend_secret_key_save(key, path, error);
    if (code == FLATEND_EEXIST) {
        return flatend_secret_key_load(key, path, error);
    }
    if (code != 0) {
        fe_wipe(key, sizeof(*key));
    }
    return code;
}

int flatend_secret_key_save(const struct flatend_secret_key *key, const char *path,
                            struct flatend_error *error)
{
    char text[KEY_TEXT_MAX + 1];
    int code;

    if (key == NULL || path == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "write key: NULL");
    }
    sodium_bin2hex(text, sizeof(text), key->bytes, sizeof(key->bytes));
    text[KEY_DIGITS] = '\n';
    code = fe_file_create(path, "write key", fe_view_of(text, KEY_TEXT_MAX), error);
    fe_wipe(text, sizeof(text));
    return code;
}
