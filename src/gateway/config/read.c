#include "gateway/config/read.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/config/config.h"
#include "gateway/config/units.h"

#define DURATION_EXPECTED "a duration such as \"10s\", \"500ms\" or \"1m30s\""
#define SIZE_EXPECTED     "a size in bytes such as 1048576 or \"1MiB\""

/* How much of a name is quoted in a message. */
enum { QUOTED_MAX = 48 };

static int quoted_len(struct fe_view text)
{
    return text.len < QUOTED_MAX ? (int)text.len : QUOTED_MAX;
}

int fe_config_fail(const struct fe_config_reader *r, int code, struct fe_toml_pos pos,
                   const char *format, ...)
{
    char text[sizeof(r->err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fe_err_set(r->err, code, "%s:%u:%u: %s", r->path, pos.line, pos.column, text);
}

int fe_config_no_memory(const struct fe_config_reader *r)
{
    return fe_err_set(r->err, FLATEND_ENOMEM, "%s: %s", r->path, flatend_strerror(FLATEND_ENOMEM));
}

int fe_config_expect(const struct fe_config_reader *r, const struct fe_toml_value *value,
                     enum fe_toml_type type, const char *expected)
{
    if (value->type == type) {
        return FLATEND_OK;
    }
    return fe_config_fail(r, FLATEND_EINVAL, value->pos, "expected %s, found %s", expected,
                          fe_toml_type_name(value->type));
}

static size_t min_of_three(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance; SIZE_MAX for what is too long to be a key. */
static size_t distance(struct fe_view a, struct fe_view b)
{
    enum { NAME_MAX = 31 };
    size_t row[NAME_MAX + 1];

    if (a.len > NAME_MAX || b.len > NAME_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const size_t above = row[j];
            const size_t replaced = diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            row[j] = min_of_three(replaced, above + 1, row[j - 1] + 1);
            diagonal = above;
        }
    }
    return row[b.len];
}

/* Whether `name` may be a slip for a key at that distance: a slip seldom hits the first letter. */
static bool is_slip(struct fe_view name, struct fe_view key, size_t d)
{
    const bool has_first = name.len > 0 && name.ptr[0] == key.ptr[0];
    return d <= (has_first ? 5U : 2U) && (d < name.len || d < key.len);
}

static int fail_unknown_key(const struct fe_config_reader *r, const struct fe_toml_entry *entry,
                            const char *where, const struct fe_config_key *keys, size_t n_keys)
{
    const int len = quoted_len(entry->key);
    const char *const name = (const char *)entry->key.ptr;
    const char *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;

    for (size_t i = 0; i < n_keys; i++) {
        const struct fe_view key = fe_view_str(keys[i].name);
        const size_t d = distance(entry->key, key);
        if (d < nearest_distance && is_slip(entry->key, key, d)) {
            nearest = keys[i].name;
            nearest_distance = d;
        }
    }
    if (nearest == NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, entry->pos, "unknown key '%.*s' in %s", len, name,
                              where);
    }
    return fe_config_fail(r, FLATEND_EINVAL, entry->pos,
                          "unknown key '%.*s' in %s: did you mean '%s'?", len, name, where,
                          nearest);
}

int fe_config_read_table(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const char *where, const struct fe_config_key *keys, size_t n_keys,
                         void *object)
{
    int code = fe_config_expect(r, table, FE_TOML_TABLE, "a table");

    for (size_t i = 0; code == FLATEND_OK && i < table->n; i++) {
        const struct fe_toml_entry *const entry = &table->entries[i];
        size_t k = 0;
        while (k < n_keys && !fe_view_equal(entry->key, fe_view_str(keys[k].name))) {
            k++;
        }
        if (k == n_keys) {
            return fail_unknown_key(r, entry, where, keys, n_keys);
        }
        code = keys[k].read(r, &entry->value, (char *)object + keys[k].offset);
    }
    return code;
}

int fe_config_read_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *text)
{
    struct fe_config_text *const into = text;
    const char *copy;
    const int code = fe_config_expect(r, value, FE_TOML_STRING, "a string");

    if (code != FLATEND_OK) {
        return code;
    }
    if (value->string.len == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos, "expected a string that is not empty");
    }
    if (memchr(value->string.ptr, '\0', value->string.len) != NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos, "expected a string without NUL");
    }
    copy = fe_arena_copy(r->arena, value->string);
    if (copy == NULL) {
        return fe_config_no_memory(r);
    }
    into->text = fe_view_of(copy, value->string.len);
    into->pos = value->pos;
    return FLATEND_OK;
}

