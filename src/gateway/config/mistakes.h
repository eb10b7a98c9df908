/* What is wrong with a file: the first mistake of its language, or all mistakes of its meaning. */
#ifndef FE_GATEWAY_CONFIG_MISTAKES_H
#define FE_GATEWAY_CONFIG_MISTAKES_H

#include "gateway/toml/toml.h"

/* As many as fit a screen: of more the first ones are kept. */
enum { FE_CONFIG_MISTAKES_MAX = 32 };

struct fe_config_mistake {
    struct fe_toml_pos pos;
    struct flatend_error err; /* "path:line:column: what was expected" */
};

struct fe_config_mistakes {
    struct fe_config_mistake list[FE_CONFIG_MISTAKES_MAX]; /* in the order of the text */
    size_t n;
    size_t n_found; /* those that did not fit, too */
};

static inline void fe_config_mistakes_init(struct fe_config_mistakes *mistakes)
{
    mistakes->n = 0;
    mistakes->n_found = 0;
}

/* Notes one at `pos`, behind those of the same place. Returns its code. */
int fe_config_mistakes_add(struct fe_config_mistakes *mistakes, struct fe_toml_pos pos,
                           const struct flatend_error *err);

/* There is no more to say than this one: out of memory, no such file. Returns its code. */
int fe_config_mistakes_set(struct fe_config_mistakes *mistakes, const struct flatend_error *err);

#endif
