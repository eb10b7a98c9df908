#include "web/http/h1/client_decoder.h"

#include "web/http/h1/head.h"
#include "web/http/syntax.h"

/* What a step of the decoder leads to: an event, or CONTINUE with the next state. */
enum { CONTINUE = -1 };

enum { CHUNK_DIGITS_MAX = 15 };

void fe_h1_client_decoder_init(struct fe_h1_client_decoder *decoder, struct fe_arena *arena,
                               bool is_head)
{
    *decoder = (struct fe_h1_client_decoder){.arena = arena, .is_head = is_head};
    fe_buf_init(&decoder->line, FE_H1_CLIENT_HEAD_MAX);
}

void fe_h1_client_decoder_deinit(struct fe_h1_client_decoder *decoder)
{
    fe_buf_deinit(&decoder->line);
}

static int refuse(struct fe_h1_client_decoder *decoder, int code, const char *reason)
{
    decoder->state = FE_H1_CLIENT_FAILED;
    decoder->code = code;
    decoder->reason = reason;
    return FE_H1_CLIENT_ON_FAULT;
}

static int no_memory(struct fe_h1_client_decoder *decoder)
{
    return refuse(decoder, FLATEND_ENOMEM, flatend_strerror(FLATEND_ENOMEM));
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Gathers up to and with the next line feed. CONTINUE: the line that begins at `start` in the
 * buffer is complete. */
static int gather_line(struct fe_h1_client_decoder *decoder, struct fe_view *in, size_t max,
                       size_t start)
{
    const uint8_t *lf = memchr(in->ptr, '\n', in->len);
    const size_t n = lf != NULL ? (size_t)(lf - in->ptr) + 1 : in->len;
    struct fe_buf *const line = &decoder->line;

    if (n > max - line->len) {
        return refuse(decoder, FLATEND_EPROTO, "response head or chunk line too long");
    }
    if (fe_buf_append(line, in->ptr, n) != 0) {
        return no_memory(decoder);
    }
    *in = fe_view_skip(*in, n);
    if (lf == NULL) {
        return FE_H1_CLIENT_ON_MORE;
    }
    /* RFC 9112 §2.2 would allow a lone LF; no legitimate server sends one. */
    if (line->len - start < 2 || line->data[line->len - 2] != '\r') {
        return refuse(decoder, FLATEND_EPROTO, "line feed without carriage return");
    }
    return CONTINUE;
}

/* Gathers lines up to the empty one, all of which stay in the buffer. */
static int gather_section(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    for (;;) {
        const size_t start = decoder->line_start;
        const int result = gather_line(decoder, in, FE_H1_CLIENT_HEAD_MAX, start);

        if (result != CONTINUE) {
            return result;
        }
        if (decoder->line.len - start == 2) {
            decoder->line_start = 0;
            return CONTINUE;
        }
        decoder->line_start = decoder->line.len;
        if (in->len == 0) {
            return FE_H1_CLIENT_ON_MORE;
        }
    }
}

/* ---- the head ------------------------------------------------------------------------------- */

/* HTTP-version SP status-code SP [ reason-phrase ], RFC 9112 §4. */
static bool parse_status_line(struct fe_view line, int *status)
{
    int n = 0;

    if (line.len < 12 || !fe_view_has_prefix(line, FE_VIEW_LIT("HTTP/1.")) ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') || line.ptr[8] != ' ' ||
        (line.len > 12 && line.ptr[12] != ' ') || !fe_is_field_value(line)) {
        return false;
    }
    for (size_t i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9') {
            return false;
        }
        n = n * 10 + (line.ptr[i] - '0');
    }
    *status = n;
    return n >= 100 && n <= 599;
}

static int parse_fields(struct fe_h1_client_decoder *decoder, uint8_t *at, const uint8_t *end,
                        struct fe_fields *fields)
{
    struct fe_http_fault fault;
    struct fe_field field;

    while (end - at > 2) {
        const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        const size_t len = (size_t)(lf - at) - 1;

        if (fields->n == FE_H1_CLIENT_FIELDS_MAX) {
            return refuse(decoder, FLATEND_EPROTO, "too many header lines");
        }
        if (fe_h1_field_parse(at, len, &field, &fault) != 0) {
            return refuse(decoder, FLATEND_EPROTO, fault.reason);
        }
        if (fe_fields_add(fields, decoder->arena, field.name, field.value) != 0) {
            return no_memory(decoder);
        }
        at += len + 2;
    }
    return CONTINUE;
}

