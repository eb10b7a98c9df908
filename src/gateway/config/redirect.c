/* Which addresses redirect to HTTPS: each is a listener of its own, made here. */
#include <string.h>

#include "gateway/config/http.h"
#include "gateway/config/https.h"
#include "ground/base/assert.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* What listens there, or on a part of it, and with which of its addresses; NULL: nothing. */
static struct fe_config_http *find(struct fe_config *config, const struct fe_addr *addr,
                                   size_t *index)
{
    for (size_t i = 0; i < config->n_http; i++) {
        for (size_t k = 0; k < config->http[i].n_addrs; k++) {
            if (fe_addr_overlaps(&config->http[i].addrs[k], addr)) {
                *index = k;
                return &config->http[i];
            }
        }
    }
    return NULL;
}

/* A listener with the limits of the one that it leads to. */
static int add_redirect(const struct fe_config_reader *r, struct fe_config *config,
                        const struct fe_config_http *target, const struct fe_addr *addr)
{
    struct fe_config_http *const http = &config->http[config->n_http];

    FE_ASSERT(target->https != FE_HTTPS_OFF, "a redirect leads to HTTPS");
    *http = *target;
    http->https = FE_HTTPS_OFF;
    http->certs = NULL;
    http->n_certs = 0;
    http->hsts = fe_view_of(NULL, 0);
    http->routes = NULL;
    http->n_routes = 0;
    http->router = NULL;
    http->addrs = fe_arena_alloc(r->arena, sizeof(*http->addrs));
    http->addrs_pos = fe_arena_alloc(r->arena, sizeof(*http->addrs_pos));
    http->targets = fe_arena_alloc(r->arena, config->n_http * sizeof(struct fe_config_http *));
    if (http->addrs == NULL || http->addrs_pos == NULL || http->targets == NULL) {
        return fe_config_no_memory(r);
    }
    http->addrs[0] = *addr;
    http->addrs_pos[0] = target->redirect.has_addr ? target->redirect.pos : target->https_pos;
    http->n_addrs = 1;
    http->targets[0] = target;
    http->n_targets = 1;
    config->n_http++;
    config->n_redirects++;
    return 0;
}

static int redirect_from(const struct fe_config_reader *r, struct fe_config *config,
                         size_t n_listeners, const struct fe_config_http *target,
                         const struct fe_addr *addr)
{
    size_t k;
    struct fe_config_http *const same = find(config, addr, &k);

    if (same == NULL) {
        return add_redirect(r, config, target, addr);
    }
    if (same->n_targets == 0 || !fe_addr_equal(&same->addrs[k], addr)) {
        if (!target->redirect.has_addr) {
            return 0; /* a default, not configured: the address is used otherwise */
        }
        return fe_config_fail_overlap(r, addr, target->redirect.pos, same, k);
    }
    FE_ASSERT(same->n_targets <= n_listeners, "targets are listeners");
    if (same->targets[same->n_targets - 1] != target) {
        same->targets[same->n_targets++] = target;
    }
    return 0;
}

/* Room behind the listeners for as many as may be wanted: one for each of their addresses. */
static int make_room(const struct fe_config_reader *r, struct fe_config *config)
{
    struct fe_config_http *larger;
    size_t n = config->n_http;

    for (size_t i = 0; i < config->n_http; i++) {
        n += config->http[i].https != FE_HTTPS_OFF ? config->http[i].n_addrs : 0;
    }
    if (n == config->n_http) {
        return 0;
    }
    larger = fe_arena_alloc(r->arena, n * sizeof(*larger));
    if (larger == NULL) {
        return fe_config_no_memory(r);
    }
    FE_ASSERT(n > config->n_http, "room grows");
    memcpy(larger, config->http, config->n_http * sizeof(*larger));
    config->http = larger;
    return 0;
}

int fe_config_add_redirects(const struct fe_config_reader *r, struct fe_config *config)
{
    const size_t n = config->n_http;
    int code = make_room(r, config);

    for (size_t i = 0; code != FLATEND_ENOMEM && i < n; i++) {
        const struct fe_config_http *const http = &config->http[i];

        if (http->https == FE_HTTPS_OFF || http->redirect.is_off) {
            continue;
        }
        if (http->redirect.has_addr) {
            code = FE_CONFIG_ALSO(code, redirect_from(r, config, n, http, &http->redirect.addr));
            continue;
        }
        for (size_t k = 0; k < http->n_addrs; k++) {
            struct fe_addr addr = http->addrs[k];

            if (addr.port == HTTPS_PORT) {
                addr.port = HTTP_PORT;
                code = FE_CONFIG_ALSO(code, redirect_from(r, config, n, http, &addr));
            }
        }
    }
    return code;
}
