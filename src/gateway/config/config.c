#include "gateway/config/config.h"

#include <stdlib.h>

#include "gateway/config/acme.h"
#include "gateway/config/http.h"
#include "gateway/config/https.h"
#include "gateway/config/mesh.h"
#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"
#include "ground/os/processor.h"

enum { DEFAULT_PORT = 9000 };

static struct fe_config *config_new(void)
{
    struct fe_config *const config = calloc(1, sizeof(*config));
    if (config != NULL) {
        atomic_init(&config->n_refs, 1);
        config->addr =
            (struct fe_addr){.family = FE_IPV4, .ip = {127, 0, 0, 1}, .port = DEFAULT_PORT};
        fe_arena_init(&config->arena, 0);
        fe_config_set_defaults(&FE_CONFIG_TABLES[FE_TABLE_MESH], &config->mesh);
        fe_config_acme_init(&config->acme);
    }
    return config;
}

struct fe_config *fe_config_ref(struct fe_config *config)
{
    fe_atomic_ref(&config->n_refs);
    return config;
}

void fe_config_unref(struct fe_config *config)
{
    if (config == NULL || !fe_atomic_unref(&config->n_refs)) {
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

int fe_config_fail_overlap(const struct fe_config_reader *r, const struct fe_addr *addr,
                           struct fe_toml_pos pos, const struct fe_config_http *earlier, size_t k)
{
    const struct fe_toml_pos at = earlier->addrs_pos[k];
    char text[FE_ADDR_TEXT_MAX];
    char other[FE_ADDR_TEXT_MAX];

    fe_addr_format(addr, text);
    if (fe_addr_equal(addr, &earlier->addrs[k])) {
        return fe_config_fail(r, FLATEND_EEXIST, pos, "%s is already used by the [[http]] at %u:%u",
                              text, at.line, at.column);
    }
    return fe_config_fail(r, FLATEND_EEXIST, pos, "%s overlaps %s of the [[http]] at %u:%u", text,
                          fe_addr_format(&earlier->addrs[k], other), at.line, at.column);
}

/* The listener before `later` that has the address, or a part of it; NULL: none. */
static const struct fe_config_http *find_overlap(const struct fe_config *config,
                                                 const struct fe_config_http *later,
                                                 const struct fe_addr *addr, size_t *k)
{
    for (const struct fe_config_http *http = config->http; http < later; http++) {
        for (*k = 0; *k < http->n_addrs; (*k)++) {
            if (fe_addr_overlaps(&http->addrs[*k], addr)) {
                return http;
            }
        }
    }
    return NULL;
}

/* What one listener listens on, another one cannot. */
static int check_addrs(const struct fe_config_reader *r, const struct fe_config *config,
                       const struct fe_config_http *later)
{
    int code = 0;

    for (size_t i = 0; i < later->n_addrs; i++) {
        size_t k;
        const struct fe_config_http *const earlier =
            find_overlap(config, later, &later->addrs[i], &k);

        if (earlier != NULL) {
            code = FE_CONFIG_ALSO(
                code, fe_config_fail_overlap(r, &later->addrs[i], later->addrs_pos[i], earlier, k));
        }
    }
    return code;
}

static int read_listeners(const struct fe_config_reader *r, const struct fe_toml_value *tables,
                          struct fe_config *config)
{
    const size_t n = tables != NULL ? tables->n : 0;
    int code = 0;

    config->http = fe_arena_alloc(r->arena, (n + 1) * sizeof(*config->http));
    if (config->http == NULL) {
        return fe_config_no_memory(r);
    }
    memset(config->http, 0, (n + 1) * sizeof(*config->http));
    for (size_t i = 0; code != FLATEND_ENOMEM && i < n; i++) {
        struct fe_config_http *const http = &config->http[config->n_http++];

        code = FE_CONFIG_ALSO(code, fe_config_read_http(r, tables->items[i], http));
        code = FE_CONFIG_ALSO(code, check_addrs(r, config, http));
    }
    return FE_CONFIG_ALSO(code, fe_config_add_redirects(r, config));
}

static int read_config(const struct fe_config_reader *r, const struct fe_toml_value *root,
                       struct fe_config *config)
{
    struct fe_config_given given = {0};
    int code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_TOP], root, config, &given);

    config->has_addr = given.addr != NULL;
    config->addr_pos = fe_config_pos(given.addr);
    if (config->has_addr && config->addr.family == FE_UNIX) {
        code = FE_CONFIG_ALSO(
            code, fe_config_fail(r, FLATEND_EINVAL, config->addr_pos,
                                 "expected \"host:port\": other nodes cannot use a unix socket"));
    }
    config->has_workers = given.n_workers != NULL;
    config->n_workers = config->has_workers ? config->n_workers : default_workers();
    if (given.acme != NULL) {
        code = FE_CONFIG_ALSO(code, fe_config_read_acme(r, given.acme, &config->acme));
    }
    if (given.mesh != NULL) {
        code = FE_CONFIG_ALSO(code, fe_config_read_mesh(r, given.mesh, &config->mesh));
    }
    if (code == 0 && config->state_dir == NULL) {
        config->state_dir = fe_state_dir_default(r->arena);
        code = config->state_dir != NULL ? 0 : fe_config_no_memory(r);
    }
    return FE_CONFIG_ALSO(code, read_listeners(r, given.http, config));
}

