#include "ground/uv/signals.h"

#include <signal.h>
#include <stdlib.h>

#include "ground/uv/loop.h"

enum { N_SIGNALS_MAX = 3 };

struct fe_signals {
    uv_signal_t handles[N_SIGNALS_MAX];
    size_t n;
    size_t n_closing;
    void (*on_signal)(void *arg, int signum);
    void *arg;
};

static void on_signal(uv_signal_t *handle, int signum)
{
    struct fe_signals *signals = handle->data;

    signals->on_signal(signals->arg, signum);
}

static void on_closed(uv_handle_t *handle)
{
    struct fe_signals *signals = handle->data;

    if (--signals->n_closing == 0) {
        free(signals);
    }
}

void fe_signals_close(struct fe_signals *signals)
{
    signals->n_closing = signals->n;
    for (size_t i = 0; i < signals->n; i++) {
        uv_close((uv_handle_t *)&signals->handles[i], on_closed);
    }
}

int fe_signals_open(struct fe_worker *worker, bool with_hup,
                    void (*callback)(void *arg, int signum), void *arg, struct fe_signals **out)
{
    static const int signums[N_SIGNALS_MAX] = {SIGINT, SIGTERM, SIGHUP};
    size_t n = with_hup ? N_SIGNALS_MAX : N_SIGNALS_MAX - 1;
    struct fe_signals *signals = calloc(1, sizeof(*signals));

    *out = NULL;
    if (signals == NULL) {
        return FLATEND_ENOMEM;
    }
    signals->on_signal = callback;
    signals->arg = arg;
    for (size_t i = 0; i < n; i++) {
        int code = uv_signal_init(worker->loop, &signals->handles[i]);

        if (code == 0) {
            signals->handles[i].data = signals;
            signals->n++;
            code = uv_signal_start(&signals->handles[i], on_signal, signums[i]);
        }
        if (code != 0) {
            if (signals->n == 0) {
                free(signals);
            } else {
                fe_signals_close(signals);
            }
            return fe_uv_code(code);
        }
    }
    *out = signals;
    return 0;
}
