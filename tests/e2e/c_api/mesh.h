/* Nodes on the loopback for the harnesses of docs/c-api.md's examples (../c_api.test.js). Whatever
 * goes wrong ends the program with a line that says what. */
#ifndef C_API_MESH_H
#define C_API_MESH_H

#include <flatend.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition) expect((condition), #condition, __FILE__, __LINE__)
void expect(bool holds, const char *condition, const char *file, int line);

/* A node with a key that offers `service` (or NULL) at `addr`, or at a free port if that is NULL:
 * not started, and started. */
struct flatend_node *provider_new(const char *addr, const struct flatend_service *service);
struct flatend_node *provider_start(const char *addr, const struct flatend_service *service);

/* A node without a key that is connected to all of these. */
struct flatend_node *requester_start(struct flatend_node *const *providers, size_t n);

/* One of each; the provider offers a service by a handler. */
struct mesh {
    struct flatend_node *provider;
    struct flatend_node *requester;
};
struct mesh mesh_start(const char *service, flatend_handler handler, void *arg);
void mesh_stop(const struct mesh *mesh);

/* "127.0.0.1:port", where the node listens. */
const char *listen_addr(struct flatend_node *node, char buf[120]);

/* A whole request, which is answered; freed with flatend_response_free. `request` need not have
 * services: NULL is one without headers and body. */
struct flatend_response *ask_service(struct flatend_node *node, const char *service,
                                     const struct flatend_request *request);

/* The same, and that the response is just this. */
void expect_response(struct flatend_node *node, const char *service,
                     const struct flatend_request *request, int status, const char *body);

/* Runs an example that is a whole program: it dials EXAMPLE_ADDR, serves "hello_world" with the
 * body `hello`, and returns 0 after SIGTERM. */
void expect_program(int (*example_main)(void), const char *hello);

/* Writes a file that only its owner may read. */
void write_private(const char *path, const char *text);

/* Until the test has seen all that the example was to print. */
void wait_for_reader(void);

pthread_t thread_start(void *(*run)(void *arg), void *arg);
void *thread_join(pthread_t thread);

#endif
