/* HTTP/1.1 requests out of a byte stream (RFC 9112), in whatever pieces it comes.
 *
 *      ┌──────────────────────────── next ──────────────────────────────┐
 *      ▼                                                                │
 *    START ─▶ HEAD ─▶ LENGTH ────────────────────────────────────────▶ DONE
 *                 ├─▶ CHUNK_SIZE ─▶ CHUNK_EXT ─▶ CHUNK_SIZE_LF          ▲
 *                 │      ▲  0: TRAILERS ◀──────────┤                    │
 *                 │      │        └─────────────────────────────────────┤
 *                 │      └ CHUNK_DATA_LF ◀ CHUNK_DATA_CR ◀ CHUNK_DATA   │
 *                 └─────────────────────────────────────────────────────┘
 *
 * Any state ends in FAILED, after which nothing is decoded any more: where one message ends and the
 * next begins is then not known. Lines end in CRLF and nothing else; RFC 9112 §2.2 would allow a
 * lone LF, and that two parties disagree about one is what request smuggling is made of. */
#ifndef FE_WEB_HTTP_H1_DECODER_H
#define FE_WEB_HTTP_H1_DECODER_H

#include "ground/base/buf.h"
#include "web/http/h1/head.h"

enum {
    /* Empty lines before a request (RFC 9112 §2.2): old clients send one after a body. */
    FE_H1_EMPTY_LINES_MAX = 4,
    /* Digits of a chunk size, leading zeros included: 2^60 - 1 at most. */
    FE_H1_CHUNK_DIGITS_MAX = 15,
    /* Chunk extensions (RFC 9112 §7.1.1) of a message in all. They are ignored; without a bound,
       they would make a body of one-byte chunks cost a hundred times its size. */
    FE_H1_CHUNK_EXT_MAX = 4096,
    /* The trailer section; no more than that of the head if that is less. */
    FE_H1_TRAILERS_MAX = 8192,
};

enum fe_h1_state {
    FE_H1_START,         /* before a request: empty lines are skipped */
    FE_H1_START_LF,      /* after the CR of an empty line */
    FE_H1_HEAD,          /* request line and fields are gathered */
    FE_H1_LENGTH,        /* a body of known length */
    FE_H1_CHUNK_SIZE,    /* hexadecimal digits */
    FE_H1_CHUNK_EXT,     /* from whitespace or ';' to the CR */
    FE_H1_CHUNK_SIZE_LF, /* the LF after it */
    FE_H1_CHUNK_DATA,
    FE_H1_CHUNK_DATA_CR,
    FE_H1_CHUNK_DATA_LF,
    FE_H1_TRAILERS, /* gathered and parsed */
    FE_H1_DONE,
    FE_H1_FAILED,
};

enum fe_h1_event {
    FE_H1_ON_MORE,  /* everything was consumed, more is needed */
    FE_H1_ON_HEAD,  /* `request` and `head` are complete */
    FE_H1_ON_BODY,  /* `body` is there; take some of it with fe_h1_decoder_take */
    FE_H1_ON_END,   /* the request is complete; comes again until fe_h1_decoder_next */
    FE_H1_ON_FAULT, /* `fault` says why (503: out of memory); comes again for ever */
};

struct fe_h1_decoder {
    struct fe_arena *arena;     /* a request's head lives there */
    struct fe_request *request; /* filled in; scheme is not touched */
    size_t header_max;
    enum fe_h1_state state;
    struct fe_h1_head head;
    struct fe_http_fault fault;
    struct fe_view body;       /* borrowed from the input */
    struct fe_fields trailers; /* of a request that is complete; those that may be trailers */
    uint64_t left;             /* bytes of the body, or of the chunk */
    struct fe_buf section;     /* a head or trailer section that came in pieces */
    size_t scanned;            /* of the section: known not to hold its end */
    size_t line_start;         /* of the section's last, incomplete line */
    unsigned n_lines;          /* of the section, so far */
    unsigned n_empty_lines;    /* before the request line */
    unsigned n_digits;         /* of a chunk's size */
    unsigned n_ext;            /* bytes of chunk extensions */
    bool has_space;            /* after this chunk's size */
    bool has_ext;              /* after this chunk's size: a ';' was seen */
};

void fe_h1_decoder_init(struct fe_h1_decoder *decoder, size_t header_max, struct fe_arena *arena,
                        struct fe_request *request);
void fe_h1_decoder_deinit(struct fe_h1_decoder *decoder);

/* Consumes from the front of `in` up to the next event. Body bytes are left in `in` until taken. */
enum fe_h1_event fe_h1_decoder_feed(struct fe_h1_decoder *decoder, struct fe_view *in) FE_MUST_USE;

/* Consumes the first `n` bytes of the body that the last FE_H1_ON_BODY showed. */
void fe_h1_decoder_take(struct fe_h1_decoder *decoder, struct fe_view *in, size_t n);

/* After FE_H1_ON_END: the next request. The arena may have been reset. */
void fe_h1_decoder_next(struct fe_h1_decoder *decoder);

/* Gives back what gathering had needed; the state is untouched. For connections that idle. */
void fe_h1_decoder_trim(struct fe_h1_decoder *decoder);

/* Not a byte of the next request has come. */
static inline bool fe_h1_decoder_is_idle(const struct fe_h1_decoder *decoder)
{
    return decoder->state == FE_H1_START;
}

#endif
