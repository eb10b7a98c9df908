/* Fields of our own in a response's head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_date)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
