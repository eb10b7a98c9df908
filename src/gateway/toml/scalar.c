#include "gateway/toml/scalar.h"

#include <stdlib.h>

#include "gateway/toml/datetime.h"
#include "gateway/toml/number.h"
#include "ground/base/ascii.h"
#include "ground/base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what was meant ------------------------------------------------------------------------- */

/* What stands in place of a value, without quotes. */
struct bare {
    struct fe_view text;
    struct fe_toml_pos pos;
};

static bool ends_bare(uint8_t byte, bool is_nested)
{
    return fe_toml_is_line_end(byte) || byte == '#' ||
           (is_nested && (byte == ',' || byte == ']' || byte == '}'));
}

/* To the end of the line, or of the item. */
static struct bare find_bare(struct fe_toml_cursor *c, bool is_nested)
{
    struct bare bare = {.pos = fe_toml_here(c)};
    size_t len = 0;

    for (size_t i = 0; !ends_bare(fe_toml_peek(c, i), is_nested); i++) {
        const uint8_t byte = fe_toml_peek(c, i);

        len = byte != ' ' && byte != '\t' ? i + 1 : len;
    }
    bare.text = fe_view_of(c->text.ptr + c->at, len);
    return bare;
}

/* The length of a quote that `text` begins with: also of those that word processors make,
 * U+2018 to U+201F. */
static size_t quote_len(struct fe_view text)
{
    if (text.len > 0 && (text.ptr[0] == '"' || text.ptr[0] == '\'')) {
        return 1;
    }
    return text.len >= 3 && text.ptr[0] == 0xe2 && text.ptr[1] == 0x80 && text.ptr[2] >= 0x98 &&
                   text.ptr[2] <= 0x9f
               ? 3
               : 0;
}

static bool ends_in_quote(struct fe_view text, size_t len)
{
    return text.len >= len && quote_len(fe_view_skip(text, text.len - len)) == len;
}

static struct fe_view without_quotes(struct fe_view text)
{
    while (quote_len(text) > 0) {
        text = fe_view_skip(text, quote_len(text));
    }
    while (ends_in_quote(text, 1) || ends_in_quote(text, 3)) {
        text.len -= ends_in_quote(text, 1) ? 1 : 3;
    }
    return text;
}

/* Text, with the quotes that it needs. */
static int fail_unquoted(struct fe_toml_cursor *c, const struct bare *bare, const char *why)
{
    const struct fe_view inner = without_quotes(bare->text);
    const bool needs_single =
        memchr(inner.ptr, '"', inner.len) != NULL || memchr(inner.ptr, '\\', inner.len) != NULL;
    const char quote = needs_single ? '\'' : '"';

    return fe_toml_fail(c, bare->pos, "%s'%.*s': text needs quotes: %c%.*s%c", why,
                        fe_toml_quoted(bare->text), (const char *)bare->text.ptr, quote,
                        fe_toml_quoted(inner), (const char *)inner.ptr, quote);
}

static bool equal_nocase(struct fe_view text, const char *word)
{
    return fe_view_equal_nocase(text, fe_view_str(word));
}

/* Words that other languages have for values. NULL: it is none of them. */
static const char *instead_of(struct fe_view word)
{
    static const struct {
        const char *word;
        const char *instead;
    } words[] = {
        {"true", "write true"},
        {"false", "write false"},
        {"yes", "write true"},
        {"no", "write false"},
        {"on", "write true"},
        {"off", "write false"},
        {"null", "there is no null: leave the key out"},
        {"nil", "there is no null: leave the key out"},
        {"none", "there is no null: leave the key out"},
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        if (equal_nocase(word, words[i].word)) {
            return words[i].instead;
        }
    }
    return NULL;
}

