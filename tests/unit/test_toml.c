/* TOML: the corpus, and what must hold for each of its texts; limits, places, size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/toml/toml.h"
#include "support/toml_corpus.h"

static void append(struct fe_buf *buf, const char *text)
{
    assert_int_equal(fe_buf_append(buf, text, strlen(text)), 0);
}

static void repeat(struct fe_buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        append(buf, text);
    }
}

/* ---- the corpus ----------------------------------------------------------------------------- */

static void check_outcome(const struct toml_case *c, struct fe_view text, const char *how)
{
    struct fe_buf outcome;
    const int code = (fe_buf_init(&outcome, 1 << 20), toml_outcome(text, &outcome));

    if (!fe_view_equal(fe_buf_view(&outcome), c->outcome) || (code == 0) != toml_case_is_valid(c)) {
        fail_msg("%s.txt:%u (%s)\n  expected %.*s\n  found    %.*s", c->file, c->line, how,
                 (int)c->outcome.len, (const char *)c->outcome.ptr, (int)outcome.len,
                 (const char *)outcome.data);
    }
    fe_buf_deinit(&outcome);
}

static void check_case(const struct toml_case *c, void *arg)
{
    (void)arg;
    check_outcome(c, c->text, "as it is");
}

static void test_corpus(void **state)
{
    (void)state;
    toml_corpus_each(check_case, NULL);
}

static bool has_byte(struct fe_view text, int byte)
{
    return text.len > 0 && memchr(text.ptr, byte, text.len) != NULL;
}

/* With CR LF in place of LF: the same tree, the same mistake in the same place. */
static void check_with_cr(const struct toml_case *c, void *arg)
{
    struct fe_buf text;

    (void)arg;
    if (has_byte(c->text, '\r') || has_byte(c->text, '\0')) {
        return;
    }
    fe_buf_init(&text, 1 << 20);
    append(&text, "");
    for (size_t i = 0; i < c->text.len; i++) {
        if (c->text.ptr[i] == '\n') {
            append(&text, "\r");
        }
        assert_int_equal(fe_buf_append(&text, c->text.ptr + i, 1), 0);
    }
    check_outcome(c, fe_buf_view(&text), "with CR LF");
    fe_buf_deinit(&text);
}

static void test_line_ends(void **state)
{
    (void)state;
    toml_corpus_each(check_with_cr, NULL);
}

static void check_with_mark(const struct toml_case *c, void *arg)
{
    struct fe_buf text;

    (void)arg;
    if (fe_view_has_prefix(c->text, FE_VIEW_LIT("\xef\xbb\xbf")) || has_byte(c->text, '\0')) {
        return;
    }
    fe_buf_init(&text, 1 << 20);
    append(&text, "\xef\xbb\xbf");
    if (c->text.len > 0) {
        assert_int_equal(fe_buf_append(&text, c->text.ptr, c->text.len), 0);
    }
    check_outcome(c, fe_buf_view(&text), "with a byte order mark");
    fe_buf_deinit(&text);
}

static void test_byte_order_marks(void **state)
{
    (void)state;
    toml_corpus_each(check_with_mark, NULL);
}

/* Is the place within the text, its end included? */
static bool is_inside(struct fe_view text, struct fe_toml_pos pos)
{
    struct fe_toml_pos at = {1, 1};

    for (size_t i = 0; i < text.len; i++) {
        if (at.line == pos.line && at.column == pos.column) {
            return true;
        }
        at = text.ptr[i] == '\n' ? (struct fe_toml_pos){at.line + 1, 1}
                                 : (struct fe_toml_pos){at.line, at.column + 1};
    }
    return at.line == pos.line && pos.column <= at.column;
}

/* Cut anywhere, a text is one or has its mistake within; a byte more changes nothing before it. */
static void check_cuts(const struct toml_case *c, void *arg)
{
    (void)arg;
    for (size_t len = 0; len < c->text.len; len++) {
        const struct fe_view text = fe_view_of(c->text.ptr, len);
        struct fe_buf outcome;
        struct fe_toml_pos pos = {1, 1};

        fe_buf_init(&outcome, 1 << 20);
        if (toml_outcome(text, &outcome) != 0) {
            append(&outcome, "");
            assert_int_equal(fe_buf_append(&outcome, "", 1), 0);
            assert_int_equal(sscanf((const char *)outcome.data, "%u:%u: ", &pos.line, &pos.column),
                             2);
        }
        if (!is_inside(text, pos)) {
            fail_msg("%s.txt:%u, %zu bytes: %u:%u is outside", c->file, c->line, len, pos.line,
                     pos.column);
        }
        fe_buf_deinit(&outcome);
    }
}

