#include "gateway/files/file.h"

#include "ground/base/assert.h"
#include "ground/os/dir.h"

bool fe_static_is_hidden(struct fe_view name)
{
    return name.len > 0 && name.ptr[0] == '.' &&
           !fe_view_equal(name, FE_VIEW_LIT(".well-known")); /* RFC 8615 */
}

/* "." and ".." are hidden names, too: the router has resolved those that a client may send. */
static bool has_hidden_part(struct fe_view path)
{
    size_t start = 0;

    for (size_t i = 0; i <= path.len; i++) {
        if (i == path.len || path.ptr[i] == '/') {
            if (fe_static_is_hidden(fe_view_of(path.ptr + start, i - start))) {
                return true;
            }
            start = i + 1;
        }
    }
    return false;
}

static int open_in_dir(const char *root, struct fe_view path)
{
    return has_hidden_part(path) ? FLATEND_ENOENT : fe_dir_open_beneath(root, path);
}

int fe_static_open(const struct fe_config_route *route, struct fe_view path, int *fd,
                   struct fe_file_info *info)
{
    const int opened = route->static_is_dir ? open_in_dir(route->static_path, path)
                                            : fe_path_open(route->static_path);
    int code;

    *fd = -1;
    if (opened < 0) {
        return opened;
    }
    code = fe_fd_info(opened, info);
    if (code == 0 && (info->kind == FE_FILE_OTHER ||
                      (info->kind == FE_FILE_DIRECTORY && !route->static_is_dir))) {
        code = FLATEND_ENOENT;
    }
    if (code != 0) {
        fe_fd_close(opened);
        return code;
    }
    FE_ASSERT(info->kind == FE_FILE_REGULAR || info->kind == FE_FILE_DIRECTORY,
              "only files and directories are served");
    *fd = opened;
    return 0;
}