/* Room for `n` more at the end of the list; what was there is kept. */
static int grow(const struct fe_config_reader *r, struct fe_config_texts *texts, size_t n)
{
    struct fe_config_text *const items =
        fe_arena_alloc(r->arena, (texts->n + n + 1) * sizeof(*items));
    if (items == NULL) {
        return fe_config_no_memory(r);
    }
    if (texts->n > 0) {
        memcpy(items, texts->items, texts->n * sizeof(*items));
    }
    texts->items = items;
    return FLATEND_OK;
}

int fe_config_add_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                       void *texts)
{
    struct fe_config_texts *const into = texts;
    int code = grow(r, into, 1);

    if (code == FLATEND_OK) {
        code = fe_config_read_text(r, value, &into->items[into->n]);
    }
    if (code == FLATEND_OK) {
        into->n++;
    }
    return code;
}

int fe_config_add_texts(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *texts)
{
    struct fe_config_texts *const into = texts;
    int code = fe_config_expect(r, value, FE_TOML_ARRAY, "an array of strings");

    if (code == FLATEND_OK) {
        code = grow(r, into, value->n);
    }
    for (size_t i = 0; code == FLATEND_OK && i < value->n; i++) {
        code = fe_config_read_text(r, &value->items[i], &into->items[into->n]);
        if (code == FLATEND_OK) {
            into->n++;
        }
    }
    return code;
}

int fe_config_read_flag(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *flag)
{
    struct fe_config_flag *const into = flag;
    const int code = fe_config_expect(r, value, FE_TOML_BOOLEAN, "true or false");

    if (code == FLATEND_OK) {
        *into = (struct fe_config_flag){value->boolean, value->pos};
    }
    return code;
}

int fe_config_read_duration(const struct fe_config_reader *r, const struct fe_toml_value *value,
                            void *number)
{
    struct fe_config_number *const into = number;
    int code = fe_config_expect(r, value, FE_TOML_STRING, DURATION_EXPECTED);

    if (code != FLATEND_OK) {
        return code;
    }
    code = fe_duration_parse(value->string, FE_CONFIG_DURATION_MAX_MS, &into->n);
    if (code == FLATEND_ETOOBIG) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected a duration of at most a year");
    }
    if (code != FLATEND_OK) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected " DURATION_EXPECTED " (units: h, m, s, ms), found \"%.*s\"",
                              quoted_len(value->string), (const char *)value->string.ptr);
    }
    into->pos = value->pos;
    return FLATEND_OK;
}

int fe_config_read_size(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *number)
{
    struct fe_config_number *const into = number;
    int code = FLATEND_OK;

    if (value->type == FE_TOML_STRING) {
        code = fe_size_parse(value->string, FE_CONFIG_SIZE_MAX, &into->n);
    } else {
        code = fe_config_expect(r, value, FE_TOML_INTEGER, SIZE_EXPECTED);
        if (code != FLATEND_OK) {
            return code;
        }
        into->n = (uint64_t)value->integer;
        code = value->integer < 0             ? FLATEND_ESYNTAX
               : into->n > FE_CONFIG_SIZE_MAX ? FLATEND_ETOOBIG
                                              : FLATEND_OK;
    }
    if (code == FLATEND_ETOOBIG) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected a size of at most 2^60 bytes");
    }
    if (code != FLATEND_OK) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos, "expected " SIZE_EXPECTED);
    }
    into->pos = value->pos;
    return FLATEND_OK;
}
