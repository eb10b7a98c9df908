/* [[http]]: one listener. */
#include "gateway/config/http.h"

#include "gateway/config/https.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DEFAULT_TIMEOUT_MS  10000
#define DEFAULT_HEADER_SIZE (1 << 20)
#define ADDR_EXPECTED       "a string such as \"127.0.0.1:9000\" or \":3000\""

struct timeout_form {
    struct fe_config_number read;
    struct fe_config_number read_header;
    struct fe_config_number idle;
    struct fe_config_number write;
    struct fe_config_number shutdown;
};

struct max_form {
    struct fe_config_number header_size;
    struct fe_config_number body_size;
};

/* The table as it is written. */
struct http_form {
    struct fe_config_https_form https;
    struct fe_config_texts addrs;
    struct fe_config_flag redirect_trailing_slash;
    struct fe_config_flag redirect_fixed_path;
    struct timeout_form timeout;
    struct fe_config_number body_min;
    struct max_form max;
    struct fe_toml_value routes;
};

/* ---- keys ----------------------------------------------------------------------------------- */

int fe_config_read_addr_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                             void *text)
{
    const int code = fe_config_expect(r, value, FE_TOML_STRING, ADDR_EXPECTED);
    return code != FLATEND_OK ? code : fe_config_read_text(r, value, text);
}

static int add_addr(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into)
{
    const int code = fe_config_expect(r, value, FE_TOML_STRING, ADDR_EXPECTED);
    return code != FLATEND_OK ? code : fe_config_add_text(r, value, into);
}

static int read_timeout(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *into)
{
    static const struct fe_config_key keys[] = {
        {"read", fe_config_read_duration, offsetof(struct timeout_form, read)},
        {"read_header", fe_config_read_duration, offsetof(struct timeout_form, read_header)},
        {"idle", fe_config_read_duration, offsetof(struct timeout_form, idle)},
        {"write", fe_config_read_duration, offsetof(struct timeout_form, write)},
        {"shutdown", fe_config_read_duration, offsetof(struct timeout_form, shutdown)},
    };
    return fe_config_read_table(r, value, "[http.timeout]", keys, COUNT(keys), into);
}

static int read_min(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into)
{
    static const struct fe_config_key keys[] = {{"body_size", fe_config_read_size, 0}};
    return fe_config_read_table(r, value, "[http.min]", keys, COUNT(keys), into);
}

static int read_max(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into)
{
    static const struct fe_config_key keys[] = {
        {"header_size", fe_config_read_size, offsetof(struct max_form, header_size)},
        {"body_size", fe_config_read_size, offsetof(struct max_form, body_size)},
    };
    return fe_config_read_table(r, value, "[http.max]", keys, COUNT(keys), into);
}

/* Routes inherit limits that may stand after them: they are read when all else is known. */
static int keep_routes(const struct fe_config_reader *r, const struct fe_toml_value *value,
                       void *into)
{
    struct fe_toml_value *const routes = into;
    *routes = *value;
    return fe_config_expect(r, value, FE_TOML_ARRAY, "an array of tables: [[http.routes]]");
}

static const struct fe_config_key HTTP_KEYS[] = {
    {"https", fe_config_read_https_mode, offsetof(struct http_form, https.https)},
    {"domain", fe_config_add_text, offsetof(struct http_form, https.domains)},
    {"domains", fe_config_add_texts, offsetof(struct http_form, https.domains)},
    {"cert", fe_config_read_text, offsetof(struct http_form, https.pair.chain)},
    {"key", fe_config_read_text, offsetof(struct http_form, https.pair.key)},
    {"certificates", fe_config_keep_certificates, offsetof(struct http_form, https.certificates)},
    {"redirect_http", fe_config_read_redirect, offsetof(struct http_form, https.redirect)},
    {"hsts", fe_config_read_duration, offsetof(struct http_form, https.hsts)},
    {"addr", add_addr, offsetof(struct http_form, addrs)},
    {"addrs", fe_config_add_texts, offsetof(struct http_form, addrs)},
    {"redirect_trailing_slash", fe_config_read_flag,
     offsetof(struct http_form, redirect_trailing_slash)},
    {"redirect_fixed_path", fe_config_read_flag, offsetof(struct http_form, redirect_fixed_path)},
    {"timeout", read_timeout, offsetof(struct http_form, timeout)},
    {"min", read_min, offsetof(struct http_form, body_min)},
    {"max", read_max, offsetof(struct http_form, max)},
    {"routes", keep_routes, offsetof(struct http_form, routes)},
};

/* ---- what the keys mean --------------------------------------------------------------------- */

void fe_config_merge_texts(struct fe_config_texts *texts)
{
    size_t n = 0;

    for (size_t i = 0; i < texts->n; i++) {
        size_t k = 0;
        while (k < n && !fe_view_equal(texts->items[k].text, texts->items[i].text)) {
            k++;
        }
        if (k == n) {
            texts->items[n++] = texts->items[i];
        }
    }
    texts->n = n;
}

int fe_config_read_addr(const struct fe_config_reader *r, const struct fe_config_text *text,
                        struct fe_addr *addr)
{
    if (fe_addr_parse(addr, (const char *)text->text.ptr, NULL) == FLATEND_OK) {
        return FLATEND_OK;
    }
    return fe_config_fail(r, FLATEND_EINVAL, text->pos,
                          "expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or "
                          "\":3000\", found \"%.48s\"",
                          (const char *)text->text.ptr);
}

