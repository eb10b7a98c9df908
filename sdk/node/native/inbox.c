#include "inbox.h"

#include <string.h>

enum {
    BODY_MAX = 16384, /* what a record has of a body */
    WORD = sizeof(uint32_t),
};

/* Where the numbers are that are known later. */
enum { LENGTH = 0, FLAGS = 5, N_HEADERS = 6, HEAD_LEN = 7, BODY_LEN = 8 };

static void open_record(struct addon_inbox *inbox)
{
    inbox->at = inbox->len;
    inbox->is_exhausted = false;
}

static uint8_t *space(struct addon_inbox *inbox, size_t n)
{
    uint8_t *at = inbox->bytes + inbox->at;

    if (inbox->is_exhausted || n > inbox->cap - inbox->at) {
        inbox->is_exhausted = true;
        return NULL;
    }
    inbox->at += n;
    return at;
}

static void put_bytes(struct addon_inbox *inbox, const void *bytes, size_t n)
{
    uint8_t *at = space(inbox, n);

    if (at != NULL && n > 0) {
        memcpy(at, bytes, n);
    }
}

static void put_word(struct addon_inbox *inbox, uint32_t word)
{
    put_bytes(inbox, &word, sizeof(word));
}

/* Sets a word of the open record. */
static void set_word(struct addon_inbox *inbox, size_t i, size_t value)
{
    const uint32_t word = (uint32_t)value;

    memcpy(inbox->bytes + inbox->len + i * WORD, &word, sizeof(word));
}

static void put_start(struct addon_inbox *inbox, int type, uint32_t id, int code)
{
    open_record(inbox);
    put_word(inbox, 0);
    put_word(inbox, (uint32_t)type);
    put_word(inbox, id);
    put_word(inbox, (uint32_t)code);
}

static bool close_record(struct addon_inbox *inbox)
{
    static const uint8_t zeros[WORD];

    put_bytes(inbox, zeros, (WORD - inbox->at % WORD) % WORD);
    if (inbox->is_exhausted) {
        return false;
    }
    set_word(inbox, LENGTH, (inbox->at - inbox->len) / WORD);
    inbox->len = inbox->at;
    return true;
}

/* ---- heads ---- */

static bool is_ascii(const uint8_t *bytes, size_t n)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t seen = 0;

    for (; n >= sizeof(seen); bytes += sizeof(seen), n -= sizeof(seen)) {
        uint64_t some;

        memcpy(&some, bytes, sizeof(some));
        seen |= some;
    }
    for (; n > 0; bytes++, n--) {
        seen |= *bytes;
    }
    return (seen & high) == 0;
}

/* A response has its status besides as a header, ":status". */
static bool is_told(const struct flatend_header *header, bool is_response)
{
    return !is_response || header->name[0] != ':';
}

/* Returns of how many headers. */
static size_t put_lengths(struct addon_inbox *inbox, const struct flatend_header *headers, size_t n,
                          bool is_response)
{
    size_t n_told = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_told(&headers[i], is_response)) {
            put_word(inbox, (uint32_t)strlen(headers[i].name));
            put_word(inbox, (uint32_t)headers[i].value_len);
            n_told++;
        }
    }
    return n_told;
}

/* Returns the flags of the head. */
static uint32_t put_head(struct addon_inbox *inbox, const struct flatend_header *headers, size_t n,
                         bool is_response)
{
    const size_t begin = inbox->at;

    for (size_t i = 0; i < n; i++) {
        if (is_told(&headers[i], is_response)) {
            put_bytes(inbox, headers[i].name, strlen(headers[i].name));
            put_bytes(inbox, headers[i].value, headers[i].value_len);
        }
    }
    if (inbox->is_exhausted) {
        return 0;
    }
    set_word(inbox, HEAD_LEN, inbox->at - begin);
    return is_ascii(inbox->bytes + begin, inbox->at - begin) ? ADDON_RECORD_ASCII : 0;
}

/* ---- bodies ---- */

static ssize_t read_some(const struct addon_exchange *exchange, void *buf, size_t cap)
{
    return exchange->context != NULL ? flatend_context_read(exchange->context, buf, cap)
                                     : flatend_stream_read(exchange->stream, buf, cap);
}

/* The last part of a record, since nothing may fail once something was read: what is there, and
 * whether it is all. A body that has failed is told by an event. */
