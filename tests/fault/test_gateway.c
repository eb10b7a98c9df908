/* The gateway while each allocation fails in turn: a request is answered or its connection ends, a
 * start fails with a reason, and what was opened closes again. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/relay/service.h"
#include "gateway/server/gateway.h"
#include "ground/uv/task_queue.h"
#include "support/fake_exchange.h"
#include "support/fake_peer.h"
#include "support/fault.h"

/* ---- a request to a service ----------------------------------------------------------------- */

struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_mesh_access mesh;
    struct fake_peer provider;
    struct fake_exchange fake;
    struct fe_view service;
    struct fe_config_route route;
    struct fe_match match;
    struct fe_service_backend backend;
};

static uint64_t now_ms(void *arg)
{
    (void)arg;
    return 1;
}

static void add_field(struct world *world, const char *name, const char *value)
{
    struct fe_exchange *ex = &world->fake.ex;

    assert_int_equal(
        fe_fields_add(&ex->request.fields, &ex->arena, fe_view_str(name), fe_view_str(value)), 0);
}

static void world_init(struct world *world)
{
    struct fe_rng rng;

    memset(world, 0, sizeof(*world));
    world->trace.is_off = true;
    rng = fe_rng_from_seed(&world->seeded, 1);
    fe_registry_init(&world->registry, &rng);
    fe_timers_init(&world->timers);
    fe_pool_init(&world->pool);
    world->mesh = (struct fe_mesh_access){.registry = &world->registry,
                                          .timers = &world->timers,
                                          .pool = &world->pool,
                                          .now_ms = now_ms};
    fake_peer_init(&world->provider, &world->trace, 100);
    world->provider.peer.is_anonymous = true;
    assert_int_equal(fe_registry_offer(&world->registry, &world->provider.peer,
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
                     0);
    fake_exchange_init(&world->fake, &world->trace);
    world->service = FE_VIEW_LIT("echo");
    world->route = (struct fe_config_route){
        .services = &world->service, .n_services = 1, .timeout_ms = 1000, .body_max = UINT64_MAX};
    world->fake.ex.request.method = FE_METHOD_POST;
    world->fake.ex.request.content_length = 5;
    world->fake.ex.request.query = FE_VIEW_LIT("a=1&b=2");
    world->match.params[world->match.n_params++] =
        (struct fe_param){FE_VIEW_LIT("id"), FE_VIEW_LIT("7")};
    add_field(world, "accept", "one");
    add_field(world, "accept", "two");
}

static void world_deinit(struct world *world)
{
    fake_peer_deinit(&world->provider);
    assert_int_equal(world->timers.n, 0);
    fe_registry_deinit(&world->registry);
    fe_timers_deinit(&world->timers);
    fe_pool_deinit(&world->pool);
    fake_exchange_deinit(&world->fake);
}

/* Until something fails. What the provider is told of that is not the gateway's. */
static int serve(struct world *world)
{
    struct fe_event head = {
        .type = FE_EVENT_RESPONSE,
        .stream = 100,
        .u.response = {.handled = true, .headers = {.bytes = FE_VIEW_LIT("\1A\0\1b"), .n = 1}},
    };
    int code;

    world->backend = fe_service_backend(&world->mesh);
    world->match.route = &world->route;
    world->fake.ex.match = &world->match;
    world->fake.ex.remote = FE_VIEW_LIT("192.0.2.1:5000");
    fe_backend_start(&world->backend.backend, &world->fake.ex);
    if (world->fake.is_over) {
        return 0;
    }
    if (fake_exchange_body(&world->fake, "hello") == 5) {
        fake_exchange_body_end(&world->fake);
    }
    code = fe_peer_on_event(&world->provider.peer, &head, NULL);
    world->fake.room = 1; /* the rest has to wait */
    if (code == 0) {
        code = feed_data(&world->provider, 100, "hello");
    }
    if (code == 0) {
        code = feed_end(&world->provider, 100);
    }
    if (code == 0 && !world->fake.is_over) {
        fake_exchange_writable(&world->fake, SIZE_MAX);
    }
    return code;
}

static void every_request_is_answered_or_aborted(void **state)
{
    static struct world world;
    size_t nth;

    (void)state;
    for (nth = 1;; nth++) {
        int code;

        world_init(&world);
        if (!fe_fault_arm(nth)) {
            world_deinit(&world);
            break;
        }
        code = serve(&world);
        if (!fe_fault_disarm()) {
            assert_int_equal(code, 0);
        }
        fe_peer_close(&world.provider.peer, FLATEND_ENOMEM);
        assert_true(world.fake.is_over);
        world_deinit(&world);
    }
    assert_true(nth > 5);
}

/* ---- a gateway from its start to its end ---------------------------------------------------- */

struct life {
    struct fe_worker *worker;
    struct fe_gateway *gateway;
    struct fe_task stop;
    uint16_t port;
    bool was_answered;
};

static void on_stopped(void *arg)
{
    fe_worker_stop(((struct life *)arg)->worker);
}

static void on_stop(struct fe_task *task)
{
    struct life *life = FE_CONTAINER_OF(task, struct life, stop);

    fe_gateway_stop(life->gateway, on_stopped, life);
}

/* A client on a thread of its own, without any allocation: asks, reads to the end, then has the
 * gateway stopped. */
static void *ask(void *arg)
{
    static const char request[] = "GET /nobody HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct life *life = arg;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(life->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char buf[256];
    ssize_t n = 0;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
        (void)send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
        n = recv(fd, buf, sizeof(buf), MSG_WAITALL);
    }
    life->was_answered = n > 12 && memcmp(buf, "HTTP/1.1 503", 12) == 0;
    close(fd);
    fe_task_post(life->worker, &life->stop);
    return NULL;
}

