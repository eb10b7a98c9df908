#include "gateway/relay/held_response.h"

bool fe_held_response_is_due(const struct fe_exchange *ex, const struct fe_response *response)
{
    bool has_type = fe_fields_find(&response->fields, FE_VIEW_LIT("content-type")) != NULL;
    bool has_body = ex->request.method != FE_METHOD_HEAD && response->status != 204 &&
                    response->status != 205 && response->status != 304;

    return has_body && (!has_type || response->content_length == FE_BODY_UNKNOWN);
}

static int copy(struct fe_view *view, struct fe_arena *arena)
{
    view->ptr = (const uint8_t *)fe_arena_copy(arena, *view);
    return view->ptr != NULL ? 0 : FLATEND_ENOMEM;
}

int fe_held_response_start(struct fe_held_response *held, const struct fe_response *response,
                           struct fe_arena *arena)
{
    held->response = *response;
    for (size_t i = 0; i < response->fields.n; i++) {
        struct fe_field *field = &held->response.fields.items[i];

        if (copy(&field->name, arena) != 0 || copy(&field->value, arena) != 0) {
            return FLATEND_ENOMEM;
        }
    }
    held->is_held = true;
    return 0;
}

int fe_held_response_keep(struct fe_held_response *held, struct fe_view data,
                          struct fe_arena *arena)
{
    if (data.len > FE_HELD_BODY_MAX - held->len) {
        return 0;
    }
    if (held->body == NULL) {
        held->body = fe_arena_alloc(arena, FE_HELD_BODY_MAX);
        if (held->body == NULL) {
            return FLATEND_ENOMEM;
        }
    }
    memcpy(held->body + held->len, data.ptr, data.len);
    held->len += data.len;
    return 1;
}

/* ---- text ---- */

/* The length of the character that begins here; 0: none does. What is cut off counts as whole
 * unless `is_whole`. Surrogates and overlong forms are not told apart: nothing hides behind them in
 * plain text. */
static size_t character_len(const uint8_t *at, size_t left, bool is_whole)
{
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc2 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf5 ? 4
                                : 0;

    for (size_t i = 1; i < len && i < left; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (len > left) {
        return is_whole ? 0 : left;
    }
    return len;
}

/* Controls that text has: tab, ends of lines, form feed, escape. */
static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b) || c == 0x7f;
}

bool fe_is_text(struct fe_view bytes, bool is_whole)
{
    size_t i = 0;

    while (i < bytes.len && !is_control(bytes.ptr[i])) {
        size_t n = character_len(bytes.ptr + i, bytes.len - i, is_whole);

        if (n == 0) {
            return false;
        }
        i += n;
    }
    return i == bytes.len;
}

/* ---- what is declared ---- */

static int add(struct fe_response *response, struct fe_arena *arena, struct fe_view name,
               struct fe_view value)
{
    return fe_fields_find(&response->fields, name) != NULL
               ? 0
               : fe_fields_add(&response->fields, arena, name, value);
}

/* Nothing but text: what a browser would run has to be declared by those who mean it. */
static int declare_type(struct fe_held_response *held, struct fe_arena *arena, bool is_whole)
{
    const struct fe_view body = fe_view_of(held->body, held->len);
    int code = 0;

    if (held->len == 0 ||
        fe_fields_find(&held->response.fields, FE_VIEW_LIT("content-type")) != NULL) {
        return 0;
    }
    if (fe_is_text(body, is_whole) &&
        fe_fields_find(&held->response.fields, FE_VIEW_LIT("content-encoding")) == NULL) {
        code = add(&held->response, arena, FE_VIEW_LIT("content-type"),
                   FE_VIEW_LIT("text/plain; charset=utf-8"));
    }
    return code != 0 ? code
                     : add(&held->response, arena, FE_VIEW_LIT("x-content-type-options"),
                           FE_VIEW_LIT("nosniff"));
}

int fe_held_response_release(struct fe_held_response *held, struct fe_exchange *ex, bool is_whole)
{
    int code = declare_type(held, &ex->arena, is_whole);

    held->is_held = false;
    if (is_whole && held->response.content_length == FE_BODY_UNKNOWN) {
        held->response.content_length = held->len;
    }
    return code == 0 ? fe_exchange_respond(ex, &held->response) : code;
}

int fe_held_response_write(struct fe_held_response *held, struct fe_exchange *ex)
{
    ssize_t n = 0;

    if (held->n_sent < held->len) {
        n = fe_exchange_write(ex, fe_view_of(held->body + held->n_sent, held->len - held->n_sent));
        if (n < 0) {
            return (int)n;
        }
    }
    held->n_sent += (size_t)n;
    return held->n_sent == held->len;
}
