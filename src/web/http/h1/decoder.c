#include "web/http/h1/decoder.h"

#include "ground/base/assert.h"
#include "web/http/syntax.h"
#include "web/http/trailers.h"

/* What a step of the decoder leads to: an event, or CONTINUE with the next state. */
enum { CONTINUE = -1 };

void fe_h1_decoder_init(struct fe_h1_decoder *decoder, size_t header_max, struct fe_arena *arena,
                        struct fe_request *request)
{
    *decoder = (struct fe_h1_decoder){
        .arena = arena, .request = request, .header_max = header_max, .state = FE_H1_START};
    fe_buf_init(&decoder->section,
                header_max > FE_H1_TRAILERS_MAX ? header_max : FE_H1_TRAILERS_MAX);
}

void fe_h1_decoder_deinit(struct fe_h1_decoder *decoder)
{
    fe_buf_deinit(&decoder->section);
}

static int refuse(struct fe_h1_decoder *decoder, int status, const char *reason)
{
    (void)fe_http_refuse(&decoder->fault, status, reason);
    decoder->state = FE_H1_FAILED;
    return FE_H1_ON_FAULT;
}

static int no_memory(struct fe_h1_decoder *decoder)
{
    return refuse(decoder, 503, "out of memory");
}

static void skip(struct fe_view *in, size_t n)
{
    *in = fe_view_skip(*in, n);
}

static void section_start(struct fe_h1_decoder *decoder, enum fe_h1_state state)
{
    fe_buf_reset(&decoder->section);
    decoder->scanned = 0;
    decoder->line_start = 0;
    decoder->n_lines = 0;
    decoder->state = state;
}

/* RFC 9112 §2.2: empty lines before the request line are skipped. A first byte that no method
 * starts with (a TLS handshake, for one) is refused at once. */
static int step_start(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    uint8_t c = in->ptr[0];

    if (decoder->state == FE_H1_START_LF) {
        if (c != '\n') {
            return refuse(decoder, 400, "carriage return without line feed");
        }
        skip(in, 1);
        decoder->state = FE_H1_START;
        return CONTINUE;
    }
    if (c == '\r') {
        if (++decoder->n_empty_lines > FE_H1_EMPTY_LINES_MAX) {
            return refuse(decoder, 400, "too many empty lines before the request");
        }
        skip(in, 1);
        decoder->state = FE_H1_START_LF;
        return CONTINUE;
    }
    if (fe_token_lower[c] == 0) {
        return refuse(decoder, 400, "not an HTTP request");
    }
    section_start(decoder, FE_H1_HEAD);
    return CONTINUE;
}

/* One line more is there. They are counted as they come: too many would be refused in any case, and
 * need not be kept until the last of them. */
static bool count_line(struct fe_h1_decoder *decoder)
{
    const bool is_trailers = decoder->state == FE_H1_TRAILERS;
    const unsigned most = is_trailers ? FE_FIELDS_MAX : 1 + FE_FIELDS_MAX; /* the request line */

    if (++decoder->n_lines <= most) {
        return true;
    }
    (void)refuse(decoder, 431, is_trailers ? "too many trailer lines" : "too many header lines");
    return false;
}

/* Looks for the empty line that ends a section; `text` holds it from its start. Returns its length
 * with that line, or 0 with `scanned` and `line_start` moved on; a bare LF is a fault, and so are
 * too many lines. */
static size_t section_end(struct fe_h1_decoder *decoder, struct fe_view text)
{
    while (decoder->scanned < text.len) {
        const uint8_t *lf = memchr(text.ptr + decoder->scanned, '\n', text.len - decoder->scanned);
        size_t pos;

        if (lf == NULL) {
            decoder->scanned = text.len;
            break;
        }
        pos = (size_t)(lf - text.ptr);
        if (pos == decoder->line_start || lf[-1] != '\r') {
            (void)refuse(decoder, 400, "line feed without carriage return");
            break;
        }
        if (pos == decoder->line_start + 1) {
            return pos + 1;
        }
        if (!count_line(decoder)) {
            break;
        }
        decoder->scanned = pos + 1;
        decoder->line_start = pos + 1;
    }
    return 0;
}

static int section_too_large(struct fe_h1_decoder *decoder)
{
    if (decoder->state == FE_H1_TRAILERS) {
        return refuse(decoder, 431, "trailer section too large");
    }
    if (decoder->line_start == 0) {
        return refuse(decoder, 414, "request line too long");
    }
    return refuse(decoder, 431, "header section too large");
}

/* Gathers a section of at most `max` bytes. CONTINUE: `*whole` is all of it, in the input if it
 * came in one piece (the usual case), else in the buffer. The outcome does not depend on the
 * pieces. */
static int section_gather(struct fe_h1_decoder *decoder, struct fe_view *in, size_t max,
                          struct fe_view *whole)
{
    struct fe_buf *section = &decoder->section;
    size_t before = section->len;
    size_t n = in->len < max - before ? in->len : max - before;
    struct fe_view text = fe_view_of(in->ptr, n);
    size_t end;

