/* Any bytes as TOML: a mistake with a place in the text, or a tree that keeps its promises. */
#include <stdlib.h>

#include "gateway/toml/toml.h"
#include "ground/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(struct fe_view text)
{
    for (size_t i = 0; i < text.len;) {
        const size_t len = fe_utf8_len(text.ptr + i, text.len - i);

        check(len > 0);
        i += len;
    }
}

static void check_pos(struct fe_toml_pos pos, size_t size)
{
    check(pos.line > 0 && pos.column > 0 && pos.line - 1 + (size_t)(pos.column - 1) <= size);
}

static bool is_before(struct fe_toml_pos a, struct fe_toml_pos b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* No deeper than brackets within brackets below the parts of a header and of a key. */
static void check_value(const struct fe_toml_value *value, size_t size, unsigned depth)
{
    check_pos(value->pos, size);
    check(depth <= (FE_TOML_NESTING_MAX + 2) * FE_TOML_KEY_PARTS_MAX);
    check(value->n <= FE_TOML_VALUES_MAX);
    for (size_t i = 0; value->type == FE_TOML_TABLE && i < value->n; i++) {
        const struct fe_toml_entry *const entry = value->entries[i];

        check_pos(entry->pos, size);
        check_text(entry->key);
        check(i == 0 || is_before(value->entries[i - 1]->pos, entry->pos));
        check_value(&entry->value, size, depth + 1);
    }
    for (size_t i = 0; value->type == FE_TOML_ARRAY && i < value->n; i++) {
        check(i == 0 || is_before(value->items[i - 1]->pos, value->items[i]->pos));
        check_value(value->items[i], size, depth + 1);
    }
    if (value->type != FE_TOML_TABLE && value->type != FE_TOML_ARRAY) {
        check(value->n == 0);
        check_text(value->string);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fe_arena arena;
    struct fe_toml_value *root;
    struct fe_toml_pos pos;
    struct flatend_error err;
    int code;

    fe_arena_init(&arena, 0);
    code = fe_toml_parse(fe_view_of(data, size), &arena, &root, &pos, &err);
    check((code == 0) == (root != NULL));
    if (code == 0) {
        check_value(root, size, 0);
    } else {
        check_pos(pos, size);
        check(err.code == code && err.text[0] != '\0' && code != FLATEND_ENOMEM);
    }
    fe_arena_deinit(&arena);
    return 0;
}