static int parse(const struct fe_config_reader *r, struct fe_view text, struct fe_arena *scratch,
                 struct fe_config *config)
{
    struct fe_toml_value *root;
    struct fe_toml_pos pos;
    struct flatend_error reason;
    const int code = fe_toml_parse(text, scratch, &root, &pos, &reason);

    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != 0) {
        return fe_config_fail(r, code, pos, "%s", reason.text);
    }
    return read_config(r, root, config);
}

static int fail_too_large(const char *path, struct fe_config_mistakes *mistakes)
{
    struct flatend_error err;

    (void)fe_err_set(&err, FLATEND_ETOOBIG, "%s: larger than %d bytes", path, FE_CONFIG_FILE_MAX);
    return fe_config_mistakes_set(mistakes, &err);
}

/* Of many mistakes the first counts. */
static int first_code(const struct fe_config_mistakes *mistakes)
{
    return mistakes->n > 0 ? mistakes->list[0].err.code : 0;
}

int fe_config_parse_all(const char *path, struct fe_view text, struct fe_config **config,
                        struct fe_config_mistakes *mistakes)
{
    struct fe_config *const made = config_new();
    struct fe_config_reader r = {path, NULL, mistakes};
    struct fe_arena scratch; /* the tree, which dies here */
    int code;

    *config = NULL;
    fe_config_mistakes_init(mistakes);
    if (made == NULL) {
        return fe_config_no_memory(&r);
    }
    if (text.len > FE_CONFIG_FILE_MAX) {
        fe_config_unref(made);
        return fail_too_large(path, mistakes);
    }
    r.arena = &made->arena;
    fe_arena_init(&scratch, 0);
    code = parse(&r, text, &scratch, made);
    fe_arena_deinit(&scratch);
    FE_ASSERT((code == 0) == (mistakes->n == 0), "a configuration has mistakes, or is one");
    if (code != 0) {
        fe_config_unref(made);
        return first_code(mistakes);
    }
    *config = made;
    return 0;
}

/* The first mistake alone, if there is one. */
static void tell_first(const struct fe_config_mistakes *mistakes, struct flatend_error *err)
{
    if (mistakes->n > 0 && err != NULL) {
        *err = mistakes->list[0].err;
    }
}

int fe_config_parse(const char *path, struct fe_view text, struct fe_config **config,
                    struct flatend_error *err)
{
    struct fe_config_mistakes mistakes;
    const int code = fe_config_parse_all(path, text, config, &mistakes);

    tell_first(&mistakes, err);
    return code;
}

/* ---- from a file ---------------------------------------------------------------------------- */

