/* Joining: the first addresses, dialing again, discovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rig.h"
#include "support/seeds.h"

static struct fe_addr addr_of(uint8_t number)
{
    return (struct fe_addr){.family = FE_IPV4, .ip = {10, 0, 0, number}, .port = 9000};
}

/* Joins through 10.0.0.2, which becomes connection 0. */
static void join_one(struct rig *rig)
{
    struct fe_addr addr = addr_of(2);

    assert_int_equal(join_addrs(rig->mesh, &addr, 1), 0);
    assert_int_equal(rig->n_conns, 1);
    assert_true(fe_addr_equal(&rig_conn(rig, 0)->addr, &addr));
}

/* The connection's far end is `self`, and both have said hello. */
static void open_conn(struct rig_conn *conn, const struct fe_self *self)
{
    assert_int_equal(rig_open(conn, self), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
}

/* Answers the mesh's FindNode with these nodes. */
static void answer(struct rig_conn *conn, const struct fe_id *ids, size_t n)
{
    struct fe_sender *sender = rig_sender(conn);

    assert_int_not_equal(conn->find_token, 0);
    assert_int_equal(sender->ops->nodes(sender, conn->find_token, ids, n), 0);
    conn->find_token = 0;
    assert_int_equal(rig_carry(conn), 0);
}

/* ---- the first addresses ---- */

static void test_join_as_the_readme_shows_it(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    self.n_services = 0;
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    assert_memory_equal(rig_conn(&rig, 0)->find_target, rig.self.id.public_key, FE_KEY_LEN);
    answer(rig_conn(&rig, 0), &rig.self.id, 1);
    assert_string_equal(
        rig.trace, rig_with_key(&rig, &self,
                                "You are now connected to 10.0.0.2:9000. Services: [] (key @)\n"
                                "Re-probed 10.0.0.2:9000. Services: [] (key @)\n"
                                "Discovered 0 peer(s).\n"));
    assert_int_equal(rig.n_joined, 0); /* from the timer, not from within a call */
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 1);
    rig_deinit(&rig);
    assert_int_equal(rig.n_joined, 1);
}

static void test_join_nowhere(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    assert_int_equal(join_addrs(rig.mesh, NULL, 0), 0);
    assert_int_equal(join_addrs(rig.mesh, NULL, 0), FLATEND_ESTATE);
    assert_int_equal(rig.n_joined, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_string_equal(rig.trace, "");
    rig_deinit(&rig);
}

static void test_anonymous_node_asks_for_the_zero_key(void **state)
{
    static const uint8_t zero_key[FE_KEY_LEN];
    struct fe_self self;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.self.is_anonymous = true;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    assert_memory_equal(rig_conn(&rig, 0)->find_target, zero_key, FE_KEY_LEN);
    rig_deinit(&rig);
}

/* Neither discovery nor the join waits for the address that does not answer. */
static void test_one_of_two_does_not_answer(void **state)
{
    struct fe_addr addrs[] = {addr_of(2), addr_of(3)};
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    assert_int_equal(join_addrs(rig.mesh, addrs, 2), 0);
    open_conn(rig_conn(&rig, 0), &self);
    assert_int_equal(rig_conn(&rig, 0)->find_token, 0); /* the other was not even tried once */
    rig_refuse(rig_conn(&rig, 1));
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    assert_int_equal(rig.n_joined, 0); /* what is near is asked for first */
    answer(rig_conn(&rig, 0), NULL, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 1);
    assert_int_equal(rig.n_waiting, 1);
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 3); /* the other is dialed on */
    rig_deinit(&rig);
}

/* Nor for one that says nothing at all, but for a moment. */
static void test_one_of_two_is_silent(void **state)
{
    struct fe_addr addrs[] = {addr_of(2), addr_of(3)};
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    assert_int_equal(join_addrs(rig.mesh, addrs, 2), 0);
    open_conn(rig_conn(&rig, 0), &self);
    rig_run(&rig, FE_MESH_GRACE_MS - 1);
    assert_int_equal(rig_conn(&rig, 0)->find_token, 0);
    rig_run(&rig, 1);
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    answer(rig_conn(&rig, 0), NULL, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 1);
    rig_deinit(&rig);
}

