/* Protocol detection without ALPN (clear text): HTTP/2 with prior knowledge begins with a preface
 * that is not an HTTP/1.1 request (RFC 9113 §3.3, §3.4). */
#ifndef FE_WEB_HTTP_DETECT_H
#define FE_WEB_HTTP_DETECT_H

#include "ground/base/view.h"

enum fe_http_detected {
    FE_HTTP_DETECT_MORE, /* all so far is the beginning of the preface */
    FE_HTTP_DETECT_HTTP_1_1,
    FE_HTTP_DETECT_HTTP_2,
};

struct fe_http_detect {
    size_t n; /* bytes of the preface that were seen */
};

/* Looks at the bytes that come next. Once it is decided, fe_http_detect_seen is what came before
 * `data`, to be fed first. */
enum fe_http_detected fe_http_detect(struct fe_http_detect *detect, struct fe_view data);

/* The bytes of the calls that returned FE_HTTP_DETECT_MORE: the caller need not keep them. */
struct fe_view fe_http_detect_seen(const struct fe_http_detect *detect);

#endif
