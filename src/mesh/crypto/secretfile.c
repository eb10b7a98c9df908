/* The secret of a mesh as a file: what is there, but for the ends of lines behind it. */
#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "ground/os/file.h"
#include "mesh/crypto/crypto.h"

enum { SECRET_MAX = 4096 };

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static int keep(struct fe_view secret, const char *path, void *buf, size_t cap, size_t *len,
                struct flatend_error *error)
{
    while (secret.len > 0 && is_line_end(secret.ptr[secret.len - 1])) {
        secret.len--;
    }
    if (secret.len < FLATEND_MESH_SECRET_MIN || secret.len > SECRET_MAX) {
        return fe_err_set(error, FLATEND_EINVAL,
                          "read mesh secret '%s': it must have %d to %d bytes", path,
                          FLATEND_MESH_SECRET_MIN, SECRET_MAX);
    }
    if (secret.len > cap) {
        return fe_err_set(error, FLATEND_EOVERFLOW, "read mesh secret '%s': %s", path,
                          flatend_strerror(FLATEND_EOVERFLOW));
    }
    memcpy(buf, secret.ptr, secret.len);
    *len = secret.len;
    return 0;
}

int flatend_mesh_secret_load(const char *path, void *buf, size_t cap, size_t *len,
                             struct flatend_error *error)
{
    char bytes[SECRET_MAX + 3]; /* with its newline, and one more to see that it is too long */
    ssize_t n;
    int code;

    if (path == NULL || buf == NULL || len == NULL) {
        return fe_err_code(error, FLATEND_EINVAL);
    }
    *len = 0;
    n = fe_file_read_private(path, "read mesh secret", bytes, sizeof(bytes), error);
    if (n < 0) {
        return (int)n;
    }
    FE_ASSERT((size_t)n <= sizeof(bytes), "a secret fits what it is read into");
    code = keep(fe_view_of(bytes, (size_t)n), path, buf, cap, len, error);
    fe_wipe(bytes, sizeof(bytes));
    return code;
}
