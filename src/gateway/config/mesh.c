#include "gateway/config/mesh.h"

#include <stdlib.h>

#include "ground/base/wipe.h"
#include "ground/os/file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DEFAULT_DEAD_AFTER_MS 15000
#define KEY_EXPECTED          "a public key of 64 hexadecimal digits ('flatend id' prints it)"
#define SECRET_EXPECTED       "\"file:PATH\" or \"env:NAME\""

enum { SECRET_MAX = 4096 }; /* bytes of a mesh secret: libflatend's own limit */

/* The table as it is written. */
struct mesh_form {
    struct fe_config_text secret_key;
    struct fe_config_text secret;
    struct fe_config_flag require_secure;
    struct fe_config_texts allow;
    struct fe_config_texts peers;
    struct fe_config_number dead_after;
    struct fe_toml_value services;
};

struct service_form {
    struct fe_config_text name;
    struct fe_config_texts keys;
};

static int keep_services(const struct fe_config_reader *r, const struct fe_toml_value *value,
                         void *into)
{
    struct fe_toml_value *const services = into;

    *services = *value;
    return fe_config_expect(r, value, FE_TOML_ARRAY, "an array of tables: [[mesh.services]]");
}

static const struct fe_config_key MESH_KEYS[] = {
    {"secret_key", fe_config_read_text, offsetof(struct mesh_form, secret_key)},
    {"secret", fe_config_read_text, offsetof(struct mesh_form, secret)},
    {"require_secure", fe_config_read_flag, offsetof(struct mesh_form, require_secure)},
    {"allow", fe_config_add_texts, offsetof(struct mesh_form, allow)},
    {"peers", fe_config_add_texts, offsetof(struct mesh_form, peers)},
    {"dead_after", fe_config_read_duration, offsetof(struct mesh_form, dead_after)},
    {"services", keep_services, offsetof(struct mesh_form, services)},
};

static const struct fe_config_key SERVICE_KEYS[] = {
    {"name", fe_config_read_text, offsetof(struct service_form, name)},
    {"keys", fe_config_add_texts, offsetof(struct service_form, keys)},
};

/* ---- keys ----------------------------------------------------------------------------------- */

static int read_keys(const struct fe_config_reader *r, const struct fe_config_texts *texts,
                     struct flatend_public_key **keys)
{
    *keys = fe_arena_alloc(r->arena, (texts->n + 1) * sizeof(**keys));
    if (*keys == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; i < texts->n; i++) {
        if (flatend_public_key_parse(&(*keys)[i], (const char *)texts->items[i].text.ptr) != 0) {
            return fe_config_fail(r, FLATEND_EINVAL, texts->items[i].pos, "expected " KEY_EXPECTED);
        }
    }
    return FLATEND_OK;
}

/* ---- the secret ----------------------------------------------------------------------------- */

static int keep_secret(const struct fe_config_reader *r, const struct fe_config_text *text,
                       struct fe_view secret, struct fe_config_mesh *mesh)
{
    char *copy;

    while (secret.len > 0 &&
           (secret.ptr[secret.len - 1] == '\n' || secret.ptr[secret.len - 1] == '\r')) {
        secret.len--;
    }
    if (secret.len < FLATEND_MESH_SECRET_MIN || secret.len > SECRET_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, text->pos,
                              "the mesh secret must have %d to %d bytes (create one with 'flatend "
                              "keygen --mesh-secret PATH')",
                              FLATEND_MESH_SECRET_MIN, SECRET_MAX);
    }
    copy = fe_arena_copy(r->arena, secret);
    if (copy == NULL) {
        return fe_config_no_memory(r);
    }
    mesh->secret = copy;
    mesh->secret_len = secret.len;
    return FLATEND_OK;
}

static int read_secret_file(const struct fe_config_reader *r, const struct fe_config_text *text,
                            const char *path, struct fe_config_mesh *mesh)
{
    char bytes[SECRET_MAX + 3]; /* with its newline, and one more to see that it is too long */
    struct flatend_error why;
    ssize_t len = fe_file_read_private(path, "read mesh secret", bytes, sizeof(bytes), &why);
    int code;

    if (len < 0) {
        return fe_config_fail(r, FLATEND_EINVAL, text->pos, "%s", why.text);
    }
    code = keep_secret(r, text, fe_view_of(bytes, (size_t)len), mesh);
    fe_wipe(bytes, sizeof(bytes));
    return code;
}

static int read_secret(const struct fe_config_reader *r, const struct fe_config_text *text,
                       struct fe_config_mesh *mesh)
{
    const char *const value = (const char *)text->text.ptr;
    const char *found;

    if (strncmp(value, "file:", 5) == 0) {
        return read_secret_file(r, text, value + 5, mesh);
    }
    if (strncmp(value, "env:", 4) != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, text->pos, "expected " SECRET_EXPECTED);
    }
    found = getenv(value + 4);
    if (found == NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, text->pos,
                              "the environment variable '%s' is not set", value + 4);
    }
    return keep_secret(r, text, fe_view_str(found), mesh);
}

