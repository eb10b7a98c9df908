/* One store, served by several threads, while another replaces all that can be replaced. What goes
 * wrong here shows under TSan. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "support/tls_ends.h"
#include "support/tls_talk.h"

enum {
    N_THREADS = 3,
    N_ROUNDS = 120, /* of each */
    N_LOOKS = 200,
    N_SWAPS = 10,
    ROUNDS_A_ROTATION = 8,  /* of all: a ticket lasts for the next two */
    ROUNDS_A_CHALLENGE = 4, /* one of so many is the CA's */
};

/* OpenSSL counts the references to its objects in ways that TSan does not see, since it is not
 * built with it: what is read in one connection and freed with the last one looks like a race. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcrypto.so\ncalled_from_lib:libssl.so\n";
}

/* Relaxed, so that they order nothing that the locks should. */
struct shared {
    struct fe_tls_store *store;
    atomic_int n_rounds; /* that are over */
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    int version;
    int n_resumed;
};

static bool is_one_of(const char *subject, const char *one, const char *other)
{
    return strcmp(subject, one) == 0 || strcmp(subject, other) == 0;
}

static void ask_as_ca(struct fe_tls_store *store)
{
    const struct tls_command command = {.name = "a.test", .alpn = "\12acme-tls/1"};
    struct tls_result result;

    tls_ask(store, &command, &result);
    if (result.code == 0) {
        assert_true(is_one_of(result.subject, "first.test", "second.test"));
    } else {
        assert_int_equal(result.code, FLATEND_EPROTO); /* just then there was none */
    }
    SSL_SESSION_free(result.session);
}

static void ask(struct worker *worker, SSL_SESSION **session)
{
    struct fe_tls_store *const store = worker->shared->store;
    const struct tls_command command = {
        .name = "localhost", .version = worker->version, .session = *session};
    struct tls_result result;

    tls_ask(store, &command, &result);
    assert_int_equal(result.code, 0);
    assert_true(is_one_of(result.subject, "first.test", "second.test"));
    worker->n_resumed += result.is_resumed ? 1 : 0;
    SSL_SESSION_free(*session);
    *session = result.session;
}

/* More often than handshakes can. */
static void look(struct fe_tls_store *store)
{
    for (int i = 0; i < N_LOOKS; i++) {
        struct fe_cert *cert = fe_tls_store_find(store, FE_VIEW_LIT("first.test"));

        assert_non_null(cert);
        assert_true(fe_cert_not_after(cert) > 0);
        fe_cert_unref(cert);
    }
}

static void *run(void *arg)
{
    struct worker *const worker = arg;
    struct shared *const shared = worker->shared;
    SSL_SESSION *session = NULL;

    for (int i = 0; i < N_ROUNDS; i++) {
        look(shared->store);
        if (i % ROUNDS_A_CHALLENGE == 0) {
            ask_as_ca(shared->store);
        } else {
            ask(worker, &session);
        }
        (void)atomic_fetch_add_explicit(&shared->n_rounds, 1, memory_order_relaxed);
    }
    SSL_SESSION_free(session);
    return NULL;
}

/* A new certificate, which only the store holds in the end: the next one frees the last. */
static void replace(struct tls_world *world, const char *subject)
{
    const struct fe_view name = FE_VIEW_LIT("a.test");
    struct fe_cert *cert = tls_world_issue(world, subject);

    assert_int_equal(fe_tls_store_set(world->store, &cert, 1), 0);
    fe_cert_unref(cert);
    cert = fe_tls_store_find(world->store, FE_VIEW_LIT(""));
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, cert), 0);
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, NULL), 0);
    for (int i = 0; i < N_SWAPS; i++) {
        assert_int_equal(fe_tls_store_set(world->store, &cert, 1), 0);
    }
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, cert), 0);
    fe_cert_unref(cert);
}

static void test_threads(void **state)
{
    struct tls_world world;
    struct shared shared;
    struct worker workers[N_THREADS];
    int next_rotation = ROUNDS_A_ROTATION;
    int n_rounds = 0;

    (void)state;
    tls_world_init(&world);
    replace(&world, "first.test");
    shared.store = world.store;
    atomic_init(&shared.n_rounds, 0);
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.shared = &shared,
                                     .version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
    while (n_rounds < N_THREADS * N_ROUNDS) {
        replace(&world, "first.test");
        replace(&world, "second.test");
        n_rounds = atomic_load_explicit(&shared.n_rounds, memory_order_relaxed);
        if (n_rounds >= next_rotation) {
            next_rotation = n_rounds + ROUNDS_A_ROTATION;
            assert_int_equal(fe_tls_tickets_rotate(world.tickets), 0);
        }
    }
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        /* Each ticket that is lost takes FE_TLS_TICKETS_KEPT rotations. */
        assert_true(workers[i].n_resumed > N_ROUNDS / 2);
    }
    tls_world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
