/* The lists of keys.h as tables. */
#include "gateway/config/table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Where a value goes, by its type. */
#define PLACE(object, m)                 .offset = offsetof(struct object, m)
#define PLACE_N(object, m)               PLACE(object, m), .n_offset = offsetof(struct object, n_##m)
#define PLACE_LIST(object, m)            PLACE_N(object, m), .pos_offset = offsetof(struct object, m##_pos)
#define PLACE_FLAG(object, m)            PLACE(object, m)
#define PLACE_INTEGER(object, m)         PLACE(object, m)
#define PLACE_FACTOR(object, m)          PLACE(object, m)
#define PLACE_DURATION(object, m)        PLACE(object, m)
#define PLACE_SIZE(object, m)            PLACE(object, m)
#define PLACE_STRING(object, m)          PLACE(object, m)
#define PLACE_PATH(object, m)            PLACE(object, m)
#define PLACE_URL(object, m)             PLACE(object, m)
#define PLACE_ADDR(object, m)            PLACE(object, m)
#define PLACE_HTTPS(object, m)           PLACE(object, m)
#define PLACE_REDIRECT(object, m)        PLACE(object, m)
#define PLACE_ACME_KEY_TYPE(object, m)   PLACE(object, m)
#define PLACE_VIEWS(object, m)           PLACE_LIST(object, m)
#define PLACE_STRINGS(object, m)         PLACE_LIST(object, m)
#define PLACE_ADDRS(object, m)           PLACE_LIST(object, m)
#define PLACE_PUBLIC_KEYS(object, m)     PLACE_LIST(object, m)
#define PLACE_ACME_CHALLENGES(object, m) PLACE_N(object, m)
#define PLACE_TABLE(object, m)           .offset = 0
#define PLACE_TABLES(object, m)          .offset = 0

#define ROW(object, table, label, kind, m, ...)                                                    \
    {.prefix = table,                                                                              \
     .name = label,                                                                                \
     .type = FE_KEY_##kind,                                                                        \
     PLACE_##kind(object, m),                                                                      \
     .given_offset = offsetof(struct object##_given, m),                                           \
     __VA_ARGS__},

#define TOP(name, type, m, ...)  ROW(fe_config, "", name, type, m, __VA_ARGS__)
#define ACME(name, type, m, ...) ROW(fe_config_acme, "acme.", name, type, m, __VA_ARGS__)
#define MESH(name, type, m, ...) ROW(fe_config_mesh, "mesh.", name, type, m, __VA_ARGS__)
#define RULE(name, type, m, ...) ROW(fe_config_rule, "mesh.services.", name, type, m, __VA_ARGS__)
#define HTTP(name, type, m, ...) ROW(fe_config_http, "http.", name, type, m, __VA_ARGS__)
#define CERT(name, type, m, ...)                                                                   \
    ROW(fe_config_cert, "http.certificates.", name, type, m, __VA_ARGS__)
#define ROUTE(name, type, m, ...) ROW(fe_config_route, "http.routes.", name, type, m, __VA_ARGS__)

static const struct fe_config_key TOP_KEYS[] = {FE_CONFIG_TOP_KEYS(TOP)};
static const struct fe_config_key ACME_KEYS[] = {FE_CONFIG_ACME_KEYS(ACME)};
static const struct fe_config_key MESH_KEYS[] = {FE_CONFIG_MESH_KEYS(MESH)};
static const struct fe_config_key RULE_KEYS[] = {FE_CONFIG_RULE_KEYS(RULE)};
static const struct fe_config_key HTTP_KEYS[] = {FE_CONFIG_HTTP_KEYS(HTTP)};
static const struct fe_config_key CERT_KEYS[] = {FE_CONFIG_CERT_KEYS(CERT)};
static const struct fe_config_key ROUTE_KEYS[] = {FE_CONFIG_ROUTE_KEYS(ROUTE)};

const struct fe_config_table FE_CONFIG_TABLES[FE_N_CONFIG_TABLES] = {
    [FE_TABLE_TOP] = {"", false, TOP_KEYS, COUNT(TOP_KEYS)},
    [FE_TABLE_ACME] = {"acme", false, ACME_KEYS, COUNT(ACME_KEYS)},
    [FE_TABLE_MESH] = {"mesh", false, MESH_KEYS, COUNT(MESH_KEYS)},
    [FE_TABLE_RULE] = {"mesh.services", true, RULE_KEYS, COUNT(RULE_KEYS)},
    [FE_TABLE_HTTP] = {"http", true, HTTP_KEYS, COUNT(HTTP_KEYS)},
    [FE_TABLE_CERT] = {"http.certificates", true, CERT_KEYS, COUNT(CERT_KEYS)},
    [FE_TABLE_ROUTE] = {"http.routes", true, ROUTE_KEYS, COUNT(ROUTE_KEYS)},
};
