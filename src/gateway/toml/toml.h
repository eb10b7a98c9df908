/* TOML 1.0 (https://toml.io/en/v1.0.0): a text in, a tree with places out. All of the language, and
 * nothing beyond it.
 *
 *     text ── source: UTF-8, controls ── cursor: line and column
 *               │
 *            document: lines, keys, values ── string, number, datetime
 *               │
 *             define: which key may add to what ── tree: tables and arrays that grow, an index
 *
 * Each byte is looked at a bounded number of times, and everything is bounded before it is
 * allocated, so that time and memory grow with the text alone. */
#ifndef FE_GATEWAY_TOML_TOML_H
#define FE_GATEWAY_TOML_TOML_H

#include "ground/base/arena.h"
#include "ground/base/err.h"
#include "ground/base/map.h"

enum {
    FE_TOML_TEXT_MAX = 1 << 20,   /* bytes */
    FE_TOML_NESTING_MAX = 64,     /* of brackets and braces: the parser recurses */
    FE_TOML_KEY_PARTS_MAX = 64,   /* of a.b.c; each makes a table */
    FE_TOML_VALUES_MAX = 1 << 18, /* in all, tables and arrays too: one for each 4 bytes */
};

struct fe_toml_pos {
    unsigned line;   /* from 1; 0: nowhere */
    unsigned column; /* from 1, in characters */
};

enum fe_toml_type {
    FE_TOML_TABLE,
    FE_TOML_ARRAY,
    FE_TOML_STRING,
    FE_TOML_INTEGER,
    FE_TOML_BOOLEAN,
    FE_TOML_FLOAT,
    FE_TOML_DATE, /* these four as they are written, in `string`: nothing here uses them */
    FE_TOML_TIME,
    FE_TOML_DATE_TIME,
    FE_TOML_OFFSET_DATE_TIME,
};

/* What may still be added to a table or an array, and by what. */
enum fe_toml_growth {
    FE_TOML_CLOSED,    /* nothing: written in brackets or braces */
    FE_TOML_IMPLIED,   /* a table that only [a.b] speaks of: [a] defines it, [a.c] adds */
    FE_TOML_DEFINED,   /* by [a]: only tables, by [a.c] */
    FE_TOML_DOTTED,    /* by a.b = ...: dotted keys below the same header, and [a.c] */
    FE_TOML_OF_TABLES, /* an array: another [[a]] */
};

struct fe_toml_entry;

struct fe_toml_value {
    enum fe_toml_type type;
    enum fe_toml_growth growth;
    struct fe_toml_pos pos;
    size_t n;   /* entries of a table, items of an array */
    size_t cap; /* how many there is space for */
    union {
        struct fe_toml_entry **entries; /* in the order of the text */
        struct fe_toml_value **items;
    };
    struct fe_view string; /* UTF-8, may hold NUL; its lines end in LF, not in CR LF */
    int64_t integer;
    double number; /* of a float */
    bool boolean;
};

struct fe_toml_entry {
    struct fe_map_node node; /* of the parser's index */
    struct fe_view key;
    struct fe_toml_pos pos; /* of the key */
    struct fe_toml_value value;
};

/* Parses `text` into `arena`, where the tree is; its strings may lie in `text`, which has to live
 * as long. `*root` is a table. FLATEND_ESYNTAX, FLATEND_ETOOBIG (beyond a limit of this header):
 * `*pos` says where the first mistake is, `err` what. FLATEND_ENOMEM. */
int fe_toml_parse(struct fe_view text, struct fe_arena *arena, struct fe_toml_value **root,
                  struct fe_toml_pos *pos, struct flatend_error *err) FE_MUST_USE;

/* "a string", "an integer", ... */
const char *fe_toml_type_name(enum fe_toml_type type);

/* How much of a text a message quotes, for "%.*s": 48 bytes, but no part of a character. */
int fe_toml_quoted(struct fe_view text);

#endif
