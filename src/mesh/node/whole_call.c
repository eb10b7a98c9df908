/* A call in one function: the request, and all of the response. */
#include <stdlib.h>

#include "mesh/node/outgoing.h"
#include "mesh/node/request_check.h"

/* What the stream has received lives in the stream. */
struct whole {
    struct flatend_response response;
    struct flatend_stream *stream;
};

/* Everything there is to read. */
static int receive(struct whole *whole, size_t limit)
{
    struct flatend_response *response = &whole->response;
    int code = flatend_stream_response(whole->stream, &response->status, &response->headers,
                                       &response->n_headers);

    if (code == 0) {
        code = flatend_stream_read_all(whole->stream, limit, &response->body, &response->body_len);
    }
    if (code == 0) {
        response->trailers = flatend_stream_trailers(whole->stream, &response->n_trailers);
    }
    return code;
}

int flatend_call(struct flatend_node *node, const struct flatend_request *request, size_t limit,
                 struct flatend_response **out, struct flatend_error *error)
{
    struct flatend_request whole_request;
    struct whole *whole;
    int code;

    if (out == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "response: NULL");
    }
    *out = NULL;
    code = fe_request_check(request, error);
    if (code != 0) {
        return code;
    }
    whole_request = *request;
    if (request->queue != NULL) {
        return fe_push_fail(node, request, FLATEND_EINVAL, error);
    }
    if (request->body == NULL && request->body_len == 0) {
        whole_request.body = "";
    }
    whole = calloc(1, sizeof(*whole));
    if (whole == NULL) {
        return fe_push_fail(node, request, FLATEND_ENOMEM, error);
    }
    /* With all of its body: a provider that answers while it reads would wait for us to read. */
    code = fe_push(node, &whole_request, true, &whole->stream, error);
    if (code != 0) {
        free(whole);
        return code;
    }
    code = receive(whole, limit);
    if (code != 0) {
        flatend_response_free(&whole->response);
        return fe_push_fail(node, request, code, error);
    }
    *out = &whole->response;
    return 0;
}

void flatend_response_free(struct flatend_response *response)
{
    struct whole *whole;

    if (response == NULL) {
        return;
    }
    whole = FE_CONTAINER_OF(response, struct whole, response);
    flatend_stream_close(whole->stream);
    free(whole);
}
