#include "gateway/config/toml_scan.h"

#include "ground/base/assert.h"

struct scan {
    struct fe_view text;
    size_t at;
    struct fe_toml_pos pos; /* of the byte at `at` */
    unsigned n_dots;        /* of the line */
    bool is_fresh; /* whatever came before is over: white space, a comma, and brackets then */
};

static uint8_t peek(const struct scan *s, size_t ahead)
{
    return ahead < s->text.len - s->at ? s->text.ptr[s->at + ahead] : 0;
}

static void advance(struct scan *s)
{
    uint8_t c;

    FE_ASSERT(s->at < s->text.len, "nothing is read behind the end");
    c = s->text.ptr[s->at++];
    if (c == '\n') {
        s->pos.line++;
        s->pos.column = 1;
        s->n_dots = 0;
    } else if ((c & 0xc0) != 0x80) { /* columns count characters, not what continues one */
        s->pos.column++;
    }
    s->is_fresh = c == ' ' || c == '\t' || c == '\n' || c == ',' || (c == '[' && s->is_fresh);
}

static bool is_at_line_end(const struct scan *s)
{
    return s->at == s->text.len || peek(s, 0) == '\n';
}

static void skip_comment(struct scan *s)
{
    while (!is_at_line_end(s)) {
        advance(s);
    }
}

/* A string and its quotes, or to the end of the line: that it is not closed the parser says.
 * Returns whether all of it is ASCII. */
static bool skip_string(struct scan *s)
{
    const uint8_t quote = peek(s, 0);
    bool is_ascii = true;
    uint8_t c;

    advance(s);
    while (!is_at_line_end(s)) {
        c = peek(s, 0);
        is_ascii = is_ascii && c < 0x80;
        advance(s);
        if (c == quote) {
            break;
        }
        if (c == '\\' && quote == '"' && !is_at_line_end(s)) {
            is_ascii = is_ascii && peek(s, 0) < 0x80;
            advance(s);
        }
    }
    return is_ascii;
}

/* Takes a string; what is wrong with it, or NULL. */
static const char *take_string(struct scan *s)
{
    const uint8_t quote = peek(s, 0);
    const bool is_fresh = s->is_fresh;

    if (peek(s, 1) == quote && peek(s, 2) == quote) {
        return "multi-line strings are not supported";
    }
    /* toml++ reads on through the quotes in 0x1="..., and it is not for us to know that this is no
     * key. */
    if (!skip_string(s) && !is_fresh) {
        return "expected a space before a non-ASCII string";
    }
    return NULL;
}

/* Takes what comes next: a comment, a string or a byte. */
static const char *take(struct scan *s)
{
    const uint8_t c = peek(s, 0);

    if (c == '"' || c == '\'') {
        return take_string(s);
    }
    if (c == '#') {
        skip_comment(s);
        return NULL;
    }
    if (c >= 0x80) {
        return "non-ASCII characters are allowed only in strings and comments";
    }
    if (c == '.' && ++s->n_dots > FE_TOML_LINE_DOTS_MAX) {
        return "too many dots on one line";
    }
    advance(s);
    return NULL;
}

int fe_toml_scan(struct fe_view text, struct fe_toml_pos *pos, struct flatend_error *err)
{
    struct scan s = {.text = text, .pos = {1, 1}, .is_fresh = true};

    if (fe_view_has_prefix(text, FE_VIEW_LIT("\xef\xbb\xbf"))) {
        s.at = 3; /* a byte order mark */
    }
    while (s.at < text.len) {
        const char *complaint;
        *pos = s.pos;
        complaint = take(&s);
        if (complaint != NULL) {
            return fe_err_set(err, FLATEND_ESYNTAX, "%s", complaint);
        }
    }
    return 0;
}
