// A process that forks while its nodes run: the child's own nodes work, with the allocator of the system, which a
// fork does not hurt (tests/loopback/test_node_fork.c has the rest).
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { release, repository, scratch } from "./lib/mesh.js";
import { run } from "./lib/program.js";

const PROGRAM = `#include <flatend.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_write(ctx, "hello", 5);
}

struct mesh {
    struct flatend_node *server;
    struct flatend_node *client;
};

static struct flatend_node *start(int is_server, const char *addr)
{
    const struct flatend_service service = {.name = "hello", .handler = hello};
    const char *const bind_addr = "127.0.0.1:0";
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_node *node;

    if (is_server) {
        if (flatend_secret_key_generate(&key) != 0) {
            _exit(2);
        }
        options.secret_key = &key;
        options.bind_addrs = &bind_addr;
        options.n_bind_addrs = 1;
        options.services = &service;
        options.n_services = 1;
    }
    if (flatend_node_new(&options, &node, NULL) != 0 ||
        flatend_node_start(node, &addr, addr != NULL, NULL) != 0) {
        _exit(3);
    }
    return node;
}

static struct mesh open_mesh(void)
{
    struct mesh mesh;
    char addr[120];

    mesh.server = start(1, NULL);
    if (flatend_node_listen_addr(mesh.server, 0, addr, sizeof(addr)) != 0) {
        _exit(4);
    }
    mesh.client = start(0, addr);
    return mesh;
}

static int call(struct mesh mesh)
{
    const char *const services[] = {"hello"};
    const struct flatend_request request = {.services = services, .n_services = 1};
    struct flatend_response *response;
    int code = flatend_call(mesh.client, &request, 100, &response, NULL);

    if (code == 0) {
        code = strcmp(response->body, "hello");
        flatend_response_free(response);
    }
    return code;
}

int main(void)
{
    struct mesh mesh = open_mesh();
    int status = 0;

    for (int i = 0; i < 20; i++) {
        pid_t pid;

        if (call(mesh) != 0) {
            return 5;
        }
        pid = fork();
        if (pid == 0) {
            struct mesh own;

            alarm(20);
            if (call(mesh) != FLATEND_ESTATE || flatend_node_free(mesh.client) != FLATEND_ESTATE) {
                _exit(6);
            }
            own = open_mesh();
            if (call(own) != 0 || flatend_node_free(own.client) != 0 ||
                flatend_node_free(own.server) != 0) {
                _exit(7);
            }
            _exit(0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            printf("child: %d\\n", status);
            return 8;
        }
    }
    return call(mesh) != 0 || flatend_node_free(mesh.client) != 0 ||
           flatend_node_free(mesh.server) != 0;
}
`;

test("a child of a process whose nodes run has nodes of its own", async (t) => {
    const folder = scratch(t);
    const source = join(folder, "fork.c");
    const program = join(folder, "fork");
    writeFileSync(source, PROGRAM);
    const built = await run(t, "cc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", source, "-o", program,
        "-I", join(repository, "include"), "-L", release, "-lflatend", `-Wl,-rpath,${release}`]);
    assert.equal(built.code, 0, built.output);
    const { code, output } = await run(t, program, []);
    assert.equal(code, 0, output);
});
