/* The handler's side of a request. */
#include "mesh/node/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/json.h"
#include "mesh/node/read_all.h"

enum {
    PRINTF_STACK = 1024,    /* longer texts are formatted on the heap */
    FAIL_MESSAGE_MAX = 512, /* of flatend_context_fail, cut beyond */
    LENGTH_TEXT_MAX = 21,   /* the digits of a size_t */
};

/* The head is as it will be sent: from now on it is the node's thread's too. FLATEND_ENOMEM. */
static int begin_body(struct flatend_context *ctx)
{
    int code = 0;

    if (ctx->phase == FE_RESPONSE_HEAD) {
        code = fe_response_head_finish(&ctx->head);
        ctx->phase = code == 0 ? FE_RESPONSE_BODY : ctx->phase;
    }
    return code;
}

/* What ends a response that is whole, or (`code`) cannot be. */
static unsigned ending(int code)
{
    return code == 0 ? FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH : FE_HANDOFF_RESET;
}

int fe_context_check_call(const struct flatend_context *ctx)
{
    return ctx != NULL ? fe_node_check_call(ctx->node) : FLATEND_EINVAL;
}

unsigned fe_context_run(struct flatend_context *ctx)
{
    FE_ASSERT(ctx->phase == FE_RESPONSE_HEAD, "a handler runs once");
    ctx->service->handler(ctx, ctx->service->arg);
    if (fe_fork_guard_is_child(ctx->node->guard)) {
        fe_fork_end_child(); /* what follows is the parent's to do */
    }
    if (ctx->is_kept) {
        return FE_HANDOFF_KEEP; /* and not ours to look at any more */
    }
    return ending(begin_body(ctx));
}

void fe_context_leave(struct flatend_context *ctx, unsigned commands, bool ends)
{
    if (!fe_handoff_leave(&ctx->io, commands, ends)) {
        fe_context_discard(ctx);
    }
}

int fe_context_end(struct flatend_context *ctx, unsigned commands)
{
    int gone = 0;

    if (!fe_handoff_end(&ctx->io, commands, &gone)) {
        fe_context_discard(ctx);
    }
    return gone;
}

int flatend_context_keep(struct flatend_context *ctx, struct flatend_queue *queue, void *arg)
{
    int code = fe_context_check_call(ctx);

    if (code != 0) {
        return code;
    }
    if (ctx->is_kept || ctx->phase == FE_RESPONSE_FAILED) {
        return FLATEND_ESTATE;
    }
    code = fe_queue_bind(queue, ctx->node->guard);
    if (code != 0) {
        return code;
    }
    ctx->is_kept = true;
    fe_handoff_keep(&ctx->io, ctx->phase == FE_RESPONSE_BODY ? FE_HANDOFF_SEND_HEAD : 0, queue,
                    arg);
    return 0;
}

int flatend_context_finish(struct flatend_context *ctx)
{
    int code = fe_context_check_call(ctx);
    int gone;

    if (code != 0) {
        return code;
    }
    if (!ctx->is_kept) {
        return FLATEND_ESTATE;
    }
    code = begin_body(ctx);
    gone = fe_context_end(ctx, ending(code));
    return gone != 0 ? gone : code;
}

/* ---- the request ---- */

const struct flatend_id *flatend_context_id(const struct flatend_context *ctx)
{
    return ctx != NULL ? &ctx->id : NULL;
}

const char *flatend_context_service(const struct flatend_context *ctx)
{
    return ctx != NULL ? ctx->service->name : NULL;
}

const char *flatend_context_header(const struct flatend_context *ctx, const char *name)
{
    const struct flatend_header *header =
        ctx != NULL && name != NULL ? fe_received_head_find(&ctx->request, name) : NULL;

    return header != NULL ? header->value : NULL;
}

const struct flatend_header *flatend_context_headers(const struct flatend_context *ctx, size_t *n)
{
    if (ctx == NULL || n == NULL) {
        return NULL;
    }
    *n = ctx->request.n;
    return ctx->request.headers;
}

ssize_t flatend_context_read(struct flatend_context *ctx, void *buf, size_t cap)
{
    int code = fe_context_check_call(ctx);

    if (code == 0 && buf == NULL) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    return fe_context_waits(ctx) ? fe_handoff_read(&ctx->io, buf, cap)
                                 : fe_handoff_try_read(&ctx->io, buf, cap);
}

static ssize_t read_context(void *ctx, void *buf, size_t cap)
{
    return flatend_context_read(ctx, buf, cap);
}

int flatend_context_read_all(struct flatend_context *ctx, size_t limit, const char **data,
                             size_t *len)
{
    int code = fe_context_check_call(ctx);

    if (code == 0 && (data == NULL || len == NULL)) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    return fe_read_all(&ctx->body, read_context, ctx, limit, data, len);
}

