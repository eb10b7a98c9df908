#include "gateway/config/mistakes.h"

#include "ground/base/assert.h"

static bool is_before(struct fe_toml_pos a, struct fe_toml_pos b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

int fe_config_mistakes_add(struct fe_config_mistakes *mistakes, struct fe_toml_pos pos,
                           const struct flatend_error *err)
{
    struct fe_config_mistake *const list = mistakes->list;
    size_t i = mistakes->n;

    FE_ASSERT(err->code != 0, "a mistake has a code");
    mistakes->n_found++;
    while (i > 0 && is_before(pos, list[i - 1].pos)) {
        i--;
    }
    if (i == FE_CONFIG_MISTAKES_MAX) {
        return err->code;
    }
    mistakes->n += mistakes->n < FE_CONFIG_MISTAKES_MAX ? 1 : 0;
    memmove(&list[i + 1], &list[i], (mistakes->n - 1 - i) * sizeof(list[0]));
    list[i] = (struct fe_config_mistake){pos, *err};
    return err->code;
}

int fe_config_mistakes_set(struct fe_config_mistakes *mistakes, const struct flatend_error *err)
{
    fe_config_mistakes_init(mistakes);
    return fe_config_mistakes_add(mistakes, (struct fe_toml_pos){0, 0}, err);
}
