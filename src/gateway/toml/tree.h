/* The tree while it grows, and the rules of what may be defined twice (https://toml.io/en/v1.0.0,
 * "Table" and "Array of Tables"; enum fe_toml_growth has them as states). */
#ifndef FE_GATEWAY_TOML_TREE_H
#define FE_GATEWAY_TOML_TREE_H

#include "gateway/toml/cursor.h"

struct fe_toml_tree {
    struct fe_toml_cursor *c;
    struct fe_arena *arena;
    struct fe_map index; /* every key, by its table and name */
    struct fe_toml_value *root;
    size_t n_values;
};

/* One part of a key, with its place. */
struct fe_toml_part {
    struct fe_view name;
    struct fe_view written; /* the key as it is in the text, up to here: for messages */
    struct fe_toml_pos pos;
};

/* FLATEND_ENOMEM. */
int fe_toml_tree_init(struct fe_toml_tree *tree, struct fe_arena *arena,
                      struct fe_toml_cursor *c) FE_MUST_USE;

/* Frees the index; the tree is the arena's. */
void fe_toml_tree_deinit(struct fe_toml_tree *tree);

/* All below set `*table`, or `*value`, to what they have found or made. FLATEND_ESYNTAX: what is
 * there already forbids it; FLATEND_ETOOBIG: there are too many values; FLATEND_ENOMEM. */

/* The table that a part before the last means: in "a.b = 1", and in [a.b]. */
int fe_toml_enter_dotted(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_value **table) FE_MUST_USE;
int fe_toml_enter_header(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_value **table) FE_MUST_USE;

/* What the last part means: a value, [a], and one more [[a]]. Headers begin at `pos`. */
int fe_toml_define_value(struct fe_toml_tree *tree, struct fe_toml_value *table,
                         const struct fe_toml_part *part, struct fe_toml_value **value) FE_MUST_USE;
int fe_toml_define_table(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                         struct fe_toml_pos pos, struct fe_toml_value **table) FE_MUST_USE;
int fe_toml_define_item(struct fe_toml_tree *tree, const struct fe_toml_part *part,
                        struct fe_toml_pos pos, struct fe_toml_value **table) FE_MUST_USE;

/* One more item of an array. */
int fe_toml_append(struct fe_toml_tree *tree, struct fe_toml_value *array, struct fe_toml_pos pos,
                   struct fe_toml_value **item) FE_MUST_USE;

#endif