bool flatend_context_is_canceled(const struct flatend_context *ctx)
{
    /* Reading the code takes the lock, which is no part of what the context means. */
    struct flatend_context *self = (struct flatend_context *)(uintptr_t)ctx;

    return fe_context_check_call(ctx) != 0 || fe_handoff_code(&self->io) != 0;
}

const struct flatend_header *flatend_context_trailers(struct flatend_context *ctx, size_t *n)
{
    bool is_complete;

    if (n == NULL) {
        return NULL;
    }
    is_complete = fe_context_check_call(ctx) == 0 && fe_handoff_is_read(&ctx->io);
    *n = is_complete ? ctx->request_trailers.n : 0;
    return is_complete ? ctx->request_trailers.headers : NULL;
}

/* ---- the response ---- */

int flatend_context_set_header(struct flatend_context *ctx, const char *name, const char *value)
{
    if (ctx == NULL) {
        return FLATEND_EINVAL;
    }
    if (ctx->phase != FE_RESPONSE_HEAD) {
        return FLATEND_ESTATE;
    }
    return fe_response_head_set(&ctx->head, name, value);
}

int flatend_context_add_header(struct flatend_context *ctx, const char *name, const char *value)
{
    if (ctx == NULL) {
        return FLATEND_EINVAL;
    }
    if (ctx->phase != FE_RESPONSE_HEAD) {
        return FLATEND_ESTATE;
    }
    return fe_response_head_add(&ctx->head, name, value);
}

int flatend_context_set_status(struct flatend_context *ctx, int status)
{
    if (ctx == NULL) {
        return FLATEND_EINVAL;
    }
    if (ctx->phase != FE_RESPONSE_HEAD) {
        return FLATEND_ESTATE;
    }
    if (status < FE_HEAD_STATUS_MIN || status > FE_HEAD_STATUS_MAX) {
        return FLATEND_EINVAL;
    }
    ctx->head.status = status;
    return 0;
}

int flatend_context_add_trailer(struct flatend_context *ctx, const char *name, const char *value)
{
    return ctx != NULL ? fe_response_head_add(&ctx->trailers, name, value) : FLATEND_EINVAL;
}

/* An inline handler's response waits, in one piece, until it returns. */
static int write_inline(struct flatend_context *ctx, const void *data, size_t len)
{
    FE_ASSERT(ctx->io.sending.len <= FLATEND_INLINE_RESPONSE_MAX, "an inline response is bounded");
    if (len > FLATEND_INLINE_RESPONSE_MAX - ctx->io.sending.len) {
        return FLATEND_ETOOBIG;
    }
    return fe_handoff_load_out(&ctx->io, data, len);
}

int fe_context_write_body(struct flatend_context *ctx, const void *data, size_t len)
{
    if (ctx->is_kept) {
        return fe_handoff_try_write(&ctx->io, data, len);
    }
    return ctx->service->is_inline ? write_inline(ctx, data, len)
                                   : fe_handoff_write(&ctx->io, data, len);
}

int fe_context_begin_write(struct flatend_context *ctx, const void *data, size_t len)
{
    int code = fe_context_check_call(ctx);

    if (code == 0 && data == NULL && len > 0) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    if (ctx->phase == FE_RESPONSE_FAILED) {
        return FLATEND_ESTATE;
    }
    return begin_body(ctx);
}

int flatend_context_write(struct flatend_context *ctx, const void *data, size_t len)
{
    int code = fe_context_begin_write(ctx, data, len);

    return code != 0 ? code : fe_context_write_body(ctx, data, len);
}

