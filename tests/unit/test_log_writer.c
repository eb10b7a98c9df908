/* A log that waits for nobody: readers that stop, disks that are full, and what is told of the
 * lines that were lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/clock.h"
#include "ground/os/fd.h"
#include "ground/os/log_stderr.h"
#include "ground/os/log_writer.h"

enum {
    STAMP_LEN = 20,      /* "2006/01/02 15:04:05 " */
    PATIENCE_MS = 30000, /* only a broken writer takes it */
    TOO_LONG_MS = 10000, /* for what must not wait */
    MANY = 40000,        /* lines: more than pipe and ring take */
    PIPE_SIZE = 4 * 4096,
};

struct log {
    int ends[2];
    struct fe_log_writer *writer;
    FILE *in;
    char line[1024];
};

static void open_log(struct log *log)
{
    *log = (struct log){0};
    assert_int_equal(pipe2(log->ends, O_CLOEXEC), 0);
    assert_true(fcntl(log->ends[1], F_SETPIPE_SZ, PIPE_SIZE) >= 0);
    log->in = fdopen(log->ends[0], "r");
    assert_non_null(log->in);
    assert_int_equal(fe_log_writer_new(log->ends[1], &log->writer), 0);
}

static void close_log(struct log *log)
{
    fe_log_writer_free(log->writer, PATIENCE_MS);
    close(log->ends[1]);
    assert_null(fgets(log->line, sizeof(log->line), log->in)); /* nothing is left */
    fclose(log->in);
}

/* The next line, without its time. */
static const char *next_line(struct log *log)
{
    assert_non_null(fgets(log->line, sizeof(log->line), log->in));
    assert_true(strlen(log->line) > STAMP_LEN);
    assert_int_equal(log->line[4], '/');
    log->line[strcspn(log->line, "\n")] = '\0';
    return log->line + STAMP_LEN;
}

static void put(struct log *log, int number)
{
    char line[64];

    snprintf(line, sizeof(line), "line %d of a log that is long enough", number);
    fe_log_writer_put(log->writer, FLATEND_LOG_INFO, line);
}

static void expect(struct log *log, int number)
{
    int found;

    assert_int_equal(sscanf(next_line(log), "line %d of", &found), 1);
    assert_int_equal(found, number);
}

static void lines_come_in_their_order_and_all_of_them(void **state)
{
    struct log log;

    (void)state;
    open_log(&log);
    for (int i = 0; i < 20; i++) {
        put(&log, i);
    }
    assert_true(fe_log_writer_flush(log.writer, PATIENCE_MS));
    for (int i = 0; i < 20; i++) {
        expect(&log, i);
    }
    put(&log, 20); /* the end flushes, too */
    fe_log_writer_free(log.writer, PATIENCE_MS);
    log.writer = NULL;
    expect(&log, 20);
    close_log(&log);
}

/* As long as the reader has stopped nothing waits; what was lost is told where it is missing. */
static void a_reader_that_stops_costs_lines_and_no_time(void **state)
{
    const uint64_t begin_ms = fe_clock_ms();
    struct log log;
    unsigned long long n_lost = 0;
    int n_read = 0;
    int last = -1;

    (void)state;
    open_log(&log);
    for (int i = 0; i < MANY; i++) {
        put(&log, i);
    }
    assert_false(fe_log_writer_flush(log.writer, 1));
    assert_true(fe_clock_ms() - begin_ms < TOO_LONG_MS);
    for (;;) {
        const char *line = next_line(&log);

        if (sscanf(line, "line %d of", &last) == 1) {
            assert_int_equal(last, n_read);
            n_read++;
            continue;
        }
        assert_int_equal(sscanf(line, "%llu lines of this log were lost", &n_lost), 1);
        assert_non_null(strstr(line, ": they came faster than they were read."));
        break;
    }
    assert_int_equal((unsigned)n_read + n_lost, MANY);
    assert_true(n_read * 64 > FE_LOG_RING_SIZE); /* the ring was used */
    assert_true(fe_log_writer_flush(log.writer, PATIENCE_MS));
    put(&log, MANY);
    expect(&log, MANY);
    close_log(&log);
}

/* The end waits for a while, and leaves the rest. */
static void the_end_does_not_wait_for_a_reader_that_has_stopped(void **state)
{
    const uint64_t begin_ms = fe_clock_ms();
    struct log log;

    (void)state;
    open_log(&log);
    for (int i = 0; i < 1000; i++) {
        put(&log, i);
    }
    fe_log_writer_free(log.writer, 50);
    assert_in_range(fe_clock_ms() - begin_ms, 50, TOO_LONG_MS);
    expect(&log, 0);
    /* The thread comes back from its write, and frees what it has: nothing says when. So what it
     * writes to stays open. */
    fclose(log.in);
}

