#include "web/http/h1/head.h"

#include "web/http/syntax.h"

/* The fields that decide how the connection goes on, gathered on the way. */
struct head_parser {
    struct fe_arena *arena;
    struct fe_request *request;
    struct fe_h1_head *head;
    struct fe_http_fault *fault;
    struct fe_view target;
    struct fe_view transfer_encoding;
    struct fe_view length;
    unsigned n_hosts;
    unsigned n_transfer_encodings;
    unsigned n_lengths;
    bool wants_close;
    bool wants_keep_alive;
    bool wants_upgrade;
    struct fe_view upgrade; /* the first protocol in Upgrade */
    bool has_unknown_expectation;
};

/* HTTP-version, RFC 9112 §2.3: case-sensitive, one digit each. A higher minor version is taken for
 * the highest that we know (RFC 9110 §2.5). */
static int parse_version(struct head_parser *p, struct fe_view v)
{
    if (v.len != 8 || !fe_view_has_prefix(v, FE_VIEW_LIT("HTTP/")) || v.ptr[5] < '0' ||
        v.ptr[5] > '9' || v.ptr[6] != '.' || v.ptr[7] < '0' || v.ptr[7] > '9') {
        return fe_http_refuse(p->fault, 400, "malformed request line");
    }
    if (v.ptr[5] != '1') {
        return fe_http_refuse(p->fault, 505, "only HTTP/1.0 and HTTP/1.1 are supported");
    }
    p->request->version = v.ptr[7] == '0' ? 10 : 11;
    return 0;
}

/* RFC 9112 §2.2: whether it appears to be a request at all. Three words of which the last names no
 * version are another protocol's, or a preface of HTTP/2 that is wrong (RFC 9113 §3.4), whose
 * client would not understand an answer. */
static bool is_of_another_protocol(struct fe_view line)
{
    const uint8_t *const first = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    size_t word = line.len;

    while (word > 0 && line.ptr[word - 1] != ' ') {
        word--;
    }
    if (first == NULL || first + 1 >= line.ptr + word || word == line.len) {
        return false;
    }
    line = fe_view_skip(line, word);
    return line.len < 4 || !fe_view_equal_nocase(fe_view_of(line.ptr, 4), FE_VIEW_LIT("HTTP"));
}

/* method SP request-target SP HTTP-version, with exactly one space each: RFC 9112 §3 lets a server
 * be lenient about whitespace, and §11.2 says what that has led to. */
static int parse_request_line(struct head_parser *p, struct fe_view line)
{
    const uint8_t *end = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    struct fe_view rest;

    if (end == NULL) {
        return fe_http_refuse(p->fault, 400, "malformed request line");
    }
    p->request->method_text = fe_view_of(line.ptr, (size_t)(end - line.ptr));
    if (!fe_is_token(p->request->method_text)) {
        return fe_http_refuse(p->fault, 400, "method is not a token");
    }
    p->request->method = fe_method_of(p->request->method_text);
    rest = fe_view_skip(line, p->request->method_text.len + 1);
    end = rest.len > 0 ? memchr(rest.ptr, ' ', rest.len) : NULL;
    if (end == NULL || end == rest.ptr) {
        return fe_http_refuse(p->fault, 400, "malformed request line");
    }
    p->target = fe_view_of(rest.ptr, (size_t)(end - rest.ptr));
    if (parse_version(p, fe_view_skip(rest, p->target.len + 1)) == 0) {
        return 0;
    }
    if (is_of_another_protocol(line)) {
        *p->fault = (struct fe_http_fault){0, "not HTTP"};
    }
    return FLATEND_EPROTO;
}

/* RFC 9112 §5: no whitespace before the colon (§5.1), no folded line (§5.2). */
int fe_h1_field_parse(uint8_t *line, size_t len, struct fe_field *field,
                      struct fe_http_fault *fault)
{
    size_t i = 0;
    uint8_t lower;

