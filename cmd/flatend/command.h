/* What the verbs of the command do. Each returns the process's exit status. */
#ifndef FE_CMD_COMMAND_H
#define FE_CMD_COMMAND_H

#include "gateway/config/config.h"
#include "options.h"

int fe_command_run(const struct fe_options *options);
int fe_command_check(const struct fe_options *options);
int fe_command_trust(const struct fe_options *options);
int fe_command_keygen(const struct fe_options *options);
int fe_command_id(const struct fe_options *options);

/* The configuration that the options name, with the node's address settled. Without a file and
 * without -c, the defaults: then `*is_missing` is set. The errors of fe_config_load_all and
 * fe_config_finalize: standard error has been told. */
int fe_command_load(const struct fe_options *options, const struct fe_log *log,
                    struct fe_config **config, bool *is_missing) FE_MUST_USE;

/* Warns of what would go wrong at start although the configuration is valid: addresses that cannot
 * be listened on, a state directory that cannot be written to. */
void fe_command_preflight(const struct fe_config *config, const char *path,
                          const struct fe_log *log);

/* The same of limits on threads. */
void fe_command_preflight_threads(unsigned n_workers, const char *path, const struct fe_log *log);

/* Says on standard error what went wrong; returns FE_EXIT_FAILURE. */
int fe_command_fail(const struct flatend_error *err);

/* The same of a file, a line for each mistake. */
int fe_command_fail_all(const struct fe_config_mistakes *mistakes);

/* The end of a verb that has written to standard output: FE_EXIT_OK, or FE_EXIT_FAILURE if that
 * could not be written, which standard error then says. */
int fe_command_finish_output(void);

/* A log of verbs that do nothing while it waits for its reader. */
void fe_command_log(void *arg, enum flatend_log_level level, const char *line);

#endif
