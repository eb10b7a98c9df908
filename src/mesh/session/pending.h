/* Unanswered FindNode requests: few, so an array of tokens. */
#ifndef FE_MESH_SESSION_PENDING_H
#define FE_MESH_SESSION_PENDING_H

#include "mesh/session/session.h"

/* The slot that holds this token; 0 finds a free one. NULL: there is none. */
static inline uint32_t *fe_pending_find(struct fe_session *session, uint32_t token)
{
    for (unsigned i = 0; i < FE_SESSION_PENDING_MAX; i++) {
        if (session->pending[i] == token) {
            return &session->pending[i];
        }
    }
    return NULL;
}

#endif
