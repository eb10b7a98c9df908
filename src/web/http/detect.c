#include "web/http/detect.h"

static const struct fe_view preface = {(const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

enum fe_http_detected fe_http_detect(struct fe_http_detect *detect, struct fe_view data)
{
    struct fe_view rest = fe_view_skip(preface, detect->n);
    size_t n = data.len < rest.len ? data.len : rest.len;

    if (!fe_view_equal(fe_view_of(data.ptr, n), fe_view_of(rest.ptr, n))) {
        return FE_HTTP_DETECT_HTTP_1_1;
    }
    if (n == rest.len) {
        return FE_HTTP_DETECT_HTTP_2;
    }
    detect->n += n;
    return FE_HTTP_DETECT_MORE;
}

struct fe_view fe_http_detect_seen(const struct fe_http_detect *detect)
{
    return fe_view_of(preface.ptr, detect->n);
}
