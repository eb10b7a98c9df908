/* A TOML table by its keys: which there are, what stands where, what was probably meant. */
#include "gateway/config/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "ground/base/assert.h"

enum {
    WHERE_MAX = 64, /* of the text that names a table */
    HINT_MAX = 96,
};

/* One table while it is read, or one of its groups: [http.timeout]. */
struct walk {
    const struct fe_config_reader *r;
    const struct fe_config_table *table;
    struct fe_view group; /* empty: the table itself */
    void *object;
    void *given;
};

int fe_config_fail(const struct fe_config_reader *r, int code, struct fe_toml_pos pos,
                   const char *format, ...)
{
    struct flatend_error err;
    char text[sizeof(err.text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fe_err_set(&err, code, "%s:%u:%u: %s", r->path, pos.line, pos.column, text);
    return fe_config_mistakes_add(r->mistakes, pos, &err);
}

int fe_config_no_memory(const struct fe_config_reader *r)
{
    struct flatend_error err;

    (void)fe_err_set(&err, FLATEND_ENOMEM, "%s: %s", r->path, flatend_strerror(FLATEND_ENOMEM));
    return fe_config_mistakes_set(r->mistakes, &err);
}

struct fe_view fe_config_key_group(const struct fe_config_key *key)
{
    const char *const dot = strchr(key->name, '.');
    return fe_view_of(key->name, dot != NULL ? (size_t)(dot - key->name) : 0);
}

/* The part behind the dot. */
static struct fe_view leaf_of(const struct fe_config_key *key)
{
    const char *const dot = strchr(key->name, '.');
    return fe_view_str(dot != NULL ? dot + 1 : key->name);
}

/* ---- what was probably meant ---------------------------------------------------------------- */

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

/* The best guess so far. */
struct guess {
    struct fe_view nearest; /* empty: none */
    size_t distance;
};

/* A slip seldom hits the first letter. */
static void consider(struct guess *guess, struct fe_view name, struct fe_view key)
{
    const size_t d = distance(name, key);
    const bool has_first = name.len > 0 && name.ptr[0] == key.ptr[0];

    if (d < guess->distance && d <= (has_first ? 5U : 2U) && (d < name.len || d < key.len)) {
        *guess = (struct guess){key, d};
    }
}

static struct fe_view guess_key(const struct walk *w, struct fe_view name)
{
    struct guess guess = {.distance = SIZE_MAX};

    for (size_t i = 0; i < w->table->n_keys; i++) {
        const struct fe_config_key *const key = &w->table->keys[i];
        const struct fe_view group = fe_config_key_group(key);

        if (fe_view_equal(group, w->group)) {
            consider(&guess, name, leaf_of(key));
        } else if (w->group.len == 0) {
            consider(&guess, name, group);
        }
        if (key->singular != NULL) {
            consider(&guess, name, fe_view_str(key->singular));
        }
    }
    return guess.nearest;
}

/* "[http.timeout]", "[[http]]", "the configuration": where a key of the walk is. */
static const char *describe_place(const struct fe_config_table *table, struct fe_view group,
                                  char where[WHERE_MAX])
{
    if (group.len > 0) {
        snprintf(where, WHERE_MAX, "[%s.%.*s]", table->name, (int)group.len,
                 (const char *)group.ptr);
    } else if (table->name[0] == '\0') {
        snprintf(where, WHERE_MAX, "the configuration");
    } else {
        snprintf(where, WHERE_MAX, table->is_array ? "[[%s]]" : "[%s]", table->name);
    }
    return where;
}

/* A key of that name in a table. NULL: there is none. */
static const struct fe_config_key *find_leaf(const struct fe_config_table *table,
                                             struct fe_view name)
{
    for (size_t i = 0; i < table->n_keys; i++) {
        const struct fe_config_key *const key = &table->keys[i];

        if (fe_view_equal(leaf_of(key), name) ||
            (key->singular != NULL && fe_view_equal(fe_view_str(key->singular), name))) {
            return key;
        }
    }
    return NULL;
}

/* A key that is one elsewhere: where to put it. False: it is none anywhere. */
static bool suggest_place(const struct walk *w, struct fe_view name, char hint[HINT_MAX])
{
    const struct fe_config_table *table = w->table;
    const struct fe_config_key *key = find_leaf(table, name);
    char where[WHERE_MAX];

    for (size_t i = 0; key == NULL && i < FE_N_CONFIG_TABLES; i++) {
        table = &FE_CONFIG_TABLES[i];
        key = find_leaf(table, name);
    }
    if (key == NULL) {
        return false;
    }
    if (key->type == FE_KEY_TABLE || key->type == FE_KEY_TABLES) {
        snprintf(hint, HINT_MAX, key->type == FE_KEY_TABLES ? "write [[%s%s]]" : "write [%s%s]",
                 key->prefix, key->name);
    } else if (table->name[0] == '\0') {
        snprintf(hint, HINT_MAX, "it belongs above the first header");
    } else {
        snprintf(hint, HINT_MAX, "it belongs to %s",
                 describe_place(table, fe_config_key_group(key), where));
    }
    return true;
}

static int fail_unknown_key(const struct walk *w, const struct fe_toml_entry *entry)
{
    const struct fe_view nearest = guess_key(w, entry->key);
    char where[WHERE_MAX];
    char hint[HINT_MAX];
    bool has_hint = suggest_place(w, entry->key, hint);

    if (!has_hint && nearest.len > 0) {
        snprintf(hint, sizeof(hint), "did you mean '%.*s'?", (int)nearest.len,
                 (const char *)nearest.ptr);
        has_hint = true;
    }
    return fe_config_fail(w->r, FLATEND_EINVAL, entry->pos, "unknown key '%.*s' in %s%s%s",
                          fe_toml_quoted(entry->key), (const char *)entry->key.ptr,
                          describe_place(w->table, w->group, where), has_hint ? ": " : "",
                          has_hint ? hint : "");
}

/* ---- reading -------------------------------------------------------------------------------- */

void fe_config_set_defaults(const struct fe_config_table *table, void *object)
{
    for (size_t i = 0; i < table->n_keys; i++) {
        const struct fe_config_key *const key = &table->keys[i];
        char *const place = (char *)object + key->offset;
        const unsigned number = (unsigned)key->initial;
        const double factor = (double)key->initial / 100;

        switch (key->type) {
        case FE_KEY_FLAG:
            *(bool *)place = key->initial != 0;
            break;
        case FE_KEY_INTEGER:
            memcpy(place, &number, sizeof(number));
            break;
        case FE_KEY_FACTOR:
            memcpy(place, &factor, sizeof(factor));
            break;
        case FE_KEY_DURATION:
        case FE_KEY_SIZE:
            memcpy(place, &key->initial, sizeof(key->initial));
            break;
        case FE_KEY_STRING:
        case FE_KEY_PATH:
        case FE_KEY_URL:
            memcpy(place, &key->initial_string, sizeof(key->initial_string));
            break;
        default: /* zero: an empty list, what an enumeration begins with */
            break;
        }
    }
}

static bool is_named(const struct walk *w, const struct fe_config_key *key, struct fe_view name)
{
    return fe_view_equal(fe_config_key_group(key), w->group) &&
           (fe_view_equal(leaf_of(key), name) ||
            (key->singular != NULL && fe_view_equal(fe_view_str(key->singular), name)));
}

static const struct fe_config_key *find_key(const struct walk *w, struct fe_view name)
{
    for (size_t i = 0; i < w->table->n_keys; i++) {
        if (is_named(w, &w->table->keys[i], name)) {
            return &w->table->keys[i];
        }
    }
    return NULL;
}

static bool is_group(const struct walk *w, struct fe_view name)
{
    for (size_t i = 0; w->group.len == 0 && name.len > 0 && i < w->table->n_keys; i++) {
        if (fe_view_equal(fe_config_key_group(&w->table->keys[i]), name)) {
            return true;
        }
    }
    return false;
}

static int read_entry(const struct walk *w, const struct fe_config_key *key,
                      const struct fe_toml_entry *entry)
{
    const struct fe_toml_value *const value = &entry->value;
    const bool is_item =
        key->singular != NULL && fe_view_equal(entry->key, fe_view_str(key->singular));
    const int code = is_item ? fe_config_add_item(w->r, key, value, w->object)
                             : fe_config_read_key(w->r, key, value, w->object);

    FE_ASSERT(w->given != NULL, "what is given is noted");
    if (code == 0) {
        memcpy((char *)w->given + key->given_offset, &value, sizeof(value));
    }
    return code;
}

/* The key that a group stands for where it is no table. NULL: there is none. */
static const struct fe_config_key *find_group_value(const struct walk *w,
                                                    const struct fe_toml_entry *entry)
{
    for (size_t i = 0; entry->value.type != FE_TOML_TABLE && i < w->table->n_keys; i++) {
        const struct fe_config_key *const key = &w->table->keys[i];

        if (key->is_group_value && fe_view_equal(fe_config_key_group(key), entry->key)) {
            return key;
        }
    }
    return NULL;
}

static int read_group(const struct walk *outer, const struct fe_toml_entry *entry);

static int read_entries(const struct walk *w, const struct fe_toml_value *value)
{
    int code = 0;

    if (value->type != FE_TOML_TABLE) {
        return fe_config_fail(w->r, FLATEND_EINVAL, value->pos, "expected a table, found %s",
                              fe_toml_type_name(value->type));
    }
    for (size_t i = 0; i < value->n; i++) {
        const struct fe_toml_entry *const entry = value->entries[i];
        const struct fe_config_key *const key = find_key(w, entry->key);

        if (key != NULL) {
            code = FE_CONFIG_ALSO(code, read_entry(w, key, entry));
        } else if (is_group(w, entry->key)) {
            code = FE_CONFIG_ALSO(code, read_group(w, entry));
        } else {
            code = FE_CONFIG_ALSO(code, fail_unknown_key(w, entry));
        }
    }
    return code;
}

static int read_group(const struct walk *outer, const struct fe_toml_entry *entry)
{
    const struct fe_config_key *const key = find_group_value(outer, entry);
    struct walk inner = *outer;

    if (key != NULL) {
        return read_entry(outer, key, entry);
    }
    inner.group = entry->key;
    return read_entries(&inner, &entry->value);
}

int fe_config_read_table(const struct fe_config_reader *r, const struct fe_config_table *table,
                         const struct fe_toml_value *value, void *object, void *given)
{
    const struct walk w = {.r = r, .table = table, .object = object, .given = given};

    fe_config_set_defaults(table, object);
    return read_entries(&w, value);
}
