#include "web/http/trailers.h"

#include "web/http/hop_by_hop.h"

bool fe_trailer_is_allowed(struct fe_view name)
{
    static const struct fe_view forbidden[] = {
#define NAME(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
        /* framing and routing */
        NAME("content-length"),
        NAME("host"),
        /* modifiers of a request */
        NAME("cache-control"),
        NAME("expect"),
        NAME("if-match"),
        NAME("if-modified-since"),
        NAME("if-none-match"),
        NAME("if-range"),
        NAME("if-unmodified-since"),
        NAME("max-forwards"),
        NAME("pragma"),
        NAME("range"),
        /* authentication */
        NAME("authorization"),
        NAME("cookie"),
        NAME("proxy-authenticate"),
        NAME("proxy-authorization"),
        NAME("set-cookie"),
        NAME("www-authenticate"),
        /* control data of a response */
        NAME("age"),
        NAME("date"),
        NAME("expires"),
        NAME("location"),
        NAME("retry-after"),
        NAME("vary"),
        /* how to process the content */
        NAME("content-encoding"),
        NAME("content-range"),
        NAME("content-type"),
#undef NAME
    };

    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (name.len == forbidden[i].len && fe_view_equal_nocase(name, forbidden[i])) {
            return false;
        }
    }
    return !fe_is_about_connection(name);
}