static int fail_no_value(struct fe_toml_cursor *c, bool is_nested)
{
    const struct bare bare = find_bare(c, is_nested);
    const char *const instead = instead_of(bare.text);

    if (bare.text.len == 0 || bare.text.ptr[0] == '=' || bare.text.ptr[0] == ',' ||
        bare.text.ptr[0] == ']' || bare.text.ptr[0] == '}') {
        return fe_toml_fail_expected(c, "a value");
    }
    if (instead != NULL) {
        return fe_toml_fail(c, bare.pos, "expected a value, found '%.*s': %s",
                            fe_toml_quoted(bare.text), (const char *)bare.text.ptr, instead);
    }
    return fail_unquoted(c, &bare, "expected a value, found ");
}

/* ---- tokens --------------------------------------------------------------------------------- */

static bool is_of_token(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || (c != 0 && strchr("+-_.:", c) != NULL);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A date may have a space before its time. */
static struct fe_view find_token(const struct fe_toml_cursor *c)
{
    enum { DATE_LEN = 10 };
    const struct fe_view rest = fe_view_skip(c->text, c->at);
    size_t n = 0;

    while (is_of_token(fe_toml_peek(c, n))) {
        n++;
        if (n == DATE_LEN && fe_toml_is_like_datetime(fe_view_of(rest.ptr, n)) &&
            fe_toml_peek(c, n) == ' ' && is_digit(fe_toml_peek(c, n + 1))) {
            n++;
        }
    }
    return fe_view_of(rest.ptr, n);
}

static int fail_datetime(struct fe_toml_cursor *c, struct fe_view token, int code)
{
    const struct bare bare = {token, fe_toml_here(c)};

    if (code == FLATEND_EINVAL) {
        return fe_toml_fail(c, bare.pos, "there is no such day or time: '%.*s'",
                            fe_toml_quoted(token), (const char *)token.ptr);
    }
    return fail_unquoted(c, &bare, "expected a date or time such as 1979-05-27T07:32:00Z, found ");
}

static int take_datetime(struct fe_toml_cursor *c, struct fe_view token,
                         struct fe_toml_value *value)
{
    const int code = fe_toml_datetime_type(token, &value->type);

    if (code != 0) {
        return fail_datetime(c, token, code);
    }
    value->string = token;
    c->at += token.len;
    return 0;
}

/* The double that is nearest: strtod's, without underscores. The process has the locale "C". */
static int read_float(struct fe_toml_cursor *c, struct fe_arena *arena, struct fe_view token,
                      double *number)
{
    char *const text = fe_arena_alloc(arena, token.len + 1);
    size_t len = 0;

    if (text == NULL) {
        return fe_err_code(c->err, FLATEND_ENOMEM);
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] != '_') {
            text[len++] = (char)token.ptr[i];
        }
    }
    text[len] = '\0';
    *number = strtod(text, NULL);
    return 0;
}

int fe_toml_take_scalar(struct fe_toml_cursor *c, struct fe_arena *arena, bool is_nested,
                        struct fe_toml_value *value)
{
    const struct fe_view token = find_token(c);
    const bool is_true = fe_view_equal(token, FE_VIEW_LIT("true"));
    const char *complaint;

    if (is_true || fe_view_equal(token, FE_VIEW_LIT("false"))) {
        value->type = FE_TOML_BOOLEAN;
        value->boolean = is_true;
        c->at += token.len;
        return 0;
    }
    if (fe_toml_is_like_datetime(token)) {
        return take_datetime(c, token, value);
    }
    complaint = fe_toml_read_number(token, &value->type, &value->integer);
    if (complaint == NULL) {
        value->string = token;
        c->at += token.len;
        return value->type == FE_TOML_FLOAT ? read_float(c, arena, token, &value->number) : 0;
    }
    if (complaint[0] == '\0') {
        return fail_no_value(c, is_nested);
    }
    return fe_toml_fail(c, fe_toml_here(c), "'%.*s' is no number: %s", fe_toml_quoted(token),
                        (const char *)token.ptr, complaint);
}
