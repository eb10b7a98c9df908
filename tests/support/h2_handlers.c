/* The handlers of an h2_rig's requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/h2_rig.h"
#include "support/trace_http.h"
#include "support/tunnels.h"

enum { PIECE = 16384 };

static struct h2_rig *rig_of(struct fe_exchange *ex)
{
    return ex->state;
}

static size_t index_of(const struct h2_rig *rig, const struct fe_exchange *ex)
{
    size_t i = 0;

    while (i < rig->n_held && rig->held[i] != ex) {
        i++;
    }
    return i;
}

/* The handler has ended the exchange, or was told of its end. */
static void forget(struct h2_rig *rig, const struct fe_exchange *ex)
{
    size_t i = index_of(rig, ex);

    assert_true(rig->n_running > 0);
    rig->n_running--;
    if (i < rig->n_held) {
        rig->held[i] = NULL;
    }
}

static size_t hold_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct h2_rig *rig = rig_of(ex);
    size_t n = data.len < rig->appetite ? data.len : rig->appetite;

    trace_body(&rig->trace, fe_view_of(data.ptr, n));
    return n;
}

static void hold_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    trace_body_end(&rig_of(ex)->trace, trailers);
}

static void hold_on_writable(struct fe_exchange *ex)
{
    trace_add(&rig_of(ex)->trace, "writable");
}

static void on_reset(struct fe_exchange *ex, int code)
{
    struct h2_rig *rig = rig_of(ex);

    (void)code;
    trace_add(&rig->trace, "abort");
    forget(rig, ex);
}

static void end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    forget(rig_of(ex), ex);
    fe_exchange_finish(ex, trailers);
}

static void give_up(struct fe_exchange *ex)
{
    forget(rig_of(ex), ex);
    fe_exchange_reset(ex, FLATEND_ERESET);
}

static int respond(struct fe_exchange *ex, int status, uint64_t length)
{
    const struct fe_response response = {.status = status, .content_length = length};

    return fe_exchange_respond(ex, &response);
}

static size_t echo_on_data(struct fe_exchange *ex, struct fe_view data)
{
    ssize_t n = fe_exchange_write(ex, data);

    if (n < 0) {
        give_up(ex);
        return 0;
    }
    return (size_t)n;
}

static void echo_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    end(ex, trailers);
}

static void echo_on_writable(struct fe_exchange *ex)
{
    fe_exchange_resume(ex);
}

/* Its length is in the path; how much is left stands where the server does not look: in the length
 * of the request. */
static void big_on_writable(struct fe_exchange *ex)
{
    static const uint8_t zeros[PIECE];

    while (ex->request.content_length > 0) {
        size_t want =
            ex->request.content_length < PIECE ? (size_t)ex->request.content_length : PIECE;
        ssize_t n = fe_exchange_write(ex, fe_view_of(zeros, want));

        if (n < 0) {
            give_up(ex);
            return;
        }
        ex->request.content_length -= (uint64_t)n;
        if ((size_t)n < want) {
            return;
        }
    }
    end(ex, NULL);
}

static const struct fe_backend_ops hold_ops = {NULL, hold_on_data, hold_on_end, hold_on_writable,
                                               on_reset};
static const struct fe_backend hold_backend = {&hold_ops};
static const struct fe_backend_ops echo_ops = {NULL, echo_on_data, echo_on_end, echo_on_writable,
                                               on_reset};
static const struct fe_backend echo_backend = {&echo_ops};
static const struct fe_backend_ops big_ops = {NULL, hold_on_data, hold_on_end, big_on_writable,
                                              on_reset};
static const struct fe_backend big_backend = {&big_ops};

int h2_rig_respond(struct h2_rig *rig, size_t index, int status, uint64_t length)
{
    assert_true(index < rig->n_held && rig->held[index] != NULL);
    return respond(rig->held[index], status, length);
}

static void answer(struct fe_exchange *ex, int status, uint64_t length, const char *body)
{
    if (respond(ex, status, length) != 0 ||
        fe_exchange_write(ex, fe_view_str(body)) != (ssize_t)strlen(body)) {
        give_up(ex);
        return;
    }
    end(ex, NULL);
}

static void hold(struct h2_rig *rig, struct fe_exchange *ex)
{
    size_t i = index_of(rig, NULL); /* a place that is free again */

    assert_true(i < H2_RIG_HELD_MAX);
    rig->held[i] = ex;
    if (i == rig->n_held) {
        rig->n_held++;
    }
}

static void dispatch(struct h2_rig *rig, struct fe_exchange *ex, const char *path)
{
    if (strcmp(path, "/hello") == 0 || strcmp(path, "/early") == 0) {
        answer(ex, 200, 5, "hello");
    } else if (strcmp(path, "/chunks") == 0) {
        answer(ex, 200, FE_BODY_UNKNOWN, "hello");
    } else if (strcmp(path, "/none") == 0) {
        answer(ex, 204, 0, "");
    } else if (strcmp(path, "/echo") == 0) {
        ex->backend = &echo_backend;
        fe_exchange_resume(ex);
        if (respond(ex, 200, FE_BODY_UNKNOWN) != 0) {
            give_up(ex);
        }
    } else if (strncmp(path, "/big/", 5) == 0) {
        ex->backend = &big_backend;
        ex->request.content_length = strtoull(path + 5, NULL, 10);
        if (respond(ex, 200, ex->request.content_length) != 0) {
            give_up(ex);
        } else {
            big_on_writable(ex);
        }
    } else if (strcmp(path, "/tunnel") == 0) {
        forget(rig, ex); /* it does without the rig */
        fe_backend_start(&tunnel_echo_backend, ex);
    } else if (strcmp(path, "/abort") == 0) {
        if (respond(ex, 200, 10) != 0 || fe_exchange_write(ex, FE_VIEW_LIT("hello")) != 0) {
            give_up(ex);
        }
    } else {
        hold(rig, ex);
    }
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct h2_rig *rig = rig_of(ex);
    char path[64];

    (void)backend;
    (void)snprintf(path, sizeof(path), "%.*s", (int)ex->request.path.len,
                   (const char *)ex->request.path.ptr);
    assert_int_equal(ex->request.version, 20);
    trace_add(&rig->trace, "exchange(%s)", path);
    rig->n_running++;
    ex->snapshot = fe_refcount_ref(rig->snapshot);
    ex->times = rig->times;
    ex->backend = &hold_backend;
    dispatch(rig, ex, path);
}

void h2_rig_on_exchange(void *owner, struct fe_exchange *ex)
{
    static const struct fe_backend_ops ops = {.start = start};
    static const struct fe_backend by_path = {&ops};

    ex->state = owner;
    fe_backend_start(&by_path, ex);
}
