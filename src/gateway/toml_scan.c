#include "gateway/toml_scan.h"

struct scan {
    struct fe_view text;
    size_t at;
    struct fe_toml_pos pos; /* of the byte at `at` */
    unsigned n_dots;        /* of the line */
};

static uint8_t peek(const struct scan *s, size_t ahead)
{
    return ahead < s->text.len - s->at ? s->text.ptr[s->at + ahead] : 0;
}

static void advance(struct scan *s)
{
    const uint8_t c = s->text.ptr[s->at++];

    if (c == '\n') {
        s->pos.line++;
        s->pos.column = 1;
        s->n_dots = 0;
    } else if ((c & 0xc0) != 0x80) { /* columns count characters, not what continues one */
        s->pos.column++;
    }
}

/* To the end of the line, which is not taken. */
static void skip_comment(struct scan *s)
{
    while (s->at < s->text.len && peek(s, 0) != '\n') {
        advance(s);
    }
}

/* A string and its quotes, or to the end of the line: that it is not closed the parser says. */
static void skip_string(struct scan *s)
{
    const uint8_t quote = peek(s, 0);

    advance(s);
    while (s->at < s->text.len && peek(s, 0) != '\n') {
        const uint8_t c = peek(s, 0);
        advance(s);
        if (c == quote) {
            return;
        }
        if (c == '\\' && quote == '"' && s->at < s->text.len && peek(s, 0) != '\n') {
            advance(s);
        }
    }
}

/* What is wrong with the byte that is next, outside strings and comments; NULL: nothing. */
static const char *complain(struct scan *s)
{
    const uint8_t c = peek(s, 0);

    if (c >= 0x80) {
        return "only strings and comments may hold characters that are not ASCII";
    }
    if ((c == '"' || c == '\'') && peek(s, 1) == c && peek(s, 2) == c) {
        return "strings of several lines are not supported";
    }
    if (c == '.' && ++s->n_dots > FE_TOML_LINE_DOTS_MAX) {
        return "too many dots in a line";
    }
    return NULL;
}

int fe_toml_scan(struct fe_view text, struct fe_toml_pos *pos, struct flatend_error *err)
{
    struct scan s = {.text = text, .pos = {1, 1}};

    if (fe_view_has_prefix(text, FE_VIEW_LIT("\xef\xbb\xbf"))) {
        s.at = 3; /* a byte order mark */
    }
    while (s.at < text.len) {
        const char *const complaint = complain(&s);
        if (complaint != NULL) {
            *pos = s.pos;
            return fe_err_set(err, FLATEND_ESYNTAX, "%s", complaint);
        }
        switch (peek(&s, 0)) {
        case '#':
            skip_comment(&s);
            break;
        case '"':
        case '\'':
            skip_string(&s);
            break;
        default:
            advance(&s);
            break;
        }
    }
    return FLATEND_OK;
}
