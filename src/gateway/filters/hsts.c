#include "gateway/filters/hsts.h"

#include "ground/base/list.h"
#include "web/http/exchange.h"

#define HSTS FE_VIEW_LIT("strict-transport-security") /* RFC 6797 §6.1 */

static bool says_it_itself(const struct fe_fields *fields)
{
    for (size_t i = 0; i < fields->n; i++) {
        if (fe_view_equal_nocase(fields->items[i].name, HSTS)) {
            return true;
        }
    }
    return false;
}

/* RFC 6797 §7.2: never over a connection that is not secure. */
static int respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_response *response)
{
    const struct fe_hsts_filter *const hsts =
        FE_CONTAINER_OF(at->filter, const struct fe_hsts_filter, filter);
    struct fe_response changed;
    int code;

    if (!fe_view_equal(ex->request.scheme, FE_VIEW_LIT("https")) ||
        says_it_itself(&response->fields)) {
        return fe_filter_next_respond(at, ex, response);
    }
    code = fe_response_extend(&changed, response, 1, &ex->arena);
    if (code != 0) {
        return code;
    }
    changed.fields.items[changed.fields.n++] = (struct fe_field){HSTS, hsts->value};
    return fe_filter_next_respond(at, ex, &changed);
}

struct fe_hsts_filter fe_hsts_filter(struct fe_view value)
{
    static const struct fe_filter_ops ops = {.respond = respond};

    return (struct fe_hsts_filter){{&ops}, value};
}
