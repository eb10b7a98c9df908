#include "gateway/files/transfer.h"

#include <stdlib.h>

#include "gateway/files/listing.h"
#include "ground/base/assert.h"
#include "ground/os/fd.h"

/* Bytes of a file that are read at once. */
enum { READ_SIZE = 32768 };

struct fe_transfer *fe_transfer_new(int fd)
{
    struct fe_transfer *const transfer = calloc(1, sizeof(*transfer));

    if (transfer != NULL) {
        transfer->fd = fd;
        fe_buf_init(&transfer->page, FE_LISTING_PAGE_MAX);
    }
    return transfer;
}

void fe_transfer_free(struct fe_transfer *transfer)
{
    if (transfer->fd >= 0) {
        fe_fd_close(transfer->fd);
    }
    fe_buf_deinit(&transfer->page);
    free(transfer);
}

/* The next bytes, at least one: out of `block`, or of the page. FLATEND_EIO: also when the file has
 * become shorter than what was promised. */
static int next_bytes(const struct fe_transfer *transfer, uint8_t block[READ_SIZE],
                      struct fe_view *bytes)
{
    const size_t want = transfer->left < READ_SIZE ? (size_t)transfer->left : READ_SIZE;
    ssize_t n;

    FE_ASSERT(want > 0, "what is complete is not read");
    if (transfer->fd < 0) {
        FE_ASSERT(transfer->offset + want <= transfer->page.len, "a page is as long as was said");
        *bytes = fe_view_of(transfer->page.data + transfer->offset, want);
        return 0;
    }
    n = fe_fd_read_at(transfer->fd, block, want, transfer->offset);
    if (n <= 0) {
        return FLATEND_EIO;
    }
    *bytes = fe_view_of(block, (size_t)n);
    return 0;
}

/* Writes until the exchange takes no more, or all is written, which ends it. */
void fe_transfer_pump(struct fe_exchange *ex)
{
    struct fe_transfer *const transfer = ex->state;
    uint8_t block[READ_SIZE];

    while (transfer->left > 0) {
        struct fe_view bytes;
        ssize_t n = next_bytes(transfer, block, &bytes);
        if (n == 0) {
            n = fe_exchange_write(ex, bytes);
        }
        if (n < 0) {
            fe_transfer_free(transfer);
            fe_exchange_reset(ex, (int)n);
            return;
        }
        FE_ASSERT((size_t)n <= bytes.len, "no more is accepted than was given");
        transfer->offset += (uint64_t)n;
        transfer->left -= (uint64_t)n;
        if ((size_t)n < bytes.len) {
            return; /* on_writable goes on */
        }
    }
    fe_transfer_free(transfer);
    fe_exchange_finish(ex, NULL);
}

void fe_transfer_on_reset(struct fe_exchange *ex, int code)
{
    (void)code;
    fe_transfer_free(ex->state);
}

void fe_transfer_send(struct fe_exchange *ex, const struct fe_response *response,
                      struct fe_transfer *transfer)
{
    const int code = fe_exchange_respond(ex, response);

    if (code != 0) {
        fe_transfer_free(transfer);
        fe_exchange_reset(ex, code);
        return;
    }
    if (ex->request.method == FE_METHOD_HEAD) {
        transfer->left = 0;
    }
    ex->state = transfer;
    fe_transfer_pump(ex);
}
