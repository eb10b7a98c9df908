/* Any bytes as a response, whole and in pieces as the first byte says: the same comes out. */
#include <stdlib.h>

#include "web/http/h1/client_decoder.h"

enum { TEXT_MAX = 64 * 1024, ARENA_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    int status;
    size_t n_fields;
    bool is_whole;
    size_t len; /* of the body */
    uint8_t body[TEXT_MAX];
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* False: that was the last event. */
static bool note(struct reading *reading, const struct fe_h1_client_decoder *decoder,
                 enum fe_h1_client_event event)
{
    switch (event) {
    case FE_H1_CLIENT_ON_MORE:
        return true;
    case FE_H1_CLIENT_ON_HEAD:
        check(reading->status == 0 && decoder->response.status >= 200);
        reading->status = decoder->response.status;
        reading->n_fields = decoder->response.fields.n;
        return true;
    case FE_H1_CLIENT_ON_BODY:
        check(reading->status != 0 && decoder->body.len <= sizeof(reading->body) - reading->len);
        memcpy(reading->body + reading->len, decoder->body.ptr, decoder->body.len);
        reading->len += decoder->body.len;
        return true;
    case FE_H1_CLIENT_ON_END:
        check(reading->status != 0);
        reading->is_whole = true;
        return false;
    case FE_H1_CLIENT_ON_FAULT:
        check(decoder->code != 0 && decoder->reason != NULL);
        return false;
    }
    return false;
}

static void run(struct reading *reading, const uint8_t *data, size_t size, size_t piece,
                bool is_head)
{
    struct fe_h1_client_decoder decoder;
    struct fe_arena arena;
    bool goes_on = true;

    *reading = (struct reading){0};
    fe_arena_init(&arena, ARENA_MAX);
    fe_h1_client_decoder_init(&decoder, &arena, is_head);
    for (size_t at = 0; goes_on && at < size; at += piece) {
        struct fe_view in = fe_view_of(data + at, size - at < piece ? size - at : piece);

        while (goes_on && in.len > 0) {
            goes_on = note(reading, &decoder, fe_h1_client_decoder_feed(&decoder, &in));
        }
    }
    if (goes_on) {
        (void)note(reading, &decoder, fe_h1_client_decoder_eof(&decoder));
    }
    fe_h1_client_decoder_deinit(&decoder);
    fe_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading *whole = malloc(sizeof(*whole));
    struct reading *cut = malloc(sizeof(*cut));

    if (whole != NULL && cut != NULL && size > 1 && size <= TEXT_MAX) {
        const bool is_head = (data[0] & 0x80) != 0;

        run(whole, data + 1, size - 1, size - 1, is_head);
        run(cut, data + 1, size - 1, 1 + data[0] % 16, is_head);
        check(whole->status == cut->status && whole->n_fields == cut->n_fields);
        check(whole->is_whole == cut->is_whole && whole->len == cut->len);
        check(memcmp(whole->body, cut->body, whole->len) == 0);
    }
    free(whole);
    free(cut);
    return 0;
}
