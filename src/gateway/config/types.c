/* The types of keys: what may be written, within which bounds, and what is kept of it. */
#include <limits.h>
#include <stdio.h>

#include "gateway/config/table.h"
#include "gateway/config/units.h"
#include "ground/base/assert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DURATION_EXPECTED "a duration such as \"10s\", \"500ms\" or \"1m30s\""
#define SIZE_EXPECTED     "a size in bytes such as 1048576 or \"1MiB\""
#define ADDR_EXPECTED     "a string such as \"127.0.0.1:9000\" or \":3000\""
#define KEY_EXPECTED      "a public key of 64 hexadecimal digits ('flatend id' prints it)"

enum { QUOTED_SIZE_MAX = 24 }; /* digits, and a letter */

/* One value that is to become one member. */
struct reading {
    const struct fe_config_reader *r;
    const struct fe_config_key *key;
    const struct fe_toml_value *value;
};

static int fail(const struct reading *g, const char *expected)
{
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s", expected);
}

static int expect(const struct reading *g, enum fe_toml_type type, const char *expected)
{
    if (g->value->type == type) {
        return 0;
    }
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s, found %s", expected,
                          fe_toml_type_name(g->value->type));
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int read_flag(const struct reading *g, bool *flag)
{
    const int code = expect(g, FE_TOML_BOOLEAN, "true or false");

    *flag = g->value->boolean;
    return code;
}

/* Is it out of the key's own bounds? */
static bool is_outside(const struct fe_config_key *key, uint64_t n)
{
    return n < key->min || (key->max != 0 && n > key->max);
}

static int read_integer(const struct reading *g, unsigned *number)
{
    const struct fe_config_key *const key = g->key;
    const int code = expect(g, FE_TOML_INTEGER, key->noun);

    if (code != 0) {
        return code;
    }
    if (g->value->integer < 0 || is_outside(key, (uint64_t)g->value->integer)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s from %u to %u",
                              key->noun, (unsigned)key->min, (unsigned)key->max);
    }
    FE_ASSERT(key->max > 0 && key->max <= UINT_MAX, "an integer's bounds fit its member");
    *number = (unsigned)g->value->integer;
    return 0;
}

static int read_factor(const struct reading *g, double *factor)
{
    const bool is_integer = g->value->type == FE_TOML_INTEGER;
    const double min = (double)g->key->min / 100;
    const double max = (double)g->key->max / 100;
    const int code = is_integer ? 0 : expect(g, FE_TOML_FLOAT, "a factor such as 1.25");

    if (code != 0) {
        return code;
    }
    *factor = is_integer ? (double)g->value->integer : g->value->number;
    if (!(*factor >= min && *factor <= max)) { /* a NaN is none either */
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected a factor from %g to %g", min, max);
    }
    return 0;
}

static int fail_duration(const struct reading *g, const char *bound, uint64_t ms)
{
    char text[FE_DURATION_TEXT_MAX];

    if (g->key->refusal != NULL) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "%s", g->key->refusal);
    }
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected a duration of at %s %s",
                          bound, fe_duration_format(ms, text));
}

static int read_duration(const struct reading *g, uint64_t *ms)
{
    const uint64_t max = g->key->max != 0 ? g->key->max : FE_CONFIG_DURATION_MAX_MS;
    const struct fe_view text = g->value->string;
    int code = expect(g, FE_TOML_STRING, DURATION_EXPECTED);

    if (code != 0) {
        return code;
    }
    code = fe_duration_parse(text, max, ms);
    if (code == FLATEND_ETOOBIG) {
        return fail_duration(g, "most", max);
    }
    if (code != 0) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected " DURATION_EXPECTED " (units: h, m, s, ms), found \"%.*s\"",
                              fe_toml_quoted(text), (const char *)text.ptr);
    }
    return *ms < g->key->min ? fail_duration(g, "least", g->key->min) : 0;
}

/* "10M": of 1000 or of 1024? False: it is not that. */
static bool is_size_without_b(struct fe_view text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    return n > 0 && n + 1 == text.len && strchr("kKmMgG", text.ptr[n]) != NULL;
}

