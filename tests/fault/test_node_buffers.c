/* A body that is not copied on its way, from a call to the node's own service and back; each
 * allocation fails in turn. What was taken is given back once, what was not never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/nodes.h"

enum { LEN = 20000 }; /* more than a block, so that it is lent */

static const char body[LEN];

static void count_down(void *arg)
{
    atomic_fetch_sub((atomic_int *)arg, 1);
}

static int lend(struct flatend_context *ctx, struct flatend_stream *stream, atomic_int *n_lent)
{
    int code;

    atomic_fetch_add(n_lent, 1);
    code = ctx != NULL ? flatend_context_write_buffer(ctx, body, LEN, count_down, n_lent)
                       : flatend_stream_write_buffer(stream, body, LEN, count_down, n_lent);
    if (code != 0) {
        count_down(n_lent);
    }
    return code;
}

static void answer(struct flatend_context *ctx, void *arg)
{
    struct flatend_buffer *buffer;
    const void *data;
    size_t len = 0;
    ssize_t n;

    while ((n = flatend_context_read_buffer(ctx, &data, &buffer)) > 0) {
        len += (size_t)n;
        flatend_buffer_release(buffer);
    }
    if (n == 0) {
        assert_int_equal(len, LEN);
        n = lend(ctx, NULL, arg);
    }
    if (n < 0) {
        (void)flatend_context_fail(ctx, 500, "%s", flatend_strerror((int)n));
    }
}

/* How many bytes were answered, or a code. */
static ssize_t read_whole(struct flatend_stream *stream)
{
    int status;
    struct flatend_buffer *buffer;
    const void *data;
    ssize_t len = 0;
    ssize_t n = flatend_stream_response(stream, &status, NULL, NULL);

    if (n == 0 && status != 200) {
        return FLATEND_ENOMEM;
    }
    while (n == 0 && (n = flatend_stream_read_buffer(stream, &data, &buffer)) > 0) {
        len += n;
        n = 0;
        flatend_buffer_release(buffer);
    }
    return n == 0 ? len : n;
}

static ssize_t call(struct flatend_node *node, atomic_int *n_lent)
{
    const char *name = "it";
    const struct flatend_request request = {.services = &name, .n_services = 1};
    struct flatend_stream *stream;
    ssize_t n = flatend_push(node, &request, &stream, NULL);

    if (n != 0) {
        return n;
    }
    n = lend(NULL, stream, n_lent);
    if (n == 0) {
        n = flatend_stream_finish(stream);
    }
    n = n == 0 ? read_whole(stream) : n;
    flatend_stream_close(stream);
    return n;
}

static void each_allocation_fails(void **state)
{
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        atomic_int n_lent = 0;
        const struct flatend_service service = {.name = "it", .handler = answer, .arg = &n_lent};
        char addr[64];
        struct flatend_node *node = nodes_listen(&service, 1, addr);
        ssize_t n;

        assert_true(fe_fault_arm(nth));
        n = call(node, &n_lent);
        failed = fe_fault_disarm();
        assert_true(failed ? n == LEN || n < 0 : n == LEN);
        assert_int_equal(call(node, &n_lent), LEN); /* and the next one goes well */
        flatend_node_free(node);
        assert_int_equal(atomic_load(&n_lent), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
