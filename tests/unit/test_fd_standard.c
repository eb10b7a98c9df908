/* Standard descriptors that are closed: nothing takes their place, and they stay closed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/fd.h"
#include "ground/os/socket.h"

/* What is wrong, as the number of its line; 0: nothing. Without output: there is none. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return __LINE__;                                                                       \
        }                                                                                          \
    } while (0)

static int check_kept(void)
{
    char byte = 0;

    for (int fd = 0; fd <= 2; fd++) {
        REQUIRE(close(fd) == 0);
    }
    REQUIRE(fe_fd_keep_standard() == 0);
    REQUIRE(fe_fd_keep_standard() == 0); /* also if there is nothing to do */
    REQUIRE(open("/dev/null", O_RDWR | O_CLOEXEC) > 2);
    for (int fd = 0; fd <= 2; fd++) {
        REQUIRE(read(fd, &byte, 1) < 0 && errno == EBADF);
        REQUIRE(write(fd, &byte, 1) < 0 && errno == EBADF);
        REQUIRE(fcntl(fd, F_GETFD) == FD_CLOEXEC); /* closed in what is executed, too */
    }
    return 0;
}

/* An application may close them at any time. */
static int check_accepted(void)
{
    const struct fe_addr any = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};
    struct sockaddr_storage storage;
    struct fe_socket_file file;
    struct fe_addr addr;
    struct fe_addr peer;
    const int listening = fe_socket_listen(&any, 0, &file, NULL);
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned len;
    int fd;

    REQUIRE(listening > 2 && client > 2 && fe_socket_addr(listening, &addr) == 0);
    len = fe_addr_to_sockaddr(&addr, &storage);
    REQUIRE(connect(client, (struct sockaddr *)&storage, len) == 0);
    for (int i = 0; i <= 2; i++) {
        REQUIRE(close(i) == 0);
    }
    fd = fe_socket_accept(listening, &peer);
    REQUIRE(fd > 2);
    REQUIRE(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    REQUIRE(fcntl(0, F_GETFD) < 0); /* it did not stay there either */
    REQUIRE(fe_fd_duplicate(fd) > 2);
    return 0;
}

static void in_child(int (*check)(void))
{
    int status;
    const pid_t pid = fork();

    if (pid == 0) {
        const int line = check();

        _exit(line == 0 ? 0 : line % 255 + 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void closed_descriptors_stay_closed(void **state)
{
    (void)state;
    in_child(check_kept);
}

static void a_client_is_never_standard_output(void **state)
{
    (void)state;
    in_child(check_accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_descriptors_stay_closed),
        cmocka_unit_test(a_client_is_never_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
