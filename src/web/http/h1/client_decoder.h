/* HTTP/1.1 responses out of a byte stream (RFC 9112), in whatever pieces it comes: for the few
 * requests that the gateway itself makes. As strict as the decoder of requests; one response each.
 *
 *    HEAD ─┬─▶ LENGTH ───────────────────────────────────────────▶ DONE
 *      ▲   ├─▶ CHUNK_SIZE ─▶ CHUNK_DATA ─▶ CHUNK_END             ▲ ▲
 *      │   │       ▲ └ 0: TRAILERS ────────────────┼─────────────┘ │
 *      │   │       └───────────────────────────────┘               │
 *      1xx └─▶ UNTIL_CLOSE ─ end of the stream ────────────────────┘
 *
 * Any state ends in FAILED, for good. */
#ifndef FE_WEB_HTTP_H1_CLIENT_DECODER_H
#define FE_WEB_HTTP_H1_CLIENT_DECODER_H

#include "ground/base/buf.h"
#include "web/http/message.h"

enum {
    /* Status line and fields, and the trailers; ACME servers need less than a kilobyte. */
    FE_H1_CLIENT_HEAD_MAX = 16 * 1024,
    /* The line of a chunk's size, with extensions, which are ignored. */
    FE_H1_CLIENT_LINE_MAX = 256,
    FE_H1_CLIENT_FIELDS_MAX = 128,
    /* 1xx (RFC 9110 §15.2) before the response itself. */
    FE_H1_CLIENT_INTERIM_MAX = 8,
};

enum fe_h1_client_state {
    FE_H1_CLIENT_HEAD,
    FE_H1_CLIENT_LENGTH,
    FE_H1_CLIENT_CHUNK_SIZE,
    FE_H1_CLIENT_CHUNK_DATA,
    FE_H1_CLIENT_CHUNK_END,
    FE_H1_CLIENT_TRAILERS,
    FE_H1_CLIENT_UNTIL_CLOSE,
    FE_H1_CLIENT_DONE,
    FE_H1_CLIENT_FAILED,
};

enum fe_h1_client_event {
    FE_H1_CLIENT_ON_MORE,  /* everything was consumed, more is needed */
    FE_H1_CLIENT_ON_HEAD,  /* `response` is complete */
    FE_H1_CLIENT_ON_BODY,  /* `body` is the next piece, borrowed from the input */
    FE_H1_CLIENT_ON_END,   /* comes again for ever */
    FE_H1_CLIENT_ON_FAULT, /* `code` and `reason` say why; comes again for ever */
};

struct fe_h1_client_decoder {
    struct fe_arena *arena;
    struct fe_response response; /* in the arena */
    bool is_head;                /* the request was HEAD */
    enum fe_h1_client_state state;
    struct fe_view body;
    uint64_t left;      /* of the body, or of the chunk */
    struct fe_buf line; /* of a head, a chunk or the trailers: what is gathered of it */
    size_t line_start;  /* of the last, incomplete line of a section */
    unsigned n_interim;
    int code; /* FLATEND_EPROTO, FLATEND_ENOMEM */
    const char *reason;
};

void fe_h1_client_decoder_init(struct fe_h1_client_decoder *decoder, struct fe_arena *arena,
                               bool is_head);
void fe_h1_client_decoder_deinit(struct fe_h1_client_decoder *decoder);

/* Consumes from the front of `in` up to the next event; a body is consumed as it is shown. */
enum fe_h1_client_event fe_h1_client_decoder_feed(struct fe_h1_client_decoder *decoder,
                                                  struct fe_view *in) FE_MUST_USE;

/* The stream is at its end: FE_H1_CLIENT_ON_END or FE_H1_CLIENT_ON_FAULT. */
enum fe_h1_client_event fe_h1_client_decoder_eof(struct fe_h1_client_decoder *decoder) FE_MUST_USE;

#endif
