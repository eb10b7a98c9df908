/* The extension of a Handshake: beside its vectors, and as it must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/secure.h"
#include "support/vectors.h"

/* The views in `extension` borrow `vector`. */
static void expect_extension(const char *name, struct vector *vector,
                             struct fe_secure_extension *extension)
{
    struct flatend_error err = {0};
    uint8_t bytes[VECTOR_MAX];
    struct fe_writer writer;
    bool is_signed;

    vector_load(vector, "secure_packets.txt", name);
    assert_true(fe_secure_has_extension(vector_view(vector)));
    if (fe_secure_extension_decode(vector_view(vector), extension, &err) != 0) {
        fail_msg("%s: %s", name, err.text);
    }
    assert_int_equal(extension->record_max, 65536);
    assert_int_equal(extension->stream_window, FE_SECURE_STREAM_WINDOW);
    assert_int_equal(extension->connection_window, FE_SECURE_CONNECTION_WINDOW);
    assert_int_equal(extension->streams_max, FE_SECURE_STREAMS_MAX);
    assert_int_equal(extension->connections, 1);
    assert_true(fe_view_equal(extension->agent, FE_VIEW_LIT("flatend/0.1.0")));

    is_signed = extension->signature.len > 0;
    writer = fe_writer_of(bytes, fe_secure_extension_size(extension, is_signed));
    fe_secure_extension_encode(&writer, extension, is_signed);
    if (is_signed) {
        fe_secure_signature_encode(&writer, extension->signature.ptr);
    }
    assert_true(fe_writer_is_complete(&writer));
    if (strcmp(name, "extension_unknown") != 0) {
        assert_int_equal(fe_secure_extension_size(extension, is_signed), vector->len);
        assert_memory_equal(bytes, vector->bytes, vector->len);
    }
}

static void extensions(void **state)
{
    struct fe_secure_extension extension;
    struct vector vector;
    struct fe_addr seen;
    char text[FE_ADDR_TEXT_MAX];

    (void)state;
    expect_extension("extension", &vector, &extension);
    assert_false(extension.has_seen);
    assert_int_equal(extension.signature.len, 0);
    expect_extension("extension_unknown", &vector, &extension);
    expect_extension("extension_seen_ipv4", &vector, &extension);
    seen = fe_addr_of_ip(&extension.seen);
    assert_string_equal(fe_addr_format(&seen, text), "192.0.2.7:40000");
    expect_extension("extension_seen_ipv6", &vector, &extension);
    seen = fe_addr_of_ip(&extension.seen);
    assert_string_equal(fe_addr_format(&seen, text), "[2001:db8::7]:40001");
    expect_extension("extension_signed", &vector, &extension);
    assert_int_equal(extension.signature.len, FE_SIGNATURE_LEN);
    assert_int_equal(extension.signature.ptr[63], 64);
}

#define LIMITS                                                                                     \
    "\2\0\4\0\1\0\0"                                                                               \
    "\3\0\10\0\10\0\0\0\200\0\0"                                                                   \
    "\4\0\4\0\0\20\0"

/* "FLT2", the length of these TLVs, these TLVs. */
static int decode_tlvs(struct fe_view tlvs, struct flatend_error *err)
{
    struct fe_secure_extension extension;
    uint8_t *bytes = malloc(6 + tlvs.len);
    struct fe_writer writer = fe_writer_of(bytes, 6 + tlvs.len);
    int code;

    assert_non_null(bytes);
    fe_write_bytes(&writer, FE_VIEW_LIT("FLT2"));
    fe_write_u16(&writer, (uint16_t)tlvs.len);
    fe_write_bytes(&writer, tlvs);
    code = fe_secure_extension_decode(fe_view_of(bytes, 6 + tlvs.len), &extension, err);
    free(bytes);
    return code;
}

