#include "gateway/toml/tree.h"

#include "ground/base/assert.h"

/* ---- growing -------------------------------------------------------------------------------- */

/* A file is its owner's: the index needs no secret against collisions, and a parser no randomness.
 */
static const uint8_t INDEX_SEED[16] = "TOML";

static int no_memory(struct fe_toml_tree *tree)
{
    return fe_err_code(tree->c->err, FLATEND_ENOMEM);
}

static int count_value(struct fe_toml_tree *tree, struct fe_toml_pos pos)
{
    if (tree->n_values == FE_TOML_VALUES_MAX) {
        *tree->c->pos = pos;
        return fe_err_set(tree->c->err, FLATEND_ETOOBIG, "more than %d values", FE_TOML_VALUES_MAX);
    }
    tree->n_values++;
    return 0;
}

/* Space for one more pointer behind `n`. What was there before is the arena's until its end: all of
 * these together are no more than the last. */
static int reserve(struct fe_toml_tree *tree, void *pointers, size_t n, size_t *cap)
{
    enum { CAP_MIN = 4 };
    const size_t new_cap = n < CAP_MIN ? CAP_MIN : 2 * n;
    void **old;
    void **grown;

    if (n < *cap) {
        return 0;
    }
    grown = fe_arena_alloc(tree->arena, new_cap * sizeof(*grown));
    if (grown == NULL) {
        return no_memory(tree);
    }
    memcpy(&old, pointers, sizeof(old));
    if (n > 0) {
        memcpy(grown, old, n * sizeof(*grown));
    }
    memcpy(pointers, &grown, sizeof(grown));
    *cap = new_cap;
    return 0;
}

int fe_toml_append(struct fe_toml_tree *tree, struct fe_toml_value *array, struct fe_toml_pos pos,
                   struct fe_toml_value **item)
{
    int code = count_value(tree, pos);

    FE_ASSERT(array->type == FE_TOML_ARRAY, "items are of an array");
    if (code == 0) {
        code = reserve(tree, (void *)&array->items, array->n, &array->cap);
    }
    if (code != 0) {
        return code;
    }
    *item = fe_arena_alloc(tree->arena, sizeof(**item));
    if (*item == NULL) {
        return no_memory(tree);
    }
    **item = (struct fe_toml_value){.pos = pos};
    array->items[array->n++] = *item;
    return 0;
}

/* A key in the index: the table, then the name. */
static int make_index_key(struct fe_toml_tree *tree, const struct fe_toml_value *table,
                          struct fe_view name, struct fe_view *key)
{
    uint8_t *const bytes = fe_arena_alloc(tree->arena, sizeof(table) + name.len);

    if (bytes == NULL) {
        return no_memory(tree);
    }
    memcpy(bytes, &table, sizeof(table));
    if (name.len > 0) {
        memcpy(bytes + sizeof(table), name.ptr, name.len);
    }
    *key = fe_view_of(bytes, sizeof(table) + name.len);
    return 0;
}

static int add_entry(struct fe_toml_tree *tree, struct fe_toml_value *table,
                     const struct fe_toml_part *part, struct fe_view key,
                     struct fe_toml_entry **entry)
{
    int code = count_value(tree, part->pos);

    if (code == 0) {
        code = reserve(tree, (void *)&table->entries, table->n, &table->cap);
    }
    if (code != 0) {
        return code;
    }
    *entry = fe_arena_alloc(tree->arena, sizeof(**entry));
    if (*entry == NULL) {
        return no_memory(tree);
    }
    **entry = (struct fe_toml_entry){.node = {.key = key},
                                     .key = fe_view_skip(key, sizeof(table)),
                                     .pos = part->pos,
                                     .value = {.pos = part->pos}};
    /* An index that cannot grow would still work, in a time that grows with the square. */
    if (fe_map_insert(&tree->index, &(*entry)->node) != 0 ||
        tree->index.n > tree->index.n_buckets) {
        return no_memory(tree);
    }
    table->entries[table->n++] = *entry;
    return 0;
}

