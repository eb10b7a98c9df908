/* Which addresses redirect to HTTPS: each is a listener of its own, made here. */
#include <string.h>

#include "gateway/config/https.h"
#include "ground/base/assert.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Would the two listen on the same? An unspecified address is all of them. */
static bool overlaps(const struct fe_addr *a, const struct fe_addr *b)
{
    if (a->port != b->port || fe_addr_has_any_port(a)) {
        return false;
    }
    return fe_addr_equal(a, b) || fe_addr_is_unspecified(a) || fe_addr_is_unspecified(b);
}

/* The listener there, or NULL. */
static const struct fe_config_http *find_listener(const struct fe_config *config, size_t n,
                                                  const struct fe_addr *addr,
                                                  struct fe_toml_pos *pos)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < config->http[i].n_addrs; k++) {
            if (overlaps(&config->http[i].addrs[k], addr)) {
                *pos = config->http[i].addrs_pos[k];
                return &config->http[i];
            }
        }
    }
    return NULL;
}

static struct fe_config_http *find_redirect(struct fe_config *config, size_t n_listeners,
                                            const struct fe_addr *addr)
{
    for (size_t i = n_listeners; !fe_addr_has_any_port(addr) && i < config->n_http; i++) {
        if (fe_addr_equal(&config->http[i].addrs[0], addr)) {
            return &config->http[i];
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
    struct fe_config_http *const same = find_redirect(config, n_listeners, addr);
    struct fe_toml_pos pos;
    char text[FE_ADDR_TEXT_MAX];

    if (find_listener(config, n_listeners, addr, &pos) != NULL) {
        if (!target->redirect.has_addr) {
            return 0; /* a default, not configured: the address is used otherwise */
        }
        return fe_config_fail(r, FLATEND_EEXIST, target->redirect.pos,
                              "%s is already used by the [[http]] at %u:%u",
                              fe_addr_format(addr, text), pos.line, pos.column);
    }
    if (same == NULL) {
        return add_redirect(r, config, target, addr);
    }
    FE_ASSERT(same->n_targets > 0 && same->n_targets <= n_listeners, "targets are listeners");
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

    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct fe_config_http *const http = &config->http[i];

        if (http->https == FE_HTTPS_OFF || http->redirect.is_off) {
            continue;
        }
        if (http->redirect.has_addr) {
            code = redirect_from(r, config, n, http, &http->redirect.addr);
            continue;
        }
        for (size_t k = 0; code == 0 && k < http->n_addrs; k++) {
            struct fe_addr addr = http->addrs[k];

            if (addr.port == HTTPS_PORT) {
                addr.port = HTTP_PORT;
                code = redirect_from(r, config, n, http, &addr);
            }
        }
    }
    return code;
}
