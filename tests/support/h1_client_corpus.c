#include "support/h1_client_corpus.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/http/h1/client_decoder.h"

#define OK       "HTTP/1.1 200 OK\r\n"
#define CHUNKED  OK "Transfer-Encoding: chunked\r\n\r\n"
#define TEN(x)   x x x x x x x x x x
#define LONG     TEN(TEN("0123456789"))
#define TOO_LONG TEN(LONG) TEN(LONG)

const struct h1_client_case h1_client_corpus[] = {
    {"length", OK "Content-Length: 5\r\n\r\nhello", "[200 content-length=5] hello .", false},
    {"no body", OK "content-length: 0\r\n\r\n", "[200 content-length=0] .", false},
    {"more than its length", OK "content-length: 2\r\n\r\nhello", "[200 content-length=2] he .",
     false},
    {"no reason", "HTTP/1.1 404\r\ncontent-length: 0\r\n\r\n", "[404 content-length=0] .", false},
    {"empty reason", "HTTP/1.0 404 \r\ncontent-length: 0\r\n\r\n", "[404 content-length=0] .",
     false},
    {"until the end", OK "A: b \r\nc:\td\r\n\r\nhello", "[200 a=b,c=d] hello .", false},
    {"nothing until the end", OK "\r\n", "[200] .", false},
    {"head", OK "content-length: 5\r\n\r\n", "[200 content-length=5] .", true},
    {"no content", "HTTP/1.1 204 No Content\r\nreplay-nonce: x\r\n\r\n", "[204 replay-nonce=x] .",
     false},
    {"not modified", "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
     "[304 content-length=7] .", false},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" OK "\r\nhi",
     "[200] hi .", false},
    {"chunked", CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
     "[200 transfer-encoding=chunked] hello world .", false},
    {"chunk extensions", CHUNKED "2;a=b\r\nhe\r\n3 ; c\r\nllo\r\n00;x\r\n\r\n",
     "[200 transfer-encoding=chunked] hello .", false},
    {"trailers", CHUNKED "1\r\nx\r\n0\r\na: b\r\nc: d\r\n\r\n",
     "[200 transfer-encoding=chunked] x .", false},
    {"nothing chunked", CHUNKED "0\r\n\r\n", "[200 transfer-encoding=chunked] .", false},

    {"nothing at all", "", "!", false},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "!", false},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "!", false},
    {"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "!", false},
    {"two digits", "HTTP/1.1 20 OK\r\n\r\n", "!", false},
    {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "!", false},
    {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "!", false},
    {"status 099", "HTTP/1.1 099 OK\r\n\r\n", "!", false},
    {"switching protocols", "HTTP/1.1 101 Switching\r\n\r\n", "!", false},
    {"interim for ever", TEN("HTTP/1.1 100 Continue\r\n\r\n") OK "content-length: 0\r\n\r\n", "!",
     false},
    {"bare LF", "HTTP/1.1 200 OK\ncontent-length: 0\n\n", "!", false},
    {"bare LF in fields", OK "a: b\nc: d\r\n\r\n", "!", false},
    {"control character", OK "a: b\001\r\n\r\n", "!", false},
    {"space before the colon", OK "a : b\r\n\r\n", "!", false},
    {"folded line", OK "a: b\r\n c\r\n\r\n", "!", false},
    {"head that breaks off", OK "a: b\r\n", "!", false},
    {"head too long", OK "a: " TEN(TOO_LONG) "\r\n\r\n", "!", false},
    {"two lengths", OK "content-length: 1\r\ncontent-length: 1\r\n\r\nx", "!", false},
    {"length no number", OK "content-length: 1x\r\n\r\nx", "!", false},
    {"length empty", OK "content-length:\r\n\r\nx", "!", false},
    {"length too large", OK "content-length: 9223372036854775808\r\n\r\nx", "!", false},
    {"length and chunked", OK "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "!",
     false},
    {"other coding", OK "transfer-encoding: gzip, chunked\r\n\r\n", "!", false},
    {"body that breaks off", OK "content-length: 5\r\n\r\nhell", "[200 content-length=5] hell !",
     false},
    {"chunk that breaks off", CHUNKED "5\r\nhell", "[200 transfer-encoding=chunked] hell !", false},
    {"no last chunk", CHUNKED "1\r\nx\r\n", "[200 transfer-encoding=chunked] x !", false},
    {"trailers that break off", CHUNKED "0\r\na: b\r\n", "[200 transfer-encoding=chunked] !",
     false},
    {"bad trailer", CHUNKED "0\r\na b\r\n\r\n", "[200 transfer-encoding=chunked] !", false},
    {"chunk size empty", CHUNKED "\r\n", "[200 transfer-encoding=chunked] !", false},
    {"chunk size no number", CHUNKED "x\r\n", "[200 transfer-encoding=chunked] !", false},
    {"chunk size negative", CHUNKED "-1\r\n", "[200 transfer-encoding=chunked] !", false},
    {"chunk size too long", CHUNKED "0000000000000001\r\nx", "[200 transfer-encoding=chunked] !",
     false},
    {"chunk line too long", CHUNKED "1;" LONG LONG LONG "\r\nx\r\n",
     "[200 transfer-encoding=chunked] !", false},
    {"chunk longer than it says", CHUNKED "1\r\nxy\r\n0\r\n\r\n",
     "[200 transfer-encoding=chunked] x !", false},
};
const size_t h1_client_corpus_n = sizeof(h1_client_corpus) / sizeof(h1_client_corpus[0]);