static int fail_size(const struct reading *g, struct fe_view text)
{
    const int number_len = (int)text.len - 1;
    char letter;

    if (g->value->type != FE_TOML_STRING) {
        return fail(g, SIZE_EXPECTED);
    }
    if (text.len > QUOTED_SIZE_MAX || !is_size_without_b(text)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected " SIZE_EXPECTED " (units: B, kB, MB, GB, KiB, MiB, GiB), "
                              "found \"%.*s\"",
                              fe_toml_quoted(text), (const char *)text.ptr);
    }
    letter = (char)(text.ptr[number_len] & ~0x20);
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                          "expected " SIZE_EXPECTED
                          ", found \"%.*s\": write \"%.*s%cB\" (of 1000) or "
                          "\"%.*s%ciB\" (of 1024)",
                          (int)text.len, (const char *)text.ptr, number_len, (const char *)text.ptr,
                          letter == 'K' ? 'k' : letter, number_len, (const char *)text.ptr, letter);
}

static int parse_size(const struct fe_toml_value *value, uint64_t *bytes)
{
    if (value->type == FE_TOML_STRING) {
        return fe_size_parse(value->string, FE_CONFIG_SIZE_MAX, bytes);
    }
    *bytes = (uint64_t)value->integer;
    return value->integer < 0 ? FLATEND_ESYNTAX : *bytes > FE_CONFIG_SIZE_MAX ? FLATEND_ETOOBIG : 0;
}

static int read_size(const struct reading *g, uint64_t *bytes)
{
    const struct fe_toml_value *const value = g->value;
    int code = value->type == FE_TOML_STRING ? 0 : expect(g, FE_TOML_INTEGER, SIZE_EXPECTED);

    if (code != 0) {
        return code;
    }
    code = parse_size(value, bytes);
    if (code != 0) {
        return code == FLATEND_ETOOBIG ? fail(g, "a size of at most 2^60 bytes")
                                       : fail_size(g, value->string);
    }
    if (is_outside(g->key, *bytes)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, value->pos,
                              "expected %s from %llu to %llu bytes", g->key->noun,
                              (unsigned long long)g->key->min, (unsigned long long)g->key->max);
    }
    return 0;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static int read_view(const struct reading *g, struct fe_view *view)
{
    const struct fe_view string = g->value->string;
    const char *copy;
    const int code = expect(g, FE_TOML_STRING, "a string");

    if (code != 0) {
        return code;
    }
    if (string.len == 0) {
        return fail(g, "a string that is not empty");
    }
    if (memchr(string.ptr, '\0', string.len) != NULL) {
        return fail(g, "a string without NUL");
    }
    copy = fe_arena_copy(g->r->arena, string);
    if (copy == NULL) {
        return fe_config_no_memory(g->r);
    }
    *view = fe_view_of(copy, string.len);
    return 0;
}

static int read_string(const struct reading *g, const char **string)
{
    struct fe_view view = {NULL, 0};
    const int code = read_view(g, &view);

    if (view.ptr != NULL) {
        *string = (const char *)view.ptr;
    }
    return code;
}

static int read_addr(const struct reading *g, struct fe_addr *addr)
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

static int read_single_addr(const struct reading *g, struct fe_addr *addr)
{
    const int code = expect(g, FE_TOML_STRING, ADDR_EXPECTED);
    return code != 0 ? code : read_addr(g, addr);
}

static int read_public_key(const struct reading *g, struct flatend_public_key *key)
{
    const char *text = "";
    const int code = read_string(g, &text);

    if (code != 0 || flatend_public_key_parse(key, text) == 0) {
        return code;
    }
    return fail(g, KEY_EXPECTED);
}

/* ---- choices -------------------------------------------------------------------------------- */

static int read_https(const struct reading *g, enum fe_https_mode *mode)
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

