#include "ground/uv/work.h"

#include <stdlib.h>

#include "ground/uv/loop.h"

struct work {
    uv_work_t request;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void on_run(uv_work_t *request)
{
    struct work *work = request->data;

    work->run(work->arg);
}

static void on_done(uv_work_t *request, int status)
{
    struct work *work = request->data;
    void (*done)(void *arg) = work->done;
    void *arg = work->arg;

    (void)status; /* it is never canceled */
    free(work);
    done(arg);
}

int fe_work_start(struct fe_worker *worker, void (*run)(void *arg), void (*done)(void *arg),
                  void *arg)
{
    struct work *work = malloc(sizeof(*work));

    if (work == NULL) {
        return FLATEND_ENOMEM;
    }
    *work = (struct work){.run = run, .done = done, .arg = arg};
    work->request.data = work;
    if (uv_queue_work(worker->loop, &work->request, on_run, on_done) != 0) {
        free(work);
        return FLATEND_ENOMEM;
    }
    return 0;
}
