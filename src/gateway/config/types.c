/* The types of keys: what may be written, and what is kept of it. Numbers are in numbers.c. */
#include <stdio.h>

#include "gateway/config/reading.h"
#include "ground/base/assert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ADDR_EXPECTED "a string such as \"127.0.0.1:9000\" or \":3000\""
#define KEY_EXPECTED  "a public key of 64 hexadecimal digits ('flatend id' prints it)"

/* ---- texts ---------------------------------------------------------------------------------- */

static int read_view(const struct fe_config_reading *g, struct fe_view *view)
{
    const struct fe_view string = g->value->string;
    const char *copy;
    const int code = fe_config_read_expect(g, FE_TOML_STRING, "a string");

    if (code != 0) {
        return code;
    }
    if (string.len == 0) {
        return fe_config_read_fail(g, "a string that is not empty");
    }
    if (memchr(string.ptr, '\0', string.len) != NULL) {
        return fe_config_read_fail(g, "a string without NUL");
    }
    copy = fe_arena_copy(g->r->arena, string);
    if (copy == NULL) {
        return fe_config_no_memory(g->r);
    }
    *view = fe_view_of(copy, string.len);
    return 0;
}

static int read_string(const struct fe_config_reading *g, const char **string)
{
    struct fe_view view = {NULL, 0};
    const int code = read_view(g, &view);

    if (view.ptr != NULL) {
        *string = (const char *)view.ptr;
    }
    return code;
}

static int read_addr(const struct fe_config_reading *g, struct fe_addr *addr)
{
    const char *text = "";
    const int code = read_string(g, &text);
    struct flatend_error reason;

    if (code != 0 || fe_addr_parse(addr, text, &reason) == 0) {
        return code;
    }
    if (fe_addr_is_unix_text(text)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "%s", reason.text);
    }
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                          "expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or "
                          "\":3000\", found \"%.48s\"",
                          text);
}

static int read_single_addr(const struct fe_config_reading *g, struct fe_addr *addr)
{
    const int code = fe_config_read_expect(g, FE_TOML_STRING, ADDR_EXPECTED);
    return code != 0 ? code : read_addr(g, addr);
}

static int read_public_key(const struct fe_config_reading *g, struct flatend_public_key *key)
{
    const char *text = "";
    const int code = read_string(g, &text);

    if (code != 0 || flatend_public_key_parse(key, text) == 0) {
        return code;
    }
    return fe_config_read_fail(g, KEY_EXPECTED);
}

/* ---- choices -------------------------------------------------------------------------------- */

static int read_https(const struct fe_config_reading *g, enum fe_https_mode *mode)
{
    const struct fe_toml_value *const value = g->value;

    if (value->type == FE_TOML_BOOLEAN) {
        *mode = value->boolean ? FE_HTTPS_ON : FE_HTTPS_OFF;
        return 0;
    }
    if (value->type == FE_TOML_STRING && fe_view_equal(value->string, FE_VIEW_LIT("local"))) {
        *mode = FE_HTTPS_LOCAL;
        return 0;
    }
    return fe_config_fail(
        g->r, FLATEND_EINVAL, value->pos, "expected true, false or \"local\", found %s",
        value->type == FE_TOML_STRING ? "another string" : fe_toml_type_name(value->type));
}

static int read_redirect(const struct fe_config_reading *g, struct fe_config_redirect *redirect)
{
    redirect->pos = g->value->pos;
    if (g->value->type == FE_TOML_BOOLEAN && !g->value->boolean) {
        redirect->is_off = true;
        return 0;
    }
    if (g->value->type != FE_TOML_STRING) {
        return fe_config_read_fail(g, "an address such as \":80\", or false");
    }
    redirect->has_addr = true;
    return read_addr(g, &redirect->addr);
}

static int read_key_type(const struct fe_config_reading *g, enum fe_acme_key_type *type)
{
    static const char *const names[] = {
        [FE_ACME_P256] = "p256", [FE_ACME_P384] = "p384", [FE_ACME_RSA2048] = "rsa2048"};
    const char *text = "";
    const int code = read_string(g, &text);

    if (code != 0) {
        return code;
    }
    for (unsigned i = 0; i < COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *type = (enum fe_acme_key_type)i;
            return 0;
        }
    }
    return fe_config_read_fail(g, "\"p256\", \"p384\" or \"rsa2048\"");
}

static int read_challenges(const struct fe_config_reading *g,
                           enum fe_acme_challenge_type *challenges, size_t *n)
{
    int code = fe_config_read_expect(g, FE_TOML_ARRAY, "an array of strings");
    unsigned seen = 0;

