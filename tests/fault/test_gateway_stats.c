/* A gateway is asked for its statistics without memory, and once it has stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/server/gateway.h"
#include "support/fault.h"

struct rig {
    struct fe_worker *worker;
    struct fe_gateway *gateway;
    unsigned n_done;
    unsigned n_stopped;
    int late_code;
};

static void on_done(void *arg, const struct fe_gateway_stats *stats)
{
    struct rig *rig = arg;

    assert_int_equal(stats->http.edge.accepts, 0);
    rig->n_done++;
}

static void on_stopped(void *arg)
{
    struct rig *rig = arg;

    rig->n_stopped++;
    rig->late_code = fe_gateway_stats(rig->gateway, on_done, rig);
    fe_worker_stop(rig->worker);
}

static void start(struct rig *rig)
{
    const struct fe_log log = {0};
    struct flatend_error err = {0};
    struct fe_config *config;

    *rig = (struct rig){0};
    assert_int_equal(fe_config_parse("test.toml",
                                     fe_view_str("addr = \"127.0.0.1:0\"\nworkers = 2\n[[http]]\n"
                                                 "addr = \"127.0.0.1:0\"\n"),
                                     &config, &err),
                     0);
    assert_int_equal(fe_worker_new(&rig->worker, NULL), 0);
    assert_int_equal(fe_gateway_start(rig->worker, config, &log, &rig->gateway, &err), 0);
    fe_config_unref(config);
}

/* It says so at once, and nothing comes later. */
static void test_no_memory(void **state)
{
    unsigned n_asked = 0;
    struct rig rig;

    (void)state;
    start(&rig);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        int code = fe_gateway_stats(rig.gateway, on_done, &rig);

        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        n_asked += code == 0;
        assert_int_equal(rig.n_done, 0); /* not from within */
    }
    assert_int_equal(n_asked, 1);
    fe_gateway_stop(rig.gateway, on_stopped, &rig);
    fe_worker_run(rig.worker);
    assert_int_equal(rig.n_stopped, 1);
    assert_int_equal(rig.n_done, 1);
    assert_int_equal(rig.late_code, FLATEND_ECANCELED);
    fe_gateway_free(rig.gateway);
    fe_worker_free(rig.worker, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
