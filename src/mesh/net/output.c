/* Output that waits for peers.
 *
 * Happy path: it is written at the end of its turn, and nothing waits.
 *
 * Failure modes: a peer does not read. When nothing of its output has left for FE_MESH_UNREAD_MS
 * the link is closed, as a client of HTTP would be (`timeout.write`). When the outputs of all peers
 * together outgrow FE_MESH_OUT_ALL_MAX, the one that holds the most is closed: the others are not
 * held back by it, nor does a node run out of memory, however many do so. */
#include "ground/base/assert.h"
#include "mesh/net/internal.h"

enum {
    /* Counted in checks: a process that was stopped has not looked meanwhile. */
    CHECK_MS = 5000,
    CHECKS_MAX = FE_MESH_UNREAD_MS / CHECK_MS,
    LARGE = 64 * 1024, /* less does not add up to much */
};

static bool holds_output(const struct fe_link *link)
{
    return (link->state == FE_LINK_HANDSHAKE || link->state == FE_LINK_READY) &&
           link->session.out->len > 0;
}

/* Whether it is to be looked at again. */
static bool check_link(struct fe_link *link)
{
    const struct fe_transport_ops *ops = link->mesh->transport.ops;
    struct flatend_error err = {0};
    uint64_t n_sent;

    if (!holds_output(link)) {
        link->unread.n_checks = 0;
        return false;
    }
    n_sent = ops->n_sent(link->io);
    if (link->unread.n_checks == 0 || link->unread.n_sent != n_sent) {
        link->unread.n_checks = 1;
        link->unread.n_sent = n_sent;
    } else if (link->unread.n_checks++ == CHECKS_MAX) {
        (void)fe_err_set(&err, FLATEND_ETIMEDOUT, "peer does not read: %zu bytes wait for it",
                         link->session.out->len);
        fe_link_fail(link, FLATEND_ETIMEDOUT, &err);
        return false;
    }
    return true;
}

/* Unless the transport does not say what has left. */
static void watch(struct fe_mesh *mesh)
{
    if (!fe_timer_is_armed(&mesh->output_check) && mesh->transport.ops->n_sent != NULL) {
        int code = fe_mesh_start_timer(mesh, &mesh->output_check, CHECK_MS);

        (void)code; /* without memory the next output starts it */
    }
}

static void on_check(struct fe_timer *timer)
{
    struct fe_mesh *mesh = FE_CONTAINER_OF(timer, struct fe_mesh, output_check);
    bool watches = false;

    FE_LIST_FOREACH (node, next, &mesh->links) {
        watches |= check_link(FE_CONTAINER_OF(node, struct fe_link, node));
    }
    if (watches) {
        watch(mesh);
    }
}

void fe_output_init(struct fe_mesh *mesh)
{
    fe_timer_init(&mesh->output_check, on_check);
}

void fe_output_stop(struct fe_mesh *mesh)
{
    fe_timer_stop(mesh->timers, &mesh->output_check);
}

/* All outputs together; and the link that holds the most. */
static size_t sum_outputs(const struct fe_mesh *mesh, struct fe_link **largest)
{
    size_t sum = 0;

    *largest = NULL;
    FE_LIST_FOREACH (node, next, &mesh->links) {
        struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        if (holds_output(link)) {
            sum += link->session.out->len;
            if (*largest == NULL || link->session.out->len > (*largest)->session.out->len) {
                *largest = link;
            }
        }
    }
    return sum;
}

void fe_output_on_flush(struct fe_link *link)
{
    struct fe_link *largest;
    struct flatend_error err = {0};

    watch(link->mesh);
    if (link->session.out->len < LARGE ||
        sum_outputs(link->mesh, &largest) <= FE_MESH_OUT_ALL_MAX) {
        return;
    }
    FE_ASSERT(largest != NULL, "what is too much is somebody's");
    (void)fe_err_set(&err, FLATEND_ELIMIT,
                     "outputs of all peers exceed %d MiB, and %zu bytes wait for this one",
                     FE_MESH_OUT_ALL_MAX >> 20, largest->session.out->len);
    fe_link_fail(largest, FLATEND_ELIMIT, &err);
}