    *n = code == 0 && g->value->n > 0 ? 0 : *n; /* an empty list is none */
    for (size_t i = 0; code == 0 && i < g->value->n; i++) {
        const struct fe_config_reading item = {g->r, g->key, g->value->items[i]};
        unsigned type = 0;
        const char *text = "";

        code = read_string(&item, &text);
        while (code == 0 && type < FE_ACME_N_CHALLENGE_TYPES &&
               strcmp(text, fe_acme_challenge_name((enum fe_acme_challenge_type)type)) != 0) {
            type++;
        }
        if (code == 0 && (type == FE_ACME_N_CHALLENGE_TYPES || (seen & 1U << type) != 0)) {
            return fe_config_read_fail(&item, "\"http-01\" and \"tls-alpn-01\", each at most once");
        }
        if (code != 0) {
            break;
        }
        seen |= 1U << type;
        FE_ASSERT(*n < FE_ACME_N_CHALLENGE_TYPES, "each challenge type comes once");
        challenges[(*n)++] = (enum fe_acme_challenge_type)type;
    }
    return code;
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* The members of a list, whatever its items are. */
struct list {
    char *items;
    struct fe_toml_pos *pos;
    size_t n;
    size_t item_size;
};

static struct list list_of(const struct fe_config_key *key, const char *object)
{
    struct list list;

    FE_ASSERT(fe_key_type_is_list(key->type), "a list is read as a list");
    memcpy(&list.items, object + key->offset, sizeof(list.items));
    memcpy(&list.pos, object + key->pos_offset, sizeof(list.pos));
    memcpy(&list.n, object + key->n_offset, sizeof(list.n));
    list.item_size = key->type == FE_KEY_VIEWS     ? sizeof(struct fe_view)
                     : key->type == FE_KEY_STRINGS ? sizeof(const char *)
                     : key->type == FE_KEY_ADDRS   ? sizeof(struct fe_addr)
                                                   : sizeof(struct flatend_public_key);
    return list;
}

static void store_list(const struct fe_config_key *key, const struct list *list, char *object)
{
    memcpy(object + key->offset, &list->items, sizeof(list->items));
    memcpy(object + key->pos_offset, &list->pos, sizeof(list->pos));
    memcpy(object + key->n_offset, &list->n, sizeof(list->n));
}

/* Room for `n` more at the end; what was there is kept. */
static int grow(const struct fe_config_reading *g, struct list *list, size_t n)
{
    struct fe_arena *const arena = g->r->arena;
    char *const items = fe_arena_alloc(arena, (list->n + n + 1) * list->item_size);
    struct fe_toml_pos *const pos = fe_arena_alloc(arena, (list->n + n + 1) * sizeof(*pos));

    if (items == NULL || pos == NULL) {
        return fe_config_no_memory(g->r);
    }
    FE_ASSERT(list->n == 0 || (list->items != NULL && list->pos != NULL), "items have a place");
    if (list->n > 0) {
        memcpy(items, list->items, list->n * list->item_size);
        memcpy(pos, list->pos, list->n * sizeof(*pos));
    }
    list->items = items;
    list->pos = pos;
    return 0;
}

/* Whether an item says nothing that the other one does not. */
static bool is_in_item(enum fe_key_type type, const void *item, const void *other)
{
    if (type == FE_KEY_VIEWS) {
        return fe_view_equal(*(const struct fe_view *)item, *(const struct fe_view *)other);
    }
    return type == FE_KEY_ADDRS && (fe_addr_equal(item, other) || fe_addr_covers(other, item));
}

/* Keeps the item behind the others, unless it repeats one of them or is in it; those that are in
 * this one go. */
static void keep_item(const struct fe_config_reading *g, struct list *list)
{
    const size_t size = list->item_size;
    char *const item = list->items + list->n * size;
    size_t n = 0;

    FE_ASSERT(g->key->max == 0 || list->n < g->key->max, "a list has its limit");
    for (size_t i = 0; g->key->is_set && i < list->n; i++) {
        if (is_in_item(g->key->type, item, list->items + i * size)) {
            return;
        }
    }
    for (size_t i = 0; i < list->n; i++) {
        if (!g->key->is_set || !is_in_item(g->key->type, list->items + i * size, item)) {
            memmove(list->items + n * size, list->items + i * size, size);
            list->pos[n++] = list->pos[i];
        }
    }
    memmove(list->items + n * size, item, size);
    list->pos[n] = g->value->pos;
    list->n = n + 1;
}

static int read_item(const struct fe_config_reading *g, void *item)
{
    switch (g->key->type) {
    case FE_KEY_VIEWS:
        return read_view(g, item);
    case FE_KEY_STRINGS:
        return read_string(g, item);
    case FE_KEY_ADDRS:
        return read_addr(g, item);
    default:
        return read_public_key(g, item);
    }
}

static int fail_too_many(const struct fe_config_reading *g, struct fe_toml_pos pos)
{
    return fe_config_fail(g->r, FLATEND_EINVAL, pos, "more than %u %s", (unsigned)g->key->max,
                          g->key->noun);
}

/* The value of a list's key, or of its singular: one item. */
static int add_items(const struct fe_config_reading *g, bool is_array, void *object)
{
    const struct fe_config_key *const key = g->key;
    const size_t n = is_array ? g->value->n : 1;
    struct list list = list_of(key, object);
    int code;

    FE_ASSERT(key->max == 0 || list.n <= key->max, "a list has its limit");
    if (key->max != 0 && list.n + n > key->max) {
        return fail_too_many(g, is_array ? g->value->items[key->max - list.n]->pos : g->value->pos);
    }
    code = grow(g, &list, n);
    for (size_t i = 0; code != FLATEND_ENOMEM && i < n; i++) {
        const struct fe_config_reading item = {g->r, key, is_array ? g->value->items[i] : g->value};
        const int of_item = read_item(&item, list.items + list.n * list.item_size);

        code = fe_config_both(code, of_item);
        if (of_item == 0) {
            keep_item(&item, &list);
        }
    }
    store_list(key, &list, object);
    return code;
}

int fe_config_add_item(const struct fe_config_reader *r, const struct fe_config_key *key,
                       const struct fe_toml_value *value, void *object)
{
    const struct fe_config_reading g = {r, key, value};
    const char *const expected = key->type == FE_KEY_ADDRS ? ADDR_EXPECTED : "a string";
    int code;

    if (value->type == FE_TOML_ARRAY) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected %s, found an array: write '%s'", expected, key->name);
    }
    code = fe_config_read_expect(&g, FE_TOML_STRING, expected);
    return code != 0 ? code : add_items(&g, false, object);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A table is read when all that it depends on is known: routes inherit limits that may stand behind
 * them. */
static int check_table(const struct fe_config_reading *g)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "a table: [%s%s]", g->key->prefix, g->key->name);
    return fe_config_read_expect(g, FE_TOML_TABLE, expected);
}