/* The entry of this name: `*is_new` says whether it is made by this. */
static int find_or_add(struct fe_toml_tree *tree, struct fe_toml_value *table,
                       const struct fe_toml_part *part, struct fe_toml_entry **entry, bool *is_new)
{
    struct fe_map_node *node;
    struct fe_view key = {NULL, 0};
    const int code = make_index_key(tree, table, part->name, &key);

    FE_ASSERT(table->type == FE_TOML_TABLE, "keys are of a table");
    if (code != 0) {
        return code;
    }
    node = fe_map_find(&tree->index, key);
    *is_new = node == NULL;
    if (node == NULL) {
        return add_entry(tree, table, part, key, entry);
    }
    *entry = (struct fe_toml_entry *)(void *)((char *)node - offsetof(struct fe_toml_entry, node));
    return 0;
}

int fe_toml_tree_init(struct fe_toml_tree *tree, struct fe_arena *arena, struct fe_toml_cursor *c)
{
    *tree = (struct fe_toml_tree){.c = c, .arena = arena};
    fe_map_init(&tree->index, INDEX_SEED);
    tree->root = fe_arena_alloc(arena, sizeof(*tree->root));
    if (tree->root == NULL) {
        return no_memory(tree);
    }
    *tree->root =
        (struct fe_toml_value){.type = FE_TOML_TABLE, .growth = FE_TOML_DEFINED, .pos = {1, 1}};
    return 0;
}

void fe_toml_tree_deinit(struct fe_toml_tree *tree)
{
    fe_map_deinit(&tree->index);
}

/* ---- what is there already ------------------------------------------------------------------ */

/* For "%.*s": the key, up to the part. */
#define NAME(part) fe_toml_quoted((part)->written), (const char *)(part)->written.ptr

static int fail_is_value(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         const struct fe_toml_entry *there)
{
    if (there->value.type == FE_TOML_TABLE) {
        return fe_toml_fail(tree->c, part->pos,
                            "'%.*s' is an inline table, set at %u:%u: what belongs to it stands in "
                            "its braces",
                            NAME(part), there->pos.line, there->pos.column);
    }
    return fe_toml_fail(tree->c, part->pos, "'%.*s' is already set at %u:%u, to %s", NAME(part),
                        there->pos.line, there->pos.column, fe_toml_type_name(there->value.type));
}

int fe_toml_enter_header(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_value **table)
{
    struct fe_toml_entry *entry;
    struct fe_toml_value *there;
    bool is_new;
    const int code = find_or_add(tree, *table, part, &entry, &is_new);

    if (code != 0) {
        return code;
    }
    there = &entry->value;
    if (is_new) {
        there->growth = FE_TOML_IMPLIED;
    }
    if (there->growth == FE_TOML_CLOSED) {
        return fail_is_value(tree, part, entry);
    }
    FE_ASSERT(there->type == FE_TOML_TABLE || there->n > 0, "an array of tables has one");
    *table = there->type == FE_TOML_TABLE ? there : there->items[there->n - 1];
    return 0;
}

int fe_toml_enter_dotted(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_value **table)
{
    struct fe_toml_entry *entry;
    struct fe_toml_value *there;
    bool is_new;
    const int code = find_or_add(tree, *table, part, &entry, &is_new);

    if (code != 0) {
        return code;
    }
    there = &entry->value;
    if (is_new || there->growth == FE_TOML_IMPLIED) {
        there->growth = FE_TOML_DOTTED;
    }
    if (there->growth == FE_TOML_CLOSED) {
        return fail_is_value(tree, part, entry);
    }
    if (there->growth != FE_TOML_DOTTED) {
        return fe_toml_fail(tree->c, part->pos,
                            "'%.*s' has its own header at %u:%u: what belongs to it stands there",
                            NAME(part), there->pos.line, there->pos.column);
    }
    *table = there;
    return 0;
}

