/* Where the parser is in its text. What may stand nowhere in TOML (bytes that are no UTF-8, control
 * characters) is found beforehand: the text then ends there for the parser, which reports it when
 * it comes that far, and so the first mistake first. */
#ifndef FE_GATEWAY_TOML_CURSOR_H
#define FE_GATEWAY_TOML_CURSOR_H

#include "gateway/toml/toml.h"

struct fe_toml_cursor {
    struct fe_view text; /* as far as it can be TOML */
    size_t at;           /* the next byte */
    char flaw[96];       /* what is wrong with the byte behind the text; empty: that is the end */
    size_t mark;         /* a place before `at`, whose line and column are: */
    struct fe_toml_pos mark_pos;
    struct fe_toml_pos *pos; /* for fe_toml_fail */
    struct flatend_error *err;
};

/* Begins with `text`, behind a byte order mark. FLATEND_ESYNTAX: it is UTF-16. FLATEND_ETOOBIG. */
int fe_toml_cursor_init(struct fe_toml_cursor *c, struct fe_view text, struct fe_toml_pos *pos,
                        struct flatend_error *err) FE_MUST_USE;

/* Line and column of the next byte. Not before a place that was asked for already. */
struct fe_toml_pos fe_toml_here(struct fe_toml_cursor *c);

/* Says what is wrong at `pos`; if the text is no TOML right at the cursor, that. FLATEND_ESYNTAX.
 */
int fe_toml_fail(struct fe_toml_cursor *c, struct fe_toml_pos pos, const char *format, ...)
    FLATEND_PRINTF(3, 4);

/* The same, "expected ..., found ..." with the next character. */
int fe_toml_fail_expected(struct fe_toml_cursor *c, const char *format, ...) FLATEND_PRINTF(2, 3);

/* The next byte, and those behind it; 0, which is in no text, at the end. */
static inline uint8_t fe_toml_peek(const struct fe_toml_cursor *c, size_t ahead)
{
    return ahead < c->text.len - c->at ? c->text.ptr[c->at + ahead] : 0;
}

static inline bool fe_toml_is_over(const struct fe_toml_cursor *c)
{
    return c->at == c->text.len;
}

static inline bool fe_toml_is_line_end(uint8_t byte)
{
    return byte == '\n' || byte == '\r' || byte == 0;
}

/* Goes on behind the byte, if it is the next one. */
static inline bool fe_toml_take(struct fe_toml_cursor *c, uint8_t byte)
{
    const bool is_next = !fe_toml_is_over(c) && c->text.ptr[c->at] == byte;

    c->at += is_next ? 1 : 0;
    return is_next;
}

/* Spaces and tabs. */
void fe_toml_skip_space(struct fe_toml_cursor *c);

/* A comment, up to the end of its line. */
void fe_toml_skip_comment(struct fe_toml_cursor *c);

/* The end of a line, LF or CR LF. False: it is not there. */
bool fe_toml_take_line_end(struct fe_toml_cursor *c);

static inline struct fe_view fe_toml_since(const struct fe_toml_cursor *c, size_t from)
{
    return fe_view_of(c->text.ptr + from, c->at - from);
}

#endif