static uint32_t put_body(struct addon_inbox *inbox, const struct addon_exchange *exchange)
{
    uint8_t *at = space(inbox, BODY_MAX + WORD);
    size_t n = 0;
    ssize_t more = 0;

    if (at == NULL) {
        return 0;
    }
    do {
        more = read_some(exchange, at + n, BODY_MAX - n);
        n += more > 0 ? (size_t)more : 0;
    } while (more > 0 && n < BODY_MAX);
    inbox->at -= BODY_MAX + WORD - n;
    set_word(inbox, BODY_LEN, n);
    return more == 0 ? ADDON_RECORD_COMPLETE : 0;
}

/* ---- records ---- */

static uint32_t id_flags(bool is_anonymous, bool is_proven)
{
    return (is_anonymous ? (uint32_t)ADDON_RECORD_ANONYMOUS : 0) |
           (is_proven ? (uint32_t)ADDON_RECORD_PROVEN : 0);
}

bool addon_inbox_request(struct addon_inbox *inbox, struct addon_exchange *request,
                         uint32_t service)
{
    const struct flatend_id *id = flatend_context_id(request->context);
    const size_t host_len = strlen(id->host);
    size_t n = 0;
    const struct flatend_header *headers = flatend_context_headers(request->context, &n);
    uint32_t flags = id_flags(id->is_anonymous, id->is_proven);

    put_start(inbox, FLATEND_EVENT_REQUEST, request->id, 0);
    put_word(inbox, service);
    put_word(inbox, 0);
    put_word(inbox, (uint32_t)n);
    put_word(inbox, 0);
    put_word(inbox, 0);
    put_word(inbox, flatend_context_remaining_ms(request->context));
    put_word(inbox, id->port);
    put_bytes(inbox, id->public_key, sizeof(id->public_key));
    put_word(inbox, (uint32_t)host_len);
    (void)put_lengths(inbox, headers, n, false);
    put_bytes(inbox, id->host, host_len);
    flags |= put_head(inbox, headers, n, false);
    flags |= put_body(inbox, request);
    if (!inbox->is_exhausted) {
        set_word(inbox, FLAGS, flags);
    }
    return close_record(inbox);
}

bool addon_inbox_response(struct addon_inbox *inbox, struct addon_exchange *call)
{
    const struct flatend_header *headers = NULL;
    size_t n = 0;
    size_t n_told;
    int status = 0;
    uint32_t flags;

    if (flatend_stream_response(call->stream, &status, &headers, &n) != 0) {
        return true; /* it has failed since, which is told next */
    }
    put_start(inbox, FLATEND_EVENT_RESPONSE, call->id, 0);
    put_word(inbox, (uint32_t)status);
    put_word(inbox, 0);
    put_word(inbox, 0);
    put_word(inbox, 0);
    put_word(inbox, 0);
    n_told = put_lengths(inbox, headers, n, true);
    flags = put_head(inbox, headers, n, true);
    flags |= put_body(inbox, call);
    if (!inbox->is_exhausted) {
        set_word(inbox, N_HEADERS, n_told);
        set_word(inbox, FLAGS, flags);
        call->is_told = (flags & ADDON_RECORD_COMPLETE) != 0;
    }
    return close_record(inbox);
}

bool addon_inbox_peer(struct addon_inbox *inbox, int type, const struct flatend_provider *peer)
{
    const struct flatend_id *id = &peer->id;
    const size_t host_len = strlen(id->host);

    put_start(inbox, type, 0, 0);
    put_word(inbox, id->port);
    put_word(inbox, id_flags(id->is_anonymous, id->is_proven));
    put_bytes(inbox, id->public_key, sizeof(id->public_key));
    put_word(inbox, (uint32_t)host_len);
    put_bytes(inbox, &peer->handle, sizeof(peer->handle));
    put_bytes(inbox, id->host, host_len);
    return close_record(inbox);
}

bool addon_inbox_text(struct addon_inbox *inbox, int type, int code, const char *text)
{
    const size_t len = strlen(text);

    put_start(inbox, type, 0, code);
    put_word(inbox, (uint32_t)len);
    put_bytes(inbox, text, len);
    return close_record(inbox);
}

bool addon_inbox_event(struct addon_inbox *inbox, int type, uint32_t id, int code)
{
    put_start(inbox, type, id, code);
    if (type == FLATEND_EVENT_FAILED) {
        put_word(inbox, 0); /* no text: the code says it */
    }
    return close_record(inbox);
}
