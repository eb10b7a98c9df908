#include "web/http/h2/guard.h"

#include <nghttp2/nghttp2.h>

enum {
    /* A stream's window and the connection's, each at most twice a frame: some libraries give back
     * what they read in pieces. */
    UPDATES_PER_DATA = 4,
    FRAME_SIZE_MAX = 16384, /* the SETTINGS_MAX_FRAME_SIZE that we do not raise */
};

/* RFC 9113 §6. */
enum frame_type {
    TYPE_DATA,
    TYPE_HEADERS,
    TYPE_PRIORITY,
    TYPE_RST_STREAM,
    TYPE_SETTINGS,
    TYPE_PUSH_PROMISE,
    TYPE_PING,
    TYPE_GOAWAY,
    TYPE_WINDOW_UPDATE,
    TYPE_CONTINUATION,
};

enum { FLAG_END_STREAM = 0x1, FLAG_ACK = 0x1, FLAG_END_HEADERS = 0x4, FLAG_PADDED = 0x8 };

enum { NUMBER_LEN = 4, PRIORITY_LEN = 5 };

static const struct fe_h2_rate rates[FE_H2_N_FLOODS] = FE_H2_RATES;

void fe_h2_guard_init(struct fe_h2_guard *guard, size_t header_max, struct fe_h2_counters *counters)
{
    *guard = (struct fe_h2_guard){
        .counters = counters,
        .n_preface = FE_H2_PREFACE_LEN,
        .max_continuations = header_max / FRAME_SIZE_MAX + FE_H2_CONTINUATIONS_EXTRA,
    };
}

void fe_h2_guard_deinit(struct fe_h2_guard *guard)
{
    fe_h2_sequence_deinit(&guard->sequence);
}

enum fe_h2_flood fe_h2_guard_count(struct fe_h2_guard *guard, enum fe_h2_flood kind,
                                   uint64_t now_ms)
{
    struct fe_bucket *bucket = &guard->buckets[kind];
    const uint64_t level = fe_bucket_level(bucket, rates[kind].per_s, now_ms) + FE_BUCKET_UNIT;

    guard->counters->seen[kind]++;
    fe_bucket_set(bucket, level, now_ms);
    return level > (uint64_t)rates[kind].burst * FE_BUCKET_UNIT ? kind : FE_H2_NO_FLOOD;
}

void fe_h2_guard_on_data(struct fe_h2_guard *guard)
{
    uint64_t *level = &guard->buckets[FE_H2_WINDOW_UPDATES].level;
    const uint64_t given = (uint64_t)UPDATES_PER_DATA * FE_BUCKET_UNIT;

    *level = *level > given ? *level - given : 0;
}

/* RFC 9113 §4.3: a header block is contiguous, so that its frames can be counted. */
static enum fe_h2_flood on_continuation(struct fe_h2_guard *guard, uint64_t now_ms)
{
    guard->counters->seen[FE_H2_CONTINUATIONS]++;
    if (++guard->n_continuations > guard->max_continuations) {
        return FE_H2_CONTINUATIONS;
    }
    return guard->left == 0 ? fe_h2_guard_count(guard, FE_H2_EMPTY, now_ms) : FE_H2_NO_FLOOD;
}