/* No address answers: the join ends with its time, and says why; dialing does not. */
static void test_join_timeout(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    rig.config.join_timeout_ms = 700;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    rig_refuse(rig_conn(&rig, 0));
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 2);
    rig_run(&rig, 199);
    assert_int_equal(rig.n_joined, 0);
    rig_run(&rig, 2);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 0);
    assert_int_equal(rig.n_waiting, 1);
    assert_int_equal(rig.join_error.code, FLATEND_EREFUSED);
    assert_string_equal(rig.join_error.text, "connect 10.0.0.2:9000: connection refused");
    open_conn(rig_conn(&rig, 1), &self);
    assert_int_not_equal(rig_conn(&rig, 1)->find_token, 0); /* the discovery comes late, too */
    assert_int_equal(rig.n_joined, 1);
    rig_deinit(&rig);
}

static void test_address_that_answers_late_is_asked_too(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    rig_refuse(rig_conn(&rig, 0));
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 2);
    open_conn(rig_conn(&rig, 1), &self);
    answer(rig_conn(&rig, 1), NULL, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 1);
    rig_deinit(&rig);
}

static void test_own_address(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    join_one(&rig);
    assert_int_equal(rig_open(rig_conn(&rig, 0), &rig.self), 0);
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    assert_int_equal(rig_conn(&rig, 0)->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 1);
    assert_string_equal(rig.trace, "");
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 0);
    rig_deinit(&rig);
}

static void test_close_while_joining(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    join_one(&rig);
    fe_mesh_close(rig.mesh, false);
    assert_int_equal(rig_conn(&rig, 0)->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 1);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 0);
    assert_int_equal(rig.n_closed, 1);
    rig_deinit(&rig);
}

/* ---- dialing again ---- */

/* The delay in the last line of the log, which must say that we try again. */
static unsigned logged_delay(const struct rig *rig)
{
    static const char line[] = "Trying to reconnect to 10.0.0.2:9000. Sleeping for ";
    const char *at = strstr(rig->trace, line);
    unsigned delay_ms = 0;

    assert_non_null(at);
    at += sizeof(line) - 1;
    if (strcmp(at, "1s.\n") == 0) {
        return 1000;
    }
    assert_int_not_equal(*at, '\0');
    while (*at >= '0' && *at <= '9') {
        delay_ms = 10 * delay_ms + (unsigned)(*at++ - '0');
    }
    assert_string_equal(at, "ms.\n");
    return delay_ms;
}

/* The longest delays: 500 ms times 1.25 to the n-th, but for the maximum. */
static const unsigned longest[] = {500, 625, 781, 976, 1000, 1000, 1000, 1000};

/* Full jitter: anything up to the interval, so that in many runs both of its ends are near. */
static void test_attempts_and_their_delays(void **state)
{
    enum { RUNS = 40 };
    unsigned least[8];
    unsigned most[8] = {0};

    (void)state;
    memset(least, 0xff, sizeof(least));
    for (uint64_t run = 0; run < RUNS; run++) {
        struct rig rig;

        assert_int_equal(rig_init(&rig, run), 0);
        join_one(&rig);
        for (size_t i = 0; i < 8; i++) {
            unsigned delay_ms;

            rig_forget_log(&rig);
            rig_refuse(rig_conn(&rig, i));
            delay_ms = logged_delay(&rig);
            assert_in_range(delay_ms, 0, longest[i]);
            least[i] = delay_ms < least[i] ? delay_ms : least[i];
            most[i] = delay_ms > most[i] ? delay_ms : most[i];
            if (delay_ms > 0) {
                rig_run(&rig, delay_ms - 1);
                assert_int_equal(rig.n_conns, i + 1);
            }
            rig_run(&rig, 1);
            assert_int_equal(rig.n_conns, i + 2);
        }
        rig_forget_log(&rig);
        rig_refuse(rig_conn(&rig, 8));
        assert_string_equal(rig.trace, "Tried 8 times reconnecting to 10.0.0.2:9000. Giving up.\n");
        rig_run(&rig, 60000);
        assert_int_equal(rig.n_conns, 9);
        assert_int_equal(rig.n_joined, 1);
        assert_int_equal(rig.n_connected, 0);
        assert_int_equal(rig.n_waiting, 0);
        rig_deinit(&rig);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_in_range(least[i], 0, longest[i] / 5);
        assert_in_range(most[i], longest[i] * 4 / 5, longest[i]);
    }
}

