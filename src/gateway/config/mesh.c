#include "gateway/config/mesh.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"

#define SECRET_EXPECTED "\"file:PATH\" or \"env:NAME\""

enum { SECRET_MAX = 4096 }; /* bytes of a mesh secret: libflatend's own limit */

/* ---- the secret ----------------------------------------------------------------------------- */

static int keep_secret(const struct fe_config_reader *r, struct fe_toml_pos pos,
                       struct fe_view secret, struct fe_config_mesh *mesh)
{
    char *copy;

    while (secret.len > 0 &&
           (secret.ptr[secret.len - 1] == '\n' || secret.ptr[secret.len - 1] == '\r')) {
        secret.len--;
    }
    if (secret.len < FLATEND_MESH_SECRET_MIN || secret.len > SECRET_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "the mesh secret must have %d to %d bytes (create one with 'flatend "
                              "keygen --mesh-secret PATH')",
                              FLATEND_MESH_SECRET_MIN, SECRET_MAX);
    }
    FE_ASSERT(mesh->secret == NULL, "a mesh has one secret");
    copy = fe_arena_copy(r->arena, secret);
    if (copy == NULL) {
        return fe_config_no_memory(r);
    }
    mesh->secret = copy;
    mesh->secret_len = secret.len;
    return 0;
}

static int read_secret_file(const struct fe_config_reader *r, struct fe_toml_pos pos,
                            const char *path, struct fe_config_mesh *mesh)
{
    char bytes[SECRET_MAX];
    struct flatend_error why;
    size_t len;
    int code = flatend_mesh_secret_load(path, bytes, sizeof(bytes), &len, &why);

    if (code != 0 && code != FLATEND_EINVAL) {
        return fe_config_fail(r, FLATEND_EINVAL, pos, "%s", why.text);
    }
    code = keep_secret(r, pos, fe_view_of(bytes, len), mesh); /* refuses one of a wrong length */
    fe_wipe(bytes, sizeof(bytes));
    return code;
}

static int read_secret(const struct fe_config_reader *r, struct fe_toml_pos pos,
                       struct fe_config_mesh *mesh)
{
    const char *const value = mesh->secret_source;
    const char *found;

    if (strncmp(value, "file:", 5) == 0) {
        return read_secret_file(r, pos, value + 5, mesh);
    }
    if (strncmp(value, "env:", 4) != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, pos, "expected " SECRET_EXPECTED);
    }
    found = getenv(value + 4);
    if (found == NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, pos, "the environment variable '%s' is not set",
                              value + 4);
    }
    return keep_secret(r, pos, fe_view_str(found), mesh);
}

/* ---- services ------------------------------------------------------------------------------- */

static int finalize_rule(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const struct fe_config_rule_given *given,
                         const struct fe_config_rule *written)
{
    int code = 0;

    if (given->name == NULL) {
        code = fe_config_fail(r, FLATEND_EINVAL, table->pos, "[[mesh.services]] needs a 'name'");
    } else if (given->name->string.len > FE_CONFIG_SERVICE_NAME_MAX) {
        code = fe_config_fail(r, FLATEND_EINVAL, given->name->pos,
                              "expected the name of a service, at most %d bytes",
                              FE_CONFIG_SERVICE_NAME_MAX);
    }
    if (code == 0 && written->n_keys == 0) {
        code = fe_config_fail(r, FLATEND_EINVAL, table->pos,
                              "[[mesh.services]] needs 'keys': the nodes that may provide '%s'",
                              written->name);
    }
    return code;
}

static int read_rule(const struct fe_config_reader *r, const struct fe_toml_value *table,
                     struct flatend_service_rule *rule)
{
    struct fe_config_rule written = {0};
    struct fe_config_rule_given given = {0};
    int code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_RULE], table, &written, &given);

    if (code == 0) {
        code = finalize_rule(r, table, &given, &written);
    }
    *rule = (struct flatend_service_rule){
        .service = written.name, .keys = written.keys, .n_keys = written.n_keys};
    return code;
}

static int read_rules(const struct fe_config_reader *r, const struct fe_toml_value *tables,
                      struct fe_config_mesh *mesh)
{
    const size_t n = tables != NULL ? tables->n : 0;
    struct flatend_service_rule *const rules = fe_arena_alloc(r->arena, (n + 1) * sizeof(*rules));
    int code = 0;

