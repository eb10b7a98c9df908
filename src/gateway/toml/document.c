/* A document: its lines, keys and values. */
#include "gateway/toml/scalar.h"
#include "gateway/toml/string.h"
#include "gateway/toml/tree.h"
#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/utf8.h"

struct document {
    struct fe_toml_cursor c;
    struct fe_toml_tree tree;
    struct fe_toml_value *table; /* of the last header */
    unsigned depth;              /* of brackets and braces */
};

const char *fe_toml_type_name(enum fe_toml_type type)
{
    switch (type) {
    case FE_TOML_TABLE:
        return "a table";
    case FE_TOML_ARRAY:
        return "an array";
    case FE_TOML_STRING:
        return "a string";
    case FE_TOML_INTEGER:
        return "an integer";
    case FE_TOML_BOOLEAN:
        return "a boolean";
    case FE_TOML_FLOAT:
        return "a float";
    case FE_TOML_DATE:
        return "a date";
    case FE_TOML_TIME:
        return "a time";
    case FE_TOML_DATE_TIME:
    case FE_TOML_OFFSET_DATE_TIME:
        return "a date and time";
    }
    return "";
}

/* ---- keys ----------------------------------------------------------------------------------- */

static bool is_of_bare_key(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || c == '_' || c == '-';
}

/* What is no key, or a bare one in another script. */
static int fail_key(struct document *d, size_t start)
{
    struct fe_toml_cursor *const c = &d->c;
    const uint8_t *const next = c->text.ptr + c->at;
    const size_t len = fe_utf8_len(next, c->text.len - c->at);
    const struct fe_toml_pos pos = fe_toml_here(c);
    struct fe_view word;

    if (fe_toml_peek(c, 0) == '/' || fe_toml_peek(c, 0) == ';') {
        return fe_toml_fail_expected(c, "a key (comments begin with '#')");
    }
    if (fe_toml_peek(c, 0) < 0x80) {
        return fe_toml_fail_expected(c, "a key");
    }
    while (is_of_bare_key(fe_toml_peek(c, 0)) || fe_toml_peek(c, 0) >= 0x80) {
        c->at++;
    }
    word = fe_toml_since(c, start);
    return fe_toml_fail(
        c, pos,
        "a key with '%.*s' (U+%04X) needs quotes, as all but ASCII letters, digits, "
        "'_' and '-' do: \"%.*s\"",
        (int)len, (const char *)next, (unsigned)fe_utf8_decode(next, len), fe_toml_quoted(word),
        (const char *)word.ptr);
}

static int take_part(struct document *d, struct fe_toml_part *part)
{
    struct fe_toml_cursor *const c = &d->c;
    const size_t start = c->at;
    const uint8_t first = fe_toml_peek(c, 0);

    part->pos = fe_toml_here(c);
    if (first == '"' || first == '\'') {
        return fe_toml_take_line(c, d->tree.arena, &part->name);
    }
    while (is_of_bare_key(fe_toml_peek(c, 0))) {
        c->at++;
    }
    part->name = fe_toml_since(c, start);
    return part->name.len > 0 && fe_toml_peek(c, 0) < 0x80 ? 0 : fail_key(d, start);
}

typedef int (*enter_fn)(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                        struct fe_toml_value **table);

/* A dot, with space around it. */
static bool take_dot(struct fe_toml_cursor *c)
{
    bool is_next;

    fe_toml_skip_space(c);
    is_next = fe_toml_take(c, '.');
    fe_toml_skip_space(c);
    return is_next;
}

/* A key, a.b.c, to its last part, and the space behind it: `enter` finds the table of each part
 * before that, from `*table` on. */
static int take_key(struct document *d, enter_fn enter, struct fe_toml_value **table,
                    struct fe_toml_part *part)
{
    const size_t start = d->c.at;
    unsigned n_parts = 1;
    int code = take_part(d, part);

    part->written = fe_toml_since(&d->c, start);
    while (code == 0 && take_dot(&d->c)) {
        if (n_parts++ == FE_TOML_KEY_PARTS_MAX) {
            return fe_toml_fail(&d->c, fe_toml_here(&d->c), "a key of more than %d parts",
                                FE_TOML_KEY_PARTS_MAX);
        }
        code = enter(&d->tree, part, table);
        if (code == 0) {
            code = take_part(d, part);
        }
        part->written = fe_toml_since(&d->c, start);
    }
    return code;
}

