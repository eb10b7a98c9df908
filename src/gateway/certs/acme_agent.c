/* Happy path: start, wake, lock, requests one after the other, a challenge published and withdrawn,
 * a key made on another thread, the certificate stored and served; sleep until it is due.
 *
 * Failure modes are the machine's to handle. Stopped: a request that is under way is canceled, a
 * key that is being made is thrown away; the next process goes on from what is stored. */
#include <stdlib.h>
#include <time.h>

#include "gateway/certs/acme_agent_internal.h"
#include "ground/base/rng.h"

/* The clock may be set while we sleep, and the machine may have slept itself. */
enum { NAP_MAX_MS = 3600 * 1000 };

uint64_t fe_acme_agent_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- time --------------------------------------------------------------------------------- */

static uint64_t now_ms(void *owner)
{
    (void)owner;
    return fe_acme_agent_now();
}

static int arm(struct fe_acme_agent *agent, uint64_t nap_ms)
{
    struct fe_worker *const worker = agent->agency->worker;

    return fe_timer_start(fe_worker_timers(worker), &agent->timer, fe_worker_now(worker) + nap_ms);
}

/* The timer is always armed, so that this cannot fail. */
static void wake_at(void *owner, uint64_t when_ms)
{
    struct fe_acme_agent *const agent = owner;
    const uint64_t now = fe_acme_agent_now();
    const uint64_t nap_ms = when_ms > now ? when_ms - now : 0;

    agent->wake_ms = when_ms;
    (void)arm(agent, nap_ms < NAP_MAX_MS ? nap_ms : NAP_MAX_MS);
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_acme_agent *const agent = FE_CONTAINER_OF(timer, struct fe_acme_agent, timer);

    (void)arm(agent, NAP_MAX_MS); /* it has just left its place free */
    if (agent->fetch != NULL || agent->key_task != NULL) {
        return;
    }
    if (fe_acme_agent_now() < agent->wake_ms) {
        wake_at(agent, agent->wake_ms);
        return;
    }
    fe_acme_on_wake(agent->machine);
}

/* ---- what is stored and served ------------------------------------------------------------- */

/* False: there is none, or none that can be used. */
static bool serve_stored(struct fe_acme_agent *agent, const struct fe_acme_cert_info *info)
{
    struct flatend_error err = {0};
    struct fe_cert *cert = NULL;
    int code = fe_acme_store_load(agent->store, &cert, &err);

    if (code == 0) {
        code = fe_https_use(agent->https, cert);
        (void)fe_err_code(&err, code);
    }
    if (code == 0) {
        agent->served = *info;
    } else if (code != FLATEND_ENOENT) {
        fe_log(agent->agency->log, FLATEND_LOG_WARN, "The stored certificate cannot be used: %s.",
               err.text);
    }
    fe_cert_unref(cert);
    return code == 0;
}

/* Another process may have stored a new one since. */
static int lock(void *owner, struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct fe_acme_agent *const agent = owner;
    const int code = fe_acme_store_lock(agent->store, saved, err);

    if (code == 0 && saved->has_certificate &&
        (saved->certificate.not_after_s != agent->served.not_after_s ||
         strcmp(saved->certificate.id, agent->served.id) != 0)) {
        (void)serve_stored(agent, &saved->certificate);
    }
    return code;
}

static void unlock(void *owner)
{
    fe_acme_store_unlock(((struct fe_acme_agent *)owner)->store);
}

static int save_account(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_account(((struct fe_acme_agent *)owner)->store, saved, err);
}

static int save_order(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_order(((struct fe_acme_agent *)owner)->store, saved, err);
}

static int save_key(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_key(((struct fe_acme_agent *)owner)->store, saved, err);
}

static int install(void *owner, const struct fe_acme_saved *saved,
                   const struct fe_acme_cert_info *info, struct fe_view chain,
                   struct flatend_error *err)
{
    struct fe_acme_agent *const agent = owner;
    const int code = fe_acme_store_save_certificate(agent->store, saved, chain, err);

    if (code == 0) {
        (void)serve_stored(agent, info);
    }
    return code;
}

static const struct fe_acme_ops machine_ops = {
    .now_ms = now_ms,
    .wake_at = wake_at,
    .lock = lock,
    .unlock = unlock,
    .save_account = save_account,
    .save_order = save_order,
    .save_key = save_key,
    .install = install,
    .request = fe_acme_agent_request,
    .make_key = fe_acme_agent_make_key,
    .publish = fe_acme_agent_publish,
    .withdraw = fe_acme_agent_withdraw,
};

/* ---- life --------------------------------------------------------------------------------- */

void fe_acme_agency_init(struct fe_acme_agency *agency, struct fe_worker *worker,
                         const struct fe_config *config, const struct fe_log *log)
{
    *agency = (struct fe_acme_agency){.worker = worker, .config = config, .log = log};
    fe_list_init(&agency->agents);
    fe_acme_answers_init(&agency->answers);
}

