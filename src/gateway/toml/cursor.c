#include "gateway/toml/cursor.h"

#include <stdarg.h>
#include <stdio.h>

#include "ground/base/assert.h"
#include "ground/base/utf8.h"

enum { QUOTED_MAX = 48 };

/* ---- what may stand in a text --------------------------------------------------------------- */

static bool is_line_feed_behind(struct fe_view text, size_t at)
{
    return at + 1 < text.len && text.ptr[at + 1] == '\n';
}

/* Of all controls only tab and the ends of lines may be in a text, in comments and strings too. */
static bool is_allowed(struct fe_view text, size_t at)
{
    const uint8_t c = text.ptr[at];

    return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\n' ||
           (c == '\r' && is_line_feed_behind(text, at));
}

static void set_flaw(struct fe_toml_cursor *c, uint8_t byte)
{
    if (byte >= 0x80) {
        snprintf(c->flaw, sizeof(c->flaw), "the byte 0x%02x is no UTF-8: save the file as UTF-8",
                 byte);
    } else if (byte == '\r') {
        snprintf(c->flaw, sizeof(c->flaw), "a carriage return without a line feed");
    } else {
        snprintf(c->flaw, sizeof(c->flaw),
                 "a control character, U+%04X: in a string write \"\\u%04X\"", byte, byte);
    }
}

/* Cuts the text where it cannot be TOML. */
static void check_text(struct fe_toml_cursor *c)
{
    for (size_t i = c->at; i < c->text.len;) {
        const size_t n = fe_utf8_len(c->text.ptr + i, c->text.len - i);

        if (n == 0 || (n == 1 && !is_allowed(c->text, i))) {
            set_flaw(c, c->text.ptr[i]);
            c->text.len = i;
            return;
        }
        i += n;
    }
}

/* With a byte order mark, or text of ASCII: every second byte is 0. */
static bool is_utf16(struct fe_view text)
{
    return fe_view_has_prefix(text, FE_VIEW_LIT("\xff\xfe")) ||
           fe_view_has_prefix(text, FE_VIEW_LIT("\xfe\xff")) ||
           (text.len >= 2 && (text.ptr[0] == 0) != (text.ptr[1] == 0));
}

int fe_toml_cursor_init(struct fe_toml_cursor *c, struct fe_view text, struct fe_toml_pos *pos,
                        struct flatend_error *err)
{
    *pos = (struct fe_toml_pos){1, 1};
    if (text.len > FE_TOML_TEXT_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "larger than %d bytes", FE_TOML_TEXT_MAX);
    }
    if (is_utf16(text)) {
        return fe_err_set(err, FLATEND_ESYNTAX, "the file is UTF-16: save it as UTF-8");
    }
    *c = (struct fe_toml_cursor){.text = text, .mark_pos = {1, 1}, .pos = pos, .err = err};
    if (fe_view_has_prefix(text, FE_VIEW_LIT("\xef\xbb\xbf"))) {
        c->at = 3; /* a byte order mark */
        c->mark = 3;
    }
    check_text(c);
    return 0;
}

/* ---- places and messages -------------------------------------------------------------------- */

struct fe_toml_pos fe_toml_here(struct fe_toml_cursor *c)
{
    FE_ASSERT(c->mark <= c->at && c->at <= c->text.len, "places are asked for in turn");
    for (; c->mark < c->at; c->mark++) {
        const uint8_t byte = c->text.ptr[c->mark];

        if (byte == '\n') {
            c->mark_pos.line++;
            c->mark_pos.column = 1;
        } else if ((byte & 0xc0) != 0x80) { /* a character, not what continues one */
            c->mark_pos.column++;
        }
    }
    return c->mark_pos;
}

static int fail(struct fe_toml_cursor *c, struct fe_toml_pos pos, const char *format, va_list args)
    FLATEND_PRINTF(3, 0);

static int fail(struct fe_toml_cursor *c, struct fe_toml_pos pos, const char *format, va_list args)
{
    char text[sizeof(c->err->text)];

    if (fe_toml_is_over(c) && c->flaw[0] != '\0') {
        *c->pos = fe_toml_here(c);
        return fe_err_set(c->err, FLATEND_ESYNTAX, "%s", c->flaw);
    }
    vsnprintf(text, sizeof(text), format, args);
    *c->pos = pos;
    return fe_err_set(c->err, FLATEND_ESYNTAX, "%s", text);
}

int fe_toml_fail(struct fe_toml_cursor *c, struct fe_toml_pos pos, const char *format, ...)
{
    va_list args;
    int code;

    va_start(args, format);
    code = fail(c, pos, format, args);
    va_end(args);
    return code;
}

/* Characters that look like others are named by their number, too. */
static void describe_next(const struct fe_toml_cursor *c, char *text, size_t size)
{
    const uint8_t *const next = c->text.ptr + c->at;
    const uint8_t byte = fe_toml_peek(c, 0);
    size_t len;

    if (fe_toml_is_over(c)) {
        snprintf(text, size, "the end of the file");
    } else if (fe_toml_is_line_end(byte)) {
        snprintf(text, size, "the end of the line");
    } else if (byte < 0x80) {
        snprintf(text, size, byte == '\'' ? "\"%c\"" : "'%c'", byte);
    } else {
        len = fe_utf8_len(next, c->text.len - c->at);
        snprintf(text, size, "'%.*s' (U+%04X)", (int)len, (const char *)next,
                 (unsigned)fe_utf8_decode(next, len));
    }
}

int fe_toml_fail_expected(struct fe_toml_cursor *c, const char *format, ...)
{
    char expected[sizeof(c->err->text)];
    char found[32];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof(expected), format, args);
    va_end(args);
    describe_next(c, found, sizeof(found));
    return fe_toml_fail(c, fe_toml_here(c), "expected %s, found %s", expected, found);
}

int fe_toml_quoted(struct fe_view text)
{
    size_t len = text.len < QUOTED_MAX ? text.len : QUOTED_MAX;

    while (len > 0 && len < text.len && (text.ptr[len] & 0xc0) == 0x80) {
        len--;
    }
    return (int)len;
}

/* ---- what is skipped ------------------------------------------------------------------------ */

void fe_toml_skip_space(struct fe_toml_cursor *c)
{
    while (fe_toml_peek(c, 0) == ' ' || fe_toml_peek(c, 0) == '\t') {
        c->at++;
    }
}

void fe_toml_skip_comment(struct fe_toml_cursor *c)
{
    while (!fe_toml_is_line_end(fe_toml_peek(c, 0))) {
        c->at++;
    }
}

bool fe_toml_take_line_end(struct fe_toml_cursor *c)
{
    if (fe_toml_peek(c, 0) == '\r') {
        c->at++; /* a line feed follows: check_text */
    }
    return fe_toml_take(c, '\n');
}
