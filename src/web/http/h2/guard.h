/* Counts the frames that a client sends, before anything is done about them (RFC 9113 §10.5), and
 * finds the faults in those that nghttp2 ignores: on streams that it has forgotten, and in
 * PRIORITY.
 *
 * It follows nothing but the frames' nine bytes of header, and four behind them, through the stream
 * of bytes, so that it cannot be misled by what the frames say, and sees the ones too that are
 * ignored. */
#ifndef FE_WEB_HTTP_H2_GUARD_H
#define FE_WEB_HTTP_H2_GUARD_H

#include "ground/base/bucket.h"
#include "ground/base/view.h"
#include "web/http/h2/limits.h"
#include "web/http/h2/sequence.h"

enum { FE_H2_PREFACE_LEN = 24, FE_H2_FRAME_HEADER_LEN = 9 };

struct fe_h2_guard {
    struct fe_h2_counters *counters;
    struct fe_bucket buckets[FE_H2_N_FLOODS];
    size_t n_preface; /* bytes of it that have not come */
    uint8_t header[FE_H2_FRAME_HEADER_LEN];
    size_t n_header;
    size_t left;              /* of the frame's payload */
    size_t n_continuations;   /* of the header block */
    size_t max_continuations; /* what a head of the largest size needs, and some */
    bool is_in_block;         /* CONTINUATION is next */
    uint8_t n_wanted;         /* bytes of the payload that are looked at */
    uint8_t n_start;          /* of them, that have come */
    uint8_t start[4];
    struct fe_h2_sequence sequence;
    struct fe_h2_fault fault; /* for which the connection ends */
};

void fe_h2_guard_init(struct fe_h2_guard *guard, size_t header_max,
                      struct fe_h2_counters *counters);

void fe_h2_guard_deinit(struct fe_h2_guard *guard);

/* Looks at the bytes that come next: FE_H2_NO_FLOOD, or what there is too much of. With a `fault`
 * it has looked no further. */
enum fe_h2_flood fe_h2_guard_feed(struct fe_h2_guard *guard, struct fe_view data, uint64_t now_ms);

/* Counts something that is known from elsewhere. */
enum fe_h2_flood fe_h2_guard_count(struct fe_h2_guard *guard, enum fe_h2_flood kind,
                                   uint64_t now_ms);

/* A DATA frame was sent: it is the client's right to update the windows. */
void fe_h2_guard_on_data(struct fe_h2_guard *guard);

#endif
