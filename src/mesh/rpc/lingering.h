/* Requests whose streams are gone while their handlers run on: reset by the peer, or given up here.
 * They go on to count against the peer that made them, which could otherwise start handlers without
 * end (rapid reset, CVE-2023-44487); and against no other peer, nor their own connection: beyond
 * FE_PEER_LINGERING_MAX its next requests are refused, until handlers have returned. */
#ifndef FE_MESH_RPC_LINGERING_H
#define FE_MESH_RPC_LINGERING_H

#include "mesh/rpc/stream.h"

/* Embedded in what the handler has. */
struct fe_lingering {
    struct fe_list link;  /* in the peer's */
    struct fe_peer *peer; /* NULL: it does not linger, or the peer has gone */
    unsigned n;           /* with its shares: FE_PEER_HEAD_SHARE */
};

void fe_lingering_init(struct fe_lingering *lingering);

/* The stream of the peer's is about to be reset, or has been (from within its on_reset). */
void fe_stream_linger(const struct fe_stream *stream, struct fe_lingering *lingering);

/* The handler has returned. Nothing happens if it did not linger. */
void fe_lingering_end(struct fe_lingering *lingering);

#endif
