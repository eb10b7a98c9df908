/* TOML as a tree of plain structs, each with its place in the text. The parser behind it is
 * toml++; none of its types and none of its exceptions come through here. */
#ifndef FE_GATEWAY_CONFIG_TOML_H
#define FE_GATEWAY_CONFIG_TOML_H

#ifdef __cplusplus
extern "C" {
#endif

#include "ground/base/arena.h"
#include "ground/base/err.h"

/* How deep values may stand inside values: the parser recurses. */
enum { FE_TOML_NESTING_MAX = 16 };

struct fe_toml_pos {
    unsigned line;   /* from 1; 0: nowhere */
    unsigned column; /* from 1, in code points */
};

enum fe_toml_type {
    FE_TOML_TABLE,
    FE_TOML_ARRAY,
    FE_TOML_STRING,
    FE_TOML_INTEGER,
    FE_TOML_BOOLEAN,
    FE_TOML_FLOAT,
    FE_TOML_DATE, /* these three without their value: nothing here is configured with them */
    FE_TOML_TIME,
    FE_TOML_DATE_TIME,
};

struct fe_toml_entry;

struct fe_toml_value {
    enum fe_toml_type type;
    struct fe_toml_pos pos;
    size_t n;                      /* entries of a table, items of an array */
    struct fe_toml_entry *entries; /* in the order of the text */
    struct fe_toml_value *items;
    struct fe_view string; /* UTF-8, may hold NUL */
    int64_t integer;
    double number; /* of a float */
    bool boolean;
};

struct fe_toml_entry {
    struct fe_view key;
    struct fe_toml_pos pos; /* of the key */
    struct fe_toml_value value;
};

/* Parses `text` into `arena`, where `*root`, a table, and all below it live. FLATEND_ESYNTAX: `pos`
 * says where, `err` what. FLATEND_ENOMEM. */
int fe_toml_parse(struct fe_view text, struct fe_arena *arena, struct fe_toml_value *root,
                  struct fe_toml_pos *pos, struct flatend_error *err) FE_MUST_USE;

/* "a string", "an integer", ... */
const char *fe_toml_type_name(enum fe_toml_type type);

#ifdef __cplusplus
}
#endif

#endif
