#include "support/fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/list.h"

static struct fake_client *fake_of(struct fe_exchange *ex)
{
    struct fake_client *const fake = FE_CONTAINER_OF(ex, struct fake_client, ex);
    assert_int_equal(fake->state, FAKE_RUNNING);
    return fake;
}

static void finish(struct fake_client *fake, enum fake_state state)
{
    fake->state = state;
    fe_arena_deinit(&fake->ex.arena);
}

static struct fe_view keep(struct fake_client *fake, struct fe_view view)
{
    const char *const copy = fe_arena_copy(&fake->arena, view);
    assert_non_null(copy);
    return fe_view_of(copy, view.len);
}

static int respond(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fake_client *const fake = fake_of(ex);

    assert_int_equal(fake->status, 0);
    assert_int_equal(ex->phase, FE_EXCHANGE_OPEN);
    assert_in_range(response->status, 200, 599);
    if (fake->respond_code != 0) {
        return fake->respond_code;
    }
    fake->status = response->status;
    fake->content_length = response->content_length;
    for (size_t i = 0; i < response->fields.n && !fake->is_forgetful; i++) {
        const struct fe_field *const field = &response->fields.items[i];
        assert_int_equal(fe_fields_add(&fake->fields, &fake->arena, keep(fake, field->name),
                                       keep(fake, field->value)),
                         0);
    }
    return 0;
}

/* Whether the body is looked at. */
static bool has_body(const struct fake_client *fake)
{
    return fake->ex.request.method != FE_METHOD_HEAD && fake->status != 204 &&
           fake->status != 304 && !fake->is_forgetful;
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fake_client *const fake = fake_of(ex);

    assert_true(fake->status != 0);
    fake->n_writes++;
    if (!has_body(fake)) {
        return (ssize_t)data.len;
    }
    if (fake->content_length != FE_BODY_UNKNOWN) {
        assert_true(data.len <= fake->content_length - fake->body.len);
    }
    if (data.len > fake->window) {
        data.len = fake->window;
    }
    fake->window -= fake->window != SIZE_MAX ? data.len : 0;
    assert_int_equal(fe_buf_append(&fake->body, data.ptr, data.len), 0);
    return (ssize_t)data.len;
}

static void end_exchange(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fake_client *const fake = fake_of(ex);

    assert_null(trailers); /* files have none */
    assert_true(fake->status != 0);
    if (has_body(fake) && fake->content_length != FE_BODY_UNKNOWN) {
        assert_int_equal(fake->body.len, fake->content_length);
    }
    finish(fake, FAKE_ENDED);
}

static void reset(struct fe_exchange *ex, int code)
{
    (void)code;
    finish(fake_of(ex), FAKE_ABORTED);
}

static void resume(struct fe_exchange *ex)
{
    fake_of(ex)->was_resumed = true;
}

void fake_client_init(struct fake_client *fake, const char *method, const char *path)
{
    static const struct fe_exchange_ops ops = {.respond = respond,
                                               .write = write_body,
                                               .finish = end_exchange,
                                               .reset = reset,
                                               .resume = resume};
    const char *const question = strchr(path, '?');
    struct fe_request *const request = &fake->ex.request;

    memset(fake, 0, sizeof(*fake));
    fake->window = SIZE_MAX;
    fake->ex.ops = &ops;
    request->method = fe_method_of(fe_view_str(method));
    request->method_text = fe_view_str(method);
    request->scheme = FE_VIEW_LIT("http");
    request->authority = FE_VIEW_LIT("localhost:3000");
    request->path =
        question == NULL ? fe_view_str(path) : fe_view_of(path, (size_t)(question - path));
    request->query = question == NULL ? fe_view_of(NULL, 0) : fe_view_str(question + 1);
    request->fields = (struct fe_fields){fake->request_fields, 0, FAKE_FIELDS_MAX};
    request->version = 11;
    fe_arena_init(&fake->ex.arena, 0);
    fe_arena_init(&fake->arena, 0);
    fe_buf_init(&fake->body, SIZE_MAX);
}

void fake_client_add(struct fake_client *fake, const char *name, const char *value)
{
    struct fe_fields *const fields = &fake->ex.request.fields;

    assert_true(fields->n < FAKE_FIELDS_MAX);
    fields->items[fields->n++] = (struct fe_field){fe_view_str(name), fe_view_str(value)};
}

void fake_client_deinit(struct fake_client *fake)
{
    if (fake->state == FAKE_RUNNING) {
        fe_arena_deinit(&fake->ex.arena);
    }
    fe_arena_deinit(&fake->arena);
    fe_buf_deinit(&fake->body);
}

void fake_client_take(struct fake_client *fake, size_t window)
{
    assert_int_equal(fake->state, FAKE_RUNNING);
    fake->window = window;
    fe_exchange_deliver_writable(&fake->ex);
}

void fake_client_leave(struct fake_client *fake)
{
    assert_int_equal(fake->state, FAKE_RUNNING);
    fe_exchange_deliver_reset(&fake->ex, FLATEND_ECLOSED);
    finish(fake, FAKE_GONE);
}

const char *fake_client_field(struct fake_client *fake, const char *name)
{
    const struct fe_field *const field = fe_fields_find(&fake->fields, fe_view_str(name));
    return field != NULL ? (const char *)field->value.ptr : NULL;
}