/* ---- services ------------------------------------------------------------------------------- */

static int read_rule(const struct fe_config_reader *r, const struct fe_toml_value *table,
                     struct flatend_service_rule *rule)
{
    struct service_form form = {0};
    struct flatend_public_key *keys;
    int code = fe_config_read_table(r, table, "[[mesh.services]]", SERVICE_KEYS,
                                    COUNT(SERVICE_KEYS), &form);

    if (code != FLATEND_OK) {
        return code;
    }
    if (form.name.pos.line == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, table->pos, "[[mesh.services]] needs a 'name'");
    }
    if (form.name.text.len > FE_CONFIG_SERVICE_NAME_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, form.name.pos,
                              "expected the name of a service, at most %d bytes",
                              FE_CONFIG_SERVICE_NAME_MAX);
    }
    if (form.keys.n == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, table->pos,
                              "[[mesh.services]] needs 'keys': the nodes that may provide '%s'",
                              (const char *)form.name.text.ptr);
    }
    code = read_keys(r, &form.keys, &keys);
    *rule = (struct flatend_service_rule){
        .service = (const char *)form.name.text.ptr, .keys = keys, .n_keys = form.keys.n};
    return code;
}

static int read_rules(const struct fe_config_reader *r, const struct fe_toml_value *tables,
                      struct fe_config_mesh *mesh)
{
    struct flatend_service_rule *rules;
    int code = FLATEND_OK;

    if (tables->n > FE_CONFIG_MESH_SERVICES_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, tables->items[FE_CONFIG_MESH_SERVICES_MAX].pos,
                              "more than %d [[mesh.services]] tables", FE_CONFIG_MESH_SERVICES_MAX);
    }
    rules = fe_arena_alloc(r->arena, (tables->n + 1) * sizeof(*rules));
    if (rules == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; code == FLATEND_OK && i < tables->n; i++) {
        code = read_rule(r, &tables->items[i], &rules[i]);
    }
    mesh->rules = rules;
    mesh->n_rules = tables->n;
    return code;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int read_peers(const struct fe_config_reader *r, const struct fe_config_texts *texts,
                      struct fe_config_mesh *mesh)
{
    const char **peers = fe_arena_alloc(r->arena, (texts->n + 1) * sizeof(*peers));

    if (peers == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; i < texts->n; i++) {
        const char *const text = (const char *)texts->items[i].text.ptr;
        const char *const at = strchr(text, '@');
        struct fe_view host;
        uint16_t port;

        if (fe_addr_split(at == NULL ? text : at + 1, &host, &port, NULL) != FLATEND_OK ||
            port == 0) {
            return fe_config_fail(r, FLATEND_EINVAL, texts->items[i].pos,
                                  "expected the address of a node, \"host:port\" or "
                                  "\"KEY@host:port\"");
        }
        peers[i] = text;
    }
    mesh->peers = peers;
    mesh->n_peers = texts->n;
    return FLATEND_OK;
}

int fe_config_read_mesh(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_mesh *mesh)
{
    struct mesh_form form = {.dead_after.n = DEFAULT_DEAD_AFTER_MS};
    struct flatend_public_key *allowed = NULL;
    int code = fe_config_read_table(r, table, "[mesh]", MESH_KEYS, COUNT(MESH_KEYS), &form);

    if (code == FLATEND_OK) {
        code = read_keys(r, &form.allow, &allowed);
    }
    if (code == FLATEND_OK && form.secret.pos.line != 0) {
        code = read_secret(r, &form.secret, mesh);
    }
    if (code == FLATEND_OK) {
        code = read_rules(r, &form.services, mesh);
    }
    if (code == FLATEND_OK) {
        code = read_peers(r, &form.peers, mesh);
    }
    if (code == FLATEND_OK && form.dead_after.n > FE_CONFIG_DEAD_AFTER_MAX_MS) {
        code = fe_config_fail(r, FLATEND_EINVAL, form.dead_after.pos,
                              "expected a duration of at most a day");
    }
    mesh->key_path = (const char *)form.secret_key.text.ptr;
    mesh->require_secure = form.require_secure.on;
    mesh->allowed = allowed;
    mesh->n_allowed = form.allow.n;
    mesh->dead_after_ms = (unsigned)form.dead_after.n;
    return code;
}

void fe_config_mesh_init(struct fe_config_mesh *mesh)
{
    *mesh = (struct fe_config_mesh){.dead_after_ms = DEFAULT_DEAD_AFTER_MS};
}

void fe_config_mesh_deinit(struct fe_config_mesh *mesh)
{
    if (mesh->secret != NULL) {
        fe_wipe(mesh->secret, mesh->secret_len);
    }
}