/* The attempt that is due comes, and finds nothing. */
static void fail_next(struct rig *rig)
{
    const size_t n = rig->n_conns;

    for (unsigned ms = 0; rig->n_conns == n; ms++) {
        assert_in_range(ms, 0, 1000);
        rig_run(rig, 1);
    }
    rig_refuse(rig_conn(rig, n));
}

/* What somebody has configured is dialed for ever; after eight attempts the log says less, and
 * why. */
static void test_configured_address_is_never_given_up(void **state)
{
    static const char line[] = "Tried ";
    const char *at;
    struct fe_self self;
    struct rig rig;
    size_t n_lines = 0;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    rig.config.join_timeout_ms = 1000;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    rig_refuse(rig_conn(&rig, 0));
    for (int i = 0; i < 8; i++) {
        fail_next(&rig);
    }
    assert_true(rig_has_logged(&rig, "Tried 8 times reconnecting to 10.0.0.2:9000: connect "
                                     "10.0.0.2:9000: connection refused. Trying on.\n"));
    rig_forget_log(&rig);
    while (rig.n_conns < RIG_CONNS_MAX - 1) {
        const uint64_t from_ms = rig.now_ms;

        rig_forget_log(&rig);
        fail_next(&rig);
        assert_in_range(rig.now_ms - from_ms, 0, 1001);
        at = strstr(rig.trace, line);
        n_lines += at != NULL;
        assert_true(rig.trace_len == 0 || at == rig.trace);
    }
    assert_in_range(n_lines, rig.now_ms / FE_MESH_LOG_MS - 1, rig.now_ms / FE_MESH_LOG_MS);
    rig_forget_log(&rig);
    rig_run(&rig, 1000);
    open_conn(rig_conn(&rig, RIG_CONNS_MAX - 1), &self);
    assert_true(rig_has_logged(&rig, "You are now connected to 10.0.0.2:9000."));
    rig_deinit(&rig);
}

/* A peer that accepts and says nothing has a warning for each attempt, but not for ever. */
static void test_quiet_about_faults_too(void **state)
{
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    assert_int_equal(rig_start(&rig), 0);
    join_one(&rig);
    for (size_t i = 0; i <= 9; i++) {
        assert_int_equal(rig.n_conns, i + 1);
        rig_forget_log(&rig);
        fe_link_on_open(rig_conn(&rig, i)->link, 0);
        rig_run(&rig, FE_MESH_HANDSHAKE_MS);
        assert_int_equal(rig_has_logged(&rig, "handshake timed out after 10000 ms.\n"), i < 9);
        rig_reap(&rig);
        rig_run(&rig, 1000);
    }
    rig_deinit(&rig);
}

/* Discovered addresses have eight attempts after all. */
static void test_discovered_address_is_given_up(void **state)
{
    struct fe_self selves[2];
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &selves[0], 2);
    rig_make_self(&rig, &selves[1], 3);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &selves[0]);
    answer(rig_conn(&rig, 0), &selves[1].id, 1);
    open_conn(rig_conn(&rig, 1), &selves[1]);
    answer(rig_conn(&rig, 1), NULL, 0);
    rig_lose(rig_conn(&rig, 1), FLATEND_ERESET);
    for (int i = 0; i < 8; i++) {
        assert_false(rig_has_logged(&rig, "Giving up."));
        fail_next(&rig);
    }
    assert_true(rig_has_logged(&rig, "Tried 8 times reconnecting to 10.0.0.3:9000. Giving up.\n"));
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 10);
    rig_deinit(&rig);
}

