#include "support/fake_sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct fake_sender *fake_of(struct fe_sender *sender)
{
    return (struct fake_sender *)sender; /* its first member */
}

const char *fake_body(struct fe_view bytes, char text[24])
{
    if (bytes.len <= 16) {
        snprintf(text, 24, "%.*s", (int)bytes.len, (const char *)bytes.ptr);
    } else {
        snprintf(text, 24, "#%zu", bytes.len);
    }
    return text;
}

static int take_error(struct fake_sender *fake)
{
    int error = fake->error;

    fake->error = 0;
    fake->n_sent += error == 0;
    return error;
}

static void show(struct fake_sender *fake, enum fake_sent what, uint32_t stream,
                 struct fe_view bytes)
{
    if (fake->on_sent != NULL) {
        fake->on_sent(fake, what, stream, bytes);
    }
}

static void read_bytes(struct fe_view bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        (void)*(const volatile uint8_t *)&bytes.ptr[i];
    }
}

/* As a codec would, so that ASan sees what is no longer there. */
static void read_headers(const struct fe_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        read_bytes(headers[i].name);
        read_bytes(headers[i].value);
    }
}

/* Of a fake that has a `head_max`. */
static bool is_too_large(const struct fe_sender *sender, const struct fe_header *headers, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        size += headers[i].name.len + headers[i].value.len;
    }
    return sender->head_max > 0 && size > sender->head_max;
}

static uint32_t next_stream(struct fe_sender *sender)
{
    uint32_t stream = fake_of(sender)->next_stream;

    fake_of(sender)->next_stream += 2;
    return stream;
}

static int request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                   size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);
    char text[1024] = "";
    size_t len = 0;

    read_headers(headers, n_headers);
    if (is_too_large(sender, headers, n_headers)) {
        return FLATEND_ETOOBIG;
    }
    for (size_t i = 0; i < n_headers && fake->shows_headers; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, ",%.*s=%.*s",
                                (int)headers[i].name.len, (const char *)headers[i].name.ptr,
                                (int)headers[i].value.len, (const char *)headers[i].value.ptr);
        assert_true(len < sizeof(text));
    }
    if (code == 0) {
        assert_true(n_services > 0);
        trace_add(fake->trace, "request(%u,%.*s%s)", stream, (int)services[0].len,
                  (const char *)services[0].ptr, text);
        show(fake, FAKE_SENT_REQUEST, stream, (struct fe_view){0});
    }
    return code;
}

static int response(struct fe_sender *sender, uint32_t stream, bool handled,
                    const struct fe_header *headers, size_t n_headers)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    (void)headers;
    (void)n_headers;
    if (code == 0) {
        trace_add(fake->trace, "response(%u%s)", stream, handled ? "" : ",unhandled");
    }
    return code;
}

static int data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct fake_sender *fake = fake_of(sender);
    char text[24];
    int code = take_error(fake);

    if (code == 0) {
        assert_true(bytes.len > 0);
        assert_true(bytes.len <= fake->space);
        if (fake->space != SIZE_MAX) {
            fake->space -= bytes.len;
        }
        trace_add(fake->trace, "data(%u,%s)", stream, fake_body(bytes, text));
        show(fake, FAKE_SENT_DATA, stream, bytes);
    }
    return code;
}

static int end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
               size_t n_trailers)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    if (code == 0 && n_trailers > 0 && fe_sender_is_secure(sender)) {
        trace_add(fake->trace, "end(%u,%.*s)", stream, (int)trailers[0].name.len,
                  (const char *)trailers[0].name.ptr);
    } else if (code == 0) {
        trace_add(fake->trace, "end(%u)", stream);
    }
    if (code == 0) {
        show(fake, FAKE_SENT_END, stream, (struct fe_view){0});
    }
    return code;
}

static int find_node(struct fe_sender *sender, const uint8_t target[FE_KEY_LEN], uint32_t *token)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    (void)target;
    if (code == 0) {
        *token = (uint32_t)fake->n_sent;
        trace_add(fake->trace, "find_node(%u)", *token);
    }
    return code;
}

static int nodes(struct fe_sender *sender, uint32_t token, const struct fe_id *ids, size_t n)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    (void)ids;
    if (code == 0) {
        trace_add(fake->trace, "nodes(%u,%zu)", token, n);
    }
    return code;
}

static int reset(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                 struct fe_view text)
{
    static const char *const names[] = {
        [FE_REASON_NONE] = "NONE",       [FE_REASON_CANCEL] = "CANCEL",
        [FE_REASON_REFUSED] = "REFUSED", [FE_REASON_TIMEOUT] = "TIMEOUT",
        [FE_REASON_FLOW] = "FLOW",       [FE_REASON_INTERNAL] = "INTERNAL",
        [FE_REASON_DENIED] = "DENIED",   [FE_REASON_TOO_LARGE] = "TOO_LARGE",
    };
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    (void)text;
    assert_true(fe_sender_is_secure(sender));
    if (code == 0) {
        trace_add(fake->trace, "reset(%u,%s)", stream, names[reason]);
    }
    return code;
}

static int window(struct fe_sender *sender, uint32_t stream, uint32_t increment)
{
    struct fake_sender *fake = fake_of(sender);
    int code = take_error(fake);

    assert_true(fe_sender_is_secure(sender));
    if (code == 0) {
        assert_in_range(increment, 1, INT32_MAX);
        fake->n_granted += stream == 0 ? increment : 0;
        trace_add(fake->trace, "window(%u,%u)", stream, increment);
    }
    return code;
}

static size_t space(const struct fe_sender *sender)
{
    return ((const struct fake_sender *)sender)->space;
}

void fake_sender_init(struct fake_sender *fake, struct trace *trace, uint32_t first_stream)
{
    static const struct fe_sender_ops ops = {
        .next_stream = next_stream,
        .request = request,
        .response = response,
        .data = data,
        .end = end,
        .find_node = find_node,
        .nodes = nodes,
        .space = space,
        .reset = reset,
        .window = window,
    };

    *fake = (struct fake_sender){
        .sender = {.ops = &ops},
        .trace = trace,
        .next_stream = first_stream,
        .space = SIZE_MAX,
    };
}
