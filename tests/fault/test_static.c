/* Serving files while each allocation fails in turn: an answer or an abort, and nothing left over.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/files/files.h"
#include "support/fake_client.h"
#include "support/fault.h"
#include "support/temp_dir.h"

static size_t count_fds(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 64; fd++) {
        n += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
    }
    return n;
}

/* The fake allocates nothing, so that every fault is the handler's. */
static void serve_with_faults(const char *root, const char *path, struct fe_view rest,
                              int status_without)
{
    struct fe_config_route route = {
        .kind = FE_ROUTE_STATIC, .static_path = root, .static_is_dir = true, .browse = true};
    const struct fe_router_options options = {true, true};
    struct fe_router *const router = fe_router_new(&options);
    const struct fe_match match = {
        .router = router, .route = &route, .params = {{.value = rest}}, .n_params = 1};
    const struct fe_files_backend files = fe_files_backend(NULL, NULL, NULL);
    const size_t n_fds = count_fds();

    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fake_client fake;
        bool has_failed;

        fake_client_init(&fake, "GET", path);
        fake.is_forgetful = true;
        fake.ex.match = &match;
        fe_backend_start(&files.backend, &fake.ex);
        has_failed = fe_fault_disarm();
        if (!has_failed) {
            assert_int_equal(fake.status, status_without);
            assert_int_equal(fake.state, FAKE_ENDED);
        } else {
            assert_true(fake.state == FAKE_ABORTED || fake.status == 503);
        }
        assert_int_equal(count_fds(), n_fds);
        fake_client_deinit(&fake);
    }
    fe_router_free(router);
}

static void test_serve(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    temp_dir_subdir(&dir, "sub");
    temp_dir_subdir(&dir, "bare");
    temp_dir_write(&dir, "sub/index.html", "<p>", 3);
    temp_dir_write(&dir, "bare/file", "x", 1);
    serve_with_faults(dir.path, "/bare/file", FE_VIEW_LIT("bare/file"), 200);
    serve_with_faults(dir.path, "/sub/", FE_VIEW_LIT("sub"), 200);
    serve_with_faults(dir.path, "/sub", FE_VIEW_LIT("sub"), 301);
    serve_with_faults(dir.path, "/bare/", FE_VIEW_LIT("bare"), 200);
    serve_with_faults(dir.path, "/n%6Fne", FE_VIEW_LIT("none"), 404);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
