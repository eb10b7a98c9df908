#include "web/http/h1/encoder.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/status.h"
#include "web/http/hop_by_hop.h"
#include "web/http/syntax.h"
#include "web/http/trailers.h"

enum { FIXED_MAX = 256 }; /* the status line and the fields of our own, Date without its value */

struct writer {
    uint8_t *at;
};

static void put(struct writer *w, struct fe_view v)
{
    if (v.len > 0) {
        memcpy(w->at, v.ptr, v.len);
        w->at += v.len;
    }
}

static void put_number(struct writer *w, uint64_t n)
{
    uint8_t digits[FE_DIGITS_MAX];

    put(w, fe_view_of_number(digits, n));
}

static void put_field(struct writer *w, struct fe_view name, struct fe_view value)
{
    put(w, name);
    put(w, FE_VIEW_LIT(": "));
    put(w, value);
    put(w, FE_VIEW_LIT("\r\n"));
}

static bool is_name(struct fe_view name, struct fe_view lower)
{
    return name.len == lower.len && fe_view_equal_nocase(name, lower);
}

/* What the fields are about, and how much room they need at most. */
struct survey {
    size_t size;
    bool has_connection;
    bool has_date;
};

static int survey_fields(const struct fe_fields *fields, struct survey *survey)
{
    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_field *field = &fields->items[i];

        if (!fe_field_is_valid(field) || field->name.len > FE_RESPONSE_HEAD_MAX ||
            field->value.len > FE_RESPONSE_HEAD_MAX) {
            return FLATEND_EINVAL;
        }
        survey->size += field->name.len + field->value.len + 4;
        if (survey->size > FE_RESPONSE_HEAD_MAX) {
            return FLATEND_EINVAL;
        }
        survey->has_connection |= is_name(field->name, FE_VIEW_LIT("connection"));
        survey->has_date |= is_name(field->name, FE_VIEW_LIT("date"));
    }
    return 0;
}

static void put_status_line(struct writer *w, int status)
{
    if (status == 200) {
        put(w, FE_VIEW_LIT("HTTP/1.1 200 OK\r\n"));
        return;
    }
    put(w, FE_VIEW_LIT("HTTP/1.1 "));
    put_number(w, (uint64_t)status);
    put(w, FE_VIEW_LIT(" "));
    put(w, fe_view_str(fe_status_text(status)));
    put(w, FE_VIEW_LIT("\r\n"));
}

/* RFC 9110 §8.6: no Content-Length with 204, and with 304 only that of the representation, which is
 * hardly ever empty. */
static void put_framing(struct writer *w, const struct fe_h1_response *response)
{
    uint64_t length = response->message->content_length;
    int status = response->message->status;

    if (response->framing == FE_H1_FRAMING_CHUNKS) {
        put(w, FE_VIEW_LIT("transfer-encoding: chunked\r\n"));
    } else if (length != FE_BODY_UNKNOWN && status != 204 && (status != 304 || length > 0)) {
        put(w, FE_VIEW_LIT("content-length: "));
        put_number(w, length);
        put(w, FE_VIEW_LIT("\r\n"));
    }
}

static void put_head(struct writer *w, const struct fe_h1_response *response,
                     const struct survey *survey)
{
    const struct fe_fields *fields = &response->message->fields;

    if (response->upgrade.len > 0) {
        put(w, FE_VIEW_LIT("HTTP/1.1 101 Switching Protocols\r\n"));
    } else {
        put_status_line(w, response->message->status);
    }
    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_field *field = &fields->items[i];

        if (!fe_is_hop_by_hop(field->name) &&
            !(survey->has_connection && fe_is_named_by_connection(fields, field->name))) {
            put_field(w, field->name, field->value);
        }
    }
    if (!survey->has_date) { /* RFC 9110 §6.6.1 */
        put_field(w, FE_VIEW_LIT("date"), response->date);
    }
    if (response->upgrade.len > 0) { /* RFC 9110 §7.8 */
        put(w, FE_VIEW_LIT("connection: upgrade\r\n"));
        put_field(w, FE_VIEW_LIT("upgrade"), response->upgrade);
    } else {
        put_framing(w, response);
    }
    if (response->close) {
        put(w, FE_VIEW_LIT("connection: close\r\n"));
    } else if (response->keep_alive) {
        put(w, FE_VIEW_LIT("connection: keep-alive\r\n"));
    }
    put(w, FE_VIEW_LIT("\r\n"));
}

