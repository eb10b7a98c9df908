#include "gateway/edge/snapshot.h"

#include <stdlib.h>

#include "ground/base/assert.h"

static void on_zero(struct fe_refcount *refs)
{
    struct fe_snapshot *const snapshot = FE_CONTAINER_OF(refs, struct fe_snapshot, refs);

    FE_ASSERT(snapshot->config != NULL, "a snapshot has its configuration to the end");
    fe_config_unref(snapshot->config);
    free(snapshot);
}

struct fe_snapshot *fe_snapshot_new(struct fe_config *config)
{
    struct fe_snapshot *const snapshot =
        calloc(1, sizeof(*snapshot) + config->n_http * sizeof(snapshot->http[0]));

    if (snapshot == NULL) {
        return NULL;
    }
    fe_refcount_init(&snapshot->refs, on_zero);
    snapshot->config = fe_config_ref(config);
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_config_http *const http = &config->http[i];

        snapshot->http[i].limits = (struct fe_http_limits){
            .header_max = http->header_max,
            .read_header_ms = http->read_header_ms,
            .idle_ms = http->idle_ms,
            /* No key of the configuration: it would be about nothing that users have yet. */
            .tunnel_idle_ms = FE_HTTP_TUNNEL_IDLE_MS,
            .times = {http->read_ms, http->write_ms, http->min_rate},
            .grace_ms = http->min_rate_grace_ms,
        };
        snapshot->http[i].redirect = fe_redirect_backend(http);
    }
    return snapshot;
}

void fe_snapshot_set_backends(struct fe_snapshot *snapshot, const struct fe_backend *services,
                              const struct fe_backend *files)
{
    for (size_t i = 0; i < snapshot->config->n_http; i++) {
        snapshot->http[i].dispatch =
            fe_dispatch_backend(&snapshot->config->http[i], services, files);
    }
}
