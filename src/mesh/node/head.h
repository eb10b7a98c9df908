/* The heads of requests and responses: what arrived, as strings that live as long as the request;
 * and what is to be sent, checked and counted. */
#ifndef FE_MESH_NODE_HEAD_H
#define FE_MESH_NODE_HEAD_H

#include "ground/base/arena.h"
#include "mesh/wire/event.h"

enum {
    /* The packet body of the old dialect (docs/PROTOCOL.md §1.1): what a response may have towards
     * peers that do not take FE_HEAD_MAX. */
    FE_HEAD_PACKET_MAX = 4075,
    /* Before the headers' first byte, in the larger of the two: stream, handled, count. */
    FE_HEAD_PREFIX = 4 + 1 + 2,
    /* Lengths of a header's name and value, in a large head. */
    FE_HEAD_LONG_OVERHEAD = 2 + 4,
    FE_HEAD_STATUS_DEFAULT = 200,
    FE_HEAD_STATUS_MIN = 200,
    FE_HEAD_STATUS_MAX = 599,
};

struct fe_received_head {
    struct flatend_header *headers;
    size_t n;
};

/* Copies `headers` into `arena`. FLATEND_ENOMEM. */
int fe_received_head_init(struct fe_received_head *head, struct fe_arena *arena,
                          struct fe_headers headers) FE_MUST_USE;

/* Leaves out what only this node may say of a peer ("peer.*"), under whatever spelling, and says
 * it: "peer.id" is `key`; NULL: nothing is said. Once. */
void fe_received_head_set_peer_id(struct fe_received_head *head, const char *key);

/* The value of `timeout-ms`; UINT64_MAX if it is absent or no number. */
uint64_t fe_received_head_timeout(const struct fe_received_head *head);

/* The last header of that name, or NULL. */
const struct flatend_header *fe_received_head_find(const struct fe_received_head *head,
                                                   const char *name);

/* The value of `:status`: 200 if it is absent or not a status. */
int fe_received_head_status(const struct fe_received_head *head);

/* A copy in lower case: names go out as they come in from the gateway, and as HTTP/2 wants them.
 * NULL: out of memory. */
const char *fe_head_copy_name(struct fe_arena *arena, struct fe_view name) FE_MUST_USE;

/* A response head under construction. Everything in it lives in its arena. */
struct fe_response_head {
    struct fe_arena *arena;
    struct fe_header *headers;
    size_t n;
    size_t cap;
    size_t size; /* encoded */
    char status_text[4];
    int status;
    bool is_long; /* the peer takes FE_HEAD_MAX */
};

/* `peer_max`: the largest head that the peer takes (`struct fe_sender`). */
void fe_response_head_init(struct fe_response_head *head, struct fe_arena *arena,
                           uint32_t peer_max);

/* FLATEND_EINVAL: not the name or the value of a header, or a name that begins with ':', or one of
 * more than 255 bytes for a peer that takes none; FLATEND_ETOOBIG; FLATEND_ENOMEM. */
int fe_response_head_add(struct fe_response_head *head, const char *name,
                         const char *value) FE_MUST_USE;
int fe_response_head_set(struct fe_response_head *head, const char *name,
                         const char *value) FE_MUST_USE;
void fe_response_head_clear(struct fe_response_head *head);

/* All there is to send; the first time with `:status` unless it is 200. FLATEND_ENOMEM. */
int fe_response_head_finish(struct fe_response_head *head) FE_MUST_USE;

#endif
