#include "web/http/hop_by_hop.h"

#include "web/http/syntax.h"

static bool is_name(struct fe_view name, struct fe_view lower)
{
    return name.len == lower.len && fe_view_equal_nocase(name, lower);
}

bool fe_is_hop_by_hop(struct fe_view name)
{
    static const struct {
        const char *name;
        size_t len;
    } names[] = {
#define NAME(literal) {literal, sizeof(literal) - 1}
        NAME("connection"),       NAME("keep-alive"),         NAME("te"),
        NAME("proxy-connection"), NAME("proxy-authenticate"), NAME("trailer"),
        NAME("upgrade"),          NAME("content-length"),     NAME("transfer-encoding"),
#undef NAME
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_name(name, fe_view_of(names[i].name, names[i].len))) {
            return true;
        }
    }
    return false;
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
