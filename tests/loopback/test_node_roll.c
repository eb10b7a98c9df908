/* Providers that are replaced, one after the other, while requests keep coming: none is lost, and
 * none is handled twice, although they are not idempotent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/latch.h"
#include "support/nodes.h"

enum {
    N_THREADS = 4,
    N_PROVIDERS = 2,
    N_ROLLS = 30,
    N_REQUESTS_MAX = 1000000,
    PER_ROLL = 20, /* requests that every roll sees */
};

struct load {
    struct flatend_node *client;
    atomic_bool is_over;
    atomic_uint next;
    atomic_uint n_done;
    atomic_uint n_failed;
    unsigned char *n_handled; /* of each request; its own byte, written by its handler */
};

static void handle(struct flatend_context *ctx, void *arg)
{
    struct load *load = arg;
    const char *body;
    size_t len;

    if (flatend_context_read_all(ctx, 100, &body, &len) == 0) {
        unsigned long id = strtoul(body, NULL, 10);

        load->n_handled[id]++;
        (void)flatend_context_printf(ctx, "%lu", id);
    }
}

/* One request; whether it was answered. */
static bool call_once(struct load *load, unsigned id, const char *service)
{
    struct nodes_answer answer;
    char body[16];
    int code;

    (void)snprintf(body, sizeof(body), "%u", id);
    code = nodes_call(load->client, service, body, strlen(body), &answer);
    if (code != 0 || strcmp(answer.text, body) != 0) {
        print_error("request %u: %s\n", id, code != 0 ? flatend_strerror(code) : answer.text);
        code = -1;
    }
    flatend_stream_close(answer.stream);
    return code == 0;
}

static void *call_on(void *arg)
{
    struct load *load = arg;
    unsigned id;

    while (!atomic_load(&load->is_over) &&
           (id = atomic_fetch_add(&load->next, 1)) < N_REQUESTS_MAX) {
        if (call_once(load, id, id % 2 == 0 ? "pooled" : "inline")) {
            atomic_fetch_add(&load->n_done, 1);
        } else {
            atomic_fetch_add(&load->n_failed, 1);
        }
    }
    return NULL;
}

static struct flatend_node *start_provider(struct load *load, const char *addr)
{
    const struct flatend_service services[] = {
        {.name = "pooled", .handler = handle, .arg = load},
        {.name = "inline", .handler = handle, .arg = load, .flags = FLATEND_SERVICE_INLINE},
    };

    return nodes_join(services, 2, addr);
}

static void test_no_request_is_lost(void **state)
{
    struct flatend_node *providers[N_PROVIDERS];
    pthread_t threads[N_THREADS];
    struct load load = {.client = NULL};
    char addr[64];

    (void)state;
    load.n_handled = calloc(N_REQUESTS_MAX, 1);
    assert_non_null(load.n_handled);
    load.client = nodes_listen(NULL, 0, addr);
    for (size_t i = 0; i < N_PROVIDERS; i++) {
        providers[i] = start_provider(&load, addr);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_on, &load), 0);
    }
    for (size_t i = 0; i < N_ROLLS; i++) {
        struct flatend_node **provider = &providers[i % N_PROVIDERS];
        unsigned seen = atomic_load(&load.n_done);

        flatend_node_free(*provider);
        *provider = start_provider(&load, addr);
        while (atomic_load(&load.n_done) + atomic_load(&load.n_failed) < seen + PER_ROLL) {
            sched_yield();
        }
    }
    atomic_store(&load.is_over, true);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < N_PROVIDERS; i++) {
        flatend_node_free(providers[i]);
    }
    flatend_node_free(load.client);
    assert_int_equal(atomic_load(&load.n_failed), 0);
    assert_int_equal(atomic_load(&load.n_done), atomic_load(&load.next));
    for (size_t i = 0; i < atomic_load(&load.next); i++) {
        assert_int_equal(load.n_handled[i], 1);
    }
    free(load.n_handled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_request_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
