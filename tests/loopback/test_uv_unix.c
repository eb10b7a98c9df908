/* Unix sockets: their files, and what their clients are called. How bytes pass is in
 * test_uv_conn.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/fd.h"
#include "ground/os/socket_internal.h"
#include "ground/uv/conn.h"
#include "support/temp_dir.h"

struct place {
    struct temp_dir dir;
    struct fe_worker *worker;
    char path[64];
    struct fe_addr addr;
    struct fe_addr client; /* as it was accepted */
    int n_open;            /* of listeners and connections */
    int n_accepted;
    int dial_code;
};

/* ---- what a test does with sockets of its own ----------------------------------------------- */

static struct sockaddr_un sockaddr_of(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    assert_true(strlen(path) < sizeof(un.sun_path));
    memcpy(un.sun_path, path, strlen(path) + 1);
    return un;
}

/* A file that was left behind: nothing listens on it. */
static void leave_socket(const char *path)
{
    const struct sockaddr_un un = sockaddr_of(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(close(fd), 0);
}

/* 0, or errno. */
static int try_connect(const char *path)
{
    const struct sockaddr_un un = sockaddr_of(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const int code = connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 ? 0 : errno;

    assert_int_equal(close(fd), 0);
    return code;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* ---- a worker with listeners ---------------------------------------------------------------- */

static void on_gone(struct place *place)
{
    if (--place->n_open == 0) {
        fe_worker_stop(place->worker);
    }
}

static void on_open(void *owner, int code)
{
    ((struct place *)owner)->dial_code = code;
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
}

static void on_eof(void *owner)
{
    (void)owner;
}

static void on_conn_close(void *owner, int code)
{
    (void)code;
    on_gone(owner);
}

static const struct fe_conn_ops conn_ops = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_close = on_conn_close,
};

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct place *place = owner;

    place->n_accepted++;
    fe_conn_peer_addr(conn, &place->client);
    place->n_open++;
    fe_conn_accept(conn, &conn_ops, place);
    fe_conn_close(conn);
}

static void on_listener_close(void *owner)
{
    on_gone(owner);
}

static const struct fe_listener_ops listener_ops = {.on_accept = on_accept,
                                                    .on_close = on_listener_close};

static int listen_at(struct place *place, struct fe_listener **listener, struct flatend_error *err)
{
    const int code =
        fe_listener_open(place->worker, &place->addr, &listener_ops, place, listener, err);

    place->n_open += code == 0;
    return code;
}

static void run_to_the_end(struct place *place)
{
    while (place->n_open > 0) {
        fe_worker_run(place->worker);
    }
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char text[FE_ADDR_TEXT_MAX];

    assert_non_null(place);
    temp_dir_make(&place->dir);
    snprintf(place->path, sizeof(place->path), "%s", temp_dir_path(&place->dir, "socket"));
    snprintf(text, sizeof(text), "unix:%s", place->path);
    assert_int_equal(fe_addr_parse(&place->addr, text, NULL), 0);
    assert_int_equal(fe_worker_new(&place->worker, NULL), 0);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    fe_worker_free(place->worker, NULL, NULL);
    temp_dir_remove(&place->dir);
    free(place);
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void the_file_is_made_and_removed(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr bound;
    struct stat st;
    const mode_t old = umask(0027);

    assert_int_equal(listen_at(place, &listener, NULL), 0);
    (void)umask(old);
    assert_int_equal(stat(place->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, FE_SOCKET_MODE & ~0027);
    fe_listener_addr(listener, &bound);
    assert_string_equal(fe_addr_format(&bound, text) + strlen("unix:"), place->path);
    fe_listener_close(listener);
    assert_false(is_there(place->path));
    run_to_the_end(place);
}

static void the_mode_is_the_callers(void **state)
{
    struct place *place = *state;
    struct fe_socket_file file;
    const mode_t old = umask(0);
    const int fd = fe_socket_listen(&place->addr, 0600, &file, NULL);
    struct stat st;

    (void)umask(old);
    assert_true(fd >= 0);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    fe_fd_close(fd);
    fe_socket_unlink(&place->addr, &file);
    assert_false(is_there(place->path));
}

static void what_was_left_behind_is_replaced(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;

    leave_socket(place->path);
    assert_int_equal(try_connect(place->path), ECONNREFUSED);
    assert_int_equal(listen_at(place, &listener, NULL), 0);
    assert_int_equal(try_connect(place->path), 0);
    fe_listener_close(listener);
    run_to_the_end(place);
}

/* The lock on the directory is for turns: one that is kept holds up neither the start nor the end.
 */
static void a_lock_that_is_kept_is_done_without(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    const int fd = open(place->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    leave_socket(place->path);
    assert_int_equal(listen_at(place, &listener, NULL), 0);
    fe_listener_close(listener);
    run_to_the_end(place);
    assert_false(is_there(place->path));
    assert_int_equal(close(fd), 0);
}

static void one_that_is_in_use_stays(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    struct fe_listener *second;
    struct flatend_error err = {0};

    assert_int_equal(listen_at(place, &listener, NULL), 0);
    assert_int_equal(listen_at(place, &second, &err), FLATEND_EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(err.text, place->path));
    assert_non_null(strstr(err.text, "address already in use"));
    assert_int_equal(fe_listener_try(&place->addr), FLATEND_EADDRINUSE);
    assert_int_equal(try_connect(place->path), 0);
    fe_listener_close(listener);
    run_to_the_end(place);
}

/* From the moment in which the lock is given back: else one that starts then takes it for one that
 * was left behind, and replaces it. */
static void what_is_bound_listens(void **state)
{
    struct place *place = *state;
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct fe_socket_file file;

    assert_true(fd >= 0);
    assert_int_equal(fe_unix_listen(fd, &place->addr, FE_SOCKET_MODE, &file), 0);
    assert_int_equal(try_connect(place->path), 0);
    assert_int_equal(fe_listener_try(&place->addr), FLATEND_EADDRINUSE);
    fe_socket_unlink(&place->addr, &file);
    assert_false(is_there(place->path));
    assert_int_equal(close(fd), 0);
}

static void what_is_no_socket_stays(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;

    temp_dir_write(&place->dir, "socket", "text", 4);
    assert_int_equal(listen_at(place, &listener, NULL), FLATEND_EADDRINUSE);
    assert_true(is_there(place->path));
}

/* Nor is a link followed, to where a socket could be removed or made. */
static void a_link_stays(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    char target[64];

    snprintf(target, sizeof(target), "%s", temp_dir_path(&place->dir, "target"));
    leave_socket(target);
    temp_dir_link(&place->dir, "socket", "target");
    assert_int_equal(listen_at(place, &listener, NULL), FLATEND_EADDRINUSE);
    assert_true(is_there(place->path));
    assert_true(is_there(target));
    assert_int_equal(unlink(target), 0);
    assert_int_equal(listen_at(place, &listener, NULL), FLATEND_EADDRINUSE);
    assert_false(is_there(target));
}

static void another_ones_file_is_not_removed(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    struct fe_listener *second;

    assert_int_equal(listen_at(place, &listener, NULL), 0);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(listen_at(place, &second, NULL), 0);
    fe_listener_close(listener);
    assert_int_equal(try_connect(place->path), 0);
    fe_listener_close(second);
    assert_false(is_there(place->path));
    run_to_the_end(place);
}

static void trying_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct fe_addr nowhere = place->addr;

    assert_int_equal(fe_listener_try(&place->addr), 0);
    assert_false(is_there(place->path));
    snprintf(nowhere.path, sizeof(nowhere.path), "%s", temp_dir_path(&place->dir, "none/socket"));
    assert_int_equal(fe_listener_try(&nowhere), FLATEND_ENOENT);
}

/* The file is the first one's: a duplicate does not remove it, and both accept. */
static void a_duplicate_has_no_file(void **state)
{
    struct place *place = *state;
    struct fe_listener *listener;
    struct fe_listener *second;
    struct fe_addr addr;
    int fd;

    assert_int_equal(listen_at(place, &listener, NULL), 0);
    fd = fe_listener_duplicate(listener);
    assert_true(fd >= 0);
    assert_int_equal(fe_listener_adopt(place->worker, fd, &listener_ops, place, &second), 0);
    place->n_open++;
    fe_listener_addr(second, &addr);
    assert_true(fe_addr_equal(&addr, &place->addr));
    fe_listener_close(second);
    assert_int_equal(try_connect(place->path), 0);
    fe_listener_close(listener);
    assert_false(is_there(place->path));
    run_to_the_end(place);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void dial(struct place *place)
{
    struct fe_conn *conn;
    struct fe_addr peer;

    place->dial_code = 1;
    place->n_open++;
    assert_int_equal(fe_conn_dial(place->worker, &place->addr, &conn_ops, place, &conn), 0);
    fe_conn_peer_addr(conn, &peer);
    assert_true(fe_addr_equal(&peer, &place->addr)); /* before it is there, too */
}

static void nothing_listens_there(void **state)
{
    struct place *place = *state;

    dial(place);
    run_to_the_end(place);
    assert_int_equal(place->dial_code, FLATEND_ENOENT);
    leave_socket(place->path);
    dial(place);
    run_to_the_end(place);
    assert_int_equal(place->dial_code, FLATEND_EREFUSED);
}

static void stop_after_one(void *owner, struct fe_conn *conn)
{
    struct place *place = owner;

    on_accept(owner, conn);
    fe_worker_stop(place->worker);
}

static const struct fe_listener_ops stopping_ops = {.on_accept = stop_after_one,
                                                    .on_close = on_listener_close};

/* Not even one that has bound its socket to a path: it could choose any bytes. */
static void clients_have_no_names(void **state)
{
    struct place *place = *state;
    const struct sockaddr_un there = sockaddr_of(place->path);
    struct fe_listener *listener;
    char text[FE_ADDR_TEXT_MAX];
    char name[64];

    snprintf(name, sizeof(name), "%s", temp_dir_path(&place->dir, "client"));
    assert_int_equal(
        fe_listener_open(place->worker, &place->addr, &stopping_ops, place, &listener, NULL), 0);
    place->n_open++;
    for (int is_named = 0; is_named < 2; is_named++) {
        const struct sockaddr_un own = sockaddr_of(name);
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        if (is_named) {
            assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
        }
        assert_int_equal(connect(fd, (const struct sockaddr *)&there, sizeof(there)), 0);
        fe_worker_run(place->worker);
        assert_int_equal(place->n_accepted, is_named + 1);
        assert_int_equal(place->client.family, FE_UNIX);
        assert_string_equal(fe_addr_format(&place->client, text), "unix:");
        assert_int_equal(close(fd), 0);
    }
    fe_listener_close(listener);
    run_to_the_end(place);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(the_file_is_made_and_removed),
        IN_PLACE(the_mode_is_the_callers),
        IN_PLACE(what_was_left_behind_is_replaced),
        IN_PLACE(a_lock_that_is_kept_is_done_without),
        IN_PLACE(one_that_is_in_use_stays),
        IN_PLACE(what_is_bound_listens),
        IN_PLACE(what_is_no_socket_stays),
        IN_PLACE(a_link_stays),
        IN_PLACE(another_ones_file_is_not_removed),
        IN_PLACE(trying_leaves_nothing),
        IN_PLACE(a_duplicate_has_no_file),
        IN_PLACE(nothing_listens_there),
        IN_PLACE(clients_have_no_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
