#include "gateway/toml/string.h"

#include "ground/base/assert.h"
#include "ground/base/utf8.h"

/* A string is found to its end first, and then decoded, if there is anything to decode. */
struct string {
    struct fe_toml_cursor *c;
    struct fe_arena *arena;
    struct fe_toml_pos pos; /* of its quote */
    uint8_t quote;
    size_t n_quotes; /* 3: of several lines */
    size_t start;    /* of what is between the quotes */
    size_t end;
    bool is_plain; /* and is its own value */
};

/* ---- to its end ----------------------------------------------------------------------------- */

static int fail_open_line(struct string *s, bool is_escaped)
{
    if (is_escaped) {
        return fe_toml_fail(
            s->c, s->pos,
            "the string is not closed: '\\\"' is a quote within it; for a backslash "
            "write '\\\\', or put the string in single quotes");
    }
    return fe_toml_fail(s->c, s->pos, "the string is not closed: a %c is missing at its end",
                        s->quote);
}

static int find_end_of_line(struct string *s)
{
    struct fe_toml_cursor *const c = s->c;
    bool is_escaped = false; /* the last quote was */

    while (fe_toml_peek(c, 0) != s->quote) {
        const uint8_t byte = fe_toml_peek(c, 0);

        if (fe_toml_is_line_end(byte)) {
            return fail_open_line(s, is_escaped);
        }
        c->at++;
        if (byte != '\\' || s->quote != '"') {
            continue;
        }
        s->is_plain = false;
        if (!fe_toml_is_line_end(fe_toml_peek(c, 0))) {
            is_escaped = fe_toml_peek(c, 0) == '"';
            c->at++;
        }
    }
    s->end = c->at++;
    return 0;
}

static size_t count_quotes(const struct string *s)
{
    size_t n = 0;

    while (n < 5 && fe_toml_peek(s->c, n) == s->quote) {
        n++;
    }
    return n;
}

/* Up to two quotes may stand before the three that close it. */
static int find_end_of_lines(struct string *s)
{
    struct fe_toml_cursor *const c = s->c;

    (void)fe_toml_take_line_end(c); /* right behind the quotes it does not count */
    s->start = c->at;
    while (!fe_toml_is_over(c)) {
        const uint8_t byte = fe_toml_peek(c, 0);
        const size_t n = byte == s->quote ? count_quotes(s) : 0;

        if (n >= 3) {
            s->end = c->at + n - 3;
            c->at += n;
            return 0;
        }
        c->at++;
        s->is_plain = s->is_plain && byte != '\r' && (byte != '\\' || s->quote != '"');
        if (byte == '\\' && s->quote == '"' && !fe_toml_is_over(c)) {
            c->at++;
        }
    }
    return fe_toml_fail(c, s->pos, "the string is not closed: %c%c%c is missing", s->quote,
                        s->quote, s->quote);
}

/* ---- what it means -------------------------------------------------------------------------- */