/* Options of zero are not a loop that never rests. */
static void test_no_interval(void **state)
{
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    rig.config.reconnect_backoff_min_ms = 0;
    rig.config.reconnect_backoff_max_ms = 0;
    assert_int_equal(rig_start(&rig), 0);
    join_one(&rig);
    rig_refuse(rig_conn(&rig, 0));
    while (rig.n_conns < RIG_CONNS_MAX) {
        fail_next(&rig);
    }
    assert_in_range(rig.now_ms, RIG_CONNS_MAX * FE_MESH_INTERVAL_MIN_MS / 4,
                    RIG_CONNS_MAX * FE_MESH_INTERVAL_MIN_MS);
    rig_deinit(&rig);
}

/* The first attempt after a loss comes at once; then each loss starts from the first delay again. A
 * peer that comes back offers its services anew, and is asked again for nodes. */
static void test_lost_peer_is_dialed_again(void **state)
{
    static const struct fe_view svc = {(const uint8_t *)"svc", 3};
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    answer(rig_conn(&rig, 0), NULL, 0);
    for (size_t i = 0; i < 20; i += 2) {
        rig_run(&rig, FE_MESH_AT_ONCE_MS);
        rig_forget_log(&rig);
        rig_lose(rig_conn(&rig, i), FLATEND_ERESET);
        rig_run(&rig, 0);
        assert_int_equal(rig.n_conns, i + 2);
        assert_string_equal(
            rig.trace,
            rig_with_key(&rig, &self,
                         "10.0.0.2:9000 has disconnected from you. Services: [svc] (key @)\n"));
        assert_null(fe_registry_choose(fe_mesh_registry(rig.mesh), &svc, 1, NULL, 0));
        rig_forget_log(&rig);
        rig_refuse(rig_conn(&rig, i + 1));
        assert_in_range(logged_delay(&rig), 0, 500);
        rig_run(&rig, 500);
        rig_forget_log(&rig);
        open_conn(rig_conn(&rig, i + 2), &self);
        assert_string_equal(
            rig.trace,
            rig_with_key(&rig, &self,
                         "You are now connected to 10.0.0.2:9000. Services: [svc] (key @)\n"
                         "Re-probed 10.0.0.2:9000. Services: [svc] (key @)\n"));
        answer(rig_conn(&rig, i + 2), NULL, 0);
        assert_non_null(fe_registry_choose(fe_mesh_registry(rig.mesh), &svc, 1, NULL, 0));
    }
    assert_int_equal(rig.n_joined, 1);
    rig_deinit(&rig);
}

/* A peer that accepts and hangs up is not dialed in a loop. */
static void test_peer_that_hangs_up(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    answer(rig_conn(&rig, 0), NULL, 0);
    rig_lose(rig_conn(&rig, 0), FLATEND_ERESET);
    rig_run(&rig, 0);
    open_conn(rig_conn(&rig, 1), &self);
    rig_forget_log(&rig);
    rig_lose(rig_conn(&rig, 1), FLATEND_ERESET);
    assert_true(rig_has_logged(&rig, "Trying to reconnect to 10.0.0.2:9000. Sleeping for "));
    rig_run(&rig, 500);
    open_conn(rig_conn(&rig, 2), &self);
    rig_run(&rig, FE_MESH_AT_ONCE_MS);
    rig_lose(rig_conn(&rig, 2), FLATEND_ERESET);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_conns, 4); /* a while later it is at once again */
    rig_deinit(&rig);
}

static void test_never_again(void **state)
{
    static const int attempts[] = {0, -1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;

        rig_prepare(&rig, 1);
        rig.config.reconnect_attempts = attempts[i];
        assert_int_equal(rig_start(&rig), 0);
        join_one(&rig);
        rig_refuse(rig_conn(&rig, 0));
        rig_run(&rig, 60000);
        assert_int_equal(rig.n_conns, 1);
        assert_int_equal(rig.n_joined, 1);
        assert_string_equal(rig.trace, "");
        rig_deinit(&rig);
    }
}

