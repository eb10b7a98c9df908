#include "gateway/relay/query.h"
#include "gateway/relay/transcribe.h"
#include "ground/base/ascii.h"
#include "web/http/hop_by_hop.h"
#include "web/http/syntax.h"

/* `:method` and the like. */
enum { N_PSEUDO = 5 };

#define QUERY_PREFIX  FE_VIEW_LIT("query.")
#define PARAMS_PREFIX FE_VIEW_LIT("params.")

struct transcriber {
    const struct fe_request *request;
    struct fe_arena *arena;
    struct fe_transcript *out;
    struct fe_view options[FE_CONNECTION_OPTIONS_MAX]; /* names in Connection */
    size_t n_options;
};

static void add(struct transcriber *t, struct fe_view name, struct fe_view value)
{
    t->out->headers[t->out->n++] = (struct fe_header){name, value};
}

/* ---- fields --------------------------------------------------------------------------------- */

/* Fields about this connection, and those that are meant for the gateway itself. Theirs is not to
 * reach beyond it: RFC 9110 §7.6.1, §10.1.1, §11.7.2. */
static bool is_hop_by_hop(struct fe_view name)
{
    return fe_is_about_connection(name) || fe_view_equal(name, FE_VIEW_LIT("expect")) ||
           fe_view_equal(name, FE_VIEW_LIT("proxy-authorization"));
}

/* Names that only the gateway and the mesh may give: docs/PROTOCOL.md §2.4. */
static bool is_reserved(struct fe_view name)
{
    return fe_view_has_prefix(name, FE_VIEW_LIT(":")) || fe_view_has_prefix(name, PARAMS_PREFIX) ||
           fe_view_has_prefix(name, QUERY_PREFIX) ||
           fe_view_has_prefix(name, FE_VIEW_LIT("peer.")) ||
           fe_view_equal(name, FE_VIEW_LIT("timeout-ms"));
}

static int note_connection(struct transcriber *t)
{
    const struct fe_fields *fields = &t->request->fields;

    for (size_t i = 0; i < fields->n; i++) {
        struct fe_view list = fields->items[i].value;
        struct fe_view option;

        if (!fe_view_equal(fields->items[i].name, FE_VIEW_LIT("connection"))) {
            continue;
        }
        while (fe_list_next(&list, &option)) {
            if (t->n_options == FE_CONNECTION_OPTIONS_MAX) {
                return FLATEND_ELIMIT;
            }
            t->options[t->n_options++] = option;
        }
    }
    return 0;
}

static bool is_in_connection(const struct transcriber *t, struct fe_view name)
{
    for (size_t i = 0; i < t->n_options; i++) {
        if (fe_view_equal_nocase(t->options[i], name)) {
            return true;
        }
    }
    return false;
}

static bool is_repetition(const struct fe_fields *fields, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (fe_view_equal(fields->items[i].name, fields->items[index].name)) {
            return true;
        }
    }
    return false;
}

/* The value of a field; of one that is repeated, all its values in one, since old decoders keep
 * only the last of two equal names (RFC 9110 §5.3; for Cookie RFC 9113 §8.2.3). */
static int join_values(const struct transcriber *t, size_t index, struct fe_view *value)
{
    const struct fe_fields *fields = &t->request->fields;
    struct fe_view name = fields->items[index].name;
    const char *separator = fe_view_equal(name, FE_VIEW_LIT("cookie")) ? "; " : ", ";
    size_t size = 0;
    size_t n = 0;
    uint8_t *to;

    for (size_t i = index; i < fields->n; i++) {
        if (fe_view_equal(fields->items[i].name, name)) {
            size += fields->items[i].value.len + 2;
            n++;
        }
    }
    *value = fields->items[index].value;
    if (n == 1) {
        return 0;
    }
    to = fe_arena_alloc(t->arena, size);
    if (to == NULL) {
        return FLATEND_ENOMEM;
    }
    *value = fe_view_of(to, size - 2);
    for (size_t i = index; i < fields->n; i++) {
        struct fe_view piece = fields->items[i].value;

        if (!fe_view_equal(fields->items[i].name, name)) {
            continue;
        }
        if (i > index) {
            memcpy(to, separator, 2);
            to += 2;
        }
        if (piece.len > 0) {
            memcpy(to, piece.ptr, piece.len);
            to += piece.len;
        }
    }
    return 0;
}

