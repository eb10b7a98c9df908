/* HTTP/1.1 responses into a chain of bytes (RFC 9112). Each call appends all or nothing. */
#ifndef FE_WEB_HTTP_H1_ENCODER_H
#define FE_WEB_HTTP_H1_ENCODER_H

#include "ground/base/chain.h"
#include "web/http/message.h"

/* Data in one chunk, so that it fits a block of the chain with its size and line ends. */
enum { FE_H1_CHUNK_MAX = FE_BLOCK_SIZE - 8 };

enum fe_h1_framing {
    FE_H1_FRAMING_NONE,   /* nothing follows the head: 204, 304, HEAD */
    FE_H1_FRAMING_LENGTH, /* Content-Length */
    FE_H1_FRAMING_CHUNKS, /* Transfer-Encoding: chunked */
    FE_H1_FRAMING_CLOSE,  /* until the end of the connection: HTTP/1.0 */
};

struct fe_h1_response {
    const struct fe_response *message;
    enum fe_h1_framing framing; /* as the head announces it */
    struct fe_view upgrade;     /* 101 to this protocol, in place of the status; empty: no */
    bool close;                 /* Connection: close */
    bool keep_alive;            /* Connection: keep-alive, for HTTP/1.0 */
    struct fe_view date;        /* left out if the message has one */
};

/* The head. Hop-by-hop fields (RFC 9110 §7.6.1) and those that frame the body are skipped.
 * FLATEND_EINVAL: a status, name or value that HTTP forbids, or more than a MiB. FLATEND_ENOMEM. */
int fe_h1_encode_head(struct fe_chain *out, const struct fe_h1_response *response) FE_MUST_USE;

/* A chunk of 1 to FE_H1_CHUNK_MAX bytes. */
int fe_h1_encode_chunk(struct fe_chain *out, struct fe_view data) FE_MUST_USE;
/* The end of the chunks, with those of the trailers (NULL: none) that may be trailers.
 * FLATEND_EINVAL: as for the head. */
int fe_h1_encode_last_chunk(struct fe_chain *out, const struct fe_fields *trailers) FE_MUST_USE;
int fe_h1_encode_continue(struct fe_chain *out) FE_MUST_USE;

#endif