static void test_cuts(void **state)
{
    (void)state;
    toml_corpus_each(check_cuts, NULL);
}

/* ---- its cover ------------------------------------------------------------------------------ */

/* The productions of toml.abnf of TOML 1.0.0, but for ALPHA. */
static const char *const PRODUCTIONS[] = {
    "toml",
    "expression",
    "ws",
    "wschar",
    "newline",
    "comment-start-symbol",
    "non-ascii",
    "non-eol",
    "comment",
    "keyval",
    "key",
    "simple-key",
    "unquoted-key",
    "quoted-key",
    "dotted-key",
    "dot-sep",
    "keyval-sep",
    "val",
    "string",
    "basic-string",
    "quotation-mark",
    "basic-char",
    "basic-unescaped",
    "escaped",
    "escape",
    "escape-seq-char",
    "ml-basic-string",
    "ml-basic-string-delim",
    "ml-basic-body",
    "mlb-content",
    "mlb-char",
    "mlb-quotes",
    "mlb-unescaped",
    "mlb-escaped-nl",
    "literal-string",
    "apostrophe",
    "literal-char",
    "ml-literal-string",
    "ml-literal-string-delim",
    "ml-literal-body",
    "mll-content",
    "mll-char",
    "mll-quotes",
    "integer",
    "minus",
    "plus",
    "underscore",
    "digit1-9",
    "digit0-7",
    "digit0-1",
    "hex-prefix",
    "oct-prefix",
    "bin-prefix",
    "dec-int",
    "unsigned-dec-int",
    "hex-int",
    "oct-int",
    "bin-int",
    "float",
    "float-int-part",
    "frac",
    "decimal-point",
    "zero-prefixable-int",
    "exp",
    "float-exp-part",
    "special-float",
    "inf",
    "nan",
    "boolean",
    "true",
    "false",
    "date-time",
    "date-fullyear",
    "date-month",
    "date-mday",
    "time-delim",
    "time-hour",
    "time-minute",
    "time-second",
    "time-secfrac",
    "time-numoffset",
    "time-offset",
    "partial-time",
    "full-date",
    "full-time",
    "offset-date-time",
    "local-date-time",
    "local-date",
    "local-time",
    "array",
    "array-open",
    "array-close",
    "array-values",
    "array-sep",
    "ws-comment-newline",
    "inline-table",
    "inline-table-open",
    "inline-table-close",
    "inline-table-sep",
    "inline-table-keyvals",
    "table",
    "std-table",
    "std-table-open",
    "std-table-close",
    "array-table",
    "array-table-open",
    "array-table-close",
    "DIGIT",
    "HEXDIG",
};

#define N_PRODUCTIONS (sizeof(PRODUCTIONS) / sizeof(PRODUCTIONS[0]))

/* "== a, b, c: ..." */
static void note_production(struct fe_view name, bool *seen)
{
    for (size_t i = 0; i < N_PRODUCTIONS; i++) {
        if (fe_view_equal(name, fe_view_str(PRODUCTIONS[i]))) {
            seen[i] = true;
        }
    }
}

static void note_productions(const struct toml_case *c, void *arg)
{
    size_t start = 3;

    for (size_t i = start; toml_case_is_valid(c) && i < c->about.len; i++) {
        if (c->about.ptr[i] == ',' || c->about.ptr[i] == ':') {
            note_production(fe_view_of(c->about.ptr + start, i - start), arg);
            start = i + 2;
        }
        if (c->about.ptr[i] == ':') {
            return;
        }
    }
}