static void what_cannot_be_written_is_told_when_it_can(void **state)
{
    char path[] = "log-XXXXXX";
    char text[512] = "";
    const int file = mkstemp(path);
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct log log = {0};
    ssize_t len;

    (void)state;
    assert_true(fd >= 0 && file >= 0);
    assert_int_equal(fe_log_writer_new(fd, &log.writer), 0);
    for (int i = 0; i < 3; i++) {
        put(&log, i);
        assert_true(fe_log_writer_flush(log.writer, PATIENCE_MS));
    }
    assert_int_equal(dup3(file, fd, O_CLOEXEC), fd);
    put(&log, 3);
    assert_true(fe_log_writer_flush(log.writer, PATIENCE_MS));
    len = pread(file, text, sizeof(text) - 1, 0);
    assert_true(len > 0);
    assert_non_null(strstr(text, " 3 lines of this log were lost: No space left on device.\n"));
    assert_non_null(strstr(text, "\n") + 1 + STAMP_LEN);
    assert_memory_equal(strchr(text, '\n') + 1 + STAMP_LEN, "line 3 of", 9);
    fe_log_writer_free(log.writer, PATIENCE_MS);
    close(fd);
    close(file);
    unlink(path);
}

/* Another process has made it so, as the parent of this one may. */
static void a_descriptor_that_does_not_block_is_waited_for(void **state)
{
    struct log log;

    (void)state;
    open_log(&log);
    assert_int_equal(fcntl(log.ends[1], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 2000; i++) {
        put(&log, i);
    }
    for (int i = 0; i < 2000; i++) {
        expect(&log, i);
    }
    close_log(&log);
}

struct putter {
    pthread_t thread;
    struct log *log;
    int first;
};

enum { N_PUTTERS = 4, N_EACH = 2000 };

static void *put_many(void *arg)
{
    const struct putter *const putter = arg;

    for (int i = 0; i < N_EACH; i++) {
        put(putter->log, putter->first + i);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct putter putters[N_PUTTERS];
    int next[N_PUTTERS] = {0};
    struct log log;

    (void)state;
    open_log(&log);
    for (int i = 0; i < N_PUTTERS; i++) {
        putters[i] = (struct putter){.log = &log, .first = i * N_EACH};
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_many, &putters[i]), 0);
    }
    for (int i = 0; i < N_PUTTERS * N_EACH; i++) {
        int number;

        assert_int_equal(sscanf(next_line(&log), "line %d of", &number), 1);
        assert_int_equal(number % N_EACH, next[number / N_EACH]++);
    }
    for (int i = 0; i < N_PUTTERS; i++) {
        pthread_join(putters[i].thread, NULL);
    }
    close_log(&log);
}

static void one_that_was_never_used(void **state)
{
    struct log log;

    (void)state;
    open_log(&log);
    assert_true(fe_log_writer_flush(log.writer, PATIENCE_MS));
    close_log(&log);
    fe_log_writer_free(NULL, 0);
}

/* The log function of applications has no thread. */
static void standard_error_is_not_waited_for(void **state)
{
    const int saved = dup(STDERR_FILENO);
    uint64_t begin_ms;
    char text[PIPE_SIZE];
    struct log log;
    int n_read = 0;

    (void)state;
    open_log(&log);
    assert_true(dup2(log.ends[1], STDERR_FILENO) >= 0);
    begin_ms = fe_clock_ms();
    for (int i = 0; i < 1000; i++) {
        flatend_log_stderr(NULL, FLATEND_LOG_ERROR, "Nobody reads this, which is rather long");
    }
    fe_log_stderr_within("not this either", 20);
    assert_in_range(fe_clock_ms() - begin_ms, 20, TOO_LONG_MS);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    assert_int_equal(fcntl(log.ends[0], F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n; (n = read(log.ends[0], text, sizeof(text))) > 0;) {
        n_read += (int)n;
        assert_int_equal(text[n - 1], '\n'); /* whole lines only */
    }
    assert_in_range(n_read, 1000, PIPE_SIZE);
    close_log(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_in_their_order_and_all_of_them),
        cmocka_unit_test(a_reader_that_stops_costs_lines_and_no_time),
        cmocka_unit_test(the_end_does_not_wait_for_a_reader_that_has_stopped),
        cmocka_unit_test(what_cannot_be_written_is_told_when_it_can),
        cmocka_unit_test(a_descriptor_that_does_not_block_is_waited_for),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(one_that_was_never_used),
        cmocka_unit_test(standard_error_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
