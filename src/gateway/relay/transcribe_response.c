#include "gateway/relay/transcribe.h"
#include "ground/base/ascii.h"
#include "ground/base/token.h"
#include "web/http/syntax.h"

enum { STATUS_DIGITS = 3 };

/* An interim status (1xx) is not for a service to send: it would leave the request unanswered. */
static int read_status(struct fe_view text, struct fe_response *response, const char **why)
{
    uint64_t status;

    if (text.len != STATUS_DIGITS || !fe_parse_number(text, &status) ||
        !fe_status_is_valid((int)status)) {
        *why = "invalid :status";
        return FLATEND_EPROTO;
    }
    response->status = (int)status;
    return 0;
}

static int read_length(struct fe_view text, struct fe_response *response, const char **why)
{
    uint64_t length;

    if (!fe_parse_number(text, &length) ||
        (response->content_length != FE_BODY_UNKNOWN && response->content_length != length)) {
        *why = "invalid content-length";
        return FLATEND_EPROTO;
    }
    response->content_length = length;
    return 0;
}

/* How much of a name is a token in lower case. Most services write it so. */
static size_t lower_token_len(struct fe_view name)
{
    size_t i = 0;

    while (i < name.len && fe_token_lower[name.ptr[i]] == name.ptr[i] && name.ptr[i] != 0) {
        i++;
    }
    return i;
}

/* Lower case, as `struct fe_field` has it. FLATEND_EINVAL: no token. */
static int lower_name(struct fe_view *name, struct fe_arena *arena)
{
    const size_t len = lower_token_len(*name);
    uint8_t *copy;

    if (len == name->len && len > 0) {
        return 0;
    }
    if (!fe_is_token(*name)) {
        return FLATEND_EINVAL;
    }
    copy = (uint8_t *)fe_arena_copy(arena, *name);
    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_ascii_lower_all(copy + len, name->len - len);
    name->ptr = copy;
    return 0;
}

static void drop(struct fe_dropped_headers *dropped, struct fe_view name)
{
    if (dropped->n++ == 0) {
        dropped->first = name;
    }
}

static int read_header(struct fe_header header, struct fe_arena *arena,
                       struct fe_response *response, struct fe_dropped_headers *dropped,
                       const char **why)
{
    int code;

    if (fe_view_has_prefix(header.name, FE_VIEW_LIT(":"))) {
        /* Others are for versions of the gateway to come: no HTTP field begins like this. */
        return fe_view_equal(header.name, FE_VIEW_LIT(":status"))
                   ? read_status(header.value, response, why)
                   : 0;
    }
    code = lower_name(&header.name, arena);
    if (code == FLATEND_EINVAL) {
        drop(dropped, header.name);
        return 0;
    }
    if (code != 0) {
        return code;
    }
    if (fe_view_equal(header.name, FE_VIEW_LIT("content-length"))) {
        return read_length(header.value, response, why);
    }
    response->fields.items[response->fields.n++] = (struct fe_field){header.name, header.value};
    return 0;
}

int fe_transcribe_response(struct fe_headers headers, struct fe_arena *arena,
                           struct fe_response *response, struct fe_dropped_headers *dropped,
                           const char **why)
{
    size_t cap = headers.n;
    struct fe_header header;

    *response = (struct fe_response){.status = 200, .content_length = FE_BODY_UNKNOWN};
    *dropped = (struct fe_dropped_headers){0};
    if (headers.n > FE_RESPONSE_FIELDS_MAX) {
        *why = "too many header fields";
        return FLATEND_EPROTO;
    }
    response->fields.items = fe_arena_alloc(arena, cap * sizeof(*response->fields.items));
    response->fields.cap = cap;
    if (response->fields.items == NULL) {
        return FLATEND_ENOMEM;
    }
    while (fe_headers_next(&headers, &header)) {
        int code = read_header(header, arena, response, dropped, why);

        if (code != 0) {
            return code;
        }
    }
    return 0;
}

/* What HTTP does not let be a trailer is dropped by the protocol that sends them. */
int fe_transcribe_response_trailers(struct fe_headers headers, struct fe_arena *arena,
                                    struct fe_fields *fields)
{
    struct fe_header header;
    int code = 0;

    while (code == 0 && fields->n < FE_RESPONSE_FIELDS_MAX && fe_headers_next(&headers, &header)) {
        if (!fe_view_has_prefix(header.name, FE_VIEW_LIT(":"))) {
            code = fe_fields_add(fields, arena, header.name, header.value);
        }
    }
    return code;
}