void fe_acme_agency_deinit(struct fe_acme_agency *agency)
{
    fe_acme_answers_deinit(&agency->answers);
    fe_tls_trust_free(agency->trust);
    agency->trust = NULL;
}

static void free_agent(struct fe_acme_agent *agent)
{
    fe_acme_free(agent->machine);
    fe_acme_store_close(agent->store);
    fe_timer_stop(fe_worker_timers(agent->agency->worker), &agent->timer);
    fe_list_remove(&agent->link);
    fe_arena_deinit(&agent->arena);
    free(agent);
}

/* Names compare without regard to case, and so do the files that are named after them. */
static int copy_names(struct fe_acme_agent *agent, const struct fe_config_http *config)
{
    agent->names = fe_arena_alloc(&agent->arena, config->n_domains * sizeof(*agent->names));
    for (size_t i = 0; agent->names != NULL && i < config->n_domains; i++) {
        char *const name = fe_arena_copy(&agent->arena, config->domains[i]);
        size_t k = 0;

        if (name == NULL) {
            return FLATEND_ENOMEM;
        }
        for (char *c = name; *c != '\0'; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
        }
        while (k < agent->n_names && strcmp(agent->names[k], name) != 0) {
            k++;
        }
        if (k == agent->n_names) {
            agent->names[agent->n_names++] = name;
        }
    }
    return agent->names != NULL ? 0 : FLATEND_ENOMEM;
}

static int make_machine(struct fe_acme_agent *agent)
{
    const struct fe_config_acme *const config = &agent->agency->config->acme;
    const struct fe_rng rng = fe_rng_system();
    struct fe_acme_config machine = {
        .directory = config->directory,
        .names = agent->names,
        .n_names = agent->n_names,
        .contacts = config->contacts,
        .n_contacts = config->n_contacts,
        .eab_key_id = config->eab_key_id,
        .eab_hmac_key = config->eab_hmac_key,
        .key_type = config->key_type,
        .n_challenges = config->n_challenges,
        .retry_min_ms = config->retry_min_ms,
    };

    memcpy(machine.challenges, config->challenges, sizeof(machine.challenges));
    agent->machine = fe_acme_new(&machine, &rng, agent->agency->log, &machine_ops, agent);
    return agent->machine != NULL ? 0 : FLATEND_ENOMEM;
}

static int prepare(struct fe_acme_agent *agent)
{
    const struct fe_config *const config = agent->agency->config;
    int code = copy_names(agent, agent->https->config);

    if (code == 0) {
        code = fe_acme_store_open(config->state_dir, config->acme.directory, agent->names,
                                  agent->n_names, &agent->store);
    }
    if (code == 0) {
        code = make_machine(agent);
    }
    if (code == 0) {
        code = arm(agent, 0);
    }
    return code;
}

static void warn_self_signed(const struct fe_acme_agent *agent)
{
    fe_log(
        agent->agency->log, FLATEND_LOG_WARN,
        "There is no certificate for '%s' yet: serving a self-signed one, which browsers refuse.",
        agent->names[0]);
}

int fe_acme_agency_add(struct fe_acme_agency *agency, struct fe_https *https)
{
    struct fe_acme_agent *const agent = calloc(1, sizeof(*agent));
    const struct fe_acme_cert_info unknown = {0};
    int code;

    if (agent == NULL) {
        return FLATEND_ENOMEM;
    }
    agent->agency = agency;
    agent->https = https;
    fe_list_init(&agent->link);
    fe_list_init(&agent->answer.link);
    fe_arena_init(&agent->arena, 0);
    fe_timer_init(&agent->timer, on_timer);
    code = prepare(agent);
    if (code != 0) {
        free_agent(agent);
        return code;
    }
    fe_list_push_back(&agency->agents, &agent->link);
    /* What exactly it is shows when it is locked. */
    if (!serve_stored(agent, &unknown)) {
        warn_self_signed(agent);
    }
    return 0;
}

static void on_fetch_gone(void *arg)
{
    struct fe_acme_agent *const agent = arg;
    void (*const on_gone)(void *arg) = agent->on_gone;
    void *const gone_arg = agent->gone_arg;

    free_agent(agent);
    on_gone(gone_arg);
}

static void stop(struct fe_acme_agent *agent)
{
    fe_timer_stop(fe_worker_timers(agent->agency->worker), &agent->timer);
    fe_acme_agent_forget_key(agent);
    if (agent->fetch != NULL) {
        fe_fetch_cancel(agent->fetch, on_fetch_gone, agent);
    } else {
        on_fetch_gone(agent);
    }
}

void fe_acme_agency_stop(struct fe_acme_agency *agency, void (*on_gone)(void *arg), void *arg)
{
    FE_LIST_FOREACH (link, tmp, &agency->agents) {
        struct fe_acme_agent *const agent = FE_CONTAINER_OF(link, struct fe_acme_agent, link);

        agent->on_gone = on_gone;
        agent->gone_arg = arg;
        stop(agent);
    }
}
