#include "web/http/sniff.h"

static const struct fe_view preface = {(const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

enum fe_http_sniffed fe_http_sniff(struct fe_http_sniff *sniff, struct fe_view data)
{
    struct fe_view rest = fe_view_skip(preface, sniff->n);
    size_t n = data.len < rest.len ? data.len : rest.len;

    if (!fe_view_equal(fe_view_of(data.ptr, n), fe_view_of(rest.ptr, n))) {
        return FE_HTTP_SNIFF_1;
    }
    if (n == rest.len) {
        return FE_HTTP_SNIFF_2;
    }
    sniff->n += n;
    return FE_HTTP_SNIFF_MORE;
}

struct fe_view fe_http_sniff_seen(const struct fe_http_sniff *sniff)
{
    return fe_view_of(preface.ptr, sniff->n);
}
