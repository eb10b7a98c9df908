#include "ground/os/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ground/os/clock.h"
#include "ground/os/fd.h"
#include "ground/os/thread.h"

enum {
    CHUNK_MAX = 4096, /* PIPE_BUF: what is written at once is not mixed with what others write */
    STACK = 64 * 1024,
    FULL = -1, /* why lines are lost: the ring was full; else an errno */
};

struct fe_log_writer {
    int fd;
    struct fe_mutex lock;
    struct fe_cond more;    /* the thread waits for it */
    struct fe_cond written; /* a flush does */
    struct fe_thread thread;
    bool has_thread;
    bool is_writing;   /* the thread, without the lock */
    bool is_failing;   /* what was written last, was not */
    bool is_closing;   /* the thread ends when it has nothing to do */
    bool is_abandoned; /* and frees all of this */
    char *ring;        /* NULL until the first line */
    size_t head;
    size_t len;
    uint64_t n_lost;
    int reason; /* of the first of them */
};

/* ---- the ring ---- */

static void append(struct fe_log_writer *writer, const char *text, size_t len)
{
    const size_t at = (writer->head + writer->len) % FE_LOG_RING_SIZE;
    const size_t n = len < FE_LOG_RING_SIZE - at ? len : FE_LOG_RING_SIZE - at;

    FE_ASSERT(len <= FE_LOG_RING_SIZE - writer->len, "a line has room in the ring");
    memcpy(writer->ring + at, text, n);
    memcpy(writer->ring, text + n, len - n);
    writer->len += len;
}

/* From its start when nothing waits: so little of it is ever touched. */
static void drop(struct fe_log_writer *writer, size_t len)
{
    FE_ASSERT(len <= writer->len, "what is dropped was in the ring");
    writer->len -= len;
    writer->head = writer->len > 0 ? (writer->head + len) % FE_LOG_RING_SIZE : 0;
}

/* As many whole lines as fit into a chunk: their length. */
static size_t peek(const struct fe_log_writer *writer, char chunk[CHUNK_MAX])
{
    const size_t len = writer->len < CHUNK_MAX ? writer->len : CHUNK_MAX;
    size_t n = len;

    for (size_t i = 0; i < len; i++) {
        chunk[i] = writer->ring[(writer->head + i) % FE_LOG_RING_SIZE];
    }
    while (n > 0 && chunk[n - 1] != '\n') {
        n--;
    }
    FE_ASSERT(n > 0, "a line is shorter than a chunk");
    return n;
}

static void count_lost(struct fe_log_writer *writer, uint64_t n, int reason)
{
    if (writer->n_lost == 0) {
        writer->reason = reason;
    }
    writer->n_lost += n;
}

static uint64_t count_lines(const char *text, size_t len)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += text[i] == '\n';
    }
    return n;
}

/* ---- writing ---- */

/* 0, or an errno. Waits for a reader as long as it takes, also if the descriptor is one that others
 * have made not to block. */
static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd one = {.fd = fd, .events = POLLOUT};

            (void)poll(&one, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return errno;
        }
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Says how many lines were lost, between those before and those behind them. */
static size_t make_notice(const struct fe_log_writer *writer, char chunk[CHUNK_MAX])
{
    char line[FE_LOG_LINE_MAX];

    snprintf(line, sizeof(line), "%llu line%s of this log %s lost: %s.",
             (unsigned long long)writer->n_lost, writer->n_lost == 1 ? "" : "s",
             writer->n_lost == 1 ? "was" : "were",
             writer->reason == FULL ? "they came faster than they were read"
                                    : strerror(writer->reason));
    return fe_log_format(chunk, line);
}

/* Leaves the lock meanwhile. */
static int write_unlocked(struct fe_log_writer *writer, const char *text, size_t len)
{
    int reason;

    writer->is_writing = true;
    fe_mutex_unlock(&writer->lock);
    reason = write_all(writer->fd, text, len);
    fe_mutex_lock(&writer->lock);
    writer->is_writing = false;
    writer->is_failing = reason != 0;
    return reason;
}

/* If that fails, so would what waits behind it. */
static void write_notice(struct fe_log_writer *writer, char chunk[CHUNK_MAX])
{
    const uint64_t n_told = writer->n_lost;
    const int reason = write_unlocked(writer, chunk, make_notice(writer, chunk));

    if (reason == 0) {
        writer->n_lost -= n_told;
        writer->reason = FULL; /* of those that were lost meanwhile */
        return;
    }
    while (writer->len > 0) {
        const size_t len = peek(writer, chunk);

        count_lost(writer, count_lines(chunk, len), reason);
        drop(writer, len);
    }
}

static void write_lines(struct fe_log_writer *writer, char chunk[CHUNK_MAX])
{
    const size_t len = peek(writer, chunk);
    int reason;

    drop(writer, len);
    reason = write_unlocked(writer, chunk, len);
    if (reason != 0) {
        count_lost(writer, count_lines(chunk, len), reason);
    }
}

static bool has_notice(const struct fe_log_writer *writer)
{
    return writer->n_lost > 0 && (writer->is_failing ? writer->len > 0 : writer->len == 0);
}