/* ---- values --------------------------------------------------------------------------------- */

static int take_value(struct document *d, struct fe_toml_value *value);

static int take_assignment(struct document *d, struct fe_toml_value *table)
{
    struct fe_toml_cursor *const c = &d->c;
    struct fe_toml_value *value;
    struct fe_toml_part part = {0};
    int code = take_key(d, fe_toml_enter_dotted, &table, &part);

    if (code == 0) {
        code = fe_toml_define_value(&d->tree, table, &part, &value);
    }
    if (code != 0) {
        return code;
    }
    if (!fe_toml_take(c, '=')) {
        return fe_toml_fail_expected(c, "'=' behind the key '%.*s'", fe_toml_quoted(part.written),
                                     (const char *)part.written.ptr);
    }
    fe_toml_skip_space(c);
    return take_value(d, value);
}

/* White space, comments and ends of lines. */
static void skip_lines(struct fe_toml_cursor *c)
{
    do {
        fe_toml_skip_space(c);
        if (fe_toml_peek(c, 0) == '#') {
            fe_toml_skip_comment(c);
        }
    } while (fe_toml_take_line_end(c));
}

static int take_array(struct document *d, struct fe_toml_value *array)
{
    struct fe_toml_cursor *const c = &d->c;

    array->type = FE_TOML_ARRAY;
    (void)fe_toml_take(c, '[');
    for (;;) {
        struct fe_toml_value *item;
        int code;

        skip_lines(c);
        if (fe_toml_take(c, ']')) {
            return 0;
        }
        if (fe_toml_is_over(c)) {
            return fe_toml_fail(c, array->pos, "the array is not closed: a ']' is missing");
        }
        code = fe_toml_append(&d->tree, array, fe_toml_here(c), &item);
        if (code == 0) {
            code = take_value(d, item);
        }
        if (code != 0) {
            return code;
        }
        skip_lines(c);
        if (!fe_toml_take(c, ',') && fe_toml_peek(c, 0) != ']') {
            return fe_toml_is_over(c)
                       ? fe_toml_fail(c, array->pos, "the array is not closed: a ']' is missing")
                       : fe_toml_fail_expected(c, "',' or ']' in the array that begins at %u:%u",
                                               array->pos.line, array->pos.column);
        }
    }
}

/* TOML 1.0 wants all of it on one line, and no comma behind the last pair. */
static int fail_inline(struct document *d, const struct fe_toml_value *table)
{
    struct fe_toml_cursor *const c = &d->c;
    const uint8_t next = fe_toml_peek(c, 0);

    if (fe_toml_is_line_end(next) || next == '#') {
        return fe_toml_fail(c, fe_toml_here(c),
                            "an inline table ends on the line on which it begins (%u:%u): write a "
                            "[table] instead",
                            table->pos.line, table->pos.column);
    }
    return fe_toml_fail_expected(c, "',' or '}' in the inline table");
}

static int take_inline_table(struct document *d, struct fe_toml_value *table)
{
    struct fe_toml_cursor *const c = &d->c;

    table->type = FE_TOML_TABLE;
    (void)fe_toml_take(c, '{');
    fe_toml_skip_space(c);
    if (fe_toml_take(c, '}')) {
        return 0;
    }
    for (;;) {
        int code = 0;

        if (fe_toml_is_line_end(fe_toml_peek(c, 0)) || fe_toml_peek(c, 0) == '#') {
            return fail_inline(d, table);
        }
        code = take_assignment(d, table);
        if (code != 0) {
            return code;
        }
        fe_toml_skip_space(c);
        if (fe_toml_take(c, '}')) {
            return 0;
        }
        if (!fe_toml_take(c, ',')) {
            return fail_inline(d, table);
        }
        fe_toml_skip_space(c);
        if (fe_toml_peek(c, 0) == '}') {
            return fe_toml_fail(c, fe_toml_here(c),
                                "no ',' behind the last key of an inline table");
        }
    }
}

