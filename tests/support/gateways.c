#include "support/gateways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/latch.h"

enum { TOML_MAX = 8192 };

static unsigned n_workers = 1;

void gateway_use_workers(unsigned n)
{
    n_workers = n;
}

static void on_stopped(void *arg)
{
    fe_worker_stop(((struct gateway *)arg)->worker);
}

static void on_stop_task(struct fe_task *task)
{
    struct gateway *gateway = FE_CONTAINER_OF(task, struct gateway, stop_task);

    pthread_mutex_lock(&gateway->lock);
    gateway->is_ready = true;
    pthread_cond_signal(&gateway->changed);
    pthread_mutex_unlock(&gateway->lock);
    fe_gateway_stop(gateway->gateway, on_stopped, gateway);
}

struct fe_config *gateway_config(const char *rest)
{
    struct flatend_error err = {0};
    struct fe_config *config;
    char text[TOML_MAX];
    int len = snprintf(text, sizeof(text),
                       "addr = \"127.0.0.1:0\"\nworkers = %u\n"
                       "[[http]]\naddr = \"127.0.0.1:0\"\n%s",
                       n_workers, rest);

    assert_true(len < TOML_MAX);
    if (fe_config_parse("test.toml", fe_view_str(text), &config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void start(struct gateway *gateway)
{
    const struct fe_log log = {journal_log, &gateway->journal, FLATEND_LOG_DEBUG};
    struct fe_config *config = gateway_config(gateway->toml);
    struct flatend_error err = {0};
    struct fe_addr addr;

    assert_int_equal(fe_worker_new(&gateway->worker, NULL), 0);
    if (fe_gateway_start(gateway->worker, config, &log, &gateway->gateway, &err) != 0) {
        fail_msg("%s", err.text);
    }
    fe_config_unref(config);
    assert_int_equal(fe_gateway_http_addr(gateway->gateway, 0, &addr), 0);
    gateway->port = addr.port;
    assert_int_equal(fe_gateway_node_addr(gateway->gateway, &addr), 0);
    (void)fe_addr_format(&addr, gateway->addr);
}

static void *run(void *arg)
{
    struct gateway *gateway = arg;

    start(gateway);
    pthread_mutex_lock(&gateway->lock);
    gateway->is_ready = true;
    pthread_cond_signal(&gateway->changed);
    pthread_mutex_unlock(&gateway->lock);
    fe_worker_run(gateway->worker);
    fe_gateway_free(gateway->gateway);
    fe_worker_free(gateway->worker, NULL, NULL);
    return NULL;
}

static void wait_until_ready(struct gateway *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    while (!gateway->is_ready) {
        pthread_cond_wait(&gateway->changed, &gateway->lock);
    }
    gateway->is_ready = false;
    pthread_mutex_unlock(&gateway->lock);
}

/* Once it is answered it has been counted. */
static void put_ballast(struct gateway *gateway)
{
    struct http_answer answer;

    http_open(&gateway->ballast, gateway->port);
    http_send_text(&gateway->ballast, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    http_receive(&gateway->ballast, false, &answer);
    http_answer_deinit(&answer);
}

void gateway_start(struct gateway *gateway, const char *toml)
{
    memset(gateway, 0, sizeof(*gateway));
    gateway->toml = toml;
    journal_init(&gateway->journal);
    assert_int_equal(pthread_mutex_init(&gateway->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&gateway->changed, NULL), 0);
    assert_int_equal(pthread_create(&gateway->thread, NULL, run, gateway), 0);
    wait_until_ready(gateway);
    if (n_workers > 1) {
        put_ballast(gateway);
    }
}

struct replacement {
    struct fe_task task;
    struct gateway *gateway;
    struct fe_config *config;
    struct latch done;
    int code;
};

static void on_replace_task(struct fe_task *task)
{
    struct replacement *replacement = FE_CONTAINER_OF(task, struct replacement, task);

    replacement->code = fe_gateway_replace(replacement->gateway->gateway, replacement->config);
    latch_count(&replacement->done);
}

void gateway_replace(struct gateway *gateway, struct fe_config *config)
{
    struct replacement replacement = {.gateway = gateway, .config = config};

    latch_init(&replacement.done);
    fe_task_init(&replacement.task, on_replace_task);
    fe_task_post(gateway->worker, &replacement.task);
    latch_wait(&replacement.done, 1);
    latch_deinit(&replacement.done);
    assert_int_equal(replacement.code, 0);
}

void gateway_stop(struct gateway *gateway)
{
    fe_task_init(&gateway->stop_task, on_stop_task);
    fe_task_post(gateway->worker, &gateway->stop_task);
    wait_until_ready(gateway);
}

void gateway_join(struct gateway *gateway)
{
    assert_int_equal(pthread_join(gateway->thread, NULL), 0);
    if (n_workers > 1) {
        http_close(&gateway->ballast);
    }
    pthread_cond_destroy(&gateway->changed);
    pthread_mutex_destroy(&gateway->lock);
    journal_deinit(&gateway->journal);
}