    while (i < len && (lower = fe_token_lower[line[i]]) != 0) {
        line[i++] = lower;
    }
    if (i == 0 && len > 0 && fe_is_ows(line[0])) {
        return fe_http_refuse(fault, 400, "folded header lines are not allowed");
    }
    if (i < len && fe_is_ows(line[i])) {
        return fe_http_refuse(fault, 400, "whitespace in or after a header name");
    }
    if (i == 0 || i == len || line[i] != ':') {
        return fe_http_refuse(fault, 400, "malformed header name");
    }
    field->name = fe_view_of(line, i);
    field->value = fe_trim_ows(fe_view_of(line + i + 1, len - i - 1));
    if (!fe_is_field_value(field->value)) {
        return fe_http_refuse(fault, 400, "control character in a header value");
    }
    return 0;
}

static void note_connection(struct head_parser *p, struct fe_view list)
{
    struct fe_view option;

    while (fe_list_next(&list, &option)) {
        if (fe_view_equal_nocase(option, FE_VIEW_LIT("close"))) {
            p->wants_close = true;
        } else if (fe_view_equal_nocase(option, FE_VIEW_LIT("keep-alive"))) {
            p->wants_keep_alive = true;
        } else if (fe_view_equal_nocase(option, FE_VIEW_LIT("upgrade"))) {
            p->wants_upgrade = true;
        }
    }
}

static void note_expect(struct head_parser *p, struct fe_view list)
{
    struct fe_view expectation;

    while (fe_list_next(&list, &expectation)) {
        if (fe_view_equal_nocase(expectation, FE_VIEW_LIT("100-continue"))) {
            p->head->expects_continue = true;
        } else {
            p->has_unknown_expectation = true;
        }
    }
}

static bool is_named(const struct fe_field *field, const char *name)
{
    return memcmp(field->name.ptr, name, field->name.len) == 0;
}

static void note_field(struct head_parser *p, const struct fe_field *field)
{
    switch (field->name.len) {
    case sizeof("host") - 1:
        if (is_named(field, "host")) {
            p->request->authority = field->value;
            p->n_hosts++;
        }
        break;
    case sizeof("expect") - 1:
        if (is_named(field, "expect")) {
            note_expect(p, field->value);
        }
        break;
    case sizeof("upgrade") - 1:
        if (is_named(field, "upgrade") && p->upgrade.len == 0) {
            struct fe_view list = field->value;

            (void)fe_list_next(&list, &p->upgrade);
        }
        break;
    case sizeof("connection") - 1:
        if (is_named(field, "connection")) {
            note_connection(p, field->value);
        }
        break;
    case sizeof("content-length") - 1:
        if (is_named(field, "content-length")) {
            p->length = field->value;
            p->n_lengths++;
        }
        break;
    case sizeof("transfer-encoding") - 1:
        if (is_named(field, "transfer-encoding")) {
            p->transfer_encoding = field->value;
            p->n_transfer_encodings++;
        }
        break;
    default:
        break;
    }
}

static int parse_fields(struct head_parser *p, uint8_t *at, const uint8_t *end)
{
    struct fe_fields *fields = &p->request->fields;
    struct fe_field field = {.name = {NULL, 0}};

    for (;;) {
        uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)(lf - at) - 1; /* without the CR, which is known to be there */

        if (len == 0) {
            return 0;
        }
        if (fields->n == FE_FIELDS_MAX) {
            return fe_http_refuse(p->fault, 431, "too many header lines");
        }
        if (fe_h1_field_parse(at, len, &field, p->fault) != 0) {
            return FLATEND_EPROTO;
        }
        if (fe_fields_add(fields, p->arena, field.name, field.value) != 0) {
            return FLATEND_ENOMEM;
        }
        note_field(p, &field);
        at = lf + 1;
    }
}

/* Content-Length, RFC 9112 §6.3: digits, one field, one value. A list of equal values, which that
 * section lets a recipient accept, is refused: no legitimate client sends it. */
static int parse_length(struct head_parser *p)
{
    if (p->n_lengths > 1 || !fe_parse_number(p->length, &p->request->content_length)) {
        return fe_http_refuse(p->fault, 400, "invalid Content-Length");
    }
    return 0;
}

/* Transfer-Encoding: only "chunked". With Content-Length beside it, or in HTTP/1.0, an intermediary
 * may have framed the message differently: RFC 9112 §6.1, §6.3 and §11.2. */
