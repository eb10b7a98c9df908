/* A directory as a page, for routes with `browse`. */
#ifndef FE_GATEWAY_FILES_LISTING_H
#define FE_GATEWAY_FILES_LISTING_H

#include "ground/base/buf.h"

/* Entries that are read, and bytes of the page: what is beyond is left out, and the page says so.
 */
enum { FE_LISTING_ENTRIES_MAX = 10000, FE_LISTING_PAGE_MAX = 8 << 20 };

/* Writes the page of the directory `fd`, which is closed, to `page`, which the caller has
 * initialised: names sorted by their bytes, hidden ones left out. `path` is what the page is
 * called; `has_parent`: with a link to "..".
 * FLATEND_ENOMEM, FLATEND_ETOOBIG, FLATEND_EIO. */
int fe_listing_write(int fd, struct fe_view path, bool has_parent, struct fe_buf *page) FE_MUST_USE;

#endif