static size_t count(const struct fe_fields *fields, struct fe_view name, struct fe_view *value)
{
    size_t n = 0;

    for (size_t i = 0; i < fields->n; i++) {
        if (fe_view_equal(fields->items[i].name, name)) {
            *value = fields->items[i].value;
            n++;
        }
    }
    return n;
}

/* Where the body ends: RFC 9112 §6.3. */
static int frame(struct fe_h1_client_decoder *decoder)
{
    struct fe_response *const response = &decoder->response;
    struct fe_view coding;
    struct fe_view length;
    const size_t n_codings = count(&response->fields, FE_VIEW_LIT("transfer-encoding"), &coding);
    const size_t n_lengths = count(&response->fields, FE_VIEW_LIT("content-length"), &length);

    if (decoder->is_head || response->status == 204 || response->status == 304) {
        decoder->state = FE_H1_CLIENT_DONE;
        response->content_length = 0;
        return FE_H1_CLIENT_ON_HEAD;
    }
    response->content_length = FE_BODY_UNKNOWN;
    if (n_codings > 0) {
        if (n_codings > 1 || n_lengths > 0 ||
            !fe_view_equal_nocase(coding, FE_VIEW_LIT("chunked"))) {
            return refuse(decoder, FLATEND_EPROTO, "unsupported Transfer-Encoding");
        }
        decoder->state = FE_H1_CLIENT_CHUNK_SIZE;
    } else if (n_lengths > 0) {
        if (n_lengths > 1 || !fe_parse_number(length, &response->content_length)) {
            return refuse(decoder, FLATEND_EPROTO, "invalid Content-Length");
        }
        decoder->left = response->content_length;
        decoder->state = decoder->left > 0 ? FE_H1_CLIENT_LENGTH : FE_H1_CLIENT_DONE;
    } else {
        decoder->state = FE_H1_CLIENT_UNTIL_CLOSE;
    }
    return FE_H1_CLIENT_ON_HEAD;
}

static int step_head(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    struct fe_buf *const section = &decoder->line;
    uint8_t *block;
    const uint8_t *lf;
    int result = gather_section(decoder, in);

    if (result != CONTINUE) {
        return result;
    }
    block = fe_arena_alloc(decoder->arena, section->len);
    if (block == NULL) {
        return no_memory(decoder);
    }
    memcpy(block, section->data, section->len);
    lf = memchr(block, '\n', section->len);
    decoder->response = (struct fe_response){0};
    if (!parse_status_line(fe_view_of(block, (size_t)(lf - block) - 1),
                           &decoder->response.status)) {
        return refuse(decoder, FLATEND_EPROTO, "not an HTTP/1.1 response");
    }
    result = parse_fields(decoder, block + (lf - block) + 1, block + section->len,
                          &decoder->response.fields);
    fe_buf_reset(section);
    if (result != CONTINUE) {
        return result;
    }
    if (decoder->response.status >= 200) {
        return frame(decoder);
    }
    if (decoder->response.status == 101 || ++decoder->n_interim > FE_H1_CLIENT_INTERIM_MAX) {
        return refuse(decoder, FLATEND_EPROTO, "unexpected interim response");
    }
    return CONTINUE;
}

/* ---- the body ------------------------------------------------------------------------------- */

static int show_body(struct fe_h1_client_decoder *decoder, struct fe_view *in, uint64_t left)
{
    decoder->body = *in;
    if (decoder->body.len > left) {
        decoder->body.len = (size_t)left;
    }
    *in = fe_view_skip(*in, decoder->body.len);
    return FE_H1_CLIENT_ON_BODY;
}

static int step_data(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    const int result = show_body(decoder, in, decoder->left);

    decoder->left -= decoder->body.len;
    if (decoder->left == 0) {
        decoder->state =
            decoder->state == FE_H1_CLIENT_LENGTH ? FE_H1_CLIENT_DONE : FE_H1_CLIENT_CHUNK_END;
    }
    return result;
}

