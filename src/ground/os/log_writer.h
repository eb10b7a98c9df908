/* A log that is written by a thread of its own, so that a reader that has stopped, or a disk that
 * hangs, stops nothing else.
 *
 * Lines wait in a ring for the thread, in their order. When it is full they are lost, until all
 * that waits is written; then one line says how many, and why. It is the same with lines that
 * cannot be written: the first that can be again has that line in front of it. The thread, and the
 * memory, are there from the first line on. Where the system has no thread to give, a line is
 * written by the thread that it comes from, if that is possible at once. */
#ifndef FE_GROUND_OS_LOG_WRITER_H
#define FE_GROUND_OS_LOG_WRITER_H

#include "ground/base/log.h"

enum {
    FE_LOG_RING_SIZE = 1024 * 1024,
    /* How long the end waits for the reader: what is logged comes out, but nothing hangs. */
    FE_LOG_FLUSH_MS = 1000,
};

struct fe_log_writer;

/* Writes to `fd`, which must stay open until it is freed. FLATEND_ENOMEM. */
int fe_log_writer_new(int fd, struct fe_log_writer **writer) FE_MUST_USE;

/* A flatend_log_fn, whose argument is the writer. Any thread; never waits. */
void fe_log_writer_put(void *writer, enum flatend_log_level level, const char *line);

/* Waits until all that was put before is written, or cannot be; no longer than `timeout_ms`: false
 * then. Any thread but the writer's. */
bool fe_log_writer_flush(struct fe_log_writer *writer, unsigned timeout_ms);

/* Flushes and frees. No other thread may be in a call with it. What a reader that has stopped has
 * not taken by then is lost; the thread, if it hangs in a write, ends when that returns. NULL is
 * allowed. */
void fe_log_writer_free(struct fe_log_writer *writer, unsigned timeout_ms);

#endif
