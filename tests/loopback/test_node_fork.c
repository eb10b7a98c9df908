/* A process that forks while nodes run. In the child nothing of the parent's nodes is touched,
 * every call says so at once, and nodes that are made there work. What a handler executes has the
 * signal mask of the application. */
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/misuse.h"
#include "support/nodes.h"

enum { PATIENCE_S = 20, MASK_MAX = 256 };

/* What a child says of itself with its status. */
enum verdict {
    AS_DOCUMENTED = 0,
    HAS_RETURNED = 1, /* from its handler: the library has ended it */
    NODE = 10,
    CONTEXT,
    STREAM,
    QUEUE,
    NO_NODE_OF_ITS_OWN,
};

/* Ends the process, and says to which of the calls it is due. */
static void expect(const char *found, enum verdict verdict)
{
    if (found != NULL) {
        (void)fprintf(stderr, "in the child: %s\n", found);
        _exit((int)verdict);
    }
}

static int status_of(pid_t pid)
{
    int status = 0;

    if (pid <= 0 || waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1; /* by a signal: it hung */
}

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_queue *queue;
    struct flatend_queue *callback;
};

/* ---- handlers that fork ---- */

static void fork_and_return(struct flatend_context *ctx, void *arg)
{
    const struct world *world = arg;
    pid_t pid = fork();

    if (pid == 0) {
        (void)alarm(PATIENCE_S);
        expect(misuse_context_in_child(ctx), CONTEXT);
        expect(misuse_node(world->server, MISUSE_CHILD), NODE);
        return; /* and nothing is answered there */
    }
    flatend_context_printf(ctx, "%d", status_of(pid));
}

/* The same of a callback. */
static void on_event(void *arg, const struct flatend_event *event)
{
    if (event->type == FLATEND_EVENT_REQUEST) {
        fork_and_return(event->context, arg);
        (void)flatend_context_finish(event->context); /* refused in the child */
    }
}

/* What a program has that this thread executes: "SigBlk: ...". Not by a shell, which may clear it.
 */
static void read_mask(char mask[MASK_MAX])
{
    char name[] = "grep";
    char pattern[] = "SigBlk";
    char file[] = "/proc/self/status";
    char *const argv[] = {name, pattern, file, NULL};
    posix_spawn_file_actions_t actions;
    ssize_t n = 0;
    pid_t pid;
    int fds[2];

    if (pipe(fds) == 0 && posix_spawn_file_actions_init(&actions) == 0) {
        (void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
        if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0 &&
            status_of(pid) == 0) {
            n = read(fds[0], mask, MASK_MAX - 1);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
    mask[n > 0 ? n : 0] = '\0';
}

static void execute(struct flatend_context *ctx, void *arg)
{
    char mask[MASK_MAX];

    (void)arg;
    read_mask(mask);
    flatend_context_write(ctx, mask, strlen(mask));
}

static int setup(void **state)
{
    static struct world world;
    struct flatend_service services[] = {
        {.name = "hello", .handler = nodes_hello},
        {.name = "echo", .handler = nodes_echo},
        {.name = "fork", .handler = fork_and_return, .arg = &world},
        {.name = "fork_inline",
         .handler = fork_and_return,
         .arg = &world,
         .flags = FLATEND_SERVICE_INLINE},
        {.name = "execute", .handler = execute},
        {.name = "fork_callback"},
    };
    const size_t n_services = sizeof(services) / sizeof(services[0]);
    char addr[64];

    assert_int_equal(flatend_queue_new(&world.queue), 0);
    assert_int_equal(flatend_queue_new_callback(on_event, &world, &world.callback), 0);
    services[n_services - 1].queue = world.callback;
    world.server = nodes_listen(services, n_services, addr);
    world.client = nodes_join(NULL, 0, addr);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    assert_int_equal(flatend_node_free(world->client), 0);
    assert_int_equal(flatend_node_free(world->server), 0);
    flatend_queue_free(world->queue);
    flatend_queue_free(world->callback);
    return 0;
}

static void expect_answer(struct flatend_node *client, const char *service, const char *expected)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(client, service, NULL, 0, &answer), 0);
    assert_string_equal(answer.text, expected);
    flatend_stream_close(answer.stream);
}