/* chunk-size [ chunk-ext ] CRLF, RFC 9112 §7.1. */
static int step_chunk_size(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    struct fe_buf *const line = &decoder->line;
    const int result = gather_line(decoder, in, FE_H1_CLIENT_LINE_MAX, 0);
    uint64_t size = 0;
    size_t n = 0;

    if (result != CONTINUE) {
        return result;
    }
    while (n <= CHUNK_DIGITS_MAX && fe_hex_value(line->data[n]) >= 0) {
        size = size * 16 + (unsigned)fe_hex_value(line->data[n]);
        n++;
    }
    if (n == 0 || n > CHUNK_DIGITS_MAX ||
        (line->data[n] != '\r' && line->data[n] != ';' && !fe_is_ows(line->data[n])) ||
        !fe_is_field_value(fe_view_of(line->data, line->len - 2))) {
        return refuse(decoder, FLATEND_EPROTO, "malformed chunk size");
    }
    fe_buf_reset(line);
    decoder->left = size;
    decoder->state = size > 0 ? FE_H1_CLIENT_CHUNK_DATA : FE_H1_CLIENT_TRAILERS;
    return CONTINUE;
}

static int step_chunk_end(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    const int result = gather_line(decoder, in, 2, 0);

    if (result == CONTINUE) {
        fe_buf_reset(&decoder->line);
        decoder->state = FE_H1_CLIENT_CHUNK_SIZE;
    }
    return result;
}

/* Checked like a head, and dropped: trailers are not used. */
static int step_trailers(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    struct fe_fields trailers = {NULL, 0, 0};
    struct fe_buf *const section = &decoder->line;
    int result = gather_section(decoder, in);

    if (result != CONTINUE) {
        return result;
    }
    result = parse_fields(decoder, section->data, section->data + section->len, &trailers);
    if (result == CONTINUE) {
        fe_buf_reset(section);
        decoder->state = FE_H1_CLIENT_DONE;
    }
    return result;
}

static int step(struct fe_h1_client_decoder *decoder, struct fe_view *in)
{
    switch (decoder->state) {
    case FE_H1_CLIENT_HEAD:
        return step_head(decoder, in);
    case FE_H1_CLIENT_LENGTH:
    case FE_H1_CLIENT_CHUNK_DATA:
        return step_data(decoder, in);
    case FE_H1_CLIENT_CHUNK_SIZE:
        return step_chunk_size(decoder, in);
    case FE_H1_CLIENT_CHUNK_END:
        return step_chunk_end(decoder, in);
    case FE_H1_CLIENT_TRAILERS:
        return step_trailers(decoder, in);
    case FE_H1_CLIENT_UNTIL_CLOSE:
        return show_body(decoder, in, UINT64_MAX);
    case FE_H1_CLIENT_DONE:
    case FE_H1_CLIENT_FAILED:
        break;
    }
    return CONTINUE;
}

enum fe_h1_client_event fe_h1_client_decoder_feed(struct fe_h1_client_decoder *decoder,
                                                  struct fe_view *in)
{
    for (;;) {
        int result;

        if (decoder->state == FE_H1_CLIENT_DONE) {
            return FE_H1_CLIENT_ON_END;
        }
        if (decoder->state == FE_H1_CLIENT_FAILED) {
            return FE_H1_CLIENT_ON_FAULT;
        }
        if (in->len == 0) {
            return FE_H1_CLIENT_ON_MORE;
        }
        result = step(decoder, in);
        if (result != CONTINUE) {
            return (enum fe_h1_client_event)result;
        }
    }
}

enum fe_h1_client_event fe_h1_client_decoder_eof(struct fe_h1_client_decoder *decoder)
{
    if (decoder->state == FE_H1_CLIENT_UNTIL_CLOSE) {
        decoder->state = FE_H1_CLIENT_DONE;
    }
    if (decoder->state == FE_H1_CLIENT_DONE) {
        return FE_H1_CLIENT_ON_END;
    }
    if (decoder->state != FE_H1_CLIENT_FAILED) {
        (void)refuse(decoder, FLATEND_EPROTO, "response incomplete");
    }
    return FE_H1_CLIENT_ON_FAULT;
}