static void test_peer_that_sends_no_handshake(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    join_one(&rig);
    rig_run(&rig, FE_MESH_HANDSHAKE_MS);
    assert_int_equal(rig_conn(&rig, 0)->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 2);
    fe_link_on_open(rig_conn(&rig, 1)->link, 0);
    rig_run(&rig, FE_MESH_HANDSHAKE_MS - 1);
    assert_int_equal(rig_conn(&rig, 1)->n_closes, 0);
    rig_run(&rig, 1);
    assert_int_equal(rig_conn(&rig, 1)->n_closes, 1);
    assert_true(rig_has_logged(
        &rig, "Closed the connection to 10.0.0.2:9000: handshake timed out after 10000 ms.\n"));
    rig_deinit(&rig);
}

/* The transport cannot even begin, and has no callback to give. */
static void test_dial_that_cannot_begin(void **state)
{
    struct fe_addr addr = addr_of(2);
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig.dial_code = FLATEND_EUNREACHABLE;
    assert_int_equal(join_addrs(rig.mesh, &addr, 1), 0);
    assert_in_range(logged_delay(&rig), 0, 500);
    rig.dial_code = 0;
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 1);
    rig_deinit(&rig);
}

static void test_drain_stops_dialing(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    rig_lose(rig_conn(&rig, 0), FLATEND_ERESET);
    fe_mesh_drain(rig.mesh);
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 1);
    assert_int_equal(rig.n_joined, 1);
    rig_deinit(&rig);
}

/* "5ms", "1s", "1.5s", "2m0s", "10m0.001s" */
static void write_as_go(unsigned ms, char text[32])
{
    if (ms < 1000) {
        (void)snprintf(text, 32, "%ums", ms);
    } else if (ms < 60000) {
        (void)snprintf(text, 32, "%gs", ms / 1000.0);
    } else {
        (void)snprintf(text, 32, "%um%gs", ms / 60000, ms % 60000 / 1000.0);
    }
}

static void assert_said_and_waited(unsigned max_ms, uint64_t seed, bool is_constant)
{
    char expected[96];
    char delay[32];
    struct rig rig;

    rig_prepare(&rig, seed);
    rig.config.reconnect_backoff_min_ms = max_ms;
    rig.config.reconnect_backoff_max_ms = max_ms;
    rig.config.reconnect_backoff_factor = is_constant ? 1 : 1.25;
    assert_int_equal(rig_start(&rig), 0);
    join_one(&rig);
    rig_refuse(rig_conn(&rig, 0));
    for (rig_run(&rig, 0); rig.n_conns == 1;) {
        rig_run(&rig, 1);
    }
    assert_true(!is_constant || rig.now_ms == max_ms);
    write_as_go((unsigned)rig.now_ms, delay);
    (void)snprintf(expected, sizeof(expected),
                   "Trying to reconnect to 10.0.0.2:9000. Sleeping for %s.\n", delay);
    assert_string_equal(rig.trace, expected);
    rig_deinit(&rig);
}

static void test_delays_are_written_as_go_does(void **state)
{
    static const unsigned max_ms[] = {0, 5, 999, 2000, 59000, 60000, 600001};

    (void)state;
    for (size_t i = 0; i < sizeof(max_ms) / sizeof(max_ms[0]); i++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            assert_said_and_waited(max_ms[i], seed, false);
            assert_said_and_waited(max_ms[i], seed, true);
        }
    }
}

/* ---- discovery ---- */

