#include "web/http/message.h"

#include "web/http/syntax.h"

enum { FIELDS_MIN = 24 }; /* a browser sends about 15 */

int fe_fields_add(struct fe_fields *fields, struct fe_arena *arena, struct fe_view name,
                  struct fe_view value)
{
    if (fields->n == fields->cap) {
        size_t cap = fields->cap == 0 ? FIELDS_MIN : fields->cap * 2;
        struct fe_field *items;

        if (cap > SIZE_MAX / sizeof(*items)) {
            return FLATEND_ENOMEM;
        }
        items = fe_arena_alloc(arena, cap * sizeof(*items));
        if (items == NULL) {
            return FLATEND_ENOMEM;
        }
        if (fields->n > 0) {
            memcpy(items, fields->items, fields->n * sizeof(*items));
        }
        fields->items = items;
        fields->cap = cap;
    }
    fields->items[fields->n++] = (struct fe_field){name, value};
    return 0;
}

int fe_response_extend(struct fe_response *copy, const struct fe_response *response, size_t n_extra,
                       struct fe_arena *arena)
{
    const size_t n = response->fields.n;
    struct fe_field *const items = fe_arena_alloc(arena, (n + n_extra) * sizeof(*items));

    if (items == NULL) {
        return FLATEND_ENOMEM;
    }
    if (n > 0) {
        memcpy(items, response->fields.items, n * sizeof(*items));
    }
    *copy = *response;
    copy->fields = (struct fe_fields){items, n, n + n_extra};
    return 0;
}

const struct fe_field *fe_fields_find(const struct fe_fields *fields, struct fe_view name)
{
    for (size_t i = 0; i < fields->n; i++) {
        if (fe_view_equal(fields->items[i].name, name)) {
            return &fields->items[i];
        }
    }
    return NULL;
}

const struct fe_field *fe_fields_find_only(const struct fe_fields *fields, struct fe_view name)
{
    const struct fe_field *found = NULL;

    for (size_t i = 0; i < fields->n; i++) {
        if (fe_view_equal(fields->items[i].name, name)) {
            if (found != NULL) {
                return NULL;
            }
            found = &fields->items[i];
        }
    }
    return found;
}

bool fe_field_is_valid(const struct fe_field *field)
{
    return fe_is_token(field->name) && fe_is_field_value(field->value);
}

bool fe_status_is_valid(int status)
{
    return status >= 200 && status <= 599;
}

bool fe_response_is_valid(const struct fe_response *response)
{
    size_t room = FE_RESPONSE_HEAD_MAX;

    for (size_t i = 0; i < response->fields.n; i++) {
        const struct fe_field *const field = &response->fields.items[i];

        if (!fe_field_is_valid(field) || field->name.len > room ||
            field->value.len > room - field->name.len) {
            return false;
        }
        room -= field->name.len + field->value.len;
    }
    return fe_status_is_valid(response->status);
}

/* Methods are case-sensitive (RFC 9110 §9.1). */
enum fe_method fe_method_of(struct fe_view token)
{
    static const struct {
        struct fe_view name;
        enum fe_method method;
    } methods[] = {
#define METHOD(name) {{(const uint8_t *)#name, sizeof(#name) - 1}, FE_METHOD_##name}
        METHOD(GET),     METHOD(HEAD),    METHOD(POST),  METHOD(PUT),   METHOD(DELETE),
        METHOD(CONNECT), METHOD(OPTIONS), METHOD(TRACE), METHOD(PATCH),
#undef METHOD
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (fe_view_equal(methods[i].name, token)) {
            return methods[i].method;
        }
    }
    return FE_METHOD_OTHER;
}

bool fe_method_is_idempotent(enum fe_method method)
{
    switch (method) {
    case FE_METHOD_GET:
    case FE_METHOD_HEAD:
    case FE_METHOD_PUT:
    case FE_METHOD_DELETE:
    case FE_METHOD_OPTIONS:
    case FE_METHOD_TRACE:
        return true;
    case FE_METHOD_OTHER:
    case FE_METHOD_POST:
    case FE_METHOD_CONNECT:
    case FE_METHOD_PATCH:
        break;
    }
    return false;
}
