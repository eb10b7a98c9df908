/* New TLS connections, none of them resumed, each with one request; bench/handshakes.mjs runs it.
 *
 * handshakes PORT PATH CONNECTIONS SECONDS: so many at a time to 127.0.0.1, a thread for each.
 * Prints how many were served a second. Anything but an answer with status 200 that ends in order
 * is an error.
 *
 * The clients that measure resume sessions (wrk), or take longer than any server (openssl s_time).
 */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, ANSWER_MAX = 65536, PATIENCE_S = 10 };

struct load {
    SSL_CTX *ctx;
    struct sockaddr_in addr;
    char request[1024];
    double end_s;
    atomic_uint n_done;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "handshakes: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int open_socket(const struct load *load)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&load->addr, sizeof(load->addr)) != 0) {
        die("cannot connect");
    }
    return fd;
}

/* To the end that the server announces. */
static void read_answer(SSL *ssl)
{
    static _Thread_local char answer[ANSWER_MAX];
    size_t len = 0;
    int n;

    while ((n = SSL_read(ssl, answer + len, (int)(sizeof(answer) - len))) > 0) {
        len += (size_t)n;
    }
    if (SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN || len < 12 ||
        memcmp(answer, "HTTP/1.1 200", 12) != 0) {
        die("a request was not answered with 200");
    }
}

static void ask(const struct load *load)
{
    SSL *ssl = SSL_new(load->ctx);
    int fd = open_socket(load);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        die("no handshake");
    }
    if (SSL_session_reused(ssl)) {
        die("a session was resumed");
    }
    if (SSL_write(ssl, load->request, (int)strlen(load->request)) <= 0) {
        die("cannot write");
    }
    read_answer(ssl);
    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

static void *run(void *arg)
{
    struct load *load = arg;

    while (now_s() < load->end_s) {
        ask(load);
        atomic_fetch_add(&load->n_done, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct load load;
    static pthread_t threads[CONNECTIONS_MAX];
    unsigned n = argc == 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    double start_s;

    if (n == 0 || n > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: handshakes PORT PATH CONNECTIONS SECONDS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    load.ctx = SSL_CTX_new(TLS_client_method());
    if (load.ctx == NULL) {
        die("no TLS");
    }
    (void)SSL_CTX_set_session_cache_mode(load.ctx, SSL_SESS_CACHE_OFF);
    load.addr.sin_family = AF_INET;
    load.addr.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    load.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(load.request, sizeof(load.request),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", argv[2]);
    start_s = now_s();
    load.end_s = start_s + strtod(argv[4], NULL);
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&threads[i], NULL, run, &load) != 0) {
            die("no thread");
        }
    }
    for (unsigned i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    printf("%.1f\n", load.n_done / (now_s() - start_s));
    SSL_CTX_free(load.ctx);
    return 0;
}