static void run(struct life *life)
{
    struct fe_addr addr;
    pthread_t client;

    assert_int_equal(fe_gateway_http_addr(life->gateway, 0, &addr), 0);
    life->port = addr.port;
    fe_task_init(&life->stop, on_stop);
    assert_int_equal(pthread_create(&client, NULL, ask, life), 0);
    fe_worker_run(life->worker);
    assert_int_equal(pthread_join(client, NULL), 0);
}

/* 0 workers: as many as there are processors, or can be had. */
static struct fe_config *parse(unsigned n_workers)
{
    struct flatend_error err = {0};
    struct fe_config *config;
    char workers[32] = "";
    char text[256];

    if (n_workers > 0) {
        snprintf(workers, sizeof(workers), "workers = %u\n", n_workers);
    }
    snprintf(text, sizeof(text),
             "addr = \"127.0.0.1:0\"\n"
             "%s"
             "[[http]]\n"
             "addr = \"127.0.0.1:0\"\n"
             "[[http.routes]]\n"
             "path = \"GET /nobody\"\n"
             "service = \"nobody\"\n",
             workers);
    assert_int_equal(fe_config_parse("test.toml", fe_view_str(text), &config, &err), 0);
    return config;
}

static size_t count_descriptors(void)
{
    DIR *const dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static void start_or_say_why_not(unsigned n_workers)
{
    const struct fe_log log = {.fn = NULL};
    size_t n_descriptors;
    size_t n_starts = 0;
    struct fe_worker *first;
    size_t nth;

    assert_int_equal(fe_worker_new(&first, NULL),
                     0); /* libuv keeps some descriptors of its first */
    fe_worker_free(first, NULL, NULL);
    n_descriptors = count_descriptors();
    for (nth = 1;; nth++) {
        struct life life = {.worker = NULL};
        struct flatend_error err = {0};
        struct fe_config *config = parse(n_workers);
        int code;

        assert_int_equal(fe_worker_new(&life.worker, NULL), 0);
        if (!fe_fault_arm(nth)) {
            fe_worker_free(life.worker, NULL, NULL);
            fe_config_unref(config);
            break;
        }
        code = fe_gateway_start(life.worker, config, &log, &life.gateway, &err);
        if (code == 0) {
            n_starts++;
            run(&life);
        } else {
            assert_int_equal(err.code, code);
            assert_true(err.text[0] != '\0');
        }
        if (!fe_fault_disarm()) {
            assert_true(life.was_answered);
        }
        if (life.gateway != NULL) {
            fe_gateway_free(life.gateway);
        }
        fe_worker_free(life.worker, NULL, NULL);
        fe_config_unref(config);
        assert_int_equal(count_descriptors(), n_descriptors);
    }
    assert_true(n_starts > 3 && nth - n_starts > 3);
}

static void a_gateway_starts_or_says_why_not(void **state)
{
    (void)state;
    start_or_say_why_not(1);
}

/* What fails may be of any of its threads. */
static void so_does_one_of_several_workers(void **state)
{
    (void)state;
    start_or_say_why_not(3);
}

static void it_may_go_on_with_fewer_workers(void **state)
{
    (void)state;
    start_or_say_why_not(0);
}

/* Freed while it runs, and before the worker has ever run. */
static void free_at_any_time(unsigned n_workers)
{
    const struct fe_log log = {.fn = NULL};
    struct flatend_error err = {0};
    struct fe_gateway *gateway;
    struct fe_worker *worker;
    struct fe_config *config = parse(n_workers);

    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_gateway_start(worker, config, &log, &gateway, &err), 0);
    fe_gateway_free(gateway);
    fe_worker_free(worker, NULL, NULL);
    fe_config_unref(config);
}

static void a_gateway_is_freed_at_any_time(void **state)
{
    (void)state;
    free_at_any_time(1);
    free_at_any_time(3);
}

static void it_is_replaced_everywhere_or_nowhere(void **state)
{
    enum { N_WORKERS = 3 };
    const struct fe_log log = {.fn = NULL};
    struct flatend_error err = {0};
    struct fe_gateway *gateway;
    struct fe_worker *worker;
    struct fe_config *config = parse(N_WORKERS);
    size_t nth;

    (void)state;
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_gateway_start(worker, config, &log, &gateway, &err), 0);
    for (nth = 1;; nth++) {
        struct fe_config *const next = parse(N_WORKERS);
        bool has_failed;
        int code;

        if (!fe_fault_arm(nth)) {
            fe_config_unref(next);
            break;
        }
        code = fe_gateway_replace(gateway, next);
        has_failed = fe_fault_disarm();
        assert_int_equal(code, has_failed ? FLATEND_ENOMEM : 0);
        if (has_failed) {
            assert_int_equal(atomic_load(&next->n_refs), 1);
        }
        fe_config_unref(next);
    }
    assert_int_equal(nth, 1 + N_WORKERS + 2); /* a list, its items, and once without */
    fe_gateway_free(gateway);
    fe_worker_free(worker, NULL, NULL);
    fe_config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_is_answered_or_aborted),
        cmocka_unit_test(a_gateway_starts_or_says_why_not),
        cmocka_unit_test(so_does_one_of_several_workers),
        cmocka_unit_test(it_may_go_on_with_fewer_workers),
        cmocka_unit_test(a_gateway_is_freed_at_any_time),
        cmocka_unit_test(it_is_replaced_everywhere_or_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
