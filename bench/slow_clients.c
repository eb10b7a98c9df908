/* Clients that are slow on purpose, until it is ended; bench/handlers.mjs runs it.
 *
 *     slow_clients PORT N     N that are sent 10 MB and read 64 bytes of it each half second, and N
 *                             that send as slowly
 *
 * Their receive buffers are small: on one machine the system's memory for TCP would else be what
 * everybody waits for. Says "ready" when all are connected. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 20000, BEAT_US = 500000, PIECE = 64, RECEIVE_BUFFER = 4096 };

static int open_client(int port, const char *head)
{
    const struct sockaddr_in addr = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int size = RECEIVE_BUFFER;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) != 0 ||
        connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        write(fd, head, strlen(head)) != (ssize_t)strlen(head)) {
        perror("slow_clients");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static const char download[] = "GET /source?n=10000000 HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char upload[] =
        "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n";
    static int readers[CLIENTS_MAX];
    static int writers[CLIENTS_MAX];
    const int port = argc > 2 ? atoi(argv[1]) : 0;
    const int n = argc > 2 ? atoi(argv[2]) : 0;
    char piece[PIECE] = {0};

    if (port <= 0 || n <= 0 || n > CLIENTS_MAX) {
        fprintf(stderr, "usage: slow_clients PORT N\n");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        readers[i] = open_client(port, download);
        writers[i] = open_client(port, upload);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        usleep(BEAT_US);
        for (int i = 0; i < n; i++) {
            if (recv(readers[i], piece, sizeof(piece), MSG_DONTWAIT) == 0 ||
                send(writers[i], piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL) == 0) {
                fprintf(stderr, "slow_clients: a client was given up\n");
                return 1;
            }
        }
    }
}
