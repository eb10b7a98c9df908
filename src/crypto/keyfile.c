/* An identity as a file: 128 hexadecimal digits that only their owner may read. */
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEY_DIGITS = 2 * FLATEND_SECRET_KEY_LEN,
    KEY_TEXT_MAX = KEY_DIGITS + 1, /* with its newline */
};

int flatend_secret_key_generate(struct flatend_secret_key *key)
{
    struct fe_rng rng;

    if (sodium_init() < 0) {
        return FLATEND_EIO;
    }
    rng = fe_rng_system();
    fe_ed25519_keypair(&rng, key);
    return 0;
}

static int fail_errno(struct flatend_error *error, const char *what, const char *path)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return fe_err_set(error, FLATEND_ENOENT, "%s '%s': no such file", what, path);
    case EACCES:
    case EPERM:
    case EROFS:
        return fe_err_set(error, FLATEND_EACCESS, "%s '%s': permission denied", what, path);
    case EEXIST:
        return fe_err_set(error, FLATEND_EEXIST, "%s '%s': exists already", what, path);
    default:
        return fe_err_set(error, FLATEND_EIO, "%s '%s': errno %d", what, path, errno);
    }
}

/* Reads until the end of the file or `cap`. */
static ssize_t read_text(int fd, char *text, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = read(fd, text + len, cap - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
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

static int load_from(int fd, struct flatend_secret_key *key, const char *path,
                     struct flatend_error *error)
{
    char text[KEY_TEXT_MAX + 1]; /* one more than may be there, to see that it is not */
    struct stat st;
    ssize_t len;
    int rv;

    if (fstat(fd, &st) != 0) {
        return fail_errno(error, "read key", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return fe_err_set(error, FLATEND_EKEY, "read key '%s': not a regular file", path);
    }
    if ((st.st_mode & 077) != 0) {
        return fe_err_set(error, FLATEND_EACCESS,
                          "read key '%s': others than its owner may access it (mode %04o, "
                          "expected 0600)",
                          path, (unsigned)(st.st_mode & 07777));
    }
    len = read_text(fd, text, sizeof(text));
    if (len < 0) {
        return fail_errno(error, "read key", path);
    }
    rv = parse_key(key, text, (size_t)len);
    fe_wipe(text, sizeof(text));
    if (rv != 0) {
        fe_wipe(key, sizeof(*key));
        return fe_err_set(error, rv, "read key '%s': not a secret key of %d hexadecimal digits",
                          path, KEY_DIGITS);
    }
    return 0;
}

int flatend_secret_key_load(struct flatend_secret_key *key, const char *path,
                            struct flatend_error *error)
{
    /* O_NONBLOCK: whoever names a FIFO gets an error and does not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rv;

    if (fd < 0) {
        return fail_errno(error, "read key", path);
    }
    rv = load_from(fd, key, path, error);
    (void)close(fd);
    return rv;
}

static int write_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd);
}

static int write_key(int fd, const struct flatend_secret_key *key)
{
    char text[KEY_TEXT_MAX + 1];
    int rv;

    sodium_bin2hex(text, sizeof(text), key->bytes, sizeof(key->bytes));
    text[KEY_DIGITS] = '\n';
    rv = write_text(fd, text, KEY_TEXT_MAX);
    fe_wipe(text, sizeof(text));
    return rv;
}

int flatend_secret_key_save(const struct flatend_secret_key *key, const char *path,
                            struct flatend_error *error)
{
    static const char suffix[] = ".XXXXXX";
    size_t len = strlen(path);
    char *temp = malloc(len + sizeof(suffix));
    int rv = 0;
    int fd;

    if (temp == NULL) {
        return fe_err_set(error, FLATEND_ENOMEM, "write key '%s': out of memory", path);
    }
    memcpy(temp, path, len);
    memcpy(temp + len, suffix, sizeof(suffix));
    fd = mkstemp(temp); /* O_EXCL, mode 0600 */
    if (fd < 0) {
        rv = fail_errno(error, "write key", path);
        free(temp);
        return rv;
    }
    /* Unlike rename, link never replaces a file: a key is there whole or not at all, and an
     * identity that exists stays. */
    if (write_key(fd, key) != 0 || link(temp, path) != 0) {
        rv = fail_errno(error, "write key", path);
    }
    (void)close(fd);
    (void)unlink(temp);
    free(temp);
    return rv;
}