static int check_tables(const struct fe_config_reading *g)
{
    const char *const prefix = g->key->prefix;
    const char *const name = g->key->name;
    char expected[64];
    int code;

    if (g->value->type == FE_TOML_TABLE && g->value->growth == FE_TOML_IMPLIED) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected [[%s%s]] above the header of a part of it", prefix, name);
    }
    snprintf(expected, sizeof(expected), "an array of tables: [[%s%s]]", prefix, name);
    code = fe_config_read_expect(g, FE_TOML_ARRAY, expected);
    if (code == 0 && g->value->n > g->key->max) {
        code = fail_too_many(g, g->value->items[g->key->max]->pos);
    }
    return code;
}

static int read_list(const struct fe_config_reading *g, void *object)
{
    const char *const singular = g->key->singular;
    int code;

    if (g->value->type == FE_TOML_STRING && singular != NULL) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected an array of strings, found a string: write '%s', or put it "
                              "in [ ]",
                              singular);
    }
    code = fe_config_read_expect(g, FE_TOML_ARRAY, "an array of strings");
    return code != 0 ? code : add_items(g, true, object);
}

int fe_config_read_key(const struct fe_config_reader *r, const struct fe_config_key *key,
                       const struct fe_toml_value *value, void *object)
{
    const struct fe_config_reading g = {r, key, value};
    void *const place = (char *)object + key->offset;
    void *const n_place = (char *)object + key->n_offset; /* of what has one */

    switch (key->type) {
    case FE_KEY_FLAG:
        return fe_config_read_flag(&g, place);
    case FE_KEY_INTEGER:
        return fe_config_read_integer(&g, place);
    case FE_KEY_FACTOR:
        return fe_config_read_factor(&g, place);
    case FE_KEY_DURATION:
        return fe_config_read_duration(&g, place);
    case FE_KEY_SIZE:
        return fe_config_read_size(&g, place);
    case FE_KEY_STRING:
    case FE_KEY_PATH:
    case FE_KEY_URL:
        return read_string(&g, place);
    case FE_KEY_ADDR:
        return read_single_addr(&g, place);
    case FE_KEY_HTTPS:
        return read_https(&g, place);
    case FE_KEY_REDIRECT:
        return read_redirect(&g, place);
    case FE_KEY_ACME_KEY_TYPE:
        return read_key_type(&g, place);
    case FE_KEY_ACME_CHALLENGES:
        return read_challenges(&g, place, n_place);
    case FE_KEY_TABLE:
        return check_table(&g);
    case FE_KEY_TABLES:
        return check_tables(&g);
    default:
        return read_list(&g, object);
    }
}