/* A head that does not fit a block goes through memory of its own, to be appended at once. */
static int encode_large(struct fe_chain *out, const struct fe_h1_response *response,
                        const struct survey *survey)
{
    uint8_t *head = malloc(survey->size);
    struct writer w = {head};
    int code;

    if (head == NULL) {
        return FLATEND_ENOMEM;
    }
    put_head(&w, response, survey);
    code = fe_chain_append(out, head, (size_t)(w.at - head));
    free(head);
    return code;
}

int fe_h1_encode_head(struct fe_chain *out, const struct fe_h1_response *response)
{
    struct survey survey = {.size = FIXED_MAX + response->date.len + response->upgrade.len};
    int status = response->message->status;
    struct writer w;
    uint8_t *head;
    int code;

    if (!fe_status_is_valid(status)) {
        return FLATEND_EINVAL;
    }
    code = survey_fields(&response->message->fields, &survey);
    if (code != 0) {
        return code;
    }
    if (survey.size > FE_BLOCK_SIZE) {
        return encode_large(out, response, &survey);
    }
    head = fe_chain_reserve(out, survey.size);
    if (head == NULL) {
        return FLATEND_ENOMEM;
    }
    w.at = head;
    put_head(&w, response, &survey);
    fe_chain_commit(out, (size_t)(w.at - head));
    return 0;
}

/* chunk-size, RFC 9112 §7.1: the digits of `n` > 0, at the end of `digits`. */
static struct fe_view hexadecimal(size_t n, uint8_t digits[static 2 * sizeof(n)])
{
    size_t at = 2 * sizeof(n);

    for (; n > 0; n >>= 4) {
        digits[--at] = (uint8_t) "0123456789abcdef"[n & 15];
    }
    return fe_view_of(digits + at, 2 * sizeof(n) - at);
}

/* chunk, RFC 9112 §7.1. */
int fe_h1_encode_chunk(struct fe_chain *out, struct fe_view data)
{
    uint8_t digits[2 * sizeof(data.len)];
    const struct fe_view size = hexadecimal(data.len, digits);
    uint8_t *chunk;
    struct writer w;

    FE_ASSERT(data.len > 0 && data.len <= FE_H1_CHUNK_MAX,
              "a chunk is neither empty nor too large");
    chunk = fe_chain_reserve(out, size.len + data.len + 4);
    if (chunk == NULL) {
        return FLATEND_ENOMEM;
    }
    w.at = chunk;
    put(&w, size);
    put(&w, FE_VIEW_LIT("\r\n"));
    put(&w, data);
    put(&w, FE_VIEW_LIT("\r\n"));
    fe_chain_commit(out, (size_t)(w.at - chunk));
    return 0;
}

static int append(struct fe_chain *chain, struct fe_view v)
{
    return v.len > 0 ? fe_chain_append(chain, v.ptr, v.len) : 0;
}

/* trailer-section, RFC 9112 §7.1.2. */
static int append_trailers(struct fe_chain *chain, const struct fe_fields *trailers)
{
    struct survey survey = {0};
    int code = survey_fields(trailers, &survey);

    for (size_t i = 0; code == 0 && i < trailers->n; i++) {
        const struct fe_view parts[] = {trailers->items[i].name, FE_VIEW_LIT(": "),
                                        trailers->items[i].value, FE_VIEW_LIT("\r\n")};

        if (!fe_trailer_is_allowed(trailers->items[i].name)) {
            continue;
        }
        for (size_t k = 0; code == 0 && k < sizeof(parts) / sizeof(parts[0]); k++) {
            code = append(chain, parts[k]);
        }
    }
    return code;
}

int fe_h1_encode_last_chunk(struct fe_chain *out, const struct fe_fields *trailers)
{
    struct fe_chain whole;
    int code;

    if (trailers == NULL || trailers->n == 0) {
        return fe_chain_append(out, "0\r\n\r\n", 5);
    }
    fe_chain_init(&whole, out->pool);
    code = append(&whole, FE_VIEW_LIT("0\r\n"));
    if (code == 0) {
        code = append_trailers(&whole, trailers);
    }
    if (code == 0) {
        code = append(&whole, FE_VIEW_LIT("\r\n"));
    }
    if (code == 0) {
        fe_chain_move(out, &whole);
    }
    fe_chain_deinit(&whole);
    return code;
}

int fe_h1_encode_continue(struct fe_chain *out)
{
    return fe_chain_append(out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}
