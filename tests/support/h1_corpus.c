#include "support/h1_corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "web/http/h1/decoder.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define HOST           "Host: h\r\n"
#define POST           "POST / HTTP/1.1\r\n" HOST
#define CHUNKED        POST "Transfer-Encoding: chunked\r\n\r\n"
#define T4             "a:\r\na:\r\na:\r\na:\r\n"
#define T16            T4 T4 T4 T4
#define X16            "xxxxxxxxxxxxxxxx"
#define X256           X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X512           X256 X256
#define X4096          X512 X512 X512 X512 X512 X512 X512 X512

const struct h1_case h1_corpus[] = {
    /* ---- RFC 9112 §3: the request line */
    {"simple", BYTES("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "[GET / @h 1.1 keep 0] ."},
    {"query", BYTES("GET /a/b?x=1&y=?2 HTTP/1.1\r\nhOsT:\th:80 \r\n\r\n"),
     "[GET /a/b?x=1&y=?2 @h:80 1.1 keep 0] ."},
    {"http 1.0", BYTES("GET / HTTP/1.0\r\n\r\n"), "[GET / @ 1.0 close 0] ."},
    {"http 1.0 keep-alive", BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
     "[GET / @ 1.0 keep 0] ."},
    {"http 1.9 is taken for 1.1", BYTES("GET / HTTP/1.9\r\n" HOST "\r\n"),
     "[GET / @h 1.1 keep 0] ."},
    {"close", BYTES("GET / HTTP/1.1\r\n" HOST "Connection: foo, CLOSE\r\n\r\n"),
     "[GET / @h 1.1 close 0] ."},
    {"close beats keep-alive",
     BYTES("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n"
           "Connection: keep-alive\r\n\r\n"),
     "[GET / @h 1.1 close 0] ."},
    {"any token is a method", BYTES("M-SEARCH / HTTP/1.1\r\n" HOST "\r\n"),
     "[M-SEARCH / @h 1.1 keep 0] ."},
    {"empty lines before", BYTES("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
     "[GET / @h 1.1 keep 0] ."},
    {"empty lines before each",
     BYTES("\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"
           "\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
     "[GET / @h 1.1 keep 0] . [GET / @h 1.1 keep 0] ."},
    {"too many empty lines", BYTES("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"empty line without LF", BYTES("\rGET / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"empty line without CR", BYTES("\nGET / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"tls", BYTES("\x16\x03\x01\x02\x00\x01"), "!400"},
    {"leading space", BYTES(" GET / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"method with a separator", BYTES("GE(T / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"two spaces after the method", BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"two spaces before the version", BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"space after the version", BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), "!400"},
    {"tab for a space", BYTES("GET\t/\tHTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"space in the target", BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"http 0.9", BYTES("GET /\r\n\r\n"), "!400"},
    {"no target", BYTES("GET HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"http 2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "!505"},
    {"http 0.9 by name", BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), "!505"},
    {"version in lower case", BYTES("GET / http/1.1\r\n" HOST "\r\n"), "!400"},
    {"version with two digits", BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), "!400"},
    {"version with a comma", BYTES("GET / HTTP/1,1\r\n" HOST "\r\n"), "!400"},
    {"no version", BYTES("GET / HTTP/\r\n" HOST "\r\n"), "!400"},
    {"another protocol", BYTES("INVALID CONNECTION PREFACE\r\n\r\n"), "!0"},
    {"three words and no version", BYTES("a b c d\r\n\r\n"), "!0"},
    {"two words", BYTES("HELO there\r\n\r\n"), "!400"},
    {"CR in the request line", BYTES("GET /\r HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"request line too long", BYTES("GET /" X512 " HTTP/1.1\r\n" HOST "\r\n"), "!414"},
    {"bare LF after the request line", BYTES("GET / HTTP/1.1\n" HOST "\r\n"), "!400"},

    /* ---- §3.2: forms of the target */
    {"absolute form", BYTES("GET http://a.b:8/c?d HTTP/1.1\r\n" HOST "\r\n"),
     "[GET /c?d @a.b:8 1.1 keep 0] ."},
    {"absolute form without a path", BYTES("GET HTTPS://a?d HTTP/1.1\r\n" HOST "\r\n"),
     "[GET /?d @a 1.1 keep 0] ."},
    {"absolute form in 1.0, without Host", BYTES("GET http://a:8/b HTTP/1.0\r\n\r\n"),
     "[GET /b @a:8 1.0 close 0] ."},
    {"absolute form needs Host too", BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), "!400"},
    {"absolute form with a user", BYTES("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"absolute form without a host", BYTES("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"another scheme", BYTES("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"asterisk", BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "[OPTIONS * @h 1.1 keep 0] ."},
    {"asterisk without OPTIONS", BYTES("GET * HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"authority form", BYTES("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"), "!501"},
    {"relative target", BYTES("GET a HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"fragment", BYTES("GET /#a HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"byte beyond ascii in the target", BYTES("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), "!400"},
    {"NUL in the target", BYTES("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), "!400"},

    /* ---- §3.2, §7.2 of RFC 9110: Host */
    {"no host", BYTES("GET / HTTP/1.1\r\n\r\n"), "!400"},
    {"two hosts", BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "!400"},
    {"two hosts in 1.0", BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), "!400"},
    {"empty host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "[GET / @ 1.1 keep 0] ."},
    {"ipv6 host", BYTES("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
     "[GET / @[::1]:80 1.1 keep 0] ."},
    {"host with a slash", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "!400"},
    {"host with a user", BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), "!400"},
    {"host with a space", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "!400"},
    {"host list", BYTES("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), "!400"},
    {"host with a bad port", BYTES("GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n"), "!400"},
    {"host with a long port", BYTES("GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n"), "!400"},
    {"host with an open bracket", BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), "!400"},
    {"host with empty brackets", BYTES("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), "!400"},
    {"port without a host", BYTES("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), "!400"},

    /* ---- §5: field lines */
    {"space before the colon", BYTES("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), "!400"},
    {"tab before the colon", BYTES("GET / HTTP/1.1\r\n" HOST "a\t: b\r\n\r\n"), "!400"},
    {"folded line", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\r\n c\r\n\r\n"), "!400"},
    {"folded with a tab", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\r\n\tc\r\n\r\n"), "!400"},
    {"space before the first field", BYTES("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), "!400"},
    {"no colon", BYTES("GET / HTTP/1.1\r\n" HOST "a\r\n\r\n"), "!400"},
    {"no name", BYTES("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"), "!400"},
    {"separator in the name", BYTES("GET / HTTP/1.1\r\n" HOST "a@b: c\r\n\r\n"), "!400"},
    {"byte beyond ascii in the name", BYTES("GET / HTTP/1.1\r\n" HOST "a\xff: c\r\n\r\n"), "!400"},
    {"NUL in the name", BYTES("GET / HTTP/1.1\r\n" HOST "a\0: c\r\n\r\n"), "!400"},
    {"NUL in the value", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\0c\r\n\r\n"), "!400"},
    {"CR in the value", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\rc\r\n\r\n"), "!400"},
    {"CR before CRLF", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\r\r\n\r\n"), "!400"},
    {"control in the value", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\x7f\r\n\r\n"), "!400"},
    {"bare LF after a field", BYTES("GET / HTTP/1.1\r\n" HOST "a: b\n\r\n"), "!400"},
    {"bare LF for the empty line", BYTES("GET / HTTP/1.1\r\n" HOST "\n"), "!400"},
    {"obs-text in a value", BYTES("GET / HTTP/1.1\r\n" HOST "a: \xe4\r\n\r\n"),
     "[GET / @h 1.1 keep 0] ."},
    {"empty value", BYTES("GET / HTTP/1.1\r\n" HOST "a:\r\n\r\n"), "[GET / @h 1.1 keep 0] ."},
    {"fields too large", BYTES("GET / HTTP/1.1\r\n" HOST "a: " X512 "\r\n\r\n"), "!431"},

    /* ---- §6.2: Content-Length */
    {"body", BYTES(POST "Content-Length: 5\r\n\r\nhello"), "[POST / @h 1.1 keep 5] hello ."},
    {"body and another request",
     BYTES(POST "Content-Length: 005\r\n\r\nhelloGET /2 HTTP/1.1\r\n" HOST "\r\n"),
     "[POST / @h 1.1 keep 5] hello . [GET /2 @h 1.1 keep 0] ."},
    {"incomplete body", BYTES(POST "Content-Length: 5\r\n\r\nhell"), "[POST / @h 1.1 keep 5] hell"},
    {"length zero", BYTES(POST "Content-Length: 0\r\n\r\n"), "[POST / @h 1.1 keep 0] ."},
    {"two equal lengths", BYTES(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
     "!400"},
    {"two lengths", BYTES(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "!400"},
    {"list of equal lengths", BYTES(POST "Content-Length: 5, 5\r\n\r\nhello"), "!400"},
    {"no length", BYTES(POST "Content-Length:\r\n\r\n"), "!400"},
    {"length with a plus", BYTES(POST "Content-Length: +5\r\n\r\nhello"), "!400"},
    {"length with a minus", BYTES(POST "Content-Length: -5\r\n\r\nhello"), "!400"},
    {"hexadecimal length", BYTES(POST "Content-Length: 0x5\r\n\r\nhello"), "!400"},
    {"length with a space", BYTES(POST "Content-Length: 1 0\r\n\r\nhello"), "!400"},
    {"length with a point", BYTES(POST "Content-Length: 5.0\r\n\r\nhello"), "!400"},
    {"quoted length", BYTES(POST "Content-Length: \"5\"\r\n\r\nhello"), "!400"},
    {"largest length", BYTES(POST "Content-Length: 9223372036854775807\r\n\r\n"),
     "[POST / @h 1.1 keep 9223372036854775807]"},
    {"length beyond 2^63", BYTES(POST "Content-Length: 9223372036854775808\r\n\r\n"), "!400"},
    {"length that wraps 2^64", BYTES(POST "Content-Length: 18446744073709551621\r\n\r\nhello"),
     "!400"},
    {"length with a vertical tab", BYTES(POST "Content-Length: \v5\r\n\r\nhello"), "!400"},

    /* ---- §6.1, §6.3, §11.2: Transfer-Encoding, and the tricks with both */
    {"CL.TE", BYTES(POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
     "!400"},
    {"TE.CL", BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
     "!400"},
    {"TE.TE", BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"), "!400"},
    {"twice chunked",
     BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400"},
    {"chunked, chunked", BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), "!501"},
    {"gzip, chunked", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), "!501"},
    {"chunked, gzip", BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), "!400"},
    {"identity", BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), "!400"},
    {"xchunked", BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), "!400"},
    {"chunked with a parameter", BYTES(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), "!400"},
    {"quoted chunked", BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), "!400"},
    {"chunked after a vertical tab", BYTES(POST "Transfer-Encoding: \vchunked\r\n\r\n"), "!400"},
    {"empty coding", BYTES(POST "Transfer-Encoding:\r\n\r\n"), "!400"},
    {"coding in http 1.0", BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "!400"},
    {"coding name before a space", BYTES(POST "Transfer-Encoding : chunked\r\n\r\n"), "!400"},
    {"coding on a folded line", BYTES(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), "!400"},
    {"coding with a bare LF", BYTES(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n"), "!400"},
    {"coding with a bare CR", BYTES(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n"), "!400"},
    {"an underscore is another field", BYTES(POST "Transfer_Encoding: chunked\r\n\r\n"),
     "[POST / @h 1.1 keep 0] ."},
    {"CHUNKED", BYTES(POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] ."},

    /* ---- §7.1: chunks */
    {"chunks", BYTES(CHUNKED "5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] hello0123456789 ."},
    {"chunks and another request",
     BYTES(CHUNKED "1\r\na\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"),
     "[POST / @h 1.1 keep chunked] a . [GET /2 @h 1.1 keep 0] ."},
    {"hexadecimal in both cases", BYTES(CHUNKED "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] 01234567890123456789a ."},
    {"chunk extension", BYTES(CHUNKED "1;a=b;c=\"d\"\r\nx\r\n0 ; e\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] x ."},
    {"chunk extension with a bare LF", BYTES(CHUNKED "1;a\nx\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk extension with a bare CR", BYTES(CHUNKED "1;a\rb\r\nx\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk extensions too long", BYTES(CHUNKED "1;" X4096 "\r\nx\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"no chunk size", BYTES(CHUNKED "\r\nhello\r\n0\r\n\r\n"), "[POST / @h 1.1 keep chunked] !400"},
    {"only an extension", BYTES(CHUNKED ";a\r\n0\r\n\r\n"), "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with 0x", BYTES(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with a minus", BYTES(CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with a plus", BYTES(CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size after a space", BYTES(CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size before a space", BYTES(CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with an underscore", BYTES(CHUNKED "1_0\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with a bare LF", BYTES(CHUNKED "5\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with CR only", BYTES(CHUNKED "5\rhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"largest chunk size", BYTES(CHUNKED "fffffffffffffff\r\nx"), "[POST / @h 1.1 keep chunked] x"},
    {"chunk size too long", BYTES(CHUNKED "1000000000000000\r\nx"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk size with many zeros", BYTES(CHUNKED "0000000000000001\r\nx\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"chunk longer than its size", BYTES(CHUNKED "5\r\nhello!\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] hello !400"},
    {"chunk shorter than its size", BYTES(CHUNKED "6\r\nhello\r\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] hello\r !400"},
    {"chunk with a bare LF behind", BYTES(CHUNKED "5\r\nhello\n0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] hello !400"},
    {"chunk with CR only behind", BYTES(CHUNKED "5\r\nhello\r0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] hello !400"},

    /* ---- §7.1.2: trailers */
    {"trailers", BYTES(CHUNKED "0\r\nA: b\r\nC: d\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"),
     "[POST / @h 1.1 keep chunked] . a=b c=d [GET /2 @h 1.1 keep 0] ."},
    {"trailers change no framing", BYTES(CHUNKED "0\r\nContent-Length: 5\r\nHost: x\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] ."},
    {"no trailers after those of another", BYTES(CHUNKED "0\r\nA: b\r\n\r\n" CHUNKED "0\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] . a=b [POST / @h 1.1 keep chunked] ."},
    {"trailers change no header",
     BYTES(CHUNKED "0\r\nAuthorization: x\r\nB: \tc \r\nTE: d\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] . b=c"},
    {"too many trailers", BYTES(CHUNKED "0\r\n" T16 T16 T16 T16 T16 T16 T16 T16 "a:\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !431"},
    {"folded trailer", BYTES(CHUNKED "0\r\nA: b\r\n c\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"malformed trailer", BYTES(CHUNKED "0\r\nA\r\n\r\n"), "[POST / @h 1.1 keep chunked] !400"},
    {"trailer with a bare LF", BYTES(CHUNKED "0\r\nA: b\n\r\n"),
     "[POST / @h 1.1 keep chunked] !400"},
    {"bare LF for the last line", BYTES(CHUNKED "0\r\n\n"), "[POST / @h 1.1 keep chunked] !400"},
    {"trailers too large", BYTES(CHUNKED "0\r\nA: " X512 "\r\n\r\n"),
     "[POST / @h 1.1 keep chunked] !431"},

    /* ---- RFC 9110 §10.1.1: Expect */
    {"expect", BYTES(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"),
     "[POST / @h 1.1 keep 1 expect] x ."},
    {"expect in http 1.0",
     BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"),
     "[POST / @ 1.0 close 1] x ."},
    {"another expectation", BYTES(POST "Expect: 200-ok\r\n\r\n"), "!417"},
};

const size_t h1_corpus_n = sizeof(h1_corpus) / sizeof(h1_corpus[0]);

static void write_text(struct h1_reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct h1_reading *reading, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(reading->text + reading->len, sizeof(reading->text) - reading->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(reading->text) - reading->len) {
        fail_msg("the reading is full");
    }
    reading->len += (size_t)n;
}

/* Backends know the authority by two names. */
static void check_host(const struct fe_request *request)
{
    const struct fe_field *const host = fe_fields_find(&request->fields, FE_VIEW_LIT("host"));

    if (host == NULL) {
        assert_int_equal(request->authority.len, 0);
    } else {
        assert_true(fe_view_equal(host->value, request->authority));
    }
}

static void write_head(struct h1_reading *reading, const struct fe_request *request,
                       const struct fe_h1_head *head)
{
    check_host(request);
    write_text(reading, "%s[%.*s %.*s%s%.*s @%.*s 1.%u %s ", reading->len > 0 ? " " : "",
               (int)request->method_text.len, (const char *)request->method_text.ptr,
               (int)request->path.len, (const char *)request->path.ptr,
               request->query.len > 0 ? "?" : "", (int)request->query.len,
               (const char *)request->query.ptr, (int)request->authority.len,
               (const char *)request->authority.ptr, request->version - 10,
               head->keep_alive ? "keep" : "close");
    if (head->is_chunked) {
        assert_true(request->content_length == FE_BODY_UNKNOWN);
        write_text(reading, "chunked");
    } else {
        write_text(reading, "%llu", (unsigned long long)request->content_length);
    }
    write_text(reading, "%s]", head->expects_continue ? " expect" : "");
}

static void write_trailers(struct h1_reading *reading, const struct fe_fields *trailers)
{
    for (size_t i = 0; i < trailers->n; i++) {
        const struct fe_field *field = &trailers->items[i];

        write_text(reading, " %.*s=%.*s", (int)field->name.len, (const char *)field->name.ptr,
                   (int)field->value.len, (const char *)field->value.ptr);
    }
}

/* One piece of input; false after a fault. */
static bool read_piece(struct h1_reading *reading, struct fe_h1_decoder *decoder, struct fe_view in,
                       bool *in_body)
{
    for (;;) {
        switch (fe_h1_decoder_feed(decoder, &in)) {
        case FE_H1_ON_MORE:
            assert_int_equal(in.len, 0);
            return true;
        case FE_H1_ON_HEAD:
            write_head(reading, decoder->request, &decoder->head);
            *in_body = false;
            break;
        case FE_H1_ON_BODY:
            write_text(reading, "%s%.*s", *in_body ? "" : " ", (int)decoder->body.len,
                       (const char *)decoder->body.ptr);
            *in_body = true;
            fe_h1_decoder_take(decoder, &in, decoder->body.len);
            break;
        case FE_H1_ON_END:
            write_text(reading, " .");
            write_trailers(reading, &decoder->trailers);
            fe_arena_reset(decoder->arena);
            fe_h1_decoder_next(decoder);
            break;
        case FE_H1_ON_FAULT:
            reading->status = decoder->fault.status;
            reading->reason = decoder->fault.reason;
            write_text(reading, "%s!%d", reading->len > 0 ? " " : "", reading->status);
            return false;
        }
    }
}

void h1_read(struct h1_reading *reading, struct fe_view bytes, cut_fn cut, void *arg)
{
    struct fe_arena arena;
    struct fe_request request = {.version = 11};
    struct fe_h1_decoder decoder;
    bool in_body = false;
    bool goes_on = true;

    *reading = (struct h1_reading){.status = 0};
    fe_arena_init(&arena, 0);
    fe_h1_decoder_init(&decoder, H1_CORPUS_HEADER_MAX, &arena, &request);
    while (goes_on && bytes.len > 0) {
        size_t n = cut != NULL ? cut(arg, bytes.len) : bytes.len;
        uint8_t *piece = malloc(n);

        assert_non_null(piece);
        memcpy(piece, bytes.ptr, n);
        goes_on = read_piece(reading, &decoder, fe_view_of(piece, n), &in_body);
        free(piece);
        bytes = fe_view_skip(bytes, n);
    }
    fe_h1_decoder_deinit(&decoder);
    fe_arena_deinit(&arena);
}