static int fail_to_read(const char *path, int code, struct fe_config_mistakes *mistakes)
{
    struct flatend_error err;

    if (code == FLATEND_ETOOBIG) {
        return fail_too_large(path, mistakes);
    }
    (void)fe_err_set(&err, code, "%s: %s", path,
                     code == FLATEND_ENOMEM ? flatend_strerror(code) : fe_os_last_reason());
    return fe_config_mistakes_set(mistakes, &err);
}

/* A pipe will do, too. */
int fe_config_load_all(const char *path, struct fe_config **config,
                       struct fe_config_mistakes *mistakes)
{
    struct fe_buf buf;
    int code;

    *config = NULL;
    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    code = fe_path_read(path, &buf);
    code = code != 0 ? fail_to_read(path, code, mistakes)
                     : fe_config_parse_all(path, fe_buf_view(&buf), config, mistakes);
    fe_buf_deinit(&buf);
    return code;
}

int fe_config_load(const char *path, struct fe_config **config, struct flatend_error *err)
{
    struct fe_config_mistakes mistakes;
    const int code = fe_config_load_all(path, config, &mistakes);

    tell_first(&mistakes, err);
    return code;
}

/* ---- the node's address --------------------------------------------------------------------- */

/* A redirect by default, which the configuration does not ask for. */
static bool is_optional(const struct fe_config_http *http)
{
    return http->n_targets > 0 && !http->targets[0]->redirect.has_addr;
}

/* Whether the address is served, that at the index `k`. An address that is the node's own is left
 * out, where others remain. */
static int check_own(const struct fe_config_reader *r, const struct fe_config *config,
                     const struct fe_config_http *http, size_t k, const struct fe_log *log)
{
    const struct fe_toml_pos pos = http->addrs_pos[k];
    char text[FE_ADDR_TEXT_MAX];
    char own[FE_ADDR_TEXT_MAX];

    fe_addr_format(&http->addrs[k], text);
    fe_addr_format(&config->addr, own);
    if (!fe_addr_overlaps(&http->addrs[k], &config->addr)) {
        return 0;
    }
    if (!is_optional(http) && !fe_addr_equal(&http->addrs[k], &config->addr)) {
        return fe_config_fail(r, FLATEND_EEXIST, pos, "%s overlaps the node's own address, %s",
                              text, own);
    }
    if (!is_optional(http) && http->n_addrs == 1) {
        return fe_config_fail(r, FLATEND_EEXIST, pos, "%s is the node's own address", text);
    }
    fe_log(log, FLATEND_LOG_WARN, "%s:%u:%u: %s is the node's own address: not serving HTTP on it",
           r->path, pos.line, pos.column, own);
    return FLATEND_EADDRINUSE;
}

/* Leaves out what is the node's, also what clashes with it. */
static int settle_addrs(const struct fe_config_reader *r, const struct fe_config *config,
                        struct fe_config_http *http, const struct fe_log *log)
{
    size_t n = 0;
    int result = 0;

    for (size_t k = 0; k < http->n_addrs; k++) {
        const int code = check_own(r, config, http, k, log);

        if (code == FLATEND_EEXIST) {
            result = code;
        }
        if (code == 0) {
            http->addrs[n] = http->addrs[k];
            http->addrs_pos[n++] = http->addrs_pos[k];
        }
    }
    FE_ASSERT(n <= http->n_addrs, "addresses are only left out");
    http->n_addrs = n;
    return result;
}

int fe_config_finalize(struct fe_config *config, const char *path, const struct fe_addr *addr,
                       const struct fe_log *log, struct fe_config_mistakes *mistakes)
{
    const struct fe_config_reader r = {path, NULL, mistakes};
    int code = 0;

    fe_config_mistakes_init(mistakes);
    if (!config->has_addr) {
        config->addr = *addr;
    }
    for (size_t i = 0; i < config->n_http; i++) {
        code = FE_CONFIG_ALSO(code, settle_addrs(&r, config, &config->http[i], log));
    }
    return code;
}
