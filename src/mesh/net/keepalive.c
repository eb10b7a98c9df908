/* Whether the peer of a link is still there (docs/PROTOCOL.md §2.6).
 *
 * Happy path: something comes now and then; when nothing has come for half of `dead_after_ms` the
 * peer is asked (PING), and whatever comes then will do.
 *
 * Failure modes: nothing comes for the other half either: the link is lost. A process that was
 * stopped itself finds all its deadlines passed: it asks again before it believes that. */
#include "ground/base/assert.h"
#include "mesh/net/internal.h"

static void on_timer(struct fe_timer *timer);

static unsigned half_interval(const struct fe_link *link)
{
    return link->mesh->config.dead_after_ms / 2;
}

static void check_peer(struct fe_link *link, uint64_t time_ms)
{
    struct flatend_error err = {0};

    if (fe_timer_start(link->mesh->timers, &link->keepalive, time_ms) != 0) {
        fe_link_fail(link, FLATEND_ENOMEM, &err);
    }
}

static void send_ping(struct fe_link *link, uint64_t now_ms)
{
    struct fe_sender *sender = &link->session.sender;
    struct flatend_error err = {0};
    int code = sender->ops->ping(sender, FE_PING_KEEPALIVE);

    if (code != 0) {
        fe_link_fail(link, code, &err);
        return;
    }
    fe_rtt_on_ping(&link->rtt, now_ms);
    fe_link_flush(link);
    link->last_ping_ms = now_ms;
    check_peer(link, now_ms + half_interval(link));
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_link *link = FE_CONTAINER_OF(timer, struct fe_link, keepalive);
    const struct fe_mesh *mesh = link->mesh;
    uint64_t now_ms = mesh->now_ms(mesh->now_arg);
    struct flatend_error err = {0};

    FE_ASSERT(link->state == FE_LINK_READY, "only a peer that is ready is watched");
    FE_ASSERT(link->last_read_ms <= now_ms && link->last_ping_ms <= now_ms, "time goes forward");
    if (now_ms < link->last_read_ms + half_interval(link)) {
        check_peer(link, link->last_read_ms + half_interval(link));
    } else if (link->last_ping_ms <= link->last_read_ms ||
               now_ms >= link->last_ping_ms + 3 * half_interval(link) / 2) {
        send_ping(link, now_ms);
    } else {
        (void)fe_err_set(&err, FLATEND_ETIMEDOUT, "keep-alive timed out after %llu ms",
                         (unsigned long long)(now_ms - link->last_read_ms));
        fe_link_fail(link, FLATEND_ETIMEDOUT, &err);
    }
}

void fe_keepalive_start(struct fe_link *link)
{
    const struct fe_mesh *mesh = link->mesh;

    if (half_interval(link) == 0 || !fe_sender_is_secure(&link->session.sender)) {
        return;
    }
    fe_timer_init(&link->keepalive, on_timer);
    link->last_read_ms = mesh->now_ms(mesh->now_arg);
    check_peer(link, link->last_read_ms + half_interval(link));
}

void fe_keepalive_stop(struct fe_link *link)
{
    fe_timer_stop(link->mesh->timers, &link->keepalive);
}
