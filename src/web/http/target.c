#include "web/http/target.h"

#include "ground/base/ascii.h"
#include "web/http/syntax.h"

enum { PORT_DIGITS_MAX = 5 };

/* reg-name and IPv4address (RFC 3986 §3.2.2): unreserved, sub-delims and percent-encodings. */
static bool is_host_char(uint8_t c)
{
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
    case '%':
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
        return true;
    default:
        return fe_ascii_is_alphanumeric(c);
    }
}

/* The length of "[...]" at the start, 0 if it does not close or holds what no address does. */
static size_t ip_literal_len(struct fe_view v)
{
    for (size_t i = 1; i < v.len; i++) {
        if (v.ptr[i] == ']') {
            return i > 1 ? i + 1 : 0;
        }
        if (v.ptr[i] != ':' && (v.ptr[i] == '%' || !is_host_char(v.ptr[i]))) {
            return 0;
        }
    }
    return 0;
}

bool fe_http_is_authority(struct fe_view v)
{
    size_t i = 0;

    if (v.len > 0 && v.ptr[0] == '[') {
        i = ip_literal_len(v);
        if (i == 0) {
            return false;
        }
    } else {
        while (i < v.len && is_host_char(v.ptr[i])) {
            i++;
        }
    }
    if (i == v.len) {
        return true;
    }
    /* A port without a host names nothing; an empty port is the scheme's (RFC 3986 §3.2.3). */
    if (v.ptr[i] != ':' || i == 0 || v.len - i - 1 > PORT_DIGITS_MAX) {
        return false;
    }
    for (i++; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

/* absolute-path [ "?" query ]. Visible ASCII is let through although RFC 3986 forbids some of it:
 * browsers send '|' and '"' in queries. Never a fragment, a control or a byte beyond ASCII. */
static int parse_path(struct fe_request *request, struct fe_view path, struct fe_http_fault *fault)
{
    const uint8_t *mark;

    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= ' ' || path.ptr[i] >= 0x7f || path.ptr[i] == '#') {
            return fe_http_refuse(fault, 400, "request target with an invalid character");
        }
    }
    mark = path.len > 0 ? memchr(path.ptr, '?', path.len) : NULL;
    request->path = path;
    if (mark != NULL) {
        request->path.len = (size_t)(mark - path.ptr);
        request->query = fe_view_skip(path, request->path.len + 1);
    }
    return 0;
}

static bool skip_prefix_nocase(struct fe_view *v, struct fe_view prefix)
{
    if (v->len < prefix.len || !fe_view_equal_nocase(fe_view_of(v->ptr, prefix.len), prefix)) {
        return false;
    }
    *v = fe_view_skip(*v, prefix.len);
    return true;
}

/* absolute-form: its authority counts, whatever Host says (RFC 9112 §3.2.2). The scheme is the
 * connection's: behind a proxy that ends TLS the two differ. */
static int parse_absolute(struct fe_request *request, struct fe_view target,
                          struct fe_http_fault *fault)
{
    size_t n = 0;

    while (n < target.len && target.ptr[n] != '/' && target.ptr[n] != '?') {
        n++;
    }
    request->authority = fe_view_of(target.ptr, n);
    if (n == 0 || !fe_http_is_authority(request->authority)) {
        return fe_http_refuse(fault, 400, "request target with an invalid authority");
    }
    target = fe_view_skip(target, n);
    if (parse_path(request, target, fault) != 0) {
        return FLATEND_EPROTO;
    }
    if (request->path.len == 0) {
        request->path = FE_VIEW_LIT("/");
    }
    return 0;
}

int fe_http_target_parse(struct fe_request *request, struct fe_view target,
                         struct fe_http_fault *fault)
{
    if (request->method == FE_METHOD_CONNECT && request->upgrade.len == 0) {
        /* authority-form, §3.2.3: a tunnel is what a gateway never is. */
        return fe_http_refuse(fault, 501, "CONNECT is not supported");
    }
    if (target.len > 0 && target.ptr[0] == '/') {
        return parse_path(request, target, fault);
    }
    if (fe_view_equal(target, FE_VIEW_LIT("*"))) {
        if (request->method != FE_METHOD_OPTIONS) { /* §3.2.4 */
            return fe_http_refuse(fault, 400, "request target '*' is allowed with OPTIONS only");
        }
        request->path = target;
        return 0;
    }
    if (skip_prefix_nocase(&target, FE_VIEW_LIT("http://")) ||
        skip_prefix_nocase(&target, FE_VIEW_LIT("https://"))) {
        return parse_absolute(request, target, fault);
    }
    return fe_http_refuse(fault, 400, "request target is neither a path nor an http URI");
}
