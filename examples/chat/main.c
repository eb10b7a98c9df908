/* A chat by long polling: who asks for what is to come is kept until it comes. One thread serves
 * all of it from a queue.
 *
 *     chat [ADDRESS...]    nodes to join the mesh by, 127.0.0.1:9000 by default
 *
 * GET /messages?after=7 answers with {"last": 9, "messages": ["hi", "there"]} at once if there is
 * anything behind the 7th message; else when there is, or after 25 seconds without any.
 */
#include <flatend.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MESSAGES_MAX = 100, /* that are remembered */
    MESSAGE_MAX = 1024, /* bytes */
    WAITING_MAX = 1000,
    WAIT_MS = 25000,
    TICK_MS = 1000,
    N_EVENTS = 64,
};

struct chat;

/* What an event belongs to: its `arg`. */
struct service {
    struct chat *chat;
    void (*on_request)(struct chat *chat, struct flatend_context *ctx);
};

struct waiting {
    struct flatend_context *ctx;
    int ticks_left;
};

struct chat {
    struct flatend_queue *queue;
    struct service listen;
    struct service say;
    char *messages[MESSAGES_MAX]; /* the n-th one at n % MESSAGES_MAX */
    long n_messages;
    struct waiting waiting[WAITING_MAX];
    size_t n_waiting;
};

/* Everything behind the `after`-th message. */
static void answer(const struct chat *chat, struct flatend_context *ctx, long after)
{
    long first = after > chat->n_messages - MESSAGES_MAX ? after : chat->n_messages - MESSAGES_MAX;
    json_t *list = json_array();
    json_t *root;
    char *text;

    for (long i = first > 0 ? first : 0; i < chat->n_messages; i++) {
        json_array_append_new(list, json_string(chat->messages[i % MESSAGES_MAX]));
    }
    root = json_pack("{s:I, s:o}", "last", (json_int_t)chat->n_messages, "messages", list);
    text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    if (text != NULL) {
        flatend_context_json(ctx, 200, text, strlen(text));
    } else {
        flatend_context_problem(ctx, 503, "out of memory");
    }
    free(text);
    json_decref(root);
}

static void on_listen(struct chat *chat, struct flatend_context *ctx)
{
    const char *text = flatend_context_query(ctx, "after");
    long after = text != NULL ? strtol(text, NULL, 10) : 0;

    if (after < 0 || after > chat->n_messages) {
        flatend_context_problem(ctx, 400, "after: from 0 to %ld", chat->n_messages);
    } else if (after < chat->n_messages) {
        answer(chat, ctx, after);
    } else if (chat->n_waiting == WAITING_MAX) {
        flatend_context_problem(ctx, 503, "too many wait");
    } else {
        chat->waiting[chat->n_waiting++] = (struct waiting){ctx, WAIT_MS / TICK_MS};
    }
}

/* The body is there in most cases; if it is not, the client is asked to be quicker. */
static void on_say(struct chat *chat, struct flatend_context *ctx)
{
    const char *body;
    size_t len;
    char **slot = &chat->messages[chat->n_messages % MESSAGES_MAX];
    char *copy;

    if (flatend_context_read_all(ctx, MESSAGE_MAX, &body, &len) != 0 || len == 0) {
        flatend_context_problem(ctx, 400, "a message has 1 to %d bytes", MESSAGE_MAX);
        return;
    }
    copy = strdup(body);
    if (copy == NULL) {
        flatend_context_problem(ctx, 503, "out of memory");
        return;
    }
    free(*slot);
    *slot = copy;
    chat->n_messages++;
    for (size_t i = 0; i < chat->n_waiting; i++) {
        answer(chat, chat->waiting[i].ctx, chat->n_messages - 1);
    }
    chat->n_waiting = 0;
    flatend_context_set_status(ctx, 204);
    flatend_context_finish(ctx);
}

static void on_tick(struct chat *chat)
{
    size_t n = 0;

    for (size_t i = 0; i < chat->n_waiting; i++) {
        if (--chat->waiting[i].ticks_left > 0) {
            chat->waiting[n++] = chat->waiting[i];
        } else {
            answer(chat, chat->waiting[i].ctx, chat->n_messages);
        }
    }
    chat->n_waiting = n;
}

/* A client has gone, or the node goes. */
static void on_canceled(struct chat *chat, struct flatend_context *ctx)
{
    for (size_t i = 0; i < chat->n_waiting; i++) {
        if (chat->waiting[i].ctx == ctx) {
            chat->waiting[i] = chat->waiting[--chat->n_waiting];
            flatend_context_finish(ctx);
            return;
        }
    }
}

static void *serve(void *arg)
{
    struct chat *chat = arg;
    struct flatend_event events[N_EVENTS];
    ssize_t n;

    for (;;) {
        n = flatend_queue_take(chat->queue, events, N_EVENTS, -1);
        for (ssize_t i = 0; i < n; i++) {
            const struct flatend_event *event = &events[i];

            if (event->type == FLATEND_EVENT_REQUEST) {
                const struct service *service = event->arg;
                service->on_request(chat, event->context);
            } else if (event->type == FLATEND_EVENT_TIMER) {
                on_tick(chat);
            } else if (event->type == FLATEND_EVENT_CLOSED) {
                return NULL;
            } else if (event->context != NULL) {
                on_canceled(chat, event->context);
            }
        }
    }
}

static int run(struct flatend_node *node, struct chat *chat)
{
    struct flatend_timer *timer;
    pthread_t server;

    if (flatend_timer_start_queued(node, TICK_MS, TICK_MS, chat->queue, NULL, &timer) != 0 ||
        pthread_create(&server, NULL, serve, chat) != 0) {
        fprintf(stderr, "no timer, or no thread\n");
        return 1;
    }
    flatend_node_wait(node);
    pthread_join(server, NULL); /* after the node's last event */
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    static struct chat chat;
    const char *const *addrs = argc > 1 ? (const char *const *)(argv + 1) : gateway;
    size_t n_addrs = argc > 1 ? (size_t)argc - 1 : 1;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error;
    struct flatend_node *node;
    int status = 1;

    if (flatend_queue_new(&chat.queue) != 0) {
        return 1;
    }
    chat.listen = (struct service){&chat, on_listen};
    chat.say = (struct service){&chat, on_say};
    const struct flatend_service services[] = {
        {.name = "listen", .queue = chat.queue, .arg = &chat.listen},
        {.name = "say", .queue = chat.queue, .arg = &chat.say},
    };
    options.services = services;
    options.n_services = 2;
    options.shutdown_timeout_ms = 500; /* those that wait have nothing to lose */
    options.log = flatend_log_stderr;
    if (flatend_node_new(&options, &node, &error) == 0) {
        flatend_node_watch(node, chat.queue, NULL);
        if (flatend_node_start(node, addrs, n_addrs, &error) == 0) {
            status = run(node, &chat);
        } else {
            fprintf(stderr, "%s\n", error.text);
        }
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    flatend_node_free(node);
    flatend_queue_free(chat.queue);
    for (int i = 0; i < MESSAGES_MAX; i++) {
        free(chat.messages[i]);
    }
    return status;
}
