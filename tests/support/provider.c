#include "support/provider.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/addr.h"
#include "mesh/session/record.h"

enum { PATIENCE_S = 20, READ_SIZE = 16384 };

static void on_event(struct provider *provider, const struct fe_event *event)
{
    switch (event->type) {
    case FE_EVENT_REQUEST:
        provider->stream = event->stream;
        provider->n_requests++;
        break;
    case FE_EVENT_END:
        provider->n_ends++;
        break;
    case FE_EVENT_FIND_NODE:
        provider->n_looks++;
        assert_int_equal(
            provider->session.sender.ops->nodes(&provider->session.sender, event->token, NULL, 0),
            0);
        break;
    case FE_EVENT_NODES:
        provider->has_nodes |= event->token == provider->look_token;
        break;
    default:
        break;
    }
}

/* Sends what the session has written; false: the connection is gone. */
static bool flush(struct provider *provider)
{
    struct fe_view front;

    assert_int_equal(fe_session_flush(&provider->session), 0);
    while ((front = fe_chain_front(&provider->out)).len > 0) {
        ssize_t n = send(provider->fd, front.ptr, front.len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        fe_chain_consume(&provider->out, (size_t)n);
    }
    return true;
}

/* Receives once, and reacts; false: the connection is gone. */
static bool turn(struct provider *provider)
{
    uint8_t buf[READ_SIZE];
    struct flatend_error err = {0};
    struct fe_event event;
    ssize_t n = recv(provider->fd, buf, sizeof(buf), 0);
    int code;

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        fail_msg("nothing came for %d s", PATIENCE_S);
    }
    if (n <= 0) {
        return false;
    }
    fe_session_feed(&provider->session, buf, (size_t)n);
    while ((code = fe_session_next(&provider->session, &event, &err)) == 1) {
        on_event(provider, &event);
    }
    if (code != 0) {
        fail_msg("%s", err.text);
    }
    return flush(provider);
}

static void dial(struct provider *provider, const char *text)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct fe_addr addr;

    assert_int_equal(fe_addr_parse(&addr, text, NULL), 0);
    to.sin_port = htons(addr.port);
    memcpy(&to.sin_addr, addr.ip, 4);
    provider->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(provider->fd >= 0);
    assert_int_equal(setsockopt(provider->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(connect(provider->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

/* As an old node that starts: when it is told of others, it is known for what it is. */
static void look(struct provider *provider)
{
    struct fe_sender *sender = &provider->session.sender;
    const uint8_t zero_key[FE_KEY_LEN] = {0};

    assert_int_equal(sender->ops->find_node(sender, zero_key, &provider->look_token), 0);
    assert_true(flush(provider));
    provider->has_nodes = false;
    while (!provider->has_nodes) {
        assert_true(turn(provider));
    }
}

/* An old one: it reads as much as comes, and grants nothing. */
void provider_join(struct provider *provider, const char *addr, const char *service)
{
    provider_join_as(provider, addr, service, &(struct fe_self){.is_old_only = true});
}

void provider_join_as(struct provider *provider, const char *addr, const char *service,
                      const struct fe_self *self)
{
    memset(provider, 0, sizeof(*provider));
    provider->rng = fe_rng_from_seed(&provider->seeded, 1);
    provider->service = fe_view_str(service);
    provider->self = *self;
    provider->self.is_anonymous = true;
    provider->self.services = &provider->service;
    provider->self.n_services = 1;
    fe_chain_init(&provider->out, NULL);
    dial(provider, addr);
    assert_int_equal(
        fe_session_init(&provider->session, true, &provider->self, &provider->rng, &provider->out),
        0);
    assert_true(flush(provider));
    while (provider->session.state != FE_SESSION_OPEN) {
        assert_true(turn(provider));
    }
    if (self->is_old_only) {
        look(provider);
    }
}

void provider_ask(struct provider *provider, const char *service)
{
    struct fe_sender *sender = &provider->session.sender;
    const struct fe_view name = fe_view_str(service);
    uint32_t stream = sender->ops->next_stream(sender);
    size_t n_ends = provider->n_ends;

    assert_int_equal(sender->ops->request(sender, stream, &name, 1, NULL, 0), 0);
    assert_int_equal(sender->ops->end(sender, stream, NULL, 0), 0);
    assert_true(flush(provider));
    while (provider->n_ends == n_ends) {
        assert_true(turn(provider));
    }
}

void provider_begin(struct provider *provider, const char *service, const char *name,
                    const char *value)
{
    struct fe_sender *sender = &provider->session.sender;
    const struct fe_header header = {fe_view_str(name), fe_view_str(value)};
    const struct fe_view view = fe_view_str(service);
    const uint32_t stream = sender->ops->next_stream(sender);

    assert_int_equal(sender->ops->request(sender, stream, &view, 1, &header, 1), 0);
    assert_true(flush(provider));
}

void provider_leave(struct provider *provider)
{
    close(provider->fd);
    fe_session_deinit(&provider->session);
    fe_chain_deinit(&provider->out);
}

void provider_wait_request(struct provider *provider)
{
    size_t n = provider->n_requests;

    while (provider->n_requests == n) {
        assert_true(turn(provider));
    }
}

void provider_wait_ends(struct provider *provider)
{
    while (provider->n_ends < provider->n_requests) {
        assert_true(turn(provider));
    }
}

void provider_wait_look(struct provider *provider)
{
    size_t n = provider->n_looks;

    while (provider->n_looks == n) {
        assert_true(turn(provider));
    }
}

void provider_respond(struct provider *provider, bool handled, const char *name, const char *value)
{
    struct fe_sender *sender = &provider->session.sender;
    struct fe_header header = {.name = {NULL, 0}};

    if (name != NULL) {
        header = (struct fe_header){fe_view_str(name), fe_view_str(value)};
    }
    assert_int_equal(
        sender->ops->response(sender, provider->stream, handled, &header, name != NULL), 0);
    assert_true(flush(provider));
}

void provider_data(struct provider *provider, const char *text)
{
    struct fe_sender *sender = &provider->session.sender;

    assert_int_equal(sender->ops->data(sender, provider->stream, fe_view_str(text)), 0);
    assert_true(flush(provider));
}

void provider_end(struct provider *provider)
{
    struct fe_sender *sender = &provider->session.sender;

    assert_int_equal(sender->ops->end(sender, provider->stream, NULL, 0), 0);
    assert_true(flush(provider));
}

void provider_send_record(struct provider *provider, const uint8_t *plaintext, size_t len)
{
    struct fe_record record;

    assert_int_equal(fe_record_begin(&provider->session, len, &record), 0);
    fe_write_bytes(&record.plaintext, fe_view_of(plaintext, len));
    assert_int_equal(fe_record_finish(&provider->session, &record), 0);
    assert_true(flush(provider));
}

void provider_send_packets(struct provider *provider, struct fe_view packets)
{
    assert_int_equal(fe_record_seal(&provider->session, &packets, 1), 0);
    assert_true(flush(provider));
}

void provider_send_raw(struct provider *provider, const void *data, size_t len)
{
    assert_int_equal(send(provider->fd, data, len, MSG_NOSIGNAL), len);
}

void provider_wait_closed(struct provider *provider)
{
    while (turn(provider)) {
    }
}
