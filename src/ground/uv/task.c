#include "ground/uv/task.h"

#include <stdlib.h>

#include "ground/uv/loop.h"

struct task {
    uv_work_t request;
    void (*run)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void on_run(uv_work_t *request)
{
    struct task *task = request->data;

    task->run(task->arg);
}

static void on_done(uv_work_t *request, int status)
{
    struct task *task = request->data;
    void (*done)(void *arg) = task->done;
    void *arg = task->arg;

    (void)status; /* nobody cancels it */
    free(task);
    done(arg);
}

int fe_task_start(struct fe_worker *worker, void (*run)(void *arg), void (*done)(void *arg),
                  void *arg)
{
    struct task *task = malloc(sizeof(*task));

    if (task == NULL) {
        return FLATEND_ENOMEM;
    }
    *task = (struct task){.run = run, .done = done, .arg = arg};
    task->request.data = task;
    if (uv_queue_work(worker->loop, &task->request, on_run, on_done) != 0) {
        free(task);
        return FLATEND_ENOMEM;
    }
    return 0;
}