/* RFC 9110 §7.6.2: one less; what is no number is passed on. FLATEND_ENOMEM. */
static int count_forward(struct transcriber *t, struct fe_view name, struct fe_view *value)
{
    const enum fe_method method = t->request->method;
    uint8_t digits[FE_DIGITS_MAX];
    uint64_t n;

    if ((method != FE_METHOD_OPTIONS && method != FE_METHOD_TRACE) ||
        !fe_view_equal(name, FE_VIEW_LIT("max-forwards")) || !fe_parse_number(*value, &n) ||
        n == 0) {
        return 0;
    }
    *value = fe_view_of_number(digits, n - 1);
    value->ptr = (const uint8_t *)fe_arena_copy(t->arena, *value);
    return value->ptr != NULL ? 0 : FLATEND_ENOMEM;
}

static int add_fields(struct transcriber *t)
{
    const struct fe_fields *fields = &t->request->fields;
    int code = note_connection(t);

    for (size_t i = 0; code == 0 && i < fields->n; i++) {
        struct fe_view name = fields->items[i].name;
        struct fe_view value;

        if (is_hop_by_hop(name) || is_reserved(name) || is_in_connection(t, name) ||
            is_repetition(fields, i)) {
            continue;
        }
        code = join_values(t, i, &value);
        if (code == 0) {
            code = count_forward(t, name, &value);
        }
        if (code == 0) {
            add(t, name, value);
        }
    }
    return code;
}

/* ---- parameters ----------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *to, struct fe_view v)
{
    if (v.len > 0) {
        memcpy(to, v.ptr, v.len);
    }
    return to + v.len;
}

static int count_query(struct fe_view query, size_t *n)
{
    struct fe_view name;
    struct fe_view value;

    *n = 0;
    while (fe_query_next(&query, &name, &value)) {
        if (*n == FE_QUERY_PARAMS_MAX) {
            return FLATEND_ELIMIT;
        }
        ++*n;
    }
    return 0;
}

/* No text of a header: in C a NUL ends it, so that "id%00" would pose as "id". In names no control
 * character is allowed (docs/c-api.md). */
static bool is_param(struct fe_view name, struct fe_view value)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < ' ' || name.ptr[i] == 0x7f) {
            return false;
        }
    }
    return value.len == 0 || memchr(value.ptr, '\0', value.len) == NULL;
}

/* Of parameters with one name the first counts, as it always has. */
static void add_query_param(struct transcriber *t, size_t first, struct fe_view name,
                            struct fe_view value)
{
    for (size_t i = first; i < t->out->n; i++) {
        if (fe_view_equal(t->out->headers[i].name, name)) {
            return;
        }
    }
    add(t, name, value);
}

static int add_query(struct transcriber *t, size_t n_params)
{
    struct fe_view query = t->request->query;
    size_t first = t->out->n;
    struct fe_view name;
    struct fe_view value;
    uint8_t *to;

    if (n_params == 0) {
        return 0;
    }
    to = fe_arena_alloc(t->arena, n_params * QUERY_PREFIX.len + query.len);
    if (to == NULL) {
        return FLATEND_ENOMEM;
    }
    while (fe_query_next(&query, &name, &value)) {
        uint8_t *start = to;
        size_t len = fe_query_decode(put(start, QUERY_PREFIX), name);

        fe_ascii_lower_all(start + QUERY_PREFIX.len, len);
        name = fe_view_of(start, QUERY_PREFIX.len + len);
        to = start + name.len;
        value = fe_view_of(to, fe_query_decode(to, value));
        to += value.len;
        if (!is_param(name, value)) {
            return FLATEND_ESYNTAX;
        }
        add_query_param(t, first, name, value);
    }
    return 0;
}

