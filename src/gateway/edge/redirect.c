#include "gateway/edge/redirect.h"

#include <stdio.h>

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "web/http/moved.h"
#include "web/http/problem.h"

enum { HTTPS_PORT = 443 };

/* Without the port; an IPv6 address keeps its brackets. */
static struct fe_view host_of(struct fe_view authority)
{
    size_t len = authority.len;

    while (len > 0 && authority.ptr[len - 1] >= '0' && authority.ptr[len - 1] <= '9') {
        len--;
    }
    return len > 0 && authority.ptr[len - 1] == ':' ? fe_view_of(authority.ptr, len - 1)
                                                    : authority;
}

static const struct fe_config_http *choose(const struct fe_config_http *http, struct fe_view host)
{
    FE_ASSERT(http->n_targets > 0, "a redirect leads somewhere");
    for (size_t i = 0; i < http->n_targets; i++) {
        for (size_t k = 0; k < http->targets[i]->n_domains; k++) {
            if (fe_view_equal_nocase(http->targets[i]->domains[k], host)) {
                return http->targets[i];
            }
        }
    }
    return http->targets[0];
}

/* Of its first address that has one; of a listener on unix sockets alone the usual one, by which
 * whatever stands in front of it is reached. */
static uint16_t port_of(const struct fe_config_http *http)
{
    for (size_t i = 0; i < http->n_addrs; i++) {
        if (http->addrs[i].family != FE_UNIX) {
            return http->addrs[i].port;
        }
    }
    return HTTPS_PORT;
}

/* NULL: out of memory. */
static char *format(struct fe_exchange *ex, struct fe_view host, uint16_t port, size_t *len)
{
    const struct fe_request *const request = &ex->request;
    const size_t cap = sizeof("https://:65535?") + host.len +
                       FE_MOVED_ROOM(request->path.len + request->query.len);
    char *text = fe_arena_alloc(&ex->arena, cap);
    uint8_t *to;
    size_t n;

    if (text == NULL) {
        return NULL;
    }
    n = (size_t)snprintf(text, cap, "https://%.*s", (int)host.len, (const char *)host.ptr);
    if (port != HTTPS_PORT) {
        n += (size_t)snprintf(text + n, cap - n, ":%u", port);
    }
    to = fe_moved_put((uint8_t *)text + n, request->path);
    if (request->query.len > 0) {
        *to++ = '?';
        to = fe_moved_put(to, request->query);
    }
    *len = (size_t)(to - (uint8_t *)text);
    FE_ASSERT(*len < cap, "the room was computed");
    return text;
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_config_http *const http =
        FE_CONTAINER_OF(backend, const struct fe_redirect_backend, backend)->http;
    const struct fe_view host = host_of(ex->request.authority);
    char *location;
    size_t len;

    if (host.len == 0 || ex->request.path.len == 0 || ex->request.path.ptr[0] != '/') {
        fe_problem_respond(ex, 400, "only served over HTTPS: use https://");
        return;
    }
    location = format(ex, host, port_of(choose(http, host)), &len);
    if (location == NULL) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        return;
    }
    fe_moved_respond(ex, fe_view_of(location, len), "use HTTPS");
}

struct fe_redirect_backend fe_redirect_backend(const struct fe_config_http *http)
{
    static const struct fe_backend_ops ops = {.start = start};

    return (struct fe_redirect_backend){{&ops}, http};
}
