/* flatend: the API gateway. */
#include <stdio.h>
#include <time.h>

#include "command.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"
#include "ground/os/log_stderr.h"

/* With a reader that has stopped it still ends. */
int fe_command_fail(const struct flatend_error *err)
{
    char text[sizeof(err->text) + 16];

    snprintf(text, sizeof(text), "flatend: %s\n", err->text);
    fe_stderr_within(text, FE_STDERR_WAIT_MS);
    return FE_EXIT_FAILURE;
}

int fe_command_fail_all(const struct fe_config_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->n; i++) {
        fprintf(stderr, "flatend: %s\n", mistakes->list[i].err.text);
    }
    if (mistakes->n_found > mistakes->n) {
        fprintf(stderr, "flatend: ... and %zu more\n", mistakes->n_found - mistakes->n);
    }
    return FE_EXIT_FAILURE;
}

int fe_command_finish_output(void)
{
    struct flatend_error err;

    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return FE_EXIT_OK;
    }
    (void)fe_err_set(&err, FLATEND_EIO, "cannot write to standard output: %s", fe_os_last_reason());
    return fe_command_fail(&err);
}

void fe_command_log(void *arg, enum flatend_log_level level, const char *line)
{
    char text[FE_LOG_TEXT_MAX];

    (void)arg;
    (void)level;
    (void)fe_log_format(text, line);
    fputs(text, stderr);
}

int fe_command_load(const struct fe_options *options, const struct fe_log *log,
                    struct fe_config **config, bool *is_missing)
{
    const char *const path = options->config_path;
    struct fe_config_mistakes mistakes;
    int code = fe_config_load_all(path, config, &mistakes);

    *is_missing = code == FLATEND_ENOENT && !options->has_config_path;
    if (*is_missing) {
        code = fe_config_parse_all(path, fe_view_of(NULL, 0), config, &mistakes);
    }
    if (code != 0) {
        (void)fe_command_fail_all(&mistakes);
        return code;
    }
    code = fe_config_finalize(*config, path, &options->addr, log, &mistakes);
    if (code != 0) {
        (void)fe_command_fail_all(&mistakes);
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
    struct flatend_error err;
    const int code = fe_fd_keep_standard();

    if (code != 0) {
        (void)fe_err_set(&err, code, "standard descriptors: %s", flatend_strerror(code));
        return fe_command_fail(&err);
    }
    if (fe_options_parse(&options, argc, argv) != 0) {
        return FE_EXIT_USAGE;
    }
    switch (options.verb) {
    case FE_VERB_HELP:
        fputs(fe_options_help(), stdout);
        return fe_command_finish_output();
    case FE_VERB_VERSION:
        printf("flatend %s\n", flatend_version());
        return fe_command_finish_output();
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