static int add_params(struct transcriber *t, const struct fe_match *match)
{
    for (size_t i = 0; i < match->n_params; i++) {
        struct fe_view name = match->params[i].name;
        size_t len = PARAMS_PREFIX.len + name.len;
        uint8_t *text = fe_arena_alloc(t->arena, len);

        if (text == NULL) {
            return FLATEND_ENOMEM;
        }
        (void)put(put(text, PARAMS_PREFIX), name);
        fe_ascii_lower_all(text, len);
        add(t, fe_view_of(text, len), match->params[i].value);
    }
    return 0;
}

/* ---- pseudo-headers ------------------------------------------------------------------------- */

/* The target in origin form, as HTTP/2 has it: RFC 9113 §8.3.1. */
static int join_path(const struct transcriber *t, struct fe_view *path)
{
    const struct fe_request *request = t->request;
    uint8_t *text;

    *path = request->path;
    if (request->query.len == 0) {
        return 0;
    }
    *path = fe_view_of(NULL, request->path.len + 1 + request->query.len);
    text = fe_arena_alloc(t->arena, path->len);
    if (text == NULL) {
        return FLATEND_ENOMEM;
    }
    path->ptr = text;
    (void)put(put(put(text, request->path), FE_VIEW_LIT("?")), request->query);
    return 0;
}

static int add_pseudo(struct transcriber *t, struct fe_view remote)
{
    struct fe_view path;
    int code = join_path(t, &path);

    if (code != 0) {
        return code;
    }
    add(t, FE_VIEW_LIT(":method"), t->request->method_text);
    add(t, FE_VIEW_LIT(":path"), path);
    add(t, FE_VIEW_LIT(":scheme"), t->request->scheme);
    add(t, FE_VIEW_LIT(":authority"), t->request->authority);
    add(t, FE_VIEW_LIT(":remote"), remote);
    return 0;
}

int fe_transcribe_request(const struct fe_request *request, const struct fe_match *match,
                          struct fe_view remote, struct fe_arena *arena,
                          struct fe_transcript *transcript)
{
    struct transcriber t = {.request = request, .arena = arena, .out = transcript};
    size_t n_query;
    size_t cap;
    int code = count_query(request->query, &n_query);

    if (code != 0) {
        return code;
    }
    cap = request->fields.n + n_query + match->n_params + N_PSEUDO + FE_TRANSCRIPT_EXTRA;
    transcript->n = 0;
    transcript->headers = fe_arena_alloc(arena, cap * sizeof(*transcript->headers));
    if (transcript->headers == NULL) {
        return FLATEND_ENOMEM;
    }
    code = add_fields(&t);
    if (code == 0) {
        code = add_query(&t, n_query);
    }
    if (code == 0) {
        code = add_params(&t, match);
    }
    if (code == 0) {
        code = add_pseudo(&t, remote);
    }
    return code;
}

/* RFC 9110 §7.6.1: what Connection names may be a trailer, too. */
int fe_transcribe_trailers(const struct fe_request *request, const struct fe_fields *fields,
                           struct fe_arena *arena, struct fe_transcript *transcript)
{
    transcript->n = 0;
    transcript->headers = fe_arena_alloc(arena, (fields->n + 1) * sizeof(*transcript->headers));
    if (transcript->headers == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_field *field = &fields->items[i];

        if (!is_reserved(field->name) &&
            !fe_is_named_by_connection(&request->fields, field->name)) {
            transcript->headers[transcript->n++] = (struct fe_header){field->name, field->value};
        }
    }
    return 0;
}
