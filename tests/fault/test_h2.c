/* Each allocation of a connection's life fails in turn, nghttp2's own as well as far as they are
 * linked in: every exchange ends, and a client that is told of success has got all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/h2_rig.h"

enum { BODY = 100 * 1000 };

static void check(const struct h2_reply *reply, size_t n_body)
{
    if (reply->is_closed && reply->code == NGHTTP2_NO_ERROR &&
        strncmp(reply->head, "200", 3) == 0) {
        assert_int_equal(reply->n_body, n_body);
    }
}

/* Two answers at once, a body both ways, a client that goes away. */
static void run(struct h2_rig *rig, const struct fe_view *body)
{
    int32_t hello = h2_rig_request(rig, "GET", "/hello", NULL);
    int32_t big = h2_rig_request(rig, "GET", "/big/100000", NULL);
    int32_t echo;

    h2_rig_pump(rig);
    echo = h2_rig_request(rig, "POST", "/echo", body);
    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    check(h2_rig_reply(rig, hello), 5);
    check(h2_rig_reply(rig, big), 100000);
    check(h2_rig_reply(rig, echo), body->len);
    fe_http_server_drain(rig->server);
    h2_rig_pump(rig);
}

static void test_connection(void **state)
{
    static struct h2_rig rig;
    const struct fe_view body = fe_view_of(calloc(1, BODY), BODY);

    (void)state;
    assert_non_null(body.ptr);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        bool is_there = h2_rig_init(&rig, true);

        rig.trace.is_off = true;
        rig.frames.is_off = true;
        if (is_there) {
            run(&rig, &body);
        }
        (void)fe_fault_disarm();
        h2_rig_deinit(&rig);
    }
    free((void *)(uintptr_t)body.ptr);
}

/* A body that waits for its handler needs memory too. */
static void test_held(void **state)
{
    static struct h2_rig rig;
    const struct fe_view body = fe_view_of(calloc(1, BODY), BODY);

    (void)state;
    assert_non_null(body.ptr);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        if (h2_rig_init(&rig, true)) {
            (void)h2_rig_request(&rig, "POST", "/hold", &body);
            h2_rig_pump(&rig);
            if (rig.held[0] != NULL) {
                fe_exchange_resume(rig.held[0]);
                h2_rig_pump(&rig);
            }
        }
        (void)fe_fault_disarm();
        h2_rig_deinit(&rig);
    }
    free((void *)(uintptr_t)body.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
