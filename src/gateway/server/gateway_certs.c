/* A gateway's certificates: those of each listener with HTTPS are there before it accepts; one
 * timer looks at all of them, and gives session tickets their next key. */
#include "gateway/server/gateway_internal.h"
#include "ground/base/assert.h"

static void poll_certificates(struct fe_gateway *gateway, bool force)
{
    const int64_t now_s = fe_wall_clock_s();

    for (size_t i = 0; i < gateway->config->n_http; i++) {
        if (gateway->https[i].store != NULL) {
            fe_https_poll(&gateway->https[i], now_s, force);
        }
    }
}

/* Once started, re-arming cannot fail: the heap has had room for it. */
static int schedule_poll(struct fe_gateway *gateway)
{
    FE_ASSERT(gateway->tickets != NULL, "certificates are polled where there is HTTPS");
    return fe_timer_start(fe_worker_timers(gateway->worker), &gateway->poll_timer,
                          fe_worker_now(gateway->worker) + FE_HTTPS_POLL_MS);
}

static void on_poll_timer(struct fe_timer *timer)
{
    struct fe_gateway *gateway = FE_CONTAINER_OF(timer, struct fe_gateway, poll_timer);
    int code;

    poll_certificates(gateway, false);
    if (fe_worker_now(gateway->worker) >= gateway->rotate_ms) {
        gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
        code = fe_tls_tickets_rotate(gateway->tickets);
        if (code != 0) {
            fe_log(&gateway->log, FLATEND_LOG_WARN,
                   "Cannot rotate the TLS session ticket key, keeping the old one: %s.",
                   flatend_strerror(code));
        }
    }
    if (schedule_poll(gateway) != 0) {
        fe_log(&gateway->log, FLATEND_LOG_WARN,
               "Certificates are no longer reloaded or renewed: %s.",
               flatend_strerror(FLATEND_ENOMEM));
    }
}

static int start_https(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *config = gateway->config;
    bool has_https = false;
    int code = 0;

    for (size_t i = 0; code == 0 && i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_OFF) {
            continue;
        }
        if (!has_https) {
            has_https = true;
            code = fe_tls_tickets_new(&gateway->tickets);
            if (code != 0) {
                return fe_err_set(err, code, "https: %s", flatend_strerror(code));
            }
        }
        code = fe_https_open(&gateway->https[i],
                             &(struct fe_https_setup){
                                 .config = &config->http[i],
                                 .state_dir = config->state_dir,
                                 .tickets = gateway->tickets,
                                 .log = &gateway->log,
                                 .now_s = fe_wall_clock_s(),
                             },
                             err);
    }
    if (code != 0 || !has_https) {
        return code;
    }
    gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
    code = schedule_poll(gateway);
    return code == 0 ? 0 : fe_err_set(err, code, "https: %s", flatend_strerror(code));
}

/* Where there are no certificates of one's own. */
static int start_acme_clients(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *config = gateway->config;

    for (size_t i = 0; i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_ON && config->http[i].n_certs == 0) {
            int code = fe_acme_manager_add(&gateway->manager, &gateway->https[i]);

            if (code != 0) {
                return fe_err_set(err, code, "https: %s", flatend_strerror(code));
            }
        }
    }
    return 0;
}

void fe_gateway_init_certs(struct fe_gateway *gateway)
{
    fe_timer_init(&gateway->poll_timer, on_poll_timer);
    fe_acme_manager_init(&gateway->manager, gateway->worker, gateway->config, &gateway->log);
}

int fe_gateway_start_certs(struct fe_gateway *gateway, struct flatend_error *err)
{
    int code = start_https(gateway, err);

    return code != 0 ? code : start_acme_clients(gateway, err);
}

void fe_gateway_reload_certs(struct fe_gateway *gateway)
{
    poll_certificates(gateway, true);
}