    if (rules == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; i < n; i++) {
        code = FE_CONFIG_ALSO(code, read_rule(r, tables->items[i], &rules[i]));
    }
    mesh->rules = rules;
    mesh->n_rules = n;
    return code;
}

/* Where in "KEY@host:port" or "KEY@unix:/path" the '@' is. NULL: there is no key. */
static const char *end_of_key(const char *text)
{
    return fe_addr_is_unix_text(text) ? NULL : strchr(text, '@');
}

static bool is_key(const char *text, const char *end)
{
    char digits[FLATEND_PUBLIC_KEY_TEXT];
    struct flatend_public_key key;

    if (end - text != FLATEND_PUBLIC_KEY_TEXT - 1) {
        return false;
    }
    memcpy(digits, text, FLATEND_PUBLIC_KEY_TEXT - 1);
    digits[FLATEND_PUBLIC_KEY_TEXT - 1] = '\0';
    return flatend_public_key_parse(&key, digits) == 0;
}

/* "host:port" or "unix:/path". */
static bool is_peer_addr(const char *where)
{
    struct fe_view host;
    struct fe_addr addr;
    uint16_t port;

    if (fe_addr_is_unix_text(where)) {
        return fe_addr_parse(&addr, where, NULL) == 0;
    }
    return fe_addr_split(where, &host, &port, NULL) == 0 && port != 0 &&
           (fe_addr_parse(&addr, where, NULL) == 0 || fe_addr_check_host(host, NULL) == 0);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int check_peer(const struct fe_config_reader *r, const char *peer, struct fe_toml_pos pos)
{
    const char *const at = end_of_key(peer);

    if (at != NULL && !is_key(peer, at)) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "expected a public key of %d hexadecimal digits before '@' "
                              "('flatend id' prints it)",
                              FLATEND_PUBLIC_KEY_TEXT - 1);
    }
    if (!is_peer_addr(at != NULL ? at + 1 : peer)) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "expected the address of a node, \"host:port\" or "
                              "\"KEY@host:port\"");
    }
    return 0;
}

static int check_peers(const struct fe_config_reader *r, const struct fe_config_mesh *mesh)
{
    int code = 0;

    for (size_t i = 0; i < mesh->n_peers; i++) {
        code = FE_CONFIG_ALSO(code, check_peer(r, mesh->peers[i], mesh->peers_pos[i]));
    }
    return code;
}

/* One bound that is given takes the other's default along; two that are have to fit. */
static int check_intervals(const struct fe_config_reader *r,
                           const struct fe_config_mesh_given *given, struct fe_config_mesh *mesh)
{
    const bool is_outside = mesh->reconnect_min_ms > mesh->reconnect_max_ms;

    if (is_outside && given->reconnect_min_ms != NULL && given->reconnect_max_ms != NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, given->reconnect_max_ms->pos,
                              "'reconnect_max' is less than 'reconnect_min'");
    }
    if (is_outside && given->reconnect_min_ms != NULL) {
        mesh->reconnect_max_ms = mesh->reconnect_min_ms;
    } else if (is_outside) {
        mesh->reconnect_min_ms = mesh->reconnect_max_ms;
    }
    mesh->has_reconnect_attempts = given->reconnect_attempts != NULL;
    return 0;
}

int fe_config_read_mesh(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_mesh *mesh)
{
    struct fe_config_mesh_given given = {0};
    int code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_MESH], table, mesh, &given);

    mesh->key_pos = fe_config_pos(given.key_path);
    if (given.secret_source != NULL) {
        code = FE_CONFIG_ALSO(code, read_secret(r, given.secret_source->pos, mesh));
    }
    code = FE_CONFIG_ALSO(code, read_rules(r, given.services, mesh));
    code = FE_CONFIG_ALSO(code, check_intervals(r, &given, mesh));
    return FE_CONFIG_ALSO(code, check_peers(r, mesh));
}

void fe_config_mesh_deinit(struct fe_config_mesh *mesh)
{
    if (mesh->secret != NULL) {
        fe_wipe(mesh->secret, mesh->secret_len);
    }
}
