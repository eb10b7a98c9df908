/* Reading what the edge workers count.
 *
 * Happy path: a task to each worker, which copies its block there and goes back as an answer; the
 * last answer completes the sum.
 *
 * Failure modes: a worker has ended: its block is not written any more, and it is copied at once.
 * One that ends meanwhile runs the task before (ground/uv/worker_thread.h), and the answer comes
 * behind its end. */
#include "gateway/edge/stats.h"

#include <stdlib.h>

#include "gateway/edge/edge_worker.h"
#include "ground/base/assert.h"

#define ROW(...) FE_STAT_ROW(fe_edge_stats, __VA_ARGS__)

static const struct fe_stat rows[] = {FE_EDGE_STATS(ROW)};

const struct fe_stats_type fe_edge_stats_type = FE_STATS_TYPE(struct fe_edge_stats, rows);

void fe_edge_totals_add(struct fe_edge_totals *sum, const struct fe_edge_totals *totals)
{
    fe_stats_add(&fe_edge_stats_type, &sum->edge, &totals->edge);
    fe_stats_add(&fe_h2_stats_type, &sum->h2, &totals->h2);
}

struct question;

/* The part of one edge worker. */
struct part {
    struct fe_task task; /* there and back */
    struct question *question;
    struct fe_edge_worker *edge;
    struct fe_edge_totals totals;
};

struct question {
    struct fe_worker *worker;
    void (*on_done)(void *arg, const struct fe_edge_totals *sum);
    void *arg;
    size_t n_missing; /* parts that are not answered yet */
    struct fe_edge_totals sum;
    struct part parts[];
};

static void on_answer(struct fe_task *task)
{
    const struct part *part = FE_CONTAINER_OF(task, struct part, task);
    struct question *question = part->question;

    FE_ASSERT(question->n_missing > 0, "each worker answers once");
    fe_edge_totals_add(&question->sum, &part->totals);
    if (--question->n_missing == 0) {
        question->on_done(question->arg, &question->sum);
        free(question);
    }
}

/* On the edge worker's thread, or on the gateway's when that has ended. */
static void on_question(struct fe_task *task)
{
    struct part *part = FE_CONTAINER_OF(task, struct part, task);

    fe_edge_worker_copy_stats(part->edge, &part->totals);
    fe_task_init(&part->task, on_answer);
    fe_task_post(part->question->worker, &part->task);
}

int fe_edge_stats_sum(struct fe_edge_worker *edges, size_t n_edges, struct fe_worker *worker,
                      void (*on_done)(void *arg, const struct fe_edge_totals *sum), void *arg)
{
    struct question *question =
        calloc(1, sizeof(*question) + (n_edges + 1) * sizeof(question->parts[0]));

    if (question == NULL) {
        return FLATEND_ENOMEM;
    }
    question->worker = worker;
    question->on_done = on_done;
    question->arg = arg;
    question->n_missing = n_edges + 1; /* the last one is empty: there may be no edge worker */
    for (size_t i = 0; i < n_edges; i++) {
        struct part *part = &question->parts[i];

        part->question = question;
        part->edge = &edges[i];
        fe_task_init(&part->task, on_question);
        fe_task_post(edges[i].has_ended ? worker : edges[i].worker, &part->task);
    }
    question->parts[n_edges].question = question;
    fe_task_init(&question->parts[n_edges].task, on_answer);
    fe_task_post(worker, &question->parts[n_edges].task);
    return 0;
}
