/* Fields of our own in a response's head, and chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/http/h1/encoder.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void expect(struct fe_field *field, const char *text)
{
    const struct fe_response message = {
        .status = 200, .fields = {field, field != NULL ? 1 : 0, 1}, .content_length = 0};
    const struct fe_h1_response response = {
        .message = &message, .framing = FE_H1_FRAMING_LENGTH, .date = FE_VIEW_LIT(DATE)};
    struct fe_chain out;
    struct fe_view found;

    fe_chain_init(&out, NULL);
    assert_int_equal(fe_h1_encode_head(&out, &response), 0);
    found = fe_chain_front(&out);
    assert_int_equal(found.len, strlen(text));
    assert_memory_equal(found.ptr, text, found.len);
    fe_chain_deinit(&out);
}

/* RFC 9110 §6.6.1: one Date; the response's own counts. */
static void test_date(void **state)
{
    struct fe_field own = {FE_VIEW_LIT("Date"), FE_VIEW_LIT("Mon, 07 Nov 1994 08:49:37 GMT")};

    (void)state;
    expect(NULL, "HTTP/1.1 200 OK\r\ndate: " DATE "\r\ncontent-length: 0\r\n\r\n");
    expect(&own, "HTTP/1.1 200 OK\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\n"
                 "content-length: 0\r\n\r\n");
}

/* RFC 9112 §7.1: each length's digits, and a whole block with the longest. */
static void test_chunk_sizes(void **state)
{
    static const size_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 4095, 4096, FE_H1_CHUNK_MAX};
    uint8_t *const data = calloc(1, FE_H1_CHUNK_MAX);

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fe_chain out;
        struct fe_view found;
        char size[32];

        fe_chain_init(&out, NULL);
        assert_int_equal(fe_h1_encode_chunk(&out, fe_view_of(data, sizes[i])), 0);
        (void)snprintf(size, sizeof(size), "%zx\r\n", sizes[i]);
        found = fe_chain_front(&out);
        assert_int_equal(found.len, strlen(size) + sizes[i] + 2);
        assert_memory_equal(found.ptr, size, strlen(size));
        assert_memory_equal(found.ptr + strlen(size), data, sizes[i]);
        assert_memory_equal(found.ptr + found.len - 2, "\r\n", 2);
        fe_chain_deinit(&out);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_date),
                                       cmocka_unit_test(test_chunk_sizes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
