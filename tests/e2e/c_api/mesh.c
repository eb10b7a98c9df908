#include "mesh.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

void expect(bool holds, const char *condition, const char *file, int line)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
        exit(1);
    }
}

static void expect_no_error(int code, const struct flatend_error *error)
{
    if (code != 0) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
}

struct flatend_node *provider_new(const char *addr, const struct flatend_service *service)
{
    const char *const bind_addr = addr != NULL ? addr : "127.0.0.1:0";
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;

    EXPECT(flatend_secret_key_generate(&key) == 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    options.services = service;
    options.n_services = service != NULL;
    options.log = flatend_log_stderr;
    expect_no_error(flatend_node_new(&options, &node, &error), &error);
    return node;
}

struct flatend_node *provider_start(const char *addr, const struct flatend_service *service)
{
    struct flatend_node *node = provider_new(addr, service);
    struct flatend_error error;

    expect_no_error(flatend_node_start(node, NULL, 0, &error), &error);
    return node;
}

const char *listen_addr(struct flatend_node *node, char buf[120])
{
    EXPECT(flatend_node_listen_addr(node, 0, buf, 120) == 0);
    return buf;
}

struct flatend_node *requester_start(struct flatend_node *const *providers, size_t n)
{
    enum { PROVIDERS_MAX = 8 };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    char texts[PROVIDERS_MAX][120];
    const char *addrs[PROVIDERS_MAX];
    struct flatend_error error;
    struct flatend_node *node;

    EXPECT(n <= PROVIDERS_MAX);
    for (size_t i = 0; i < n; i++) {
        addrs[i] = listen_addr(providers[i], texts[i]);
    }
    expect_no_error(flatend_node_new(&options, &node, &error), &error);
    expect_no_error(flatend_node_start(node, addrs, n, &error), &error);
    return node;
}

struct mesh mesh_start(const char *name, flatend_handler handler, void *arg)
{
    const struct flatend_service service = {.name = name, .handler = handler, .arg = arg};
    struct mesh mesh = {.provider = provider_start(NULL, &service)};

    mesh.requester = requester_start(&mesh.provider, 1);
    return mesh;
}

void mesh_stop(const struct mesh *mesh)
{
    EXPECT(flatend_node_free(mesh->requester) == 0);
    EXPECT(flatend_node_free(mesh->provider) == 0);
}

struct flatend_response *ask_service(struct flatend_node *node, const char *service,
                                     const struct flatend_request *request)
{
    struct flatend_request whole = {0};
    struct flatend_response *response;
    struct flatend_error error;

    if (request != NULL) {
        whole = *request;
    }
    whole.services = &service;
    whole.n_services = 1;
    expect_no_error(flatend_call(node, &whole, SIZE_MAX, &response, &error), &error);
    return response;
}

void expect_response(struct flatend_node *node, const char *service,
                     const struct flatend_request *request, int status, const char *body)
{
    struct flatend_response *response = ask_service(node, service, request);

    if (response->status != status || strcmp(response->body, body) != 0) {
        fprintf(stderr, "%s answers %d: %s\n", service, response->status, response->body);
        exit(1);
    }
    flatend_response_free(response);
}

void write_private(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

    EXPECT(fd >= 0);
    EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

void wait_for_reader(void)
{
    char byte;

    fflush(stdout);
    EXPECT(read(STDIN_FILENO, &byte, 1) == 0);
}

pthread_t thread_start(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    EXPECT(pthread_create(&thread, NULL, run, arg) == 0);
    return thread;
}

void *thread_join(pthread_t thread)
{
    void *result;

    EXPECT(pthread_join(thread, &result) == 0);
    return result;
}

/* ---- whole programs ---- */

static void wait_for_peer(struct flatend_queue *queue)
{
    struct flatend_event event = {0};

    while (event.type != FLATEND_EVENT_PEER_UP) {
        EXPECT(flatend_queue_take(queue, &event, 1, -1) == 1);
    }
}

/* A program may serve a moment before it waits for signals. */
static void wait_for_handler_of(int signum)
{
    struct sigaction action;

    do {
        sched_yield();
        EXPECT(sigaction(signum, NULL, &action) == 0);
    } while (action.sa_handler == SIG_DFL);
}

struct program {
    int (*run)(void);
    int status;
};

static void *run_program(void *arg)
{
    struct program *program = arg;

    program->status = program->run();
    return NULL;
}

void expect_program(int (*example_main)(void), const char *hello)
{
    struct program program = {example_main, -1};
    struct flatend_node *node = provider_new(EXAMPLE_ADDR, NULL);
    struct flatend_queue *queue;
    pthread_t thread;

    EXPECT(flatend_queue_new(&queue) == 0);
    EXPECT(flatend_node_watch(node, queue, NULL) == 0);
    EXPECT(flatend_node_start(node, NULL, 0, NULL) == 0);
    EXPECT(setenv("FLATEND_ADDRS", EXAMPLE_ADDR, 1) == 0);
    thread = thread_start(run_program, &program);
    wait_for_peer(queue);
    expect_response(node, "hello_world", NULL, 200, hello);
    wait_for_handler_of(SIGTERM);
    EXPECT(kill(getpid(), SIGTERM) == 0);
    thread_join(thread);
    EXPECT(program.status == 0);
    EXPECT(flatend_node_free(node) == 0);
    flatend_queue_free(queue);
}
