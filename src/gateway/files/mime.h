/* Media types of files by the end of their name. */
#ifndef FE_GATEWAY_FILES_MIME_H
#define FE_GATEWAY_FILES_MIME_H

#include "ground/base/view.h"

/* "text/html; charset=utf-8" of "a/index.html"; the extension's case does not matter. What is not
 * known is "application/octet-stream". The text is static. */
struct fe_view fe_mime_type(struct fe_view path);

#endif
