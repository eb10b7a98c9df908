#include "support/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct flatend_stream *calls_push(struct flatend_node *node, const char *service, const char *body,
                                  const char *name, const char *value)
{
    const struct flatend_header header = {
        .name = name, .value = value, .value_len = value != NULL ? strlen(value) : 0};
    struct flatend_request request = {
        .services = &service,
        .n_services = 1,
        .headers = &header,
        .n_headers = name != NULL,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
    };
    struct flatend_stream *stream;
    struct flatend_error error = {0};

    if (flatend_push(node, &request, &stream, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return stream;
}

const char *calls_read(struct flatend_stream *stream)
{
    const char *answer;
    size_t len;

    assert_int_equal(flatend_stream_read_all(stream, 65536, &answer, &len), 0);
    return answer;
}

void hanging_init(struct hanging *hanging)
{
    memset(hanging, 0, sizeof(*hanging));
    latch_init(&hanging->entered);
    latch_init(&hanging->left);
}

void hanging_deinit(struct hanging *hanging)
{
    latch_deinit(&hanging->entered);
    latch_deinit(&hanging->left);
}

void hang(struct flatend_context *ctx, void *arg)
{
    struct hanging *hanging = arg;
    char buf[100];

    hanging->left_ms = flatend_context_remaining_ms(ctx);
    latch_count(&hanging->entered);
    while ((hanging->result = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
    }
    hanging->was_canceled = flatend_context_is_canceled(ctx);
    latch_count(&hanging->left);
}
