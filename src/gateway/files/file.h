/* Opening what a static route serves, and nothing else. */
#ifndef FE_GATEWAY_FILES_FILE_H
#define FE_GATEWAY_FILES_FILE_H

#include "gateway/config/config.h"
#include "ground/os/fd.h"

/* Opens the route's file, or `path` below its directory, for reading: a regular file or a
 * directory, which `info` then describes. `path` is decoded, may hold anything, and is empty for
 * the directory itself; neither "..", nor an absolute path, nor a symbolic link leads out of the
 * directory, and hidden files (".name", but for ".well-known") are not found. The descriptor is the
 * caller's.
 * FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_ELIMIT (descriptors), FLATEND_ENOMEM, FLATEND_EIO. */
int fe_static_open(const struct fe_config_route *route, struct fe_view path, int *fd,
                   struct fe_file_info *info) FE_MUST_USE;

/* Whether a name in a directory is not served. */
bool fe_static_is_hidden(struct fe_view name);

#endif