static void extensions_that_lie(void **state)
{
    static const struct {
        struct fe_view tlvs;
        const char *text; /* NULL: it is right */
    } cases[] = {
        {FE_VIEW_LIT(LIMITS), NULL},
        {FE_VIEW_LIT(LIMITS "\x7f\0\0"), NULL},
        {FE_VIEW_LIT(LIMITS "\x7f\0\0\x7f\0\0"), NULL},
        {FE_VIEW_LIT(LIMITS "\x80\0\0"), "extension: unknown type 128"},
        {FE_VIEW_LIT(LIMITS "\1"), "extension: truncated"},
        {FE_VIEW_LIT(LIMITS "\1\0"), "extension: truncated"},
        {FE_VIEW_LIT(LIMITS "\1\0\4\0\0\0"), "extension: truncated"},
        {FE_VIEW_LIT(LIMITS "\x7f\xff\xff"), "extension: truncated"},
        {FE_VIEW_LIT(LIMITS "\1\0\3\0\0\0"), "extension: malformed value of type 1"},
        {FE_VIEW_LIT(LIMITS "\1\0\5\0\0\0\0\0"), "extension: malformed value of type 1"},
        {FE_VIEW_LIT(LIMITS "\1\0\0"), "extension: malformed value of type 1"},
        {FE_VIEW_LIT(LIMITS "\2\0\4\0\1\0\0"), "extension: duplicate type 2"},
        {FE_VIEW_LIT(LIMITS "\5\0\1\0"), "extension: malformed value of type 5"},
        {FE_VIEW_LIT(LIMITS "\6\0\7\0\1\2\3\4\0\1"), NULL},
        {FE_VIEW_LIT(LIMITS "\6\0\6\0\1\2\3\4\0"), "extension: malformed value of type 6"},
        {FE_VIEW_LIT(LIMITS "\6\0\7\1\1\2\3\4\0\1"), "extension: malformed value of type 6"},
        {FE_VIEW_LIT(LIMITS "\6\0\23\2\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\0\1"),
         "extension: malformed value of type 6"},
        {FE_VIEW_LIT(LIMITS "\7\0\100"
                            "0123456789012345678901234567890123456789012345678901234567890123"),
         NULL},
        {FE_VIEW_LIT(LIMITS "\7\0\101"
                            "01234567890123456789012345678901234567890123456789012345678901234"),
         "extension: malformed value of type 7"},
        {FE_VIEW_LIT(LIMITS "\x40\0\77"
                            "012345678901234567890123456789012345678901234567890123456789012"),
         "extension: malformed value of type 64"},
        {FE_VIEW_LIT(LIMITS "\x40\0\100"
                            "0123456789012345678901234567890123456789012345678901234567890123"
                            "\x7f\0\0"),
         "extension: bytes after the signature"},
        {FE_VIEW_LIT(""), "extension: missing limits"},
        {FE_VIEW_LIT("\3\0\10\0\10\0\0\0\200\0\0\4\0\4\0\0\20\0"), "extension: missing limits"},
        {FE_VIEW_LIT("\2\0\4\0\1\0\0\4\0\4\0\0\20\0"), "extension: missing limits"},
        {FE_VIEW_LIT("\2\0\4\0\1\0\0\3\0\10\0\10\0\0\0\200\0\0"), "extension: missing limits"},
        {FE_VIEW_LIT("\2\0\4\0\0\17\377\3\0\10\0\10\0\0\0\200\0\0\4\0\4\0\0\20\0"),
         "extension: records of 4095 bytes (at least 4096)"},
        {FE_VIEW_LIT("\2\0\4\0\1\0\0\3\0\10\200\0\0\0\0\200\0\0\4\0\4\0\0\20\0"),
         "extension: a window beyond 2^31 - 1"},
        {FE_VIEW_LIT("\2\0\4\0\1\0\0\3\0\10\0\10\0\0\200\0\0\0\4\0\4\0\0\20\0"),
         "extension: a window beyond 2^31 - 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_error err = {0};

        assert_int_equal(decode_tlvs(cases[i].tlvs, &err),
                         cases[i].text == NULL ? 0 : FLATEND_EPROTO);
        assert_string_equal(err.text, cases[i].text == NULL ? "" : cases[i].text);
    }
}

static void an_extension_is_as_long_as_it_says(void **state)
{
    struct fe_secure_extension extension;
    struct flatend_error err = {0};
    struct vector vector;

    (void)state;
    vector_load(&vector, "secure_packets.txt", "extension");
    for (size_t len = 4; len < vector.len; len++) {
        assert_int_equal(
            fe_secure_extension_decode(fe_view_of(vector.bytes, len), &extension, &err),
            FLATEND_EPROTO);
        assert_string_equal(err.text, "extension: length mismatch");
    }
    vector.bytes[vector.len++] = 0;
    assert_int_equal(fe_secure_extension_decode(vector_view(&vector), &extension, &err),
                     FLATEND_EPROTO);
    assert_string_equal(err.text, "extension: length mismatch");
}

static void an_extension_is_bounded(void **state)
{
    uint8_t tlvs[FE_SECURE_EXTENSION_MAX + 1] = LIMITS;
    const size_t limits = sizeof(LIMITS) - 1;
    struct flatend_error err = {0};

    (void)state;
    tlvs[limits] = 0x7f; /* unknown, all the rest */
    tlvs[limits + 1] = (uint8_t)((FE_SECURE_EXTENSION_MAX - limits - 3) >> 8);
    tlvs[limits + 2] = (uint8_t)(FE_SECURE_EXTENSION_MAX - limits - 3);
    assert_int_equal(decode_tlvs(fe_view_of(tlvs, FE_SECURE_EXTENSION_MAX), &err), 0);
    assert_int_equal(decode_tlvs(fe_view_of(tlvs, FE_SECURE_EXTENSION_MAX + 1), &err),
                     FLATEND_EPROTO);
    assert_string_equal(err.text, "extension: 1025 bytes (at most 1024)");
}

static void what_is_no_extension(void **state)
{
    (void)state;
    assert_false(fe_secure_has_extension((struct fe_view){0}));
    assert_false(fe_secure_has_extension(FE_VIEW_LIT("FLT")));
    assert_false(fe_secure_has_extension(FE_VIEW_LIT("FLT3\0\0")));
    assert_true(fe_secure_has_extension(FE_VIEW_LIT("FLT2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions),
        cmocka_unit_test(extensions_that_lie),
        cmocka_unit_test(an_extension_is_as_long_as_it_says),
        cmocka_unit_test(an_extension_is_bounded),
        cmocka_unit_test(what_is_no_extension),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
