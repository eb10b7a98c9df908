#include "support/fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/fake_sender.h"
#include "support/trace_http.h"

static struct fake_exchange *fake_of(struct fe_exchange *ex)
{
    struct fake_exchange *fake = (struct fake_exchange *)ex; /* its first member */

    assert_false(fake->is_over);
    return fake;
}

static int take_error(struct fake_exchange *fake)
{
    int error = fake->error;

    fake->error = 0;
    return error;
}

static int respond(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fake_exchange *fake = fake_of(ex);
    int code = take_error(fake);
    char line[1024];
    int len;

    assert_int_equal(ex->phase, FE_EXCHANGE_OPEN);
    if (code != 0) {
        return code;
    }
    if (!fe_response_is_valid(response)) {
        return FLATEND_EINVAL;
    }
    len = snprintf(line, sizeof(line), "respond(%d", response->status);
    if (response->content_length != FE_BODY_UNKNOWN) {
        len +=
            snprintf(line + len, sizeof(line) - (size_t)len, ",#%d", (int)response->content_length);
    }
    for (size_t i = 0; i < response->fields.n && !fake->trace->is_off; i++) {
        const struct fe_field *field = &response->fields.items[i];

        len += snprintf(line + len, sizeof(line) - (size_t)len, ",%.*s=%.*s", (int)field->name.len,
                        (const char *)field->name.ptr, (int)field->value.len,
                        (const char *)field->value.ptr);
        assert_true(len < (int)sizeof(line));
    }
    trace_add(fake->trace, "%s)", line);
    fake->status = response->status;
    return 0;
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fake_exchange *fake = fake_of(ex);
    int code = take_error(fake);
    size_t n = data.len < fake->room ? data.len : fake->room;

    if (code != 0) {
        return code;
    }
    if (fake->room != SIZE_MAX) {
        fake->room -= n;
    }
    fake->is_blocked = n < data.len;
    if (fake->on_written != NULL) {
        fake->on_written(fake, fe_view_of(data.ptr, n));
    }
    if (n <= 200) { /* a problem's reason is to be read */
        trace_add(fake->trace, "write(%.*s)", (int)n, (const char *)data.ptr);
    } else {
        trace_add(fake->trace, "write(#%zu)", n);
    }
    return (ssize_t)n;
}

static void finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fake_exchange *fake = fake_of(ex);
    const struct fe_fields none = {0};

    fake->is_over = ex->sent == FE_EXCHANGE_OVER; /* a tunnel may go on */
    fake->has_ended = true;
    fake->is_blocked = false; /* nothing follows the end */
    fake->n_trailers = trailers != NULL ? trailers->n : 0;
    trace_body_end(fake->trace, trailers != NULL ? trailers : &none);
}

static void reset(struct fe_exchange *ex, int code)
{
    struct fake_exchange *fake = fake_of(ex);

    (void)code;
    fake->is_over = true;
    trace_add(fake->trace, "abort");
}

static void resume(struct fe_exchange *ex)
{
    struct fake_exchange *fake = fake_of(ex);

    assert_false(fake->wants_body); /* it is asked for once */
    fake->wants_body = true;
    trace_add(fake->trace, "resume");
}

static int tunnel(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fake_exchange *fake = fake_of(ex);
    int code = take_error(fake);

    if (code == 0) {
        trace_add(fake->trace, "tunnel(%d)", (int)response->fields.n);
    }
    return code;
}

static void defer(struct fe_exchange *ex)
{
    fake_of(ex)->wants_turn = true;
}

static const struct fe_exchange_ops exchange_ops = {
    .respond = respond,
    .write = write_body,
    .finish = finish,
    .reset = reset,
    .resume = resume,
    .tunnel = tunnel,
    .defer = defer,
};

void fake_exchange_init(struct fake_exchange *fake, struct trace *trace)
{
    *fake = (struct fake_exchange){
        .ex = {.ops = &exchange_ops,
               .request = {.method = FE_METHOD_GET,
                           .method_text = FE_VIEW_LIT("GET"),
                           .scheme = FE_VIEW_LIT("http"),
                           .authority = FE_VIEW_LIT("example.org"),
                           .path = FE_VIEW_LIT("/"),
                           .version = 11}},
        .trace = trace,
        .room = SIZE_MAX,
    };
    fe_arena_init(&fake->ex.arena, 0);
}

void fake_exchange_deinit(struct fake_exchange *fake)
{
    fe_arena_deinit(&fake->ex.arena);
}

size_t fake_exchange_body(struct fake_exchange *fake, const char *text)
{
    return fake_exchange_body_view(fake, fe_view_str(text));
}

size_t fake_exchange_body_view(struct fake_exchange *fake, struct fe_view data)
{
    size_t n;

    assert_true(fake->wants_body && !fake->is_over);
    fake->wants_body = false;
    n = fe_exchange_deliver_data(&fake->ex, data);
    fake->wants_body = fake->wants_body || n == data.len;
    return n;
}

void fake_exchange_body_end(struct fake_exchange *fake)
{
    static const struct fe_fields none; /* as long as the exchange */

    fake_exchange_body_end_with(fake, &none);
}

void fake_exchange_body_end_with(struct fake_exchange *fake, const struct fe_fields *trailers)
{
    assert_true(!fake->is_over && (fake->wants_body || fake->ex.phase == FE_EXCHANGE_TUNNEL_READ));
    fake->wants_body = false;
    fe_exchange_deliver_end(&fake->ex, trailers);
    fake->is_over |= fake->ex.is_tunnel && fake->ex.sent == FE_EXCHANGE_OVER;
}

void fake_exchange_writable(struct fake_exchange *fake, size_t room)
{
    assert_false(fake->is_over);
    fake->room = room;
    fake->is_blocked = false;
    fe_exchange_deliver_writable(&fake->ex);
}

void fake_exchange_abort(struct fake_exchange *fake)
{
    assert_false(fake->is_over);
    fake->is_over = true;
    fe_exchange_deliver_reset(&fake->ex, FLATEND_ECLOSED);
}

void fake_exchange_turn(struct fake_exchange *fake)
{
    assert_true(fake->wants_turn && !fake->is_over);
    fake->wants_turn = false;
    fe_exchange_deliver_turn(&fake->ex);
}