static void test_every_production_has_a_case(void **state)
{
    bool seen[N_PRODUCTIONS] = {false};

    (void)state;
    toml_corpus_each(note_productions, seen);
    for (size_t i = 0; i < N_PRODUCTIONS; i++) {
        if (!seen[i]) {
            fail_msg("no case is about %s", PRODUCTIONS[i]);
        }
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

static void check_text(struct fe_buf *text, int code, const char *message)
{
    struct fe_buf outcome;

    fe_buf_init(&outcome, 1 << 26);
    assert_int_equal(toml_outcome(fe_buf_view(text), &outcome), code);
    if (message != NULL) {
        assert_int_equal(fe_buf_append(&outcome, "", 1), 0);
        assert_string_equal((const char *)outcome.data, message);
    }
    fe_buf_deinit(&outcome);
    fe_buf_deinit(text);
}

static void test_nesting(void **state)
{
    struct fe_buf text;

    (void)state;
    for (size_t n = FE_TOML_NESTING_MAX; n <= FE_TOML_NESTING_MAX + 1; n++) {
        const bool is_allowed = n == FE_TOML_NESTING_MAX;

        fe_buf_init(&text, 1 << 20);
        append(&text, "a=");
        repeat(&text, "[", n);
        repeat(&text, "]", n);
        check_text(&text, is_allowed ? 0 : FLATEND_ESYNTAX,
                   is_allowed ? NULL : "1:67: brackets are nested more than 64 deep");

        fe_buf_init(&text, 1 << 20);
        append(&text, "a=");
        repeat(&text, "{a=", n);
        append(&text, "1");
        repeat(&text, "}", n);
        check_text(&text, is_allowed ? 0 : FLATEND_ESYNTAX,
                   is_allowed ? NULL : "1:195: brackets are nested more than 64 deep");
    }
    fe_buf_init(&text, 1 << 20);
    append(&text, "a=");
    repeat(&text, "[{a=", 200000);
    check_text(&text, FLATEND_ESYNTAX, "1:131: brackets are nested more than 64 deep");
}

static void test_key_parts(void **state)
{
    struct fe_buf text;

    (void)state;
    for (size_t n = FE_TOML_KEY_PARTS_MAX; n <= FE_TOML_KEY_PARTS_MAX + 1; n++) {
        const bool is_allowed = n == FE_TOML_KEY_PARTS_MAX;

        fe_buf_init(&text, 1 << 20);
        append(&text, "a");
        repeat(&text, ".a", n - 1);
        append(&text, "=1");
        check_text(&text, is_allowed ? 0 : FLATEND_ESYNTAX,
                   is_allowed ? NULL : "1:129: a key of more than 64 parts");

        fe_buf_init(&text, 1 << 20);
        append(&text, "[a");
        repeat(&text, ".a", n - 1);
        append(&text, "]");
        check_text(&text, is_allowed ? 0 : FLATEND_ESYNTAX,
                   is_allowed ? NULL : "1:130: a key of more than 64 parts");
    }
}

static void test_values(void **state)
{
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 1 << 20);
    append(&text, "a=[");
    repeat(&text, "1,", FE_TOML_VALUES_MAX - 1); /* and the array */
    append(&text, "]");
    check_text(&text, 0, NULL);

    fe_buf_init(&text, 1 << 20);
    append(&text, "a=[");
    repeat(&text, "1,", FE_TOML_VALUES_MAX);
    append(&text, "]");
    check_text(&text, FLATEND_ETOOBIG, "1:524290: more than 262144 values");
}

static void test_size(void **state)
{
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 2 * FE_TOML_TEXT_MAX);
    repeat(&text, "#", FE_TOML_TEXT_MAX);
    check_text(&text, 0, "{}");
    fe_buf_init(&text, 2 * FE_TOML_TEXT_MAX);
    repeat(&text, "#", FE_TOML_TEXT_MAX + 1);
    check_text(&text, FLATEND_ETOOBIG, "1:1: larger than 1048576 bytes");
}

/* ---- time ----------------------------------------------------------------------------------- */

/* A megabyte of what would take minutes if each byte were looked at again for each other one. */
static void test_time_grows_with_the_text(void **state)
{
    static const struct {
        const char *before;
        const char *unit; /* %05zx: a number that counts up */
        const char *after;
        int code;
    } texts[] = {
        {"", "k%05zx=1\n", "", 0},                         /* one large table */
        {"", "[t%05zx]\n", "", 0},                         /* many of them */
        {"", "[t.t%05zx]\n", "", 0},                       /* below one */
        {"", "[[a]]\n#%05zx\n", "", 0},                    /* an array of tables */
        {"a={", "k%05zx=1,", "z=1}", 0},                   /* all on one line */
        {"a=[", "'%05zx',", "]", 0},                       /* the same */
        {"a=\"", "\\u0041%05zx", "\"", 0},                 /* one string */
        {"a=\"\"\"", "\\\n %05zx", "\"\"\"", 0},           /* of many lines */
        {"a='''", "''%05zx\r\n", "'''", 0},                /* full of quotes */
        {"", "#%05zx\r\n", "", 0},                         /* comments */
        {"", "a.k%05zx=1\n", "", 0},                       /* dotted keys */
        {"a=x", "%05zx", "", FLATEND_ESYNTAX},             /* one token */
        {"a=1", "_0%05zx", "", FLATEND_ESYNTAX},           /* one number */
        {"a=\"", "%05zx ", "", FLATEND_ESYNTAX},           /* never closed */
        {"a='''", "%05zx''", "", FLATEND_ESYNTAX},         /* the same */
        {"a=[", "%05zx0,", "", FLATEND_ESYNTAX},           /* the same, zeros in front */
        {"", "é%05zx", "", FLATEND_ESYNTAX},               /* no key */
        {"a=[[", "'\xc3\xa9%05zx',", "", FLATEND_ESYNTAX}, /* columns to count */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fe_buf text;

        fe_buf_init(&text, FE_TOML_TEXT_MAX);
        append(&text, texts[i].before);
        for (size_t n = 0; text.len + 32 < FE_TOML_TEXT_MAX; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            assert_int_equal(fe_buf_printf(&text, texts[i].unit, n), 0);
#pragma GCC diagnostic pop
        }
        append(&text, texts[i].after);
        check_text(&text, texts[i].code, NULL);
    }
}

