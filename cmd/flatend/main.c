/* flatend: the API gateway. */
#include <stdio.h>
#include <time.h>

#include "command.h"

int fe_command_fail(const struct flatend_error *err)
{
    fprintf(stderr, "flatend: %s\n", err->text);
    return FE_EXIT_FAILURE;
}

int fe_command_load(const struct fe_options *options, const struct fe_log *log,
                    struct fe_config **config, bool *is_missing, struct flatend_error *err)
{
    const char *const path = options->config_path;
    int code = fe_config_load(path, config, err);

    *is_missing = code == FLATEND_ENOENT && !options->has_config_path;
    if (*is_missing) {
        code = fe_config_parse(path, fe_view_of(NULL, 0), config, err);
    }
    if (code != 0) {
        return code;
    }
    code = fe_config_finalize(*config, path, &options->addr, log, err);
    if (code != 0) {
        fe_config_unref(*config);
        *config = NULL;
        return code;
    }
    fe_config_warn(*config, path, (int64_t)time(NULL), log);
    return 0;
}

int main(int argc, char **argv)
{
    struct fe_options options;

    if (fe_options_parse(&options, argc, argv) != 0) {
        return FE_EXIT_USAGE;
    }
    switch (options.verb) {
    case FE_VERB_HELP:
        fputs(fe_options_help(), stdout);
        return FE_EXIT_OK;
    case FE_VERB_VERSION:
        printf("flatend %s\n", flatend_version());
        return FE_EXIT_OK;
    case FE_VERB_CHECK:
        return fe_command_check(&options);
    case FE_VERB_TRUST:
        return fe_command_trust(&options);
    case FE_VERB_KEYGEN:
        return fe_command_keygen(&options);
    case FE_VERB_ID:
        return fe_command_id(&options);
    case FE_VERB_RUN:
        return fe_command_run(&options);
    }
    return FE_EXIT_USAGE;
}
