#include "mesh/async/pool.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/thread.h"

static void *run_thread(void *arg)
{
    struct fe_handler_pool *pool = arg;

    fe_mutex_lock(&pool->lock);
    for (;;) {
        struct fe_list *link = fe_list_pop_front(&pool->queue);

        if (link != NULL) {
            struct fe_job *job = FE_CONTAINER_OF(link, struct fe_job, link);

            FE_ASSERT(pool->n_queued > 0, "jobs that wait are counted");
            pool->n_queued--;
            fe_mutex_unlock(&pool->lock);
            job->run(job);
            fe_mutex_lock(&pool->lock);
        } else if (pool->is_stopping) {
            break;
        } else {
            pool->n_idle++;
            fe_cond_wait(&pool->work, &pool->lock);
            FE_ASSERT(pool->n_idle > 0 && pool->n_idle <= pool->n_threads,
                      "threads that wait are counted");
            pool->n_idle--;
        }
    }
    fe_mutex_unlock(&pool->lock);
    return NULL;
}

int fe_handler_pool_init(struct fe_handler_pool *pool, unsigned n_max)
{
    *pool = (struct fe_handler_pool){.n_max = n_max};
    fe_list_init(&pool->queue);
    pool->threads = calloc(n_max, sizeof(*pool->threads));
    if (pool->threads == NULL) {
        return FLATEND_ENOMEM;
    }
    if (fe_mutex_init(&pool->lock) != 0) {
        free(pool->threads);
        return FLATEND_ENOMEM;
    }
    if (fe_cond_init(&pool->work) != 0) {
        fe_mutex_deinit(&pool->lock);
        free(pool->threads);
        return FLATEND_ENOMEM;
    }
    return 0;
}

int fe_handler_pool_push(struct fe_handler_pool *pool, struct fe_job *job)
{
    int code = 0;

    fe_mutex_lock(&pool->lock);
    FE_ASSERT(!pool->is_stopping, "a pool that ends takes no jobs");
    if (pool->n_queued >= pool->n_idle && pool->n_threads < pool->n_max &&
        fe_thread_start(&pool->threads[pool->n_threads], run_thread, pool) == 0) {
        pool->n_threads++;
    }
    if (pool->n_threads == 0 || pool->n_queued >= FE_POOL_QUEUE_MAX) {
        code = FLATEND_ELIMIT;
    } else {
        FE_ASSERT(!fe_list_is_linked(&job->link), "a job waits once");
        fe_list_push_back(&pool->queue, &job->link);
        pool->n_queued++;
        fe_cond_signal(&pool->work);
    }
    fe_mutex_unlock(&pool->lock);
    return code;
}

void fe_handler_pool_deinit(struct fe_handler_pool *pool)
{
    FE_ASSERT(fe_list_is_empty(&pool->queue), "a pool that ends has run every job");
    fe_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    fe_cond_broadcast(&pool->work);
    fe_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        fe_thread_join(&pool->threads[i]);
    }
    fe_cond_deinit(&pool->work);
    fe_mutex_deinit(&pool->lock);
    free(pool->threads);
}
