#include "gateway/config/config.h"

#include <stdlib.h>

#include "gateway/config/http.h"
#include "gateway/config/https.h"
#include "gateway/config/mesh.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"
#include "ground/os/processor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { DEFAULT_PORT = 9000 };

/* The file as it is written. */
struct form {
    struct fe_config_text addr;
    struct fe_config_text state_dir;
    unsigned n_workers;
    struct fe_toml_value mesh;
    struct fe_config_acme acme;
    struct fe_toml_value http;
};

static int keep_http(const struct fe_config_reader *r, const struct fe_toml_value *value,
                     void *into)
{
    struct fe_toml_value *const http = into;
    *http = *value;
    return fe_config_expect(r, value, FE_TOML_ARRAY, "an array of tables: [[http]]");
}

static int keep_mesh(const struct fe_config_reader *r, const struct fe_toml_value *value,
                     void *into)
{
    struct fe_toml_value *const mesh = into;
    *mesh = *value;
    return fe_config_expect(r, value, FE_TOML_TABLE, "a table: [mesh]");
}

static int read_workers(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *into)
{
    unsigned *const n = into;
    int code = fe_config_expect(r, value, FE_TOML_INTEGER, "a number of threads");

    if (code == FLATEND_OK && (value->integer < 1 || value->integer > FE_CONFIG_WORKERS_MAX)) {
        code = fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected a number of threads from 1 to %d", FE_CONFIG_WORKERS_MAX);
    }
    *n = code == FLATEND_OK ? (unsigned)value->integer : 0;
    return code;
}

static const struct fe_config_key KEYS[] = {
    {"mesh", keep_mesh, offsetof(struct form, mesh)},
    {"addr", fe_config_read_addr_text, offsetof(struct form, addr)},
    {"state_dir", fe_config_read_text, offsetof(struct form, state_dir)},
    {"acme", fe_config_read_acme, offsetof(struct form, acme)},
    {"workers", read_workers, offsetof(struct form, n_workers)},
    {"http", keep_http, offsetof(struct form, http)},
};

static struct fe_config *config_new(void)
{
    struct fe_config *const config = calloc(1, sizeof(*config));
    if (config != NULL) {
        config->n_refs = 1;
        config->addr = (struct fe_addr){FE_IPV4, {127, 0, 0, 1}, DEFAULT_PORT};
        fe_arena_init(&config->arena, 0);
        fe_config_mesh_init(&config->mesh);
    }
    return config;
}

struct fe_config *fe_config_ref(struct fe_config *config)
{
    config->n_refs++;
    return config;
}

void fe_config_unref(struct fe_config *config)
{
    if (config == NULL || --config->n_refs > 0) {
        return;
    }
    for (size_t i = 0; i < config->n_http; i++) {
        fe_router_free(config->http[i].router);
        for (size_t k = 0; k < config->http[i].n_certs; k++) {
            fe_cert_unref(config->http[i].certs[k].cert);
        }
    }
    fe_config_mesh_deinit(&config->mesh);
    fe_arena_deinit(&config->arena);
    free(config);
}

static unsigned default_workers(void)
{
    const unsigned n = fe_processor_count();

    return n < FE_CONFIG_WORKERS_MAX ? n : FE_CONFIG_WORKERS_MAX;
}

/* One address cannot be listened on twice: names the earlier listener. */
static int check_addrs(const struct fe_config_reader *r, const struct fe_config *config,
                       const struct fe_config_http *later)
{
    for (const struct fe_config_http *http = config->http; http < later; http++) {
        for (size_t i = 0; i < http->n_addrs * later->n_addrs; i++) {
            const size_t a = i / later->n_addrs;
            const size_t b = i % later->n_addrs;
            char text[FE_ADDR_TEXT_MAX];
            if (fe_addr_equal(&http->addrs[a], &later->addrs[b]) && later->addrs[b].port != 0) {
                return fe_config_fail(r, FLATEND_EEXIST, later->addr_pos[b],
                                      "%s is already used by the [[http]] at %u:%u",
                                      fe_addr_format(&later->addrs[b], text),
                                      http->addr_pos[a].line, http->addr_pos[a].column);
            }
        }
    }
    return FLATEND_OK;
}

static int read_listeners(const struct fe_config_reader *r, const struct fe_toml_value *tables,
                          struct fe_config *config)
{
    int code = FLATEND_OK;

    if (tables->n > FE_CONFIG_LISTENERS_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, tables->items[FE_CONFIG_LISTENERS_MAX].pos,
                              "more than %d [[http]] tables", FE_CONFIG_LISTENERS_MAX);
    }
    config->http = fe_arena_alloc(r->arena, (tables->n + 1) * sizeof(*config->http));
    if (config->http == NULL) {
        return fe_config_no_memory(r);
    }
    memset(config->http, 0, (tables->n + 1) * sizeof(*config->http));
    for (size_t i = 0; code == FLATEND_OK && i < tables->n; i++) {
        struct fe_config_http *const http = &config->http[config->n_http++];
        code = fe_config_read_http(r, &tables->items[i], http);
        if (code == FLATEND_OK) {
            code = check_addrs(r, config, http);
        }
    }
    return code != FLATEND_OK ? code : fe_config_add_redirects(r, config);
}

