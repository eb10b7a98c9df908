/* flatend: runs the gateway until a signal ends it. The first SIGINT or SIGTERM lets running
 * requests finish, the second ends the process at once. SIGHUP reloads certificates. */
#include <signal.h>
#include <sys/resource.h>

#include "command.h"
#include "gateway/server/gateway.h"
#include "ground/uv/signals.h"

struct run {
    struct fe_worker *worker;
    struct fe_signals *signals;
    struct fe_gateway *gateway;
    bool is_stopping;
    struct flatend_error failure; /* that has ended it; code 0: none has */
};

static void on_stopped(void *arg)
{
    struct run *const run = arg;
    fe_worker_stop(run->worker);
}

static void on_signal(void *arg, int signum)
{
    struct run *const run = arg;

    if (signum == SIGHUP) {
        fe_gateway_reload_certs(run->gateway);
        return;
    }
    if (run->is_stopping) {
        /* The parent process must see that the signal ended it. */
        signal(signum, SIG_DFL);
        raise(signum);
        return;
    }
    run->is_stopping = true;
    fe_gateway_stop(run->gateway, on_stopped, run);
}

static void on_failed(void *arg, const struct flatend_error *why)
{
    struct run *const run = arg;

    if (!run->is_stopping) {
        run->failure = *why;
        run->is_stopping = true;
        fe_gateway_stop(run->gateway, on_stopped, run);
    }
}

/* Each connection is a descriptor: as many as the system lets us have. */
static void raise_descriptor_limit(const struct fe_log *log)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            fe_log(log, FLATEND_LOG_WARN, "Cannot raise the open file limit.");
        }
    }
}

/* Opens in the order in which close_all closes backwards; `run` is zero before. */
static int open_all(struct run *run, struct fe_config *config, const struct fe_log *log,
                    struct flatend_error *err)
{
    int code = fe_worker_new(&run->worker, NULL);

    if (code != 0) {
        return fe_err_set(err, code, "event loop: %s", flatend_strerror(code));
    }
    code = fe_signals_open(run->worker, true, on_signal, run, &run->signals);
    if (code != 0) {
        return fe_err_set(err, code, "signals: %s", flatend_strerror(code));
    }
    return fe_gateway_start(run->worker, config, log, &run->gateway, err);
}

static void close_all(struct run *run)
{
    if (run->gateway != NULL) {
        fe_gateway_free(run->gateway);
    }
    if (run->signals != NULL) {
        fe_signals_close(run->signals);
    }
    if (run->worker != NULL) {
        fe_worker_free(run->worker, NULL, NULL);
    }
}

int fe_command_run(const struct fe_options *options)
{
    const struct fe_log log = {flatend_log_stderr, NULL, FLATEND_LOG_INFO};
    struct run run = {0};
    struct fe_config *config;
    struct flatend_error err;
    bool is_missing;
    int code = fe_command_load(options, &log, &config, &is_missing, &err);

    if (code != 0) {
        return fe_command_fail(&err);
    }
    if (is_missing) {
        fe_log(&log, FLATEND_LOG_WARN, "No configuration file '%s': not serving HTTP.",
               options->config_path);
    }
    raise_descriptor_limit(&log);
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of the write, not of the process */
    code = open_all(&run, config, &log, &err);
    if (code == 0) {
        fe_gateway_on_failure(run.gateway, on_failed, &run);
        fe_worker_run(run.worker);
        code = run.failure.code;
        err = run.failure;
    }
    close_all(&run);
    fe_config_unref(config);
    return code == 0 ? FE_EXIT_OK : fe_command_fail(&err);
}
