#include "support/tunnels.h"

#include "support/counting.h"
#include "web/http/problem.h"

enum { PIECE = 10000 };

/* False: answered otherwise. */
static bool open_tunnel(struct fe_exchange *ex)
{
    const struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};
    const int code = fe_exchange_tunnel(ex, &response);

    if (code == FLATEND_EINVAL) {
        fe_problem_respond(ex, 426, "ask for a tunnel");
    } else if (code != 0) {
        fe_exchange_reset(ex, code);
    }
    return code == 0;
}

static void on_reset(struct fe_exchange *ex, int code)
{
    (void)ex;
    (void)code;
}

/* ---- echo ----------------------------------------------------------------------------------- */

static void echo_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    (void)backend;
    if (open_tunnel(ex)) {
        fe_exchange_resume(ex);
    }
}

static size_t echo_on_data(struct fe_exchange *ex, struct fe_view data)
{
    const ssize_t n = fe_exchange_write(ex, data);

    if (n < 0) {
        fe_exchange_reset(ex, (int)n);
        return 0;
    }
    return (size_t)n;
}

static void echo_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    (void)trailers;
    fe_exchange_finish(ex, NULL);
}

static void echo_on_writable(struct fe_exchange *ex)
{
    fe_exchange_resume(ex);
}

static const struct fe_backend_ops echo_ops = {echo_start, echo_on_data, echo_on_end,
                                               echo_on_writable, on_reset};
const struct fe_backend tunnel_echo_backend = {&echo_ops};

/* ---- greeting ------------------------------------------------------------------------------- */

/* How much is left stands where the server does not look: in the length of the request. */
static void greet(struct fe_exchange *ex)
{
    uint64_t *const left = &ex->request.content_length;
    uint8_t bytes[PIECE];

    while (*left > 0) {
        const size_t want = *left < PIECE ? (size_t)*left : PIECE;
        ssize_t n;

        counting_fill(bytes, want, TUNNEL_GREETING - (size_t)*left);
        n = fe_exchange_write(ex, fe_view_of(bytes, want));
        if (n < 0) {
            fe_exchange_reset(ex, (int)n);
            return;
        }
        *left -= (uint64_t)n;
        if ((size_t)n < want) {
            return;
        }
    }
    fe_exchange_resume(ex);
    fe_exchange_finish(ex, NULL);
}

static void greeting_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    (void)backend;
    if (open_tunnel(ex)) {
        ex->request.content_length = TUNNEL_GREETING;
        greet(ex);
    }
}

static size_t greeting_on_data(struct fe_exchange *ex, struct fe_view data)
{
    (void)ex;
    return data.len;
}

static void greeting_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    (void)ex;
    (void)trailers;
}

static const struct fe_backend_ops greeting_ops = {greeting_start, greeting_on_data,
                                                   greeting_on_end, greet, on_reset};
const struct fe_backend tunnel_greeting_backend = {&greeting_ops};