static void test_discovered_nodes_are_dialed_and_asked(void **state)
{
    struct fe_self selves[4];
    struct fe_id ids[3];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    for (uint8_t i = 0; i < 4; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
    }
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &selves[0]);
    ids[0] = selves[1].id;
    ids[1] = selves[2].id;
    ids[2] = selves[0].id; /* itself: connected already */
    answer(rig_conn(&rig, 0), ids, 3);
    assert_int_equal(rig.n_conns, 3);
    rig_refuse(rig_conn(&rig, 2));
    assert_int_equal(rig.n_conns, 3);
    assert_false(rig_has_logged(&rig, "Trying to reconnect")); /* it never answered */

    /* One of them answers, and knows one more, which cannot be reached. */
    open_conn(rig_conn(&rig, 1),
              rig_conn(&rig, 1)->addr.ip[3] == ids[0].addr.ip[3] ? &selves[1] : &selves[2]);
    answer(rig_conn(&rig, 1), &selves[3].id, 1);
    assert_int_equal(rig.n_conns, 4);
    rig_refuse(rig_conn(&rig, 3));
    assert_true(rig_has_logged(&rig, "Discovered 1 peer(s).\n"));
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);

    /* Having answered once, it is kept. */
    rig_lose(rig_conn(&rig, 1), FLATEND_ERESET);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_conns, 5);
    rig_deinit(&rig);
}

/* Told on a connection from 10.0.0.2, "any address, port 9007" is on that host. */
static void test_unspecified_address_of_a_discovered_node(void **state)
{
    struct fe_addr expected = addr_of(2);
    struct fe_self selves[2];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &selves[0], 2);
    rig_make_self(&rig, &selves[1], 0);
    selves[1].id.addr = (struct fe_ip_addr){.family = FE_IPV6, .port = 9007};
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &selves[0]);
    answer(rig_conn(&rig, 0), &selves[1].id, 1);
    expected.port = 9007;
    assert_true(fe_addr_equal(&rig_conn(&rig, 1)->addr, &expected));
    rig_deinit(&rig);
}

/* Connected under that address is another node: one connection to an address is enough. */
static void test_stale_identity_of_a_connected_address(void **state)
{
    struct fe_self selves[2];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &selves[0], 2);
    rig_make_self(&rig, &selves[1], 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &selves[0]);
    answer(rig_conn(&rig, 0), &selves[1].id, 1);
    assert_int_equal(rig.n_conns, 1);
    assert_true(rig_has_logged(&rig, "Discovered 0 peer(s).\n"));
    rig_deinit(&rig);
}

static void test_peer_that_does_not_answer_find_node(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    rig_run(&rig, FE_MESH_ANSWER_MS - 1);
    assert_int_equal(rig.n_joined, 0);
    rig_run(&rig, 2);
    assert_int_equal(rig.n_joined, 1);
    answer(rig_conn(&rig, 0), &self.id, 1); /* too late: neither harmful nor useful */
    assert_int_equal(rig_conn(&rig, 0)->n_closes, 0);
    assert_int_equal(rig.n_conns, 1);
    rig_deinit(&rig);
}

static void test_peer_lost_while_it_is_asked(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    rig_lose(rig_conn(&rig, 0), FLATEND_ERESET);
    assert_true(rig_has_logged(&rig, "Discovered 0 peer(s).\n"));
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    rig_deinit(&rig);
}

/* Nodes 10.0.0.100 and so on; as far as can be seen, all of them exist. */
enum { N_INVENTED = 64 };

static void invent(struct rig *rig, struct fe_self selves[N_INVENTED])
{
    for (size_t i = 0; i < N_INVENTED; i++) {
        rig_make_self(rig, &selves[i], (uint8_t)(100 + i));
    }
}

static void answer_with(struct rig_conn *conn, const struct fe_self *selves, size_t n)
{
    struct fe_id ids[FE_NODES_MAX];

    for (size_t i = 0; i < n; i++) {
        ids[i] = selves[i].id;
    }
    answer(conn, ids, n);
}

/* Not more than sixteen are dialed at once; those that do not answer make room for the next. */
static void test_nodes_that_do_not_answer(void **state)
{
    struct fe_self selves[N_INVENTED];
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    invent(&rig, selves);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    answer_with(rig_conn(&rig, 0), selves, FE_NODES_MAX);
    assert_int_equal(rig.n_conns, 1 + FE_NODES_MAX);
    rig_run(&rig, FE_MESH_HANDSHAKE_MS - 1);
    rig_reap(&rig);
    assert_int_equal(rig.n_joined, 0);
    rig_run(&rig, 1);
    rig_reap(&rig);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_conns, 1 + FE_NODES_MAX);
    assert_string_equal(strchr(strchr(rig.trace, '\n') + 1, '\n') + 1, "Discovered 0 peer(s).\n");
    rig_deinit(&rig);
}