/* ---- reading -------------------------------------------------------------------------------- */

static void add(struct h1_client_reading *reading, struct fe_view text)
{
    const size_t room = sizeof(reading->text) - 1 - reading->len;
    const size_t n = text.len < room ? text.len : room;

    if (n > 0) {
        memcpy(reading->text + reading->len, text.ptr, n);
    }
    reading->len += n;
    reading->text[reading->len] = '\0';
}

static void add_head(struct h1_client_reading *reading, const struct fe_response *response)
{
    char status[16];

    snprintf(status, sizeof(status), "[%d", response->status);
    add(reading, fe_view_str(status));
    for (size_t i = 0; i < response->fields.n; i++) {
        add(reading, fe_view_str(i == 0 ? " " : ","));
        add(reading, response->fields.items[i].name);
        add(reading, FE_VIEW_LIT("="));
        add(reading, response->fields.items[i].value);
    }
    add(reading, FE_VIEW_LIT("]"));
}

/* False: that was the last event. */
static bool note(struct h1_client_reading *reading, const struct fe_h1_client_decoder *decoder,
                 enum fe_h1_client_event event, bool *in_body)
{
    switch (event) {
    case FE_H1_CLIENT_ON_MORE:
        return true;
    case FE_H1_CLIENT_ON_HEAD:
        add_head(reading, &decoder->response);
        return true;
    case FE_H1_CLIENT_ON_BODY:
        add(reading, fe_view_str(*in_body ? "" : " "));
        *in_body = true;
        add(reading, decoder->body);
        return true;
    case FE_H1_CLIENT_ON_END:
        add(reading, FE_VIEW_LIT(" ."));
        return false;
    case FE_H1_CLIENT_ON_FAULT:
        add(reading, fe_view_str(reading->len > 0 ? " !" : "!"));
        return false;
    }
    return false;
}

/* One piece; false: that was the last event. */
static bool feed(struct h1_client_reading *reading, struct fe_h1_client_decoder *decoder,
                 const char *bytes, size_t len, bool *in_body)
{
    uint8_t *piece = calloc(1, len > 0 ? len : 1);
    struct fe_view in = fe_view_of(piece, len);
    enum fe_h1_client_event event;
    bool goes_on = piece != NULL;

    if (piece != NULL) {
        memcpy(piece, bytes, len);
    } else {
        decoder->code = FLATEND_ENOMEM;
    }
    while (goes_on) {
        event = fe_h1_client_decoder_feed(decoder, &in);
        goes_on = note(reading, decoder, event, in_body);
        if (event == FE_H1_CLIENT_ON_MORE) {
            break;
        }
    }
    free(piece);
    return goes_on;
}

bool h1_client_read(struct h1_client_reading *reading, const struct h1_client_case *c, cut_fn cut,
                    void *arg)
{
    struct fe_h1_client_decoder decoder;
    struct fe_arena arena;
    size_t left = strlen(c->bytes);
    const char *at = c->bytes;
    bool goes_on = true;
    bool in_body = false;
    int code;

    reading->len = 0;
    reading->text[0] = '\0';
    fe_arena_init(&arena, 256 * 1024);
    fe_h1_client_decoder_init(&decoder, &arena, c->is_head);
    while (goes_on && left > 0) {
        const size_t n = cut != NULL ? cut(arg, left) : left;

        goes_on = feed(reading, &decoder, at, n, &in_body);
        at += n;
        left -= n;
    }
    if (goes_on) {
        (void)note(reading, &decoder, fe_h1_client_decoder_eof(&decoder), &in_body);
    }
    code = decoder.code;
    fe_h1_client_decoder_deinit(&decoder);
    fe_arena_deinit(&arena);
    return code != FLATEND_ENOMEM;
}
