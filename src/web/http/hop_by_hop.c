#include "web/http/hop_by_hop.h"

#include "web/http/syntax.h"

static bool is_name(struct fe_view name, struct fe_view lower)
{
    return name.len == lower.len && fe_view_equal_nocase(name, lower);
}

#define IS(name, literal) fe_view_equal_nocase(name, FE_VIEW_LIT(literal))

/* Most fields have none of these lengths. */
bool fe_is_about_connection(struct fe_view name)
{
    switch (name.len) {
    case sizeof("te") - 1:
        return IS(name, "te");
    case sizeof("upgrade") - 1: /* and of "trailer" */
        return IS(name, "upgrade") || IS(name, "trailer");
    case sizeof("connection") - 1: /* and of "keep-alive" */
        return IS(name, "connection") || IS(name, "keep-alive");
    case sizeof("proxy-connection") - 1:
        return IS(name, "proxy-connection");
    case sizeof("transfer-encoding") - 1:
        return IS(name, "transfer-encoding");
    default:
        return false;
    }
}

bool fe_is_hop_by_hop(struct fe_view name)
{
    return fe_is_about_connection(name) || is_name(name, FE_VIEW_LIT("content-length")) ||
           is_name(name, FE_VIEW_LIT("proxy-authenticate"));
}

bool fe_is_named_by_connection(const struct fe_fields *fields, struct fe_view name)
{
    for (size_t i = 0; i < fields->n; i++) {
        struct fe_view list = fields->items[i].value;
        struct fe_view option;

        if (!is_name(fields->items[i].name, FE_VIEW_LIT("connection"))) {
            continue;
        }
        while (fe_list_next(&list, &option)) {
            if (fe_view_equal_nocase(option, name)) {
                return true;
            }
        }
    }
    return false;
}