int flatend_context_printf(struct flatend_context *ctx, const char *format, ...)
{
    char stack[PRINTF_STACK];
    char *text = stack;
    va_list args;
    int len;
    int code;

    if (format == NULL) {
        return FLATEND_EINVAL;
    }
    va_start(args, format);
    len = vsnprintf(stack, sizeof(stack), format, args);
    va_end(args);
    if (len < 0) {
        return FLATEND_EINVAL;
    }
    if ((size_t)len >= sizeof(stack)) {
        text = malloc((size_t)len + 1);
        if (text == NULL) {
            return FLATEND_ENOMEM;
        }
        va_start(args, format);
        (void)vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    code = flatend_context_write(ctx, text, (size_t)len);
    if (text != stack) {
        free(text);
    }
    return code;
}

/* Of a message that was cut: its last character may be half of one, which is no JSON (RFC 8259
 * §8.1). */
static void drop_last_character(char message[FAIL_MESSAGE_MAX])
{
    size_t len = FAIL_MESSAGE_MAX - 1;

    while (len > 0 && ((unsigned char)message[len - 1] & 0xc0) == 0x80) {
        len--;
    }
    message[len > 0 ? len - 1 : 0] = '\0';
}

/* {"error": "message"} */
static size_t format_error(char *out, int status, const char *message)
{
    static const char before[] = "{\"error\": \"";
    size_t len = sizeof(before) - 1;

    (void)status;
    memcpy(out, before, len);
    len += fe_json_escape(out + len, fe_view_str(message));
    memcpy(out + len, "\"}", 2);
    return len + 2;
}

/* The response that tells of the error, in place of what the handler had prepared. */
static int respond_error(struct flatend_context *ctx, int status, const struct fe_error_form *form,
                         const char *message)
{
    char body[FE_ERROR_FORM_MAX + FE_JSON_ESCAPED_MAX * FAIL_MESSAGE_MAX];
    const size_t len = form->format(body, status, message);
    int code;

    FE_ASSERT(len <= sizeof(body), "an error fits what it is written to");
    fe_response_head_clear(&ctx->head);
    ctx->head.status = status;
    code = fe_response_head_add(&ctx->head, "content-type", form->type);
    if (code == 0) {
        code = fe_response_head_finish(&ctx->head);
    }
    return code != 0 ? code : fe_context_write_body(ctx, body, len);
}

/* After the first write: the response will not be whole. */
static void abort_response(struct flatend_context *ctx)
{
    if (ctx->is_kept) {
        fe_context_leave(ctx, FE_HANDOFF_RESET, true);
    } else if (ctx->service->is_inline) {
        ctx->io.commands |= FE_HANDOFF_RESET;
    } else {
        fe_handoff_command(&ctx->io, FE_HANDOFF_RESET);
    }
}

/* It is whole, or cannot be: one that was kept is gone. */
static void end_whole(struct flatend_context *ctx, int code)
{
    if (ctx->is_kept) {
        fe_context_leave(ctx, ending(code), true);
    }
}

int fe_context_fail(struct flatend_context *ctx, int status, const struct fe_error_form *form,
                    const char *format, va_list args)
{
    enum fe_response_phase phase;
    char message[FAIL_MESSAGE_MAX];
    int code = fe_context_check_call(ctx);

    if (code != 0) {
        return code;
    }
    phase = ctx->phase;
    if (phase == FE_RESPONSE_FAILED) {
        return FLATEND_ESTATE;
    }
    if (status < FE_HEAD_STATUS_MIN || status > FE_HEAD_STATUS_MAX || format == NULL) {
        return FLATEND_EINVAL;
    }
    ctx->phase = FE_RESPONSE_FAILED;
    if (phase == FE_RESPONSE_BODY) {
        abort_response(ctx);
        return 0;
    }
    if (vsnprintf(message, sizeof(message), format, args) >= FAIL_MESSAGE_MAX) {
        drop_last_character(message);
    }
    code = respond_error(ctx, status, form, message);
    end_whole(ctx, code);
    return code;
}

int flatend_context_fail(struct flatend_context *ctx, int status, const char *format, ...)
{
    static const struct fe_error_form form = {"application/json", format_error};
    va_list args;
    int code;

    va_start(args, format);
    code = fe_context_fail(ctx, status, &form, format, args);
    va_end(args);
    return code;
}

/* FLATEND_ESTATE, FLATEND_EINVAL, FLATEND_ETOOBIG: the request is as it was. */
static bool is_refusal(int code)
{
    return code == FLATEND_ESTATE || code == FLATEND_EINVAL || code == FLATEND_ETOOBIG;
}

static int set_content(struct flatend_context *ctx, const char *type, size_t len)
{
    char length[LENGTH_TEXT_MAX];
    int code;

    if (!ctx->is_kept && ctx->service->is_inline && len > FLATEND_INLINE_RESPONSE_MAX) {
        return FLATEND_ETOOBIG;
    }
    (void)snprintf(length, sizeof(length), "%zu", len);
    code = flatend_context_set_header(ctx, "content-type", type);
    return code != 0 ? code : flatend_context_set_header(ctx, "content-length", length);
}

int fe_context_respond(struct flatend_context *ctx, int status, const char *type,
                       struct fe_view body)
{
    int code = fe_context_check_call(ctx);

    if (code == 0) {
        code = flatend_context_set_status(ctx, status);
    }
    if (code == 0) {
        code = set_content(ctx, type, body.len);
    }
    if (is_refusal(code)) {
        return code;
    }
    if (code == 0) {
        code = fe_response_head_finish(&ctx->head);
    }
    if (code == 0) {
        code = fe_context_write_body(ctx, body.ptr, body.len);
    }
    ctx->phase = FE_RESPONSE_FAILED;
    if (code != 0 && !ctx->is_kept) {
        abort_response(ctx);
    }
    end_whole(ctx, code);
    return code;
}
