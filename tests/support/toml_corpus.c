#include "support/toml_corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/toml_json.h"

enum { FILE_MAX = 1 << 17 };

static const char *const FILES[] = {"document", "key",   "string", "number",
                                    "datetime", "array", "table",  "mistakes"};

static void append(struct fe_buf *buf, const void *bytes, size_t len)
{
    assert_int_equal(fe_buf_append(buf, bytes, len), 0);
}

/* <<0D>> is a byte, <<>> at the end takes the line feed away. */
static void append_decoded(struct fe_buf *buf, struct fe_view text)
{
    for (size_t i = 0; i < text.len;) {
        const struct fe_view rest = fe_view_skip(text, i);
        unsigned byte;

        if (fe_view_equal(rest, FE_VIEW_LIT("<<>>\n"))) {
            return;
        }
        if (rest.len >= 6 && memcmp(rest.ptr, "<<", 2) == 0 && memcmp(rest.ptr + 4, ">>", 2) == 0 &&
            sscanf((const char *)rest.ptr + 2, "%2x", &byte) == 1) {
            append(buf, &(uint8_t){(uint8_t)byte}, 1);
            i += 6;
            continue;
        }
        append(buf, rest.ptr, 1);
        i++;
    }
}

static struct fe_view take_line(struct fe_view *text)
{
    const uint8_t *const end = memchr(text->ptr, '\n', text->len);
    struct fe_view line;

    assert_non_null(end);
    line = fe_view_of(text->ptr, (size_t)(end - text->ptr));
    *text = fe_view_skip(*text, line.len + 1);
    return line;
}

/* The text of a case up to its outcome, which is taken too. */
static unsigned take_case(struct fe_view *rest, struct fe_buf *text, struct fe_buf *outcome)
{
    const uint8_t *const start = rest->ptr;
    unsigned n_lines = 0;

    for (;;) {
        const struct fe_view line = take_line(rest);

        n_lines++;
        if (fe_view_has_prefix(line, FE_VIEW_LIT("-- "))) {
            append_decoded(text, fe_view_of(start, (size_t)(line.ptr - start)));
            append_decoded(outcome, fe_view_skip(line, 3));
            return n_lines;
        }
    }
}

static size_t each_of(struct fe_view rest, const char *file, toml_case_fn fn, void *arg)
{
    size_t n = 0;
    unsigned line = 0;

    while (rest.len > 0) {
        const struct fe_view head = take_line(&rest);
        struct fe_buf text;
        struct fe_buf outcome;
        struct toml_case c = {.file = file, .line = ++line, .about = head};

        if (!fe_view_has_prefix(head, FE_VIEW_LIT("== "))) {
            assert_true(n == 0 && (head.len == 0 || head.ptr[0] == '#'));
            continue;
        }
        fe_buf_init(&text, FILE_MAX);
        fe_buf_init(&outcome, FILE_MAX);
        line += take_case(&rest, &text, &outcome);
        c.text = fe_buf_view(&text);
        c.outcome = fe_buf_view(&outcome);
        fn(&c, arg);
        fe_buf_deinit(&text);
        fe_buf_deinit(&outcome);
        n++;
    }
    return n;
}

void toml_corpus_each(toml_case_fn fn, void *arg)
{
    static uint8_t bytes[FILE_MAX];

    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char path[256];
        FILE *file;
        size_t len;

        snprintf(path, sizeof(path), TEST_VECTORS "/toml/%s.txt", FILES[i]);
        file = fopen(path, "rb");
        assert_non_null(file);
        len = fread(bytes, 1, sizeof(bytes), file);
        fclose(file);
        assert_true(len < sizeof(bytes));
        assert_true(each_of(fe_view_of(bytes, len), FILES[i], fn, arg) > 0);
    }
}

int toml_outcome(struct fe_view text, struct fe_buf *outcome)
{
    uint8_t *const exact = malloc(text.len > 0 ? text.len : 1);
    struct fe_arena arena;
    struct fe_toml_value *root;
    struct fe_toml_pos pos;
    struct flatend_error err;
    int code;

    assert_non_null(exact);
    if (text.len > 0) {
        memcpy(exact, text.ptr, text.len);
    }
    fe_arena_init(&arena, 0);
    code = fe_toml_parse(fe_view_of(exact, text.len), &arena, &root, &pos, &err);
    if (code == 0) {
        toml_json(outcome, root);
    } else {
        assert_null(root);
        assert_int_equal(err.code, code);
        assert_int_equal(fe_buf_printf(outcome, "%u:%u: %s", pos.line, pos.column, err.text), 0);
    }
    fe_arena_deinit(&arena);
    free(exact);
    return code;
}