/* ---- the application's thread forks ---- */

static const char *use_own_nodes(void)
{
    static const struct flatend_service service = {.name = "hello", .handler = nodes_hello};
    struct nodes_answer answer;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];
    bool is_right;

    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    is_right = nodes_call(client, "hello", NULL, 0, &answer) == 0 &&
               strcmp(answer.text, "Hello world!") == 0;
    flatend_stream_close(answer.stream);
    is_right = flatend_node_free(client) == 0 && is_right;
    is_right = flatend_node_free(server) == 0 && is_right;
    return is_right ? NULL : "a node of the child's own";
}

static void be_child(const struct world *world, struct flatend_stream *stream)
{
    (void)alarm(PATIENCE_S);
    expect(misuse_node(world->server, MISUSE_CHILD), NODE);
    expect(misuse_node(world->client, MISUSE_CHILD), NODE);
    expect(misuse_stream_in_child(stream), STREAM);
    expect(misuse_queue_in_child(world->queue), QUEUE);
    expect(misuse_queue_in_child(world->callback), QUEUE);
    _exit(AS_DOCUMENTED);
}

static void test_application_forks(void **state)
{
    struct world *world = *state;
    const char *const names[] = {"echo"};
    const struct flatend_request request = {.services = names, .n_services = 1};
    struct flatend_stream *stream;
    const char *data;
    size_t len;
    pid_t pid;

    assert_int_equal(flatend_push(world->client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_write(stream, "before", 6), 0);
    pid = fork();
    if (pid == 0) {
        be_child(world, stream);
    }
    assert_int_equal(status_of(pid), AS_DOCUMENTED);
    /* For the parent nothing has happened. */
    assert_int_equal(flatend_stream_write(stream, " and after", 10), 0);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_read_all(stream, 100, &data, &len), 0);
    assert_string_equal(data, "before and after");
    flatend_stream_close(stream);
    expect_answer(world->client, "hello", "Hello world!");
}

/* Of a process without other threads: the sanitizers' allocators do not survive a fork beside them.
 * With nodes that run: tests/e2e/fork.test.js. */
static void test_nodes_after_a_fork(void **state)
{
    struct flatend_options options;
    struct flatend_node *node;
    pid_t pid;

    (void)state;
    flatend_options_init(&options, sizeof(options));
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    pid = fork();
    if (pid == 0) {
        (void)alarm(PATIENCE_S);
        expect(misuse_node(node, MISUSE_CHILD), NODE);
        expect(use_own_nodes(), NO_NODE_OF_ITS_OWN);
        _exit(AS_DOCUMENTED);
    }
    assert_int_equal(status_of(pid), AS_DOCUMENTED);
    assert_int_equal(flatend_node_free(node), 0);
}

static void test_handlers_fork(void **state)
{
    const struct world *world = *state;

    expect_answer(world->client, "fork", "1");
    expect_answer(world->client, "fork_inline", "1");
    expect_answer(world->client, "fork_callback", "1");
    expect_answer(world->client, "hello", "Hello world!");
}

/* ---- signals ---- */

static void test_mask_of_what_handlers_execute(void **state)
{
    const struct world *world = *state;
    char mask[MASK_MAX];

    read_mask(mask);
    assert_string_equal(mask, "SigBlk:\t0000000000000000\n");
    expect_answer(world->client, "execute", mask);
}

/* As for its own children: what the application blocks before it makes the node is blocked. */
static void test_mask_of_an_application_that_blocks(void **state)
{
    char mask[MASK_MAX];
    sigset_t before;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
    read_mask(mask);
    assert_int_equal(setup(state), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    assert_string_equal(mask, "SigBlk:\t0000000000000200\n");
    expect_answer(((struct world *)*state)->client, "execute", mask);
    assert_int_equal(teardown(state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_application_forks, setup, teardown),
        cmocka_unit_test(test_nodes_after_a_fork),
        cmocka_unit_test_setup_teardown(test_handlers_fork, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mask_of_what_handlers_execute, setup, teardown),
        cmocka_unit_test(test_mask_of_an_application_that_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