static bool is_busy(const struct fe_log_writer *writer)
{
    return writer->is_writing || writer->len > 0 || has_notice(writer);
}

static void release(struct fe_log_writer *writer)
{
    fe_cond_deinit(&writer->written);
    fe_cond_deinit(&writer->more);
    fe_mutex_deinit(&writer->lock);
    free(writer->ring);
    free(writer);
}

static void *run(void *arg)
{
    struct fe_log_writer *const writer = arg;
    char chunk[CHUNK_MAX];
    bool is_abandoned;

    fe_mutex_lock(&writer->lock);
    while (!writer->is_abandoned && (is_busy(writer) || !writer->is_closing)) {
        if (has_notice(writer)) {
            write_notice(writer, chunk);
        } else if (writer->len > 0) {
            write_lines(writer, chunk);
        } else {
            fe_cond_wait(&writer->more, &writer->lock);
        }
        if (!is_busy(writer)) {
            fe_cond_broadcast(&writer->written);
        }
    }
    is_abandoned = writer->is_abandoned;
    fe_mutex_unlock(&writer->lock);
    if (is_abandoned) {
        release(writer);
    }
    return NULL;
}

/* ---- the calls ---- */

int fe_log_writer_new(int fd, struct fe_log_writer **out)
{
    struct fe_log_writer *const writer = calloc(1, sizeof(*writer));

    *out = NULL;
    if (writer == NULL) {
        return FLATEND_ENOMEM;
    }
    writer->fd = fd;
    if (fe_mutex_cond_init(&writer->lock, &writer->more) != 0) {
        free(writer);
        return FLATEND_ENOMEM;
    }
    if (fe_cond_init(&writer->written) != 0) {
        fe_cond_deinit(&writer->more);
        fe_mutex_deinit(&writer->lock);
        free(writer);
        return FLATEND_ENOMEM;
    }
    *out = writer;
    return 0;
}

/* What is not there yet, is tried again with the next line. */
static bool start(struct fe_log_writer *writer)
{
    if (writer->ring == NULL) {
        writer->ring = malloc(FE_LOG_RING_SIZE);
    }
    if (writer->ring != NULL && !writer->has_thread) {
        writer->has_thread = fe_thread_start_small(&writer->thread, STACK, run, writer) == 0;
    }
    return writer->has_thread;
}

/* The line, behind what is still to be told. */
static void put_now(struct fe_log_writer *writer, const char *text, size_t len)
{
    char notice[CHUNK_MAX];
    int code = 0;

    if (writer->n_lost > 0) {
        const size_t n = make_notice(writer, notice);

        code = fe_fd_write_within(writer->fd, fe_view_of(notice, n), 0);
        writer->n_lost = code == 0 ? 0 : writer->n_lost;
    }
    if (code == 0) {
        code = fe_fd_write_within(writer->fd, fe_view_of(text, len), 0);
    }
    if (code != 0) {
        count_lost(writer, 1, code == FLATEND_ETIMEDOUT ? FULL : errno);
    }
}

void fe_log_writer_put(void *arg, enum flatend_log_level level, const char *line)
{
    struct fe_log_writer *const writer = arg;
    char text[FE_LOG_TEXT_MAX];
    const size_t len = fe_log_format(text, line);

    (void)level;
    fe_mutex_lock(&writer->lock);
    if (!start(writer)) {
        put_now(writer, text, len);
    } else if ((writer->n_lost > 0 && !writer->is_failing) ||
               len > FE_LOG_RING_SIZE - writer->len) {
        count_lost(writer, 1, FULL);
    } else {
        append(writer, text, len);
        fe_cond_signal(&writer->more);
    }
    fe_mutex_unlock(&writer->lock);
}

bool fe_log_writer_flush(struct fe_log_writer *writer, unsigned timeout_ms)
{
    const uint64_t deadline_ms = fe_clock_ms() + timeout_ms;
    bool is_flushed = true;

    fe_mutex_lock(&writer->lock);
    while (writer->has_thread && is_busy(writer) && is_flushed) {
        is_flushed = fe_cond_wait_until(&writer->written, &writer->lock, deadline_ms);
    }
    is_flushed = !writer->has_thread || !is_busy(writer);
    fe_mutex_unlock(&writer->lock);
    return is_flushed;
}

void fe_log_writer_free(struct fe_log_writer *writer, unsigned timeout_ms)
{
    bool is_over;
    bool has_thread;

    if (writer == NULL) {
        return;
    }
    is_over = fe_log_writer_flush(writer, timeout_ms);
    fe_mutex_lock(&writer->lock);
    has_thread = writer->has_thread;
    writer->is_closing = true;
    writer->is_abandoned = !is_over;
    fe_cond_signal(&writer->more);
    if (!is_over) {
        fe_thread_detach(&writer->thread); /* with the lock: the thread frees it next */
    }
    fe_mutex_unlock(&writer->lock);
    if (is_over && has_thread) {
        fe_thread_join(&writer->thread);
    }
    if (is_over) {
        release(writer);
    }
}