/* Three answer and invent sixteen more each. Sixteen at a time, each of which takes its ten
 * seconds: the discovery ends before they are all through. */
static void test_discovery_has_a_deadline(void **state)
{
    struct fe_self selves[N_INVENTED];
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    invent(&rig, selves);
    join_one(&rig);
    open_conn(rig_conn(&rig, 0), &self);
    answer_with(rig_conn(&rig, 0), selves, FE_NODES_MAX);
    for (size_t i = 1; i <= 3; i++) {
        struct rig_conn *conn = rig_conn(&rig, i);

        open_conn(conn, &selves[conn->addr.ip[3] - 100]);
        answer_with(conn, selves + i * FE_NODES_MAX, FE_NODES_MAX);
    }
    assert_int_equal(rig.n_conns, 1 + 3 + FE_NODES_MAX);
    for (int i = 0; i < FE_MESH_DISCOVER_MS / FE_MESH_HANDSHAKE_MS; i++) {
        assert_int_equal(rig.n_joined, 0);
        rig_run(&rig, FE_MESH_HANDSHAKE_MS);
        rig_reap(&rig);
    }
    rig_run(&rig, 1);
    assert_int_equal(rig.n_joined, 1);
    assert_true(rig.n_conns < 1 + N_INVENTED);
    assert_true(rig_has_logged(&rig, "Discovered 3 peer(s).\n"));
    rig_deinit(&rig);
}

static void test_limit_of_links(void **state)
{
    struct fe_addr addr = addr_of(2);
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig.mesh->links_max = 0;
    assert_int_equal(join_addrs(rig.mesh, &addr, 1), 0);
    assert_int_equal(rig.n_conns, 0);
    rig.mesh->links_max = 1;
    rig_run(&rig, 500);
    assert_int_equal(rig.n_conns, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_as_the_readme_shows_it),
        cmocka_unit_test(test_join_nowhere),
        cmocka_unit_test(test_anonymous_node_asks_for_the_zero_key),
        cmocka_unit_test(test_one_of_two_does_not_answer),
        cmocka_unit_test(test_one_of_two_is_silent),
        cmocka_unit_test(test_join_timeout),
        cmocka_unit_test(test_address_that_answers_late_is_asked_too),
        cmocka_unit_test(test_own_address),
        cmocka_unit_test(test_close_while_joining),
        cmocka_unit_test(test_attempts_and_their_delays),
        cmocka_unit_test(test_configured_address_is_never_given_up),
        cmocka_unit_test(test_quiet_about_faults_too),
        cmocka_unit_test(test_discovered_address_is_given_up),
        cmocka_unit_test(test_no_interval),
        cmocka_unit_test(test_peer_that_hangs_up),
        cmocka_unit_test(test_lost_peer_is_dialed_again),
        cmocka_unit_test(test_never_again),
        cmocka_unit_test(test_peer_that_sends_no_handshake),
        cmocka_unit_test(test_dial_that_cannot_begin),
        cmocka_unit_test(test_drain_stops_dialing),
        cmocka_unit_test(test_delays_are_written_as_go_does),
        cmocka_unit_test(test_discovered_nodes_are_dialed_and_asked),
        cmocka_unit_test(test_unspecified_address_of_a_discovered_node),
        cmocka_unit_test(test_stale_identity_of_a_connected_address),
        cmocka_unit_test(test_peer_that_does_not_answer_find_node),
        cmocka_unit_test(test_peer_lost_while_it_is_asked),
        cmocka_unit_test(test_nodes_that_do_not_answer),
        cmocka_unit_test(test_discovery_has_a_deadline),
        cmocka_unit_test(test_limit_of_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