int fe_toml_define_value(struct fe_toml_tree *tree, struct fe_toml_value *table,
                         const struct fe_toml_part *part, struct fe_toml_value **value)
{
    struct fe_toml_entry *entry;
    bool is_new;
    const int code = find_or_add(tree, table, part, &entry, &is_new);

    if (code != 0) {
        return code;
    }
    *value = &entry->value;
    if (is_new) {
        return 0;
    }
    return fe_toml_fail(tree->c, part->pos, "'%.*s' is already set at %u:%u", NAME(part),
                        entry->pos.line, entry->pos.column);
}

/* [a], of which there is something that is not only implied. */
static int fail_is_defined(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                           const struct fe_toml_entry *there)
{
    const struct fe_toml_pos pos = there->value.pos;

    switch (there->value.growth) {
    case FE_TOML_DEFINED:
        return fe_toml_fail(tree->c, part->pos,
                            "[%.*s] is already there at %u:%u: put their keys below one header",
                            NAME(part), pos.line, pos.column);
    case FE_TOML_DOTTED:
        return fe_toml_fail(tree->c, part->pos,
                            "'%.*s' already has keys, written with dots at %u:%u: put them below "
                            "this header",
                            NAME(part), pos.line, pos.column);
    case FE_TOML_OF_TABLES:
        return fe_toml_fail(tree->c, part->pos,
                            "'%.*s' is an array of tables since %u:%u: write [[%.*s]]", NAME(part),
                            pos.line, pos.column, NAME(part));
    default:
        return fail_is_value(tree, part, there);
    }
}

int fe_toml_define_table(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_pos pos, struct fe_toml_value **table)
{
    struct fe_toml_entry *entry;
    bool is_new;
    const int code = find_or_add(tree, *table, part, &entry, &is_new);

    if (code != 0) {
        return code;
    }
    if (!is_new && entry->value.growth != FE_TOML_IMPLIED) {
        return fail_is_defined(tree, part, entry);
    }
    entry->value.growth = FE_TOML_DEFINED;
    entry->value.pos = pos;
    *table = &entry->value;
    return 0;
}

/* [[a]], where a single `a` is there. */
static int fail_is_single(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                          const struct fe_toml_entry *there)
{
    const struct fe_toml_pos pos = there->value.pos;

    switch (there->value.growth) {
    case FE_TOML_IMPLIED:
        return fe_toml_fail(tree->c, part->pos,
                            "[[%.*s]] has to stand above what belongs to it, at %u:%u", NAME(part),
                            pos.line, pos.column);
    case FE_TOML_DEFINED:
        return fe_toml_fail(tree->c, part->pos,
                            "[%.*s] is a single table at %u:%u: write [[%.*s]] there, too",
                            NAME(part), pos.line, pos.column, NAME(part));
    case FE_TOML_DOTTED:
        return fe_toml_fail(tree->c, part->pos,
                            "'%.*s' is a single table, by keys with dots at %u:%u", NAME(part),
                            pos.line, pos.column);
    default:
        return fail_is_value(tree, part, there);
    }
}

int fe_toml_define_item(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                        struct fe_toml_pos pos, struct fe_toml_value **table)
{
    struct fe_toml_entry *entry;
    struct fe_toml_value *item;
    bool is_new;
    int code = find_or_add(tree, *table, part, &entry, &is_new);

    if (code != 0) {
        return code;
    }
    if (is_new) {
        entry->value.type = FE_TOML_ARRAY;
        entry->value.growth = FE_TOML_OF_TABLES;
        entry->value.pos = pos;
    }
    if (entry->value.growth != FE_TOML_OF_TABLES) {
        return fail_is_single(tree, part, entry);
    }
    code = fe_toml_append(tree, &entry->value, pos, &item);
    if (code == 0) {
        item->growth = FE_TOML_DEFINED;
        *table = item;
    }
    return code;
}
