/* The life of a stream: made when its request's head begins, used again when it is closed. */
#include <stdlib.h>

#include "web/http/h2/connection.h"
#include "web/http/problem.h"

static struct fe_h2_stream *stream_alloc(struct fe_h2_server *server)
{
    struct fe_list *link = fe_list_pop_front(&server->free_streams);
    struct fe_h2_stream *stream;

    if (link != NULL) {
        server->n_free_streams--;
        return FE_CONTAINER_OF(link, struct fe_h2_stream, link);
    }
    stream = malloc(sizeof(*stream));
    if (stream != NULL) {
        fe_arena_init(&stream->ex.arena, 0);
    }
    return stream;
}

static void stream_free(struct fe_h2_stream *stream)
{
    fe_arena_deinit(&stream->ex.arena);
    free(stream);
}

struct fe_h2_stream *fe_h2_stream_new(struct fe_h2_server *server, int32_t id)
{
    struct fe_h2_stream *stream = stream_alloc(server);
    struct fe_arena arena;

    if (stream == NULL) {
        return NULL;
    }
    arena = stream->ex.arena;
    *stream = (struct fe_h2_stream){
        .ex = {.ops = &fe_h2_exchange_ops,
               .arena = arena,
               .request = {.scheme = server->setup.scheme,
                           .content_length = FE_BODY_UNKNOWN,
                           .version = 20},
               .filters = server->setup.filters,
               .remote = server->setup.remote},
        .server = server,
        .id = id,
        .state = FE_H2_HEAD,
        .read_ms = FE_TIME_NEVER,
        .write_ms = FE_TIME_NEVER,
        .since_ms = FE_TIME_NEVER,
        .full_ms = FE_TIME_NEVER,
        .pace_ms = FE_TIME_NEVER,
    };
    fe_list_init(&stream->link);
    fe_list_init(&stream->todo);
    fe_chain_init(&stream->held, server->setup.out->pool);
    fe_chain_init(&stream->output, server->setup.out->pool);
    fe_list_push_back(&server->streams, &stream->link);
    server->n_streams++;
    server->had_request = true;
    server->counters->streams++;
    return stream;
}

void fe_h2_stream_close(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;

    if (stream->state == FE_H2_EXCHANGE) {
        stream->state = FE_H2_RESET;
        fe_exchange_deliver_reset(&stream->ex, FLATEND_ECLOSED);
    }
    if (server->receiving == stream) {
        server->receiving = NULL;
    }
    server->n_heads -= stream->n_head;
    server->n_held -= stream->held.len;
    server->n_output -= stream->output.len;
    server->n_streams--;
    server->n_closed -= stream->is_closed;
    fe_chain_deinit(&stream->held);
    fe_chain_deinit(&stream->output);
    fe_list_remove(&stream->todo);
    fe_list_remove(&stream->link);
    fe_refcount_unref(stream->ex.snapshot);
    stream->ex.snapshot = NULL;
    if (server->n_free_streams == FE_H2_FREE_STREAMS_MAX) {
        stream_free(stream);
        return;
    }
    fe_arena_reset(&stream->ex.arena);
    fe_list_push_front(&server->free_streams, &stream->link);
    server->n_free_streams++;
}

/* RFC 9113 §5.1: with both END_STREAMs the stream is closed, and the client may forget it. What it
 * has sent is the backend's all the same. */
void fe_h2_stream_on_close(struct fe_h2_stream *stream)
{
    if (stream->state == FE_H2_EXCHANGE && stream->is_complete && stream->has_sent_end) {
        stream->is_closed = true;
        stream->server->n_closed++;
    } else {
        fe_h2_stream_close(stream);
    }
}

void fe_h2_streams_trim(struct fe_h2_server *server)
{
    FE_LIST_FOREACH (link, tmp, &server->free_streams) {
        stream_free(FE_CONTAINER_OF(link, struct fe_h2_stream, link));
    }
    fe_list_init(&server->free_streams);
    server->n_free_streams = 0;
}

void fe_h2_schedule(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;

    if (!fe_list_is_linked(&stream->todo)) {
        fe_list_push_back(&server->todo, &stream->todo);
    }
    if (!server->is_running) {
        server->setup.ops->flush(server->setup.owner);
    }
}

void fe_h2_stream_reset(struct fe_h2_stream *stream, uint32_t code)
{
    struct fe_h2_server *server = stream->server;

    if (stream->is_closed) {
        fe_h2_schedule(stream);
        return;
    }
    if (nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, stream->id, code) != 0) {
        server->is_out_of_memory = true;
    }
    if (!server->is_running) {
        server->setup.ops->flush(server->setup.owner);
    }
}

void fe_h2_answer(struct fe_h2_stream *stream, int status, const char *reason)
{
    stream->state = FE_H2_EXCHANGE;
    fe_problem_respond(&stream->ex, status, reason);
}

void fe_h2_fail(struct fe_h2_stream *stream, int status, const char *reason)
{
    fe_problem_fail(&stream->ex, status, reason);
}