    if (before > 0) {
        if (fe_buf_append(section, in->ptr, n) != 0) {
            return no_memory(decoder);
        }
        text = fe_buf_view(section);
    }
    end = section_end(decoder, text);
    if (decoder->state == FE_H1_FAILED) {
        return FE_H1_ON_FAULT;
    }
    if (end > 0) {
        *whole = fe_view_of(text.ptr, end);
        skip(in, end - before);
        return CONTINUE;
    }
    if (text.len == max) {
        return section_too_large(decoder);
    }
    if (before == 0 && fe_buf_append(section, in->ptr, n) != 0) {
        return no_memory(decoder);
    }
    skip(in, n);
    return FE_H1_ON_MORE;
}

static void chunk_start(struct fe_h1_decoder *decoder)
{
    decoder->left = 0;
    decoder->n_digits = 0;
    decoder->has_space = false;
    decoder->has_ext = false;
    decoder->state = FE_H1_CHUNK_SIZE;
}

static void body_start(struct fe_h1_decoder *decoder)
{
    decoder->trailers = (struct fe_fields){0};
    if (decoder->head.is_chunked) {
        decoder->n_ext = 0;
        chunk_start(decoder);
        return;
    }
    decoder->left = decoder->request->content_length;
    decoder->state = decoder->left > 0 ? FE_H1_LENGTH : FE_H1_DONE;
}

/* A copy in the arena, that may be changed and lives as long as the request. */
static uint8_t *keep(struct fe_h1_decoder *decoder, struct fe_view section)
{
    uint8_t *block = fe_arena_alloc(decoder->arena, section.len);

    if (block != NULL) {
        memcpy(block, section.ptr, section.len);
    }
    fe_buf_reset(&decoder->section);
    return block;
}

/* The head is copied once, into the arena, and parsed there. */
static int step_head(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    struct fe_view whole;
    uint8_t *block;
    int result = section_gather(decoder, in, decoder->header_max, &whole);
    int code;

    if (result != CONTINUE) {
        return result;
    }
    *decoder->request = (struct fe_request){.scheme = decoder->request->scheme, .version = 11};
    block = keep(decoder, whole);
    if (block == NULL) {
        return no_memory(decoder);
    }
    code = fe_h1_head_parse(block, whole.len, decoder->arena, decoder->request, &decoder->head,
                            &decoder->fault);
    if (code == FLATEND_EPROTO) {
        decoder->state = FE_H1_FAILED;
        return FE_H1_ON_FAULT;
    }
    if (code != 0) {
        return no_memory(decoder);
    }
    body_start(decoder);
    return FE_H1_ON_HEAD;
}

static int step_data(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    decoder->body = *in;
    if (decoder->body.len > decoder->left) {
        decoder->body.len = (size_t)decoder->left;
    }
    return FE_H1_ON_BODY;
}

void fe_h1_decoder_take(struct fe_h1_decoder *decoder, struct fe_view *in, size_t n)
{
    FE_ASSERT(n <= decoder->body.len && n <= in->len && n <= decoder->left,
              "no more is taken than was delivered");
    skip(in, n);
    skip(&decoder->body, n);
    decoder->left -= n;
    if (decoder->left == 0) {
        decoder->state = decoder->state == FE_H1_LENGTH ? FE_H1_DONE : FE_H1_CHUNK_DATA_CR;
    }
}

/* chunk-size, RFC 9112 §7.1: hexadecimal digits, no sign, no prefix. */
static int step_chunk_size(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    int digit = fe_hex_value(in->ptr[0]);

    if (digit >= 0) {
        if (++decoder->n_digits > FE_H1_CHUNK_DIGITS_MAX) {
            return refuse(decoder, 400, "chunk size too long");
        }
        decoder->left = decoder->left * 16 + (unsigned)digit;
        skip(in, 1);
        return CONTINUE;
    }
    if (decoder->n_digits == 0) {
        return refuse(decoder, 400, "malformed chunk size");
    }
    decoder->state = FE_H1_CHUNK_EXT;
    return CONTINUE;
}

/* chunk-ext, RFC 9112 §7.1.1: whitespace only before a ';', then anything that a line may hold. */
static int step_chunk_ext(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    uint8_t c = in->ptr[0];

    if (c == '\r' && (decoder->has_ext || !decoder->has_space)) {
        decoder->state = FE_H1_CHUNK_SIZE_LF;
        skip(in, 1);
        return CONTINUE;
    }
    decoder->has_ext = decoder->has_ext || c == ';';
    decoder->has_space = decoder->has_space || fe_is_ows(c);
    if (!fe_is_field_char(c) || (!decoder->has_ext && !fe_is_ows(c))) {
        return refuse(decoder, 400, "malformed chunk size");
    }
    if (++decoder->n_ext > FE_H1_CHUNK_EXT_MAX) {
        return refuse(decoder, 400, "chunk extensions too long");
    }
    skip(in, 1);
    return CONTINUE;
}