/* ---- places --------------------------------------------------------------------------------- */

#define ASSERT_POS(pos, l, c)                                                                      \
    do {                                                                                           \
        assert_int_equal((pos).line, l);                                                           \
        assert_int_equal((pos).column, c);                                                         \
    } while (0)

static void test_places(void **state)
{
    static const char text[] = "\"\xc3\xa9\" = 1\n"
                               "b.c = [ 2, '''\n"
                               "\xc3\xa9''', 3 ]\n"
                               "[d.e]\n"
                               "[[f]]\n"
                               "  [[ f ]]\n"
                               "g = { h = true }\n";
    struct fe_arena arena;
    struct fe_toml_value *root;
    struct fe_toml_entry *const *entries;
    struct fe_toml_pos pos;
    struct flatend_error err;

    (void)state;
    fe_arena_init(&arena, 0);
    assert_int_equal(fe_toml_parse(fe_view_str(text), &arena, &root, &pos, &err), 0);
    entries = root->entries;
    assert_int_equal(root->n, 4);
    ASSERT_POS(root->pos, 1, 1);
    ASSERT_POS(entries[0]->pos, 1, 1);
    ASSERT_POS(entries[0]->value.pos, 1, 7);
    ASSERT_POS(entries[1]->pos, 2, 1);
    ASSERT_POS(entries[1]->value.pos, 2, 1);
    ASSERT_POS(entries[1]->value.entries[0]->pos, 2, 3);
    ASSERT_POS(entries[1]->value.entries[0]->value.pos, 2, 7);
    ASSERT_POS(entries[1]->value.entries[0]->value.items[1]->pos, 2, 12);
    ASSERT_POS(entries[1]->value.entries[0]->value.items[2]->pos, 3, 7);
    ASSERT_POS(entries[2]->pos, 4, 2);
    ASSERT_POS(entries[2]->value.entries[0]->pos, 4, 4);
    ASSERT_POS(entries[2]->value.entries[0]->value.pos, 4, 1);
    ASSERT_POS(entries[3]->value.pos, 5, 1);
    ASSERT_POS(entries[3]->value.items[1]->pos, 6, 3);
    ASSERT_POS(entries[3]->value.items[1]->entries[0]->value.entries[0]->value.pos, 7, 11);
    fe_arena_deinit(&arena);
}

/* ---- floats --------------------------------------------------------------------------------- */

static void test_floats(void **state)
{
    static const struct {
        const char *text;
        double number;
    } floats[] = {
        {"a=1.5", 1.5},
        {"a=-0.0", -0.0},
        {"a=+1_0.2_5e-0_1", 1.025},
        {"a=5e+22", 5e22},
        {"a=1e400", HUGE_VAL},
        {"a=-inf", -HUGE_VAL},
        {"a=0.1", 0.1},
        {"a=1.7976931348623157e308", 1.7976931348623157e308},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
        struct fe_arena arena;
        struct fe_toml_value *root;
        struct fe_toml_pos pos;
        struct flatend_error err;

        fe_arena_init(&arena, 0);
        assert_int_equal(fe_toml_parse(fe_view_str(floats[i].text), &arena, &root, &pos, &err), 0);
        assert_int_equal(root->entries[0]->value.type, FE_TOML_FLOAT);
        assert_memory_equal(&root->entries[0]->value.number, &floats[i].number, sizeof(double));
        fe_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_byte_order_marks),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_every_production_has_a_case),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_key_parts),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_time_grows_with_the_text),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
