#include "web/http/h2/sequence.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "ground/base/array.h"
#include "ground/base/assert.h"

void fe_h2_sequence_deinit(struct fe_h2_sequence *sequence)
{
    free(sequence->unended);
}

void fe_h2_sequence_trim(struct fe_h2_sequence *sequence)
{
    if (sequence->n_unended == 0) {
        free(sequence->unended);
        sequence->unended = NULL;
        sequence->cap = 0;
    }
}

/* Where the id is, or would be. */
static size_t position(const struct fe_h2_sequence *sequence, uint32_t id)
{
    size_t low = 0;
    size_t high = sequence->n_unended;

    while (low < high) {
        const size_t middle = (low + high) / 2;

        if (sequence->unended[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_unended(const struct fe_h2_sequence *sequence, uint32_t id, size_t *at)
{
    *at = position(sequence, id);
    return *at < sequence->n_unended && sequence->unended[*at] == id;
}

static void drop(struct fe_h2_sequence *sequence, size_t at)
{
    sequence->n_unended--;
    memmove(sequence->unended + at, sequence->unended + at + 1,
            (sequence->n_unended - at) * sizeof(*sequence->unended));
}

/* The oldest `n`. */
static void forget(struct fe_h2_sequence *sequence, size_t n)
{
    sequence->floor = sequence->unended[n - 1];
    sequence->n_unended -= n;
    memmove(sequence->unended, sequence->unended + n,
            sequence->n_unended * sizeof(*sequence->unended));
}

/* Without memory for it nothing is known any more of the streams until now. */
static void add(struct fe_h2_sequence *sequence, uint32_t id)
{
    if (sequence->n_unended == FE_H2_UNENDED_MAX) {
        forget(sequence, FE_H2_UNENDED_MAX / 2);
    }
    if (FE_ARRAY_RESERVE(sequence->unended, sequence->n_unended, sequence->cap) != 0) {
        sequence->floor = id;
        sequence->n_unended = 0;
        return;
    }
    FE_ASSERT(sequence->n_unended < sequence->cap, "there is room for another stream");
    sequence->unended[sequence->n_unended++] = id;
}

static void open_stream(struct fe_h2_sequence *sequence, uint32_t id, bool ends)
{
    const uint32_t next = sequence->last == 0 ? 1 : sequence->last + 2;

    if (id > next) {
        sequence->gap_from = next;
        sequence->gap_to = id - 2;
    }
    sequence->last = id;
    if (!ends) {
        add(sequence, id);
    }
}

static struct fe_h2_fault ok(void)
{
    return (struct fe_h2_fault){0, NULL};
}

/* A frame on a stream that was used before. */
static struct fe_h2_fault on_frame(struct fe_h2_sequence *sequence, uint32_t id, bool ends)
{
    size_t at;

    if (is_unended(sequence, id, &at)) {
        if (ends) {
            drop(sequence, at);
        }
        return ok();
    }
    if (id <= sequence->floor) {
        return ok();
    }
    return (struct fe_h2_fault){NGHTTP2_STREAM_CLOSED,
                                "frame on a stream that the client has ended"};
}

struct fe_h2_fault fe_h2_sequence_on_headers(struct fe_h2_sequence *sequence, uint32_t id,
                                             bool ends)
{
    if (id % 2 == 0) {
        return ok();
    }
    if (id > sequence->last) {
        open_stream(sequence, id, ends);
        return ok();
    }
    /* RFC 9113 §5.1.1: a first use closes the unused streams below it. */
    if (id >= sequence->gap_from && id <= sequence->gap_to && id > sequence->floor) {
        return (struct fe_h2_fault){NGHTTP2_PROTOCOL_ERROR, "stream id below one that was used"};
    }
    return on_frame(sequence, id, ends);
}

struct fe_h2_fault fe_h2_sequence_on_data(struct fe_h2_sequence *sequence, uint32_t id, bool ends)
{
    return id % 2 == 0 || id > sequence->last ? ok() : on_frame(sequence, id, ends);
}

void fe_h2_sequence_on_reset(struct fe_h2_sequence *sequence, uint32_t id)
{
    size_t at;

    if (is_unended(sequence, id, &at)) {
        drop(sequence, at);
    }
}
