/* Looking up is a call that blocks until a server answers, for tens of seconds if none does, and
 * that cannot be interrupted. So it has a thread of its own, which nobody waits for: what both
 * sides use is freed by the one that is done with it last. */
#include "ground/uv/resolve.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/socket.h"
#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"

enum {
    HOST_MAX = 253, /* the longest DNS name (RFC 1035 §2.3.4) */
    FOUND_MAX = 64, /* addresses that families are chosen from */
};

/*   the thread looks up ── done ──▶ its task is posted ──▶ `fn`, freed by the worker
 *        │ canceled                        │ canceled
 *        └──▶ freed by the thread          └──▶ freed by who cancels */
struct fe_resolution {
    struct fe_mutex lock;
    struct fe_worker *worker; /* NULL: canceled */
    bool is_posted;
    /* The thread's until it is posted, then the worker's. */
    struct fe_addr addrs[FE_RESOLVE_MAX];
    size_t n;
    struct flatend_error err;
    struct fe_task task;
    fe_resolve_fn fn;
    void *arg;
    char host[];
};

static void resolution_free(struct fe_resolution *resolution)
{
    fe_mutex_deinit(&resolution->lock);
    free(resolution);
}

/* The next of `found` that is, or is not, of this family. NULL: there is none. */
static const struct fe_addr *next_of(const struct fe_addr *found, size_t n, size_t *at,
                                     enum fe_family family, bool is_family)
{
    while (*at < n) {
        const struct fe_addr *addr = &found[(*at)++];

        if ((addr->family == family) == is_family) {
            return addr;
        }
    }
    return NULL;
}

/* RFC 8305 §4: families in turn, beginning with that of the best address. */
static size_t interleave(const struct fe_addr *found, size_t n_found,
                         struct fe_addr addrs[FE_RESOLVE_MAX])
{
    size_t at[2] = {0, 0};
    size_t n = 0;

    for (size_t turn = 0; n < FE_RESOLVE_MAX && n < n_found; turn++) {
        const struct fe_addr *addr =
            next_of(found, n_found, &at[turn % 2], found[0].family, turn % 2 == 0);

        if (addr != NULL) {
            addrs[n++] = *addr;
        }
    }
    return n;
}

static void look_up(struct fe_resolution *resolution)
{
    struct fe_addr found[FOUND_MAX];
    struct flatend_error why = {0};
    size_t n;
    const int code = fe_host_lookup(resolution->host, found, FOUND_MAX, &n, &why);

    resolution->n = interleave(found, n, resolution->addrs);
    if (code != 0) {
        (void)fe_err_set(&resolution->err, code, "look up '%.100s': %.120s", resolution->host,
                         why.text);
    }
}

static void on_done(struct fe_task *task)
{
    struct fe_resolution *resolution = FE_CONTAINER_OF(task, struct fe_resolution, task);

    /* The thread may still hold it. */
    fe_mutex_lock(&resolution->lock);
    fe_mutex_unlock(&resolution->lock);
    resolution->fn(resolution->arg, resolution->addrs, resolution->n, &resolution->err);
    resolution_free(resolution);
}

static void *run(void *arg)
{
    struct fe_resolution *resolution = arg;
    bool is_canceled;

    look_up(resolution);
    fe_mutex_lock(&resolution->lock);
    is_canceled = resolution->worker == NULL;
    resolution->is_posted = true;
    if (!is_canceled) {
        /* Under the lock: once it is released, the worker may be gone. */
        fe_task_post(resolution->worker, &resolution->task);
    }
    fe_mutex_unlock(&resolution->lock);
    if (is_canceled) {
        resolution_free(resolution);
    }
    return NULL;
}

static struct fe_resolution *resolution_new(struct fe_worker *worker, const char *host)
{
    const size_t len = strlen(host);
    struct fe_resolution *resolution = calloc(1, sizeof(*resolution) + len + 1);

    if (resolution == NULL) {
        return NULL;
    }
    if (fe_mutex_init(&resolution->lock) != 0) {
        free(resolution);
        return NULL;
    }
    memcpy(resolution->host, host, len + 1);
    resolution->worker = worker;
    fe_task_init(&resolution->task, on_done);
    return resolution;
}

int fe_resolve(struct fe_worker *worker, const char *host, fe_resolve_fn fn, void *arg,
               struct fe_resolution **out, struct flatend_error *err)
{
    struct fe_resolution *resolution = resolution_new(worker, host);
    struct fe_thread thread;
    int code;

    *out = NULL;
    if (resolution == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    resolution->fn = fn;
    resolution->arg = arg;
    code = fe_thread_start(&thread, run, resolution);
    if (code != 0) {
        resolution_free(resolution);
        return fe_err_set(err, code, "look up '%.100s': %s", host, flatend_strerror(code));
    }
    fe_thread_detach(&thread);
    *out = resolution;
    return 0;
}

void fe_resolve_cancel(struct fe_resolution *resolution)
{
    struct fe_worker *worker;
    bool is_posted;

    fe_mutex_lock(&resolution->lock);
    worker = resolution->worker;
    is_posted = resolution->is_posted;
    resolution->worker = NULL;
    fe_mutex_unlock(&resolution->lock);
    FE_ASSERT(worker != NULL, "a look-up is canceled once");
    if (is_posted) {
        fe_task_cancel(worker, &resolution->task);
        resolution_free(resolution);
    }
}

/* Splits into the name, as a string, and the port. */
static int split(const char *host_port, char name[HOST_MAX + 1], uint16_t *port,
                 struct flatend_error *err)
{
    struct fe_view host;
    int code = fe_addr_split(host_port, &host, port, err);

    if (code != 0) {
        return code;
    }
    if (host.len == 0 || host.len > HOST_MAX) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': no host name", host_port);
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    return 0;
}

int fe_resolve_now(const char *host_port, struct fe_addr *addr, struct flatend_error *err)
{
    struct flatend_error reason;
    char name[HOST_MAX + 1];
    uint16_t port;
    size_t n;
    int code = split(host_port, name, &port, err);

    if (code != 0) {
        return code;
    }
    code = fe_host_lookup(name, addr, 1, &n, &reason);
    if (code != 0) {
        return fe_err_set(err, code == FLATEND_ENOMEM ? code : FLATEND_EADDR,
                          "look up '%s': %.150s", host_port, reason.text);
    }
    addr->port = port;
    return 0;
}