static int hex_digit(uint8_t byte)
{
    const uint8_t lower = byte | 0x20;

    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The digits of \uXXXX or \UXXXXXXXX, behind the letter. */
static int take_character(struct string *s, struct fe_toml_pos pos, unsigned n_digits,
                          uint32_t *character)
{
    *character = 0;
    for (unsigned i = 0; i < n_digits; i++) {
        const int digit = s->c->at < s->end ? hex_digit(fe_toml_peek(s->c, 0)) : -1;

        if (digit < 0) {
            return fe_toml_fail(s->c, pos,
                                n_digits == 4 ? "expected four hexadecimal digits behind \\u; for "
                                                "a backslash write '\\\\'"
                                              : "expected eight hexadecimal digits behind \\U; for "
                                                "a backslash write '\\\\'");
        }
        *character = *character << 4 | (uint32_t)digit;
        s->c->at++;
    }
    if (*character > 0x10ffff || (*character >= 0xd800 && *character <= 0xdfff)) {
        return fe_toml_fail(s->c, pos, "U+%04X is not a character", (unsigned)*character);
    }
    return 0;
}

static int fail_escape(struct string *s, struct fe_toml_pos pos)
{
    const uint8_t *const next = s->c->text.ptr + s->c->at;
    const size_t len = fe_utf8_len(next, s->end - s->c->at);

    return fe_toml_fail(s->c, pos,
                        "there is no '\\%.*s': for a backslash write '\\\\', or put the string in "
                        "single quotes",
                        (int)len, (const char *)next);
}

/* An escape whose letter is next. */
static int decode_escape(struct string *s, struct fe_toml_pos pos, uint8_t *out, size_t *len)
{
    static const char letters[] = "btnfr\"\\";
    static const char values[] = "\b\t\n\f\r\"\\";
    const uint8_t letter = fe_toml_peek(s->c, 0);
    const char *const found = letter != 0 ? strchr(letters, letter) : NULL;
    uint32_t character;
    int code;

    if (found != NULL) {
        out[(*len)++] = (uint8_t)values[found - letters];
        s->c->at++;
        return 0;
    }
    if (letter != 'u' && letter != 'U') {
        return fail_escape(s, pos);
    }
    s->c->at++;
    code = take_character(s, pos, letter == 'u' ? 4 : 8, &character);
    if (code == 0) {
        *len += fe_utf8_encode(out + *len, character);
    }
    return code;
}

/* A backslash at the end of a line: that, and white space up to the next text, does not count.
 * False: it is not at the end. */
static bool skip_folded(struct string *s)
{
    struct fe_toml_cursor *const c = s->c;
    size_t at = c->at;
    bool has_line_end = false;

    while (at < s->end && strchr(" \t\r\n", c->text.ptr[at]) != NULL) {
        has_line_end = has_line_end || c->text.ptr[at] == '\n';
        at++;
    }
    c->at = has_line_end ? at : c->at;
    return has_line_end;
}

/* Never longer than it is written: \u0041 stands for up to 3 bytes, \U00010000 for 4. */
static int decode(struct string *s, uint8_t *out, size_t *len)
{
    struct fe_toml_cursor *const c = s->c;
    int code = 0;

    *len = 0;
    for (c->at = s->start; code == 0 && c->at < s->end;) {
        const uint8_t byte = fe_toml_peek(c, 0);

        if (byte == '\\' && s->quote == '"') {
            const struct fe_toml_pos pos = fe_toml_here(c);

            c->at++;
            if (s->n_quotes == 1 || !skip_folded(s)) {
                code = decode_escape(s, pos, out, len);
            }
            continue;
        }
        c->at++;
        if (byte != '\r') { /* a line ends in LF */
            out[(*len)++] = byte;
        }
    }
    return code;
}

static int take_value(struct string *s, struct fe_view *string)
{
    const size_t behind = s->c->at;
    uint8_t *out;
    size_t len;
    int code;

    *string = fe_view_of(s->c->text.ptr + s->start, s->end - s->start);
    if (s->is_plain) {
        return 0;
    }
    out = fe_arena_alloc(s->arena, string->len);
    if (out == NULL) {
        return fe_err_code(s->c->err, FLATEND_ENOMEM);
    }
    code = decode(s, out, &len);
    if (code != 0) {
        return code;
    }
    FE_ASSERT(len <= string->len, "a string is no longer than it is written");
    *string = fe_view_of(out, len);
    s->c->at = behind;
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------ */

static struct string begin(struct fe_toml_cursor *c, struct fe_arena *arena, size_t n_quotes)
{
    struct string s = {.c = c,
                       .arena = arena,
                       .pos = fe_toml_here(c),
                       .quote = fe_toml_peek(c, 0),
                       .n_quotes = n_quotes,
                       .is_plain = true};

    FE_ASSERT(s.quote == '"' || s.quote == '\'', "a string begins with a quote");
    c->at += n_quotes;
    s.start = c->at;
    return s;
}

int fe_toml_take_line(struct fe_toml_cursor *c, struct fe_arena *arena, struct fe_view *string)
{
    struct string s = begin(c, arena, 1);
    const int code = find_end_of_line(&s);

    return code != 0 ? code : take_value(&s, string);
}

int fe_toml_take_string(struct fe_toml_cursor *c, struct fe_arena *arena, struct fe_view *string)
{
    const uint8_t quote = fe_toml_peek(c, 0);
    struct string s;
    int code;

    if (fe_toml_peek(c, 1) != quote || fe_toml_peek(c, 2) != quote) {
        return fe_toml_take_line(c, arena, string);
    }
    s = begin(c, arena, 3);
    code = find_end_of_lines(&s);
    return code != 0 ? code : take_value(&s, string);
}