static int check_transfer_encoding(struct head_parser *p)
{
    struct fe_view rest = p->transfer_encoding;
    struct fe_view coding = {NULL, 0};

    if (p->request->version == 10) {
        return fe_http_refuse(p->fault, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if (p->n_lengths > 0) {
        return fe_http_refuse(p->fault, 400, "both Transfer-Encoding and Content-Length");
    }
    if (p->n_transfer_encodings > 1) {
        return fe_http_refuse(p->fault, 400, "multiple Transfer-Encoding fields");
    }
    if (!fe_view_equal_nocase(p->transfer_encoding, FE_VIEW_LIT("chunked"))) {
        while (fe_list_next(&rest, &coding)) {
        }
        if (!fe_view_equal_nocase(coding, FE_VIEW_LIT("chunked"))) {
            return fe_http_refuse(p->fault, 400, "Transfer-Encoding does not end in chunked");
        }
        return fe_http_refuse(p->fault, 501, "only 'Transfer-Encoding: chunked' is supported");
    }
    p->head->is_chunked = true;
    p->request->content_length = FE_BODY_UNKNOWN;
    return 0;
}

/* RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in HTTP/1.0; it may be empty. */
static int check_host(struct head_parser *p)
{
    if (p->n_hosts > 1) {
        return fe_http_refuse(p->fault, 400, "multiple Host fields");
    }
    if (p->n_hosts == 0 && p->request->version != 10) {
        return fe_http_refuse(p->fault, 400, "missing Host");
    }
    if (!fe_http_is_authority(p->request->authority)) {
        return fe_http_refuse(p->fault, 400, "invalid Host");
    }
    return 0;
}

/* RFC 9112 §3.2.2: in absolute-form the target's authority counts, and Host is ignored; it is
 * replaced, so that backends see one and the same. */
static int settle_host(struct head_parser *p)
{
    const struct fe_view name = FE_VIEW_LIT("host");
    struct fe_fields *const fields = &p->request->fields;

    for (size_t i = 0; i < fields->n; i++) {
        if (fe_view_equal(fields->items[i].name, name)) {
            fields->items[i].value = p->request->authority;
            return 0;
        }
    }
    return p->request->authority.len == 0
               ? 0
               : fe_fields_add(fields, p->arena, name, p->request->authority);
}

static int decide(struct head_parser *p)
{
    struct fe_h1_head *head = p->head;

    if (check_host(p) != 0 || fe_http_target_parse(p->request, p->target, p->fault) != 0) {
        return FLATEND_EPROTO;
    }
    if (p->target.ptr[0] != '/' && settle_host(p) != 0) {
        return FLATEND_ENOMEM;
    }
    if (p->n_transfer_encodings > 0 && check_transfer_encoding(p) != 0) {
        return FLATEND_EPROTO;
    }
    if (p->n_lengths > 0 && parse_length(p) != 0) {
        return FLATEND_EPROTO;
    }
    /* RFC 9110 §7.8: not in HTTP/1.0. With a body it is not followed: bytes of the other protocol
     * could only come behind it. */
    if (p->wants_upgrade && p->request->version != 10 && p->request->content_length == 0) {
        p->request->upgrade = p->upgrade;
    }
    head->keep_alive = !p->wants_close && (p->request->version != 10 || p->wants_keep_alive);
    if (p->request->version == 10) {
        head->expects_continue = false; /* RFC 9110 §10.1.1: ignored in HTTP/1.0 */
    } else if (p->has_unknown_expectation) {
        return fe_http_refuse(p->fault, 417, "only 'Expect: 100-continue' is supported");
    }
    return 0;
}

int fe_h1_head_parse(uint8_t *block, size_t len, struct fe_arena *arena, struct fe_request *request,
                     struct fe_h1_head *head, struct fe_http_fault *fault)
{
    struct head_parser p = {.arena = arena, .request = request, .head = head, .fault = fault};
    uint8_t *lf = memchr(block, '\n', len);
    int code;

    *head = (struct fe_h1_head){0};
    code = parse_request_line(&p, fe_view_of(block, (size_t)(lf - block) - 1));
    if (code == 0) {
        code = parse_fields(&p, lf + 1, block + len);
    }
    return code != 0 ? code : decide(&p);
}
