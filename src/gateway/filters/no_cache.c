#include "gateway/filters/no_cache.h"

#include "ground/base/assert.h"
#include "web/http/exchange.h"

static const struct fe_field fields[] = {
#define FIELD(name, value)                                                                         \
    {                                                                                              \
        {(const uint8_t *)(name), sizeof(name) - 1},                                               \
        {                                                                                          \
            (const uint8_t *)(value), sizeof(value) - 1                                            \
        }                                                                                          \
    }
    FIELD("cache-control", "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    FIELD("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    FIELD("pragma", "no-cache"),
#undef FIELD
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

static bool is_replaced(struct fe_view name)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (fe_view_equal(name, fields[i].name)) {
            return true;
        }
    }
    return false;
}

static int respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_response *response)
{
    struct fe_response changed;
    size_t n = 0;
    int code;

    if (ex->is_problem) {
        return fe_filter_next_respond(at, ex, response);
    }
    code = fe_response_extend(&changed, response, N_FIELDS, &ex->arena);
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < changed.fields.n; i++) {
        if (!is_replaced(changed.fields.items[i].name)) {
            changed.fields.items[n++] = changed.fields.items[i];
        }
    }
    FE_ASSERT(n + N_FIELDS <= changed.fields.cap, "there is room for the fields that are added");
    memcpy(&changed.fields.items[n], fields, sizeof(fields));
    changed.fields.n = n + N_FIELDS;
    return fe_filter_next_respond(at, ex, &changed);
}

static const struct fe_filter_ops ops = {.respond = respond};

const struct fe_filter fe_no_cache_filter = {&ops};