static int read_redirect(const struct reading *g, struct fe_config_redirect *redirect)
{
    redirect->pos = g->value->pos;
    if (g->value->type == FE_TOML_BOOLEAN && !g->value->boolean) {
        redirect->is_off = true;
        return 0;
    }
    if (g->value->type != FE_TOML_STRING) {
        return fail(g, "an address such as \":80\", or false");
    }
    redirect->has_addr = true;
    return read_addr(g, &redirect->addr);
}

static int read_key_type(const struct reading *g, enum fe_acme_key_type *type)
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
    return fail(g, "\"p256\", \"p384\" or \"rsa2048\"");
}

static int read_challenges(const struct reading *g, enum fe_acme_challenge_type *challenges,
                           size_t *n)
{
    int code = expect(g, FE_TOML_ARRAY, "an array of strings");
    unsigned seen = 0;

    *n = code == 0 && g->value->n > 0 ? 0 : *n; /* an empty list is none */
    for (size_t i = 0; code == 0 && i < g->value->n; i++) {
        const struct reading item = {g->r, g->key, g->value->items[i]};
        unsigned type = 0;
        const char *text = "";

        code = read_string(&item, &text);
        while (code == 0 && type < FE_ACME_N_CHALLENGE_TYPES &&
               strcmp(text, fe_acme_challenge_name((enum fe_acme_challenge_type)type)) != 0) {
            type++;
        }
        if (code == 0 && (type == FE_ACME_N_CHALLENGE_TYPES || (seen & 1U << type) != 0)) {
            return fail(&item, "\"http-01\" and \"tls-alpn-01\", each at most once");
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
static int grow(const struct reading *g, struct list *list, size_t n)
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
static void keep_item(const struct reading *g, struct list *list)
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

static int read_item(const struct reading *g, void *item)
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

static int fail_too_many(const struct reading *g, struct fe_toml_pos pos)
{
    return fe_config_fail(g->r, FLATEND_EINVAL, pos, "more than %u %s", (unsigned)g->key->max,
                          g->key->noun);
}

/* The value of a list's key, or of its singular: one item. */
static int add_items(const struct reading *g, bool is_array, void *object)
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
        const struct reading item = {g->r, key, is_array ? g->value->items[i] : g->value};
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
    const struct reading g = {r, key, value};
    const char *const expected = key->type == FE_KEY_ADDRS ? ADDR_EXPECTED : "a string";
    int code;

    if (value->type == FE_TOML_ARRAY) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected %s, found an array: write '%s'", expected, key->name);
    }
    code = expect(&g, FE_TOML_STRING, expected);
    return code != 0 ? code : add_items(&g, false, object);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A table is read when all that it depends on is known: routes inherit limits that may stand behind
 * them. */
static int check_table(const struct reading *g)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "a table: [%s%s]", g->key->prefix, g->key->name);
    return expect(g, FE_TOML_TABLE, expected);
}

static int check_tables(const struct reading *g)
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
    code = expect(g, FE_TOML_ARRAY, expected);
    if (code == 0 && g->value->n > g->key->max) {
        code = fail_too_many(g, g->value->items[g->key->max]->pos);
    }
    return code;
}

static int read_list(const struct reading *g, void *object)
{
    const char *const singular = g->key->singular;
    int code;

    if (g->value->type == FE_TOML_STRING && singular != NULL) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected an array of strings, found a string: write '%s', or put it "
                              "in [ ]",
                              singular);
    }
    code = expect(g, FE_TOML_ARRAY, "an array of strings");
    return code != 0 ? code : add_items(g, true, object);
}

int fe_config_read_key(const struct fe_config_reader *r, const struct fe_config_key *key,
                       const struct fe_toml_value *value, void *object)
{
    const struct reading g = {r, key, value};
    void *const place = (char *)object + key->offset;
    void *const n_place = (char *)object + key->n_offset; /* of what has one */

    switch (key->type) {
    case FE_KEY_FLAG:
        return read_flag(&g, place);
    case FE_KEY_INTEGER:
        return read_integer(&g, place);
    case FE_KEY_FACTOR:
        return read_factor(&g, place);
    case FE_KEY_DURATION:
        return read_duration(&g, place);
    case FE_KEY_SIZE:
        return read_size(&g, place);
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
