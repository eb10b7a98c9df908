/* flatend: runs the gateway until a signal ends it. The first SIGINT or SIGTERM lets running
 * requests finish, the second ends the process at once. SIGHUP reloads certificates. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "gateway/server/gateway.h"
#include "ground/os/log_writer.h"
#include "ground/uv/signals.h"

enum {
    LAST_WORDS_MS = 100, /* how long the second signal waits for the log's reader */
    EXIT_SIGNALED = 128, /* as a shell says it */
};

struct run {
    struct fe_log_writer *log_writer;
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

/* The parent process must see that the signal ended it. In a container this may be the first
 * process, which signals do not end (pid_namespaces(7)). */
static void end_by(const struct run *run, int signum)
{
    (void)fe_log_writer_flush(run->log_writer, LAST_WORDS_MS);
    signal(signum, SIG_DFL);
    raise(signum);
    _exit(EXIT_SIGNALED + signum);
}

static void on_signal(void *arg, int signum)
{
    struct run *const run = arg;

    if (signum == SIGHUP) {
        fe_gateway_reload_certs(run->gateway);
        return;
    }
    if (run->is_stopping) {
        end_by(run, signum);
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

/* Signals that would end the process although they are meant otherwise: a peer that has gone, and a
 * file that may not grow, are errors of the write; those for the user (SIGUSR1 tells nginx to open
 * its logs again) mean nothing here. */
static void ignore_signals(void)
{
    static const int signums[] = {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < sizeof(signums) / sizeof(signums[0]); i++) {
        signal(signums[i], SIG_IGN);
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

/* From the configuration on: all that is logged. `err` stays as it is where standard error has been
 * told already. */
static int run_logged(const struct fe_options *options, struct run *run, struct flatend_error *err)
{
    const struct fe_log log = {fe_log_writer_put, run->log_writer, FLATEND_LOG_INFO};
    struct fe_config *config;
    bool is_missing;
    int code = fe_command_load(options, &log, &config, &is_missing);

    if (code != 0) {
        return code;
    }
    if (is_missing) {
        fe_log(&log, FLATEND_LOG_WARN, "No configuration file '%s': not serving HTTP.",
               options->config_path);
    }
    raise_descriptor_limit(&log);
    code = open_all(run, config, &log, err);
    if (code == 0) {
        fe_gateway_on_failure(run->gateway, on_failed, run);
        fe_worker_run(run->worker);
        code = run->failure.code;
        *err = run->failure;
    }
    close_all(run);
    fe_config_unref(config);
    return code;
}

int fe_command_run(const struct fe_options *options)
{
    struct run run = {0};
    struct flatend_error err = {0};
    int code = fe_log_writer_new(STDERR_FILENO, &run.log_writer);

    if (code != 0) {
        return fe_command_fail(&(struct flatend_error){.code = code, .text = "out of memory"});
    }
    ignore_signals();
    code = run_logged(options, &run, &err);
    fe_log_writer_free(run.log_writer, FE_LOG_FLUSH_MS);
    if (err.code != 0) {
        return fe_command_fail(&err);
    }
    return code == 0 ? FE_EXIT_OK : FE_EXIT_FAILURE;
}
