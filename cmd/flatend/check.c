/* flatend check: is the configuration valid? */
#include <stdio.h>

#include "command.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

int fe_command_check(const struct fe_options *options)
{
    const struct fe_log log = {fe_command_log, NULL, FLATEND_LOG_WARN};
    struct fe_options required = *options;
    struct fe_config *config;
    bool is_missing;
    size_t n_listeners;
    size_t n_routes = 0;

    required.has_config_path = true; /* there must be something to check */
    if (fe_command_load(&required, &log, &config, &is_missing) != 0) {
        return FE_EXIT_FAILURE;
    }
    for (size_t i = 0; i < config->n_http; i++) {
        n_routes += config->http[i].n_routes;
    }
    fe_command_preflight(config, options->config_path, &log);
    n_listeners = config->n_http - config->n_redirects;
    printf("%s is valid: %zu listener%s, %zu route%s\n", options->config_path, n_listeners,
           plural(n_listeners), n_routes, plural(n_routes));
    fe_config_unref(config);
    return fe_command_finish_output();
}