static int take_nested(struct document *d, struct fe_toml_value *value, bool is_array)
{
    int code;

    if (d->depth == FE_TOML_NESTING_MAX) {
        return fe_toml_fail(&d->c, fe_toml_here(&d->c), "brackets are nested more than %d deep",
                            FE_TOML_NESTING_MAX);
    }
    d->depth++;
    code = is_array ? take_array(d, value) : take_inline_table(d, value);
    d->depth--;
    return code;
}

/* The value stays as it is now: CLOSED. */
static int take_value(struct document *d, struct fe_toml_value *value)
{
    const uint8_t first = fe_toml_peek(&d->c, 0);

    value->pos = fe_toml_here(&d->c);
    switch (first) {
    case '[':
    case '{':
        return take_nested(d, value, first == '[');
    case '"':
    case '\'':
        value->type = FE_TOML_STRING;
        return fe_toml_take_string(&d->c, d->tree.arena, &value->string);
    default:
        return fe_toml_take_scalar(&d->c, d->tree.arena, d->depth > 0, value);
    }
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* The brackets behind a header's key: ']' or ']]'. */
static int take_header_end(struct document *d, const struct fe_toml_part *part, bool is_item)
{
    struct fe_toml_cursor *const c = &d->c;

    if (!fe_toml_take(c, ']') || (is_item && !fe_toml_take(c, ']'))) {
        return fe_toml_fail_expected(c, is_item ? "']]' to close [[%.*s" : "']' to close [%.*s",
                                     fe_toml_quoted(part->written),
                                     (const char *)part->written.ptr);
    }
    return 0;
}

/* [a.b], or [[a.b]]. */
static int take_header(struct document *d)
{
    struct fe_toml_cursor *const c = &d->c;
    const struct fe_toml_pos pos = fe_toml_here(c);
    const bool is_item = fe_toml_peek(c, 1) == '[';
    struct fe_toml_value *table = d->tree.root;
    struct fe_toml_part part = {0};
    int code;

    c->at += is_item ? 2 : 1;
    fe_toml_skip_space(c);
    code = take_key(d, fe_toml_enter_header, &table, &part);
    if (code == 0) {
        code = take_header_end(d, &part, is_item);
    }
    if (code != 0) {
        return code;
    }
    code = is_item ? fe_toml_define_item(&d->tree, &part, pos, &table)
                   : fe_toml_define_table(&d->tree, &part, pos, &table);
    d->table = table;
    return code;
}

static int take_line_rest(struct document *d)
{
    struct fe_toml_cursor *const c = &d->c;
    uint8_t next;

    fe_toml_skip_space(c);
    next = fe_toml_peek(c, 0);
    if (next == '#') {
        fe_toml_skip_comment(c);
    }
    if (fe_toml_take_line_end(c) || fe_toml_is_over(c)) {
        return 0;
    }
    if (next == '/' || next == ';') {
        return fe_toml_fail_expected(c, "the end of the line (comments begin with '#')");
    }
    return fe_toml_fail_expected(c, "the end of the line");
}

static int take_line(struct document *d)
{
    struct fe_toml_cursor *const c = &d->c;
    const uint8_t first = fe_toml_peek(c, 0);
    int code;

    if (fe_toml_is_line_end(first) || first == '#') {
        return take_line_rest(d);
    }
    code = first == '[' ? take_header(d) : take_assignment(d, d->table);
    return code != 0 ? code : take_line_rest(d);
}

static int take_document(struct document *d)
{
    int code = 0;

    d->table = d->tree.root;
    while (code == 0 && !fe_toml_is_over(&d->c)) {
        fe_toml_skip_space(&d->c);
        code = take_line(d);
    }
    if (code == 0 && d->c.flaw[0] != '\0') {
        code = fe_toml_fail(&d->c, *d->c.pos, "%s", d->c.flaw);
    }
    return code;
}

int fe_toml_parse(struct fe_view text, struct fe_arena *arena, struct fe_toml_value **root,
                  struct fe_toml_pos *pos, struct flatend_error *err)
{
    struct document d = {0};
    int code = fe_toml_cursor_init(&d.c, text, pos, err);

    *root = NULL;
    if (code != 0) {
        return code;
    }
    code = fe_toml_tree_init(&d.tree, arena, &d.c);
    if (code == 0) {
        code = take_document(&d);
    }
    fe_toml_tree_deinit(&d.tree);
    if (code == 0) {
        *root = d.tree.root;
    }
    return code;
}