static uint32_t number_at(const uint8_t *at)
{
    return ((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) &
           UINT32_C(0x7fffffff);
}

static void refuse(struct fe_h2_guard *guard, uint32_t code, const char *why)
{
    guard->fault = (struct fe_h2_fault){code, why};
}

/* The order of the client's frames. What comes within a header block is nghttp2's to refuse. */
static void check_sequence(struct fe_h2_guard *guard, uint8_t type, uint8_t flags)
{
    const uint32_t id = number_at(guard->header + 5);
    const bool ends = (flags & FLAG_END_STREAM) != 0;

    if (type == TYPE_HEADERS || type == TYPE_CONTINUATION) {
        const bool was_in_block = guard->is_in_block;

        guard->is_in_block = (flags & FLAG_END_HEADERS) == 0;
        if (type == TYPE_HEADERS && !was_in_block) {
            guard->fault = fe_h2_sequence_on_headers(&guard->sequence, id, ends);
        }
    } else if (guard->is_in_block) {
        return;
    } else if (type == TYPE_DATA) {
        guard->fault = fe_h2_sequence_on_data(&guard->sequence, id, ends);
    } else if (type == TYPE_RST_STREAM) {
        fe_h2_sequence_on_reset(&guard->sequence, id);
    } else if (type == TYPE_PRIORITY && id == 0) {
        refuse(guard, NGHTTP2_PROTOCOL_ERROR, "PRIORITY on stream 0"); /* RFC 9113 §6.3 */
    }
}

/* How much of the payload has to be seen. A length that is wrong is nghttp2's to refuse. */
static uint8_t n_wanted(const struct fe_h2_guard *guard, uint8_t type, uint8_t flags)
{
    switch (type) {
    case TYPE_DATA:
        return (flags & FLAG_PADDED) != 0 && guard->left > 0 ? 1 : 0;
    case TYPE_PRIORITY:
        return guard->left == PRIORITY_LEN ? NUMBER_LEN : 0;
    case TYPE_WINDOW_UPDATE:
        return guard->left == NUMBER_LEN ? NUMBER_LEN : 0;
    default:
        return 0;
    }
}

/* The payload's first bytes are there; they count as taken. nghttp2 checks the same, but not of
 * streams that it has forgotten, nor of PRIORITY. */
static void check_start(struct fe_h2_guard *guard)
{
    switch (guard->header[3]) {
    case TYPE_DATA: /* RFC 9113 §6.1 */
        if (guard->start[0] > guard->left) {
            refuse(guard, NGHTTP2_PROTOCOL_ERROR, "padding beyond the frame");
        }
        break;
    case TYPE_PRIORITY: /* RFC 7540 §5.3.1 */
        if (number_at(guard->start) == number_at(guard->header + 5)) {
            refuse(guard, NGHTTP2_PROTOCOL_ERROR, "stream that depends on itself");
        }
        break;
    case TYPE_WINDOW_UPDATE: /* RFC 9113 §6.9 */
        if (number_at(guard->start) == 0) {
            refuse(guard, NGHTTP2_PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
        }
        break;
    default:
        break;
    }
}

static enum fe_h2_flood on_frame(struct fe_h2_guard *guard, uint64_t now_ms)
{
    uint8_t type = guard->header[3];
    uint8_t flags = guard->header[4];

    if (type != TYPE_CONTINUATION) {
        guard->n_continuations = 0;
    }
    guard->n_wanted = n_wanted(guard, type, flags);
    guard->n_start = 0;
    check_sequence(guard, type, flags);
    switch (type) {
    case TYPE_DATA:
        if (guard->left == 0 && (flags & FLAG_END_STREAM) == 0) {
            return fe_h2_guard_count(guard, FE_H2_EMPTY, now_ms);
        }
        return FE_H2_NO_FLOOD;
    case TYPE_HEADERS:
        return guard->left == 0 ? fe_h2_guard_count(guard, FE_H2_EMPTY, now_ms) : FE_H2_NO_FLOOD;
    case TYPE_RST_STREAM:
        return fe_h2_guard_count(guard, FE_H2_RAPID_RESETS, now_ms);
    case TYPE_SETTINGS:
        if ((flags & FLAG_ACK) != 0) {
            return FE_H2_NO_FLOOD; /* one more than was asked for is a fault */
        }
        return fe_h2_guard_count(guard, FE_H2_SETTINGS, now_ms);
    case TYPE_PING:
        return fe_h2_guard_count(guard, FE_H2_PINGS, now_ms);
    case TYPE_WINDOW_UPDATE:
        return fe_h2_guard_count(guard, FE_H2_WINDOW_UPDATES, now_ms);
    case TYPE_CONTINUATION:
        return on_continuation(guard, now_ms);
    case TYPE_PUSH_PROMISE: /* a fault, which ends the connection */
        return FE_H2_NO_FLOOD;
    case TYPE_PRIORITY:
    case TYPE_GOAWAY:
    default:
        return fe_h2_guard_count(guard, FE_H2_IGNORED, now_ms);
    }
}

/* Drops up to `want` bytes of `data`; returns how many. */
static size_t skip(struct fe_view *data, size_t want)
{
    size_t n = data->len < want ? data->len : want;

    *data = fe_view_skip(*data, n);
    return n;
}

static void take_payload(struct fe_h2_guard *guard, struct fe_view *data)
{
    const uint8_t *const from = data->ptr;
    const bool is_awaited = guard->n_start < guard->n_wanted;
    size_t n;

    if (!is_awaited) {
        guard->left -= skip(data, guard->left);
        return;
    }
    n = skip(data, (size_t)guard->n_wanted - guard->n_start);
    memcpy(guard->start + guard->n_start, from, n);
    guard->n_start += (uint8_t)n;
    guard->left -= n;
    if (guard->n_start == guard->n_wanted) {
        check_start(guard);
    }
}

enum fe_h2_flood fe_h2_guard_feed(struct fe_h2_guard *guard, struct fe_view data, uint64_t now_ms)
{
    guard->n_preface -= skip(&data, guard->n_preface);
    while (data.len > 0) {
        const uint8_t *from = data.ptr;
        enum fe_h2_flood kind;
        size_t n;

        if (guard->left > 0) {
            take_payload(guard, &data);
            if (guard->fault.code != 0) {
                break;
            }
            continue;
        }
        n = skip(&data, FE_H2_FRAME_HEADER_LEN - guard->n_header);
        memcpy(guard->header + guard->n_header, from, n);
        guard->n_header += n;
        if (guard->n_header < FE_H2_FRAME_HEADER_LEN) {
            break;
        }
        guard->n_header = 0;
        guard->left = (size_t)guard->header[0] << 16 | (size_t)guard->header[1] << 8 |
                      (size_t)guard->header[2];
        kind = on_frame(guard, now_ms);
        if (kind != FE_H2_NO_FLOOD || guard->fault.code != 0) {
            return kind;
        }
    }
    return FE_H2_NO_FLOOD;
}
