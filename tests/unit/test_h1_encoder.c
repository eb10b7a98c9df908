/* Fields of our own in a response's head. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "web/http/h1/encoder.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void expect(struct fe_field *field, const char *hsts, const char *text)
{
    const struct fe_response message = {
        .status = 200, .fields = {field, field != NULL ? 1 : 0, 1}, .content_length = 0};
    const struct fe_h1_response response = {.message = &message,
                                            .framing = FE_H1_FRAMING_LENGTH,
                                            .date = FE_VIEW_LIT(DATE),
                                            .hsts = fe_view_str(hsts)};
    struct fe_chain out;
    struct fe_view found;

    fe_chain_init(&out, NULL);
    assert_int_equal(fe_h1_encode_head(&out, &response), 0);
    found = fe_chain_front(&out);
    assert_int_equal(found.len, strlen(text));
    assert_memory_equal(found.ptr, text, found.len);
    fe_chain_deinit(&out);
}

/* RFC 6797 §6.1: one Strict-Transport-Security; the response's own counts. */
static void test_hsts(void **state)
{
    struct fe_field own = {FE_VIEW_LIT("Strict-Transport-Security"), FE_VIEW_LIT("max-age=0")};

    (void)state;
    expect(NULL, "", "HTTP/1.1 200 OK\r\ndate: " DATE "\r\ncontent-length: 0\r\n\r\n");
    expect(NULL, "max-age=60",
           "HTTP/1.1 200 OK\r\ndate: " DATE "\r\nstrict-transport-security: max-age=60\r\n"
           "content-length: 0\r\n\r\n");
    expect(&own, "max-age=60",
           "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=0\r\ndate: " DATE "\r\n"
           "content-length: 0\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hsts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
