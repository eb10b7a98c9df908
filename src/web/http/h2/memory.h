/* The memory of one nghttp2 session, all of which can be given back at once: after an allocation
 * has failed nghttp2's own way of ending may free twice. */
#ifndef FE_WEB_HTTP_H2_MEMORY_H
#define FE_WEB_HTTP_H2_MEMORY_H

#include <nghttp2/nghttp2.h>

#include "ground/base/list.h"

struct fe_h2_memory {
    struct fe_list blocks;
};

void fe_h2_memory_init(struct fe_h2_memory *memory);
void fe_h2_memory_deinit(struct fe_h2_memory *memory); /* what was not freed; may be called again */

/* For nghttp2_session_server_new3; `memory` must not move. */
nghttp2_mem fe_h2_memory_hooks(struct fe_h2_memory *memory);

#endif
