/* What a request says, by its meaning: the names of headers that carry it are the gateway's. */
#include <strings.h>

#include "ground/base/token.h"
#include "mesh/node/context.h"

struct flatend_node *flatend_context_node(const struct flatend_context *ctx)
{
    return ctx != NULL ? ctx->node : NULL;
}

const char *flatend_context_method(const struct flatend_context *ctx)
{
    return flatend_context_header(ctx, ":method");
}

const char *flatend_context_path(const struct flatend_context *ctx)
{
    return flatend_context_header(ctx, ":path");
}

/* Of several, the last, as of all headers: what the gateway says comes behind what it passes on. */
static const char *find_prefixed(const struct flatend_context *ctx, const char *prefix,
                                 const char *name)
{
    const size_t len = strlen(prefix);

    if (ctx == NULL || name == NULL) {
        return NULL;
    }
    for (size_t i = ctx->request.n; i > 0; i--) {
        const struct flatend_header *header = &ctx->request.headers[i - 1];

        if (strncmp(header->name, prefix, len) == 0 && strcasecmp(header->name + len, name) == 0) {
            return header->value;
        }
    }
    return NULL;
}

const char *flatend_context_param(const struct flatend_context *ctx, const char *name)
{
    return find_prefixed(ctx, "params.", name);
}

const char *flatend_context_query(const struct flatend_context *ctx, const char *name)
{
    return find_prefixed(ctx, "query.", name);
}

/* ---- cookies -------------------------------------------------------------------------------- */

static bool is_cookie_octet(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

/* The inside of `text` if it is a cookie-value (RFC 6265 §4.1.1): octets, perhaps in quotes. */
static bool read_value(struct fe_view text, struct fe_view *value)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        text = fe_view_of(text.ptr + 1, text.len - 2);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_cookie_octet(text.ptr[i])) {
            return false;
        }
    }
    *value = text;
    return true;
}

/* Whether this is a cookie-pair of that name; its name is told from others as it is written. */
static bool read_pair(struct fe_view pair, struct fe_view name, struct fe_view *value)
{
    const uint8_t *equals = pair.len > 0 ? memchr(pair.ptr, '=', pair.len) : NULL;
    size_t len = equals != NULL ? (size_t)(equals - pair.ptr) : 0;

    return equals != NULL && fe_view_equal(fe_view_of(pair.ptr, len), name) &&
           read_value(fe_view_skip(pair, len + 1), value);
}

/* RFC 6265 §5.4: pairs between "; "; the first of a name is the most specific one. */
static bool find_cookie(struct fe_view text, struct fe_view name, struct fe_view *value)
{
    while (text.len > 0) {
        const uint8_t *semicolon = memchr(text.ptr, ';', text.len);
        size_t len = semicolon != NULL ? (size_t)(semicolon - text.ptr) : text.len;

        if (read_pair(fe_trim_ows(fe_view_of(text.ptr, len)), name, value)) {
            return true;
        }
        text = fe_view_skip(text, semicolon != NULL ? len + 1 : len);
    }
    return false;
}

const char *flatend_context_cookie(struct flatend_context *ctx, const char *name)
{
    struct fe_view wanted;
    struct fe_view value;

    if (ctx == NULL || name == NULL) {
        return NULL;
    }
    wanted = fe_view_str(name);
    if (!fe_is_token(wanted)) {
        return NULL;
    }
    for (size_t i = 0; i < ctx->request.n; i++) {
        const struct flatend_header *header = &ctx->request.headers[i];

        if (strcmp(header->name, "cookie") == 0 &&
            find_cookie(fe_view_of(header->value, header->value_len), wanted, &value)) {
            return fe_arena_copy(&ctx->arena, value);
        }
    }
    return NULL;
}
