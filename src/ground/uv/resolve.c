#include "ground/uv/resolve.h"

#include <stdlib.h>

#include "ground/os/socket.h"
#include "ground/uv/loop.h"

struct resolution {
    uv_getaddrinfo_t request;
    uint16_t port;
    fe_resolve_fn fn;
    void *arg;
    char host_port[]; /* as it was asked for, to name it in an error */
};

static const char *reason(int status)
{
    return status == UV_EAI_NONAME || status == UV_EAI_NODATA ? "no such host"
                                                              : uv_strerror(status);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct resolution *resolution = request->data;
    struct fe_addr addrs[FE_RESOLVE_MAX];
    size_t n = 0;
    struct flatend_error err = {0};

    for (struct addrinfo *info = found; info != NULL && n < FE_RESOLVE_MAX; info = info->ai_next) {
        if (fe_addr_from_sockaddr(&addrs[n], info->ai_addr, info->ai_addrlen) == 0) {
            addrs[n++].port = resolution->port;
        }
    }
    uv_freeaddrinfo(found);
    if (n == 0) {
        status = status != 0 ? status : UV_EAI_NODATA;
        (void)fe_err_set(&err, fe_uv_code(status), "look up '%s': %s", resolution->host_port,
                         reason(status));
    }
    fe_resolve_fn fn = resolution->fn;
    void *arg = resolution->arg;

    free(resolution);
    fn(arg, addrs, n, &err);
}

/* Splits into the name, as a string, and the port. */
static int split(const char *host_port, char name[NI_MAXHOST], uint16_t *port,
                 struct flatend_error *err)
{
    struct fe_view host;
    int code = fe_addr_split(host_port, &host, port, err);

    if (code != 0) {
        return code;
    }
    if (host.len == 0 || host.len >= NI_MAXHOST) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': no host name", host_port);
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    return 0;
}

int fe_resolve(struct fe_worker *worker, const char *host_port, fe_resolve_fn fn, void *arg,
               struct flatend_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolution *resolution;
    char name[NI_MAXHOST];
    uint16_t port;
    int code = split(host_port, name, &port, err);

    if (code != 0) {
        return code;
    }
    resolution = malloc(sizeof(*resolution) + strlen(host_port) + 1);
    if (resolution == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    resolution->port = port;
    resolution->fn = fn;
    resolution->arg = arg;
    memcpy(resolution->host_port, host_port, strlen(host_port) + 1);
    resolution->request.data = resolution;
    code = uv_getaddrinfo(worker->loop, &resolution->request, on_resolved, name, NULL, &hints);
    if (code != 0) {
        free(resolution);
        return fe_err_set(err, fe_uv_code(code), "look up '%s': %s", host_port, uv_strerror(code));
    }
    return 0;
}

int fe_resolve_now(const char *host_port, struct fe_addr *addr, struct flatend_error *err)
{
    struct flatend_error reason;
    char name[NI_MAXHOST];
    uint16_t port;
    int code = split(host_port, name, &port, err);

    if (code != 0) {
        return code;
    }
    code = fe_host_lookup(name, addr, &reason);
    if (code != 0) {
        return fe_err_set(err, code, "look up '%s': %.150s", host_port, reason.text);
    }
    addr->port = port;
    return 0;
}