static bool has_addr(const struct fe_config_http *http, const struct fe_addr *addr)
{
    for (size_t i = 0; i < http->n_addrs; i++) {
        if (fe_addr_equal(&http->addrs[i], addr)) {
            return true;
        }
    }
    return false;
}

static int finalize_addrs(const struct fe_config_reader *r, const struct fe_toml_value *table,
                          const struct http_form *form, struct fe_config_http *http)
{
    const bool is_https = form->https.https.mode != FE_HTTPS_OFF;
    struct fe_config_text standard = {is_https ? FE_VIEW_LIT(":443") : FE_VIEW_LIT(":80"),
                                      table->pos};
    const struct fe_config_texts addrs =
        form->addrs.n > 0 ? form->addrs : (struct fe_config_texts){&standard, 1};
    int code = FLATEND_OK;

    if (addrs.n > FE_CONFIG_ADDRS_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, addrs.items[FE_CONFIG_ADDRS_MAX].pos,
                              "more than %d addresses in an [[http]]", FE_CONFIG_ADDRS_MAX);
    }
    http->addrs = fe_arena_alloc(r->arena, addrs.n * sizeof(*http->addrs));
    http->addr_pos = fe_arena_alloc(r->arena, addrs.n * sizeof(*http->addr_pos));
    if (http->addrs == NULL || http->addr_pos == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; code == FLATEND_OK && i < addrs.n; i++) {
        struct fe_addr addr;
        code = fe_config_read_addr(r, &addrs.items[i], &addr);
        if (code == FLATEND_OK && !has_addr(http, &addr)) {
            http->addrs[http->n_addrs] = addr;
            http->addr_pos[http->n_addrs++] = addrs.items[i].pos;
        }
    }
    return code;
}

static int finalize_sizes(const struct fe_config_reader *r, const struct http_form *form,
                          struct fe_config_http *http)
{
    const struct fe_config_number *const header_size = &form->max.header_size;

    if (header_size->n < FE_CONFIG_HEADER_SIZE_MIN || header_size->n > FE_CONFIG_HEADER_SIZE_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, header_size->pos,
                              "expected a header size from %d to %d bytes",
                              FE_CONFIG_HEADER_SIZE_MIN, FE_CONFIG_HEADER_SIZE_MAX);
    }
    if (form->body_min.n > form->max.body_size.n) {
        return fe_config_fail(r, FLATEND_EINVAL, form->body_min.pos,
                              "min.body_size is larger than max.body_size");
    }
    http->header_max = (size_t)header_size->n;
    return FLATEND_OK;
}

static int finalize_routes(const struct fe_config_reader *r, const struct http_form *form,
                           struct fe_config_http *http)
{
    const struct fe_toml_value *const tables = &form->routes;
    const struct fe_config_limits limits = {form->body_min, form->max.body_size};
    const struct fe_router_options options = {http->redirect_trailing_slash,
                                              http->redirect_fixed_path};
    int code = FLATEND_OK;

    if (tables->n > FE_CONFIG_ROUTES_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, tables->items[FE_CONFIG_ROUTES_MAX].pos,
                              "more than %d routes in an [[http]]", FE_CONFIG_ROUTES_MAX);
    }
    http->routes = fe_arena_alloc(r->arena, (tables->n + 1) * sizeof(*http->routes));
    http->router = fe_router_new(&options);
    if (http->routes == NULL || http->router == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; code == FLATEND_OK && i < tables->n; i++) {
        code = fe_config_read_route(r, &tables->items[i], &limits, &http->routes[i]);
        if (code == FLATEND_OK) {
            http->n_routes++;
            code = fe_config_add_route(r, http, i);
        }
    }
    return code;
}

int fe_config_read_http(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_http *http)
{
    const struct fe_config_number timeout = {.n = DEFAULT_TIMEOUT_MS};
    struct http_form form = {
        .redirect_trailing_slash.on = true,
        .redirect_fixed_path.on = true,
        .timeout = {timeout, timeout, timeout, timeout, timeout},
        .max = {.header_size.n = DEFAULT_HEADER_SIZE, .body_size.n = UINT64_MAX},
    };
    int code = fe_config_read_table(r, table, "[[http]]", HTTP_KEYS, COUNT(HTTP_KEYS), &form);
    if (code != FLATEND_OK) {
        return code;
    }
    http->redirect_trailing_slash = form.redirect_trailing_slash.on;
    http->redirect_fixed_path = form.redirect_fixed_path.on;
    http->read_ms = form.timeout.read.n;
    http->read_header_ms = form.timeout.read_header.n;
    http->idle_ms = form.timeout.idle.n;
    http->write_ms = form.timeout.write.n;
    http->shutdown_ms = form.timeout.shutdown.n;
    code = finalize_sizes(r, &form, http);
    if (code == FLATEND_OK) {
        code = finalize_addrs(r, table, &form, http);
    }
    if (code == FLATEND_OK) {
        code = fe_config_finalize_https(r, &form.https, http);
    }
    return code != FLATEND_OK ? code : finalize_routes(r, &form, http);
}