static int read_config(const struct fe_config_reader *r, const struct fe_toml_value *root,
                       struct fe_config *config)
{
    struct form form = {0};
    int code;

    fe_config_acme_init(&form.acme);
    code = fe_config_read_table(r, root, "the configuration", KEYS, COUNT(KEYS), &form);
    config->acme = form.acme;
    config->has_workers = form.n_workers > 0;
    config->n_workers = config->has_workers ? form.n_workers : default_workers();
    if (code == FLATEND_OK && form.addr.pos.line != 0) {
        code = fe_config_read_addr(r, &form.addr, &config->addr);
        config->has_addr = true;
        config->addr_pos = form.addr.pos;
    }
    if (code == FLATEND_OK && form.mesh.type == FE_TOML_TABLE) {
        code = fe_config_read_mesh(r, &form.mesh, &config->mesh);
    }
    config->state_dir = form.state_dir.pos.line != 0 ? (const char *)form.state_dir.text.ptr
                                                     : fe_state_dir_default(r->arena);
    if (code == FLATEND_OK && config->state_dir == NULL) {
        code = fe_config_no_memory(r);
    }
    return code != FLATEND_OK ? code : read_listeners(r, &form.http, config);
}

static int parse(const struct fe_config_reader *r, struct fe_view text, struct fe_arena *scratch,
                 struct fe_config *config)
{
    struct fe_toml_value root;
    struct fe_toml_pos pos;
    struct flatend_error reason;
    const int code = fe_toml_parse(text, scratch, &root, &pos, &reason);

    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != FLATEND_OK) {
        return fe_config_fail(r, code, pos, "%s", reason.text);
    }
    return read_config(r, &root, config);
}

int fe_config_parse(const char *path, struct fe_view text, struct fe_config **config,
                    struct flatend_error *err)
{
    struct flatend_error ignored;
    struct fe_config *const made = config_new();
    struct fe_config_reader r = {path, NULL, err != NULL ? err : &ignored};
    struct fe_arena scratch; /* the tree, which dies here */
    int code;

    *config = NULL;
    if (made == NULL) {
        return fe_config_no_memory(&r);
    }
    if (text.len > FE_CONFIG_FILE_MAX) {
        fe_config_unref(made);
        return fe_err_set(err, FLATEND_ETOOBIG, "%s: larger than %d bytes", path,
                          FE_CONFIG_FILE_MAX);
    }
    r.arena = &made->arena;
    fe_arena_init(&scratch, 0);
    code = parse(&r, text, &scratch, made);
    fe_arena_deinit(&scratch);
    if (code != FLATEND_OK) {
        fe_config_unref(made);
        return code;
    }
    *config = made;
    return FLATEND_OK;
}

/* ---- from a file ---------------------------------------------------------------------------- */

/* A pipe will do, too. */
int fe_config_load(const char *path, struct fe_config **config, struct flatend_error *err)
{
    struct fe_buf buf;
    int code;

    *config = NULL;
    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    code = fe_path_read(path, &buf);
    if (code == FLATEND_ETOOBIG) {
        code = fe_err_set(err, code, "%s: larger than %d bytes", path, FE_CONFIG_FILE_MAX);
    } else if (code == FLATEND_ENOMEM) {
        code = fe_err_set(err, code, "%s: %s", path, flatend_strerror(code));
    } else if (code != FLATEND_OK) {
        code = fe_err_set(err, code, "%s: %s", path, fe_os_last_reason());
    } else {
        code = fe_config_parse(path, fe_buf_view(&buf), config, err);
    }
    fe_buf_deinit(&buf);
    return code;
}

/* ---- the node's address --------------------------------------------------------------------- */

int fe_config_finalize(struct fe_config *config, const char *path, const struct fe_addr *addr,
                       const struct fe_log *log, struct flatend_error *err)
{
    char text[FE_ADDR_TEXT_MAX];

    if (!config->has_addr) {
        config->addr = *addr;
    }
    fe_addr_format(&config->addr, text);
    for (size_t i = 0; i < config->n_http && config->addr.port != 0; i++) {
        struct fe_config_http *const http = &config->http[i];
        size_t n = 0;
        for (size_t k = 0; k < http->n_addrs; k++) {
            const struct fe_toml_pos pos = http->addr_pos[k];
            if (!fe_addr_equal(&http->addrs[k], &config->addr)) {
                http->addrs[n] = http->addrs[k];
                http->addr_pos[n++] = pos;
            } else if (http->n_addrs == 1) {
                return fe_err_set(err, FLATEND_EEXIST, "%s:%u:%u: %s is the node's own address",
                                  path, pos.line, pos.column, text);
            } else {
                fe_log(log, FLATEND_LOG_WARN,
                       "%s:%u:%u: %s is the node's own address: not serving HTTP on it", path,
                       pos.line, pos.column, text);
            }
        }
        http->n_addrs = n;
    }
    return FLATEND_OK;
}
