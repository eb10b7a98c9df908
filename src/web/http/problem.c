#include "web/http/problem.h"

#include <stdio.h>

#include "web/http/syntax.h"

enum {
    REASON_MAX = 512,                /* longer reasons are cut: one line is enough */
    BODY_MAX = 6 * REASON_MAX + 128, /* each byte of the reason may become \u00XX */
    Q_MAX = 1000,
};

/* The weight of a media range, 0 to 1000 (RFC 9110 §12.4.2); 1000 if it has none or it is broken.
 */
static int weight_of(struct fe_view params)
{
    while (params.len > 0) {
        const uint8_t *semicolon = memchr(params.ptr, ';', params.len);
        size_t len = semicolon != NULL ? (size_t)(semicolon - params.ptr) : params.len;
        struct fe_view param = fe_trim_ows(fe_view_of(params.ptr, len));
        int q = 0;
        int scale = Q_MAX;

        params = fe_view_skip(params, semicolon != NULL ? len + 1 : len);
        if (param.len < 3 || (param.ptr[0] | 0x20) != 'q' || param.ptr[1] != '=') {
            continue;
        }
        for (size_t i = 2; i < param.len && scale > 0; i++) {
            if (param.ptr[i] >= '0' && param.ptr[i] <= '9') {
                q += (param.ptr[i] - '0') * scale;
                scale /= 10;
            }
        }
        return q < Q_MAX ? q : Q_MAX;
    }
    return Q_MAX;
}

static bool is_json_type(struct fe_view type)
{
    return fe_view_equal_nocase(type, FE_VIEW_LIT("application/json")) ||
           fe_view_equal_nocase(type, FE_VIEW_LIT("application/problem+json")) ||
           fe_view_equal_nocase(type, FE_VIEW_LIT("application/*"));
}

/* The range that weighs most decides, of equal ones the first: a client that names JSON before
 * anything else means it, one that takes everything gets what a person can read. */
static bool prefers_json(const struct fe_fields *fields)
{
    int best = 0;
    bool is_json = false;

    for (size_t i = 0; i < fields->n; i++) {
        struct fe_view list = fields->items[i].value;
        struct fe_view range;

        if (!fe_view_equal(fields->items[i].name, FE_VIEW_LIT("accept"))) {
            continue;
        }
        while (fe_list_next(&list, &range)) {
            const uint8_t *semicolon = memchr(range.ptr, ';', range.len);
            size_t len = semicolon != NULL ? (size_t)(semicolon - range.ptr) : range.len;
            int weight = weight_of(fe_view_skip(range, len));

            if (weight > best) {
                best = weight;
                is_json = is_json_type(fe_trim_ows(fe_view_of(range.ptr, len)));
            }
        }
    }
    return is_json;
}

/* The reason as the inside of a JSON string (RFC 8259 §7). */
static size_t escape_json(char *to, const char *reason, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)reason[i];

        if (c < 0x20 || c == 0x7f) {
            n += (size_t)snprintf(to + n, 7, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            to[n++] = '\\';
        }
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return n;
}

static struct fe_view format_json(char body[BODY_MAX], int status, const char *reason, size_t len)
{
    size_t n = (size_t)snprintf(body, BODY_MAX, "{\"title\":\"%s\",\"status\":%d,\"detail\":\"",
                                fe_status_text(status), status);

    n += escape_json(body + n, reason, len);
    memcpy(body + n, "\"}\n", 3);
    return fe_view_of(body, n + 3);
}

/* One write is enough for what the protocol always has room for; less is a reset by fe_exchange's
 * rule about short bodies. */
static void send(struct fe_exchange *ex, const struct fe_response *response, struct fe_view body)
{
    if (fe_exchange_respond(ex, response) != 0 ||
        fe_exchange_write(ex, body) != (ssize_t)body.len) {
        fe_exchange_reset(ex, FLATEND_ENOMEM);
        return;
    }
    fe_exchange_finish(ex, NULL);
}

static void respond(struct fe_exchange *ex, int status, const char *reason,
                    const struct fe_field *extra)
{
    bool is_json = prefers_json(&ex->request.fields);
    size_t len = strnlen(reason, REASON_MAX);
    char body[BODY_MAX];
    struct fe_view text;
    struct fe_field fields[2];
    struct fe_response response = {.status = status, .fields = {fields, 1, 2}};

    if (is_json) {
        text = format_json(body, status, reason, len);
    } else {
        memcpy(body, reason, len);
        body[len] = '\n';
        text = fe_view_of(body, len + 1);
    }
    fields[0].name = FE_VIEW_LIT("content-type");
    fields[0].value = is_json ? FE_VIEW_LIT("application/problem+json")
                              : FE_VIEW_LIT("text/plain; charset=utf-8");
    if (extra != NULL) {
        fields[response.fields.n++] = *extra;
    }
    response.content_length = text.len;
    send(ex, &response, text);
}

void fe_problem_respond(struct fe_exchange *ex, int status, const char *reason)
{
    respond(ex, status, reason, NULL);
}

void fe_problem_respond_with(struct fe_exchange *ex, int status, const char *reason,
                             struct fe_field field)
{
    respond(ex, status, reason, &field);
}

static int code_of(int status)
{
    switch (status) {
    case 408:
        return FLATEND_ETIMEDOUT;
    case 413:
        return FLATEND_ETOOBIG;
    case 503:
        return FLATEND_ENOMEM;
    default:
        return FLATEND_EPROTO;
    }
}

void fe_problem_fail(struct fe_exchange *ex, int status, const char *reason)
{
    const enum fe_exchange_phase phase = ex->phase;

    fe_exchange_deliver_reset(ex, code_of(status));
    ex->phase = phase;
    ex->is_failed = true;
    if (fe_exchange_has_responded(ex)) {
        fe_exchange_reset(ex, code_of(status));
    } else {
        fe_problem_respond(ex, status, reason);
    }
}
