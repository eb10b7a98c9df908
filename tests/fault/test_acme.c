/* Each allocation of ACME fails in turn: whatever was under way is tried again, and ends with a
 * certificate. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/acme_rig.h"
#include "support/fault.h"
#include "support/h1_client_corpus.h"
#include "support/temp_dir.h"
#include "web/acme/store.h"

enum { STEPS = 200 };

/* jansson asks here, so that its allocations fail too. */
static void *json_malloc_here(size_t size)
{
    return malloc(size);
}

static void json_free_here(void *ptr)
{
    free(ptr);
}

/* ---- the machine ---------------------------------------------------------------------------- */

static size_t nth_in_call;
static bool has_armed;

static void before(void)
{
    has_armed = fe_fault_arm(nth_in_call);
}

static void after(void)
{
}

/* Lets the `nth` allocation of the `k`-th call fail. False: there is none. */
static bool fail_in_step(unsigned k, size_t nth, bool *was_done)
{
    struct acme_rig rig;
    bool has_failed;

    acme_rig_init(&rig);
    rig.trace.is_off = true;
    assert_true(acme_rig_start(&rig));
    for (unsigned i = 0; i < k && rig.n_installed == 0; i++) {
        acme_rig_step(&rig);
    }
    *was_done = rig.n_installed > 0;
    nth_in_call = nth;
    rig.before = before;
    rig.after = after;
    acme_rig_step(&rig);
    has_failed = fe_fault_disarm() && has_armed;
    rig.before = NULL;
    rig.after = NULL;
    if (!acme_rig_run(&rig, 1, STEPS)) {
        fail_msg("no certificate after a fault in step %u, allocation %zu: %s", k, nth,
                 rig.last_log);
    }
    assert_int_equal(rig.ca.n_accounts, 1);
    acme_rig_deinit(&rig);
    return has_failed;
}

static void test_machine(void **state)
{
    unsigned n_faults = 0;
    bool was_done = false;

    (void)state;
    for (unsigned k = 0; !was_done; k++) {
        /* A document of JSON takes many of the same kind: of those, some. */
        for (size_t nth = 1; fail_in_step(k, nth, &was_done); nth += 1 + nth / 4) {
            n_faults++;
        }
    }
    assert_true(n_faults > 50);
}

static void test_new(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        const struct fe_acme_config config = {.directory = ACME_CA_URL};
        const struct fe_rng rng = {NULL, NULL};
        const struct fe_acme_ops ops = {.wake_at = NULL};
        struct fe_acme *acme = fe_acme_new(&config, &rng, NULL, &ops, NULL);

        assert_int_equal(acme == NULL, fe_fault_disarm());
        fe_acme_free(acme);
    }
}

/* ---- the store ------------------------------------------------------------------------------ */

static int use_store(struct temp_dir *dir)
{
    static const char *const names[] = {"a.test", "b.test"};
    struct fe_acme_store *store;
    struct fe_acme_saved saved;
    struct flatend_error err;
    int code = fe_acme_store_open(dir->path, ACME_CA_URL, names, 2, &store);

    if (code != 0) {
        return code;
    }
    code = fe_acme_store_lock(store, &saved, &err);
    if (code == 0) {
        strcpy(saved.order_url, "https://ca.test/order/1");
        code = fe_acme_store_save_account(store, &saved, &err);
    }
    if (code == 0) {
        code = fe_acme_store_save_order(store, &saved, &err);
    }
    if (code == 0) {
        saved.order_key = fe_acme_key_generate(FE_ACME_P256);
        code = fe_acme_store_save_key(store, &saved, &err);
    }
    if (code == 0) {
        code = fe_acme_store_save_certificate(store, &saved, FE_VIEW_LIT("x"), &err);
    }
    if (code == 0) { /* and read again */
        fe_acme_store_unlock(store);
        fe_acme_saved_deinit(&saved);
        code = fe_acme_store_lock(store, &saved, &err);
    }
    fe_acme_saved_deinit(&saved);
    fe_acme_store_close(store);
    return code;
}

static void test_store(void **state)
{
    (void)state;
    for (size_t nth = 1, goes_on = 1; goes_on; nth++) {
        struct temp_dir dir;
        int code;

        temp_dir_make(&dir);
        goes_on = fe_fault_arm(nth);
        code = use_store(&dir);
        if (goes_on && fe_fault_disarm()) {
            /* What was kept and cannot be read counts as not there. */
            assert_true(code == FLATEND_ENOMEM || code == 0);
        } else {
            assert_int_equal(code, 0);
        }
        temp_dir_remove(&dir);
    }
}

/* ---- responses ------------------------------------------------------------------------------ */

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < h1_client_corpus_n; i++) {
        for (size_t nth = 1; fe_fault_arm(nth); nth++) {
            struct h1_client_reading reading;
            const bool is_whole = h1_client_read(&reading, &h1_client_corpus[i], NULL, NULL);

            if (fe_fault_disarm()) {
                assert_false(is_whole);
            } else {
                assert_string_equal(reading.text, h1_client_corpus[i].expected);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_responses),
    };

    json_set_alloc_funcs(json_malloc_here, json_free_here);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