/* The line ends around chunks. */
static int step_chunk_line(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    uint8_t expected = decoder->state == FE_H1_CHUNK_DATA_CR ? '\r' : '\n';

    if (in->ptr[0] != expected) {
        return refuse(decoder, 400,
                      decoder->state == FE_H1_CHUNK_SIZE_LF ? "malformed chunk size"
                                                            : "chunk longer than its size");
    }
    skip(in, 1);
    if (decoder->state == FE_H1_CHUNK_DATA_CR) {
        decoder->state = FE_H1_CHUNK_DATA_LF;
    } else if (decoder->state == FE_H1_CHUNK_DATA_LF) {
        chunk_start(decoder);
    } else if (decoder->left > 0) {
        decoder->state = FE_H1_CHUNK_DATA;
    } else {
        section_start(decoder, FE_H1_TRAILERS);
    }
    return CONTINUE;
}

/* Each line of a trailer section, as strictly as one of the head. Kept apart from the head: merged
 * into it they would bypass every check made there (RFC 9110 §6.5.1). */
static int parse_trailers(struct fe_h1_decoder *decoder, uint8_t *at, const uint8_t *end)
{
    struct fe_field field;
    unsigned n = 0;

    while (end - at > 2) {
        uint8_t *lf = memchr(at, '\n', (size_t)(end - at));

        if (++n > FE_FIELDS_MAX) {
            return fe_http_refuse(&decoder->fault, 431, "too many trailer lines");
        }
        if (fe_h1_field_parse(at, (size_t)(lf - at) - 1, &field, &decoder->fault) != 0) {
            return FLATEND_EPROTO;
        }
        if (fe_trailer_is_allowed(field.name) &&
            fe_fields_add(&decoder->trailers, decoder->arena, field.name, field.value) != 0) {
            return FLATEND_ENOMEM;
        }
        at = lf + 1;
    }
    return 0;
}

/* trailer-section, RFC 9112 §7.1.2. */
static int step_trailers(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    size_t max =
        decoder->header_max < FE_H1_TRAILERS_MAX ? decoder->header_max : FE_H1_TRAILERS_MAX;
    struct fe_view whole;
    uint8_t *block;
    int result = section_gather(decoder, in, max, &whole);
    int code;

    if (result != CONTINUE) {
        return result;
    }
    decoder->state = FE_H1_DONE;
    if (whole.len == 2) {
        fe_buf_reset(&decoder->section); /* no trailers, as in nearly all messages */
        return CONTINUE;
    }
    block = keep(decoder, whole);
    if (block == NULL) {
        return no_memory(decoder);
    }
    code = parse_trailers(decoder, block, block + whole.len);
    if (code == FLATEND_ENOMEM) {
        return no_memory(decoder);
    }
    if (code != 0) {
        decoder->state = FE_H1_FAILED;
    }
    return CONTINUE;
}

static int step(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    switch (decoder->state) {
    case FE_H1_START:
    case FE_H1_START_LF:
        return step_start(decoder, in);
    case FE_H1_HEAD:
        return step_head(decoder, in);
    case FE_H1_LENGTH:
    case FE_H1_CHUNK_DATA:
        return step_data(decoder, in);
    case FE_H1_CHUNK_SIZE:
        return step_chunk_size(decoder, in);
    case FE_H1_CHUNK_EXT:
        return step_chunk_ext(decoder, in);
    case FE_H1_CHUNK_SIZE_LF:
    case FE_H1_CHUNK_DATA_CR:
    case FE_H1_CHUNK_DATA_LF:
        return step_chunk_line(decoder, in);
    case FE_H1_TRAILERS:
        return step_trailers(decoder, in);
    case FE_H1_DONE:
    case FE_H1_FAILED:
        break;
    }
    return CONTINUE;
}

enum fe_h1_event fe_h1_decoder_feed(struct fe_h1_decoder *decoder, struct fe_view *in)
{
    for (;;) {
        int result;

        if (decoder->state == FE_H1_DONE) {
            return FE_H1_ON_END;
        }
        if (decoder->state == FE_H1_FAILED) {
            return FE_H1_ON_FAULT;
        }
        if (in->len == 0) {
            return FE_H1_ON_MORE;
        }
        result = step(decoder, in);
        if (result != CONTINUE) {
            return (enum fe_h1_event)result;
        }
    }
}

void fe_h1_decoder_next(struct fe_h1_decoder *decoder)
{
    FE_ASSERT(decoder->state == FE_H1_DONE, "the next request begins behind the last one");
    decoder->n_empty_lines = 0;
    decoder->state = FE_H1_START;
}

void fe_h1_decoder_trim(struct fe_h1_decoder *decoder)
{
    if (decoder->section.len == 0) {
        fe_buf_deinit(&decoder->section);
    }
}
