/* Happy path: start, wake, lock, requests one after the other, a challenge published and withdrawn,
 * a key made on another thread, the certificate stored and served; sleep until it is due.
 *
 * Failure modes are the machine's to handle. Stopped: a request that is under way is canceled, a
 * key that is being made is thrown away; the next process goes on from what is stored. */
#include <stdlib.h>

#include "gateway/certs/acme_client_internal.h"
#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/rng.h"

/* The clock may be set while we sleep, and the machine may have slept itself. */
enum { NAP_MAX_MS = 3600 * 1000 };

uint64_t fe_acme_client_now(void)
{
    return (uint64_t)fe_wall_clock_ms();
}

/* ---- time ----------------------------------------------------------------------------------- */

static uint64_t now_ms(void *owner)
{
    (void)owner;
    return fe_acme_client_now();
}

static int arm(struct fe_acme_client *client, uint64_t nap_ms)
{
    struct fe_worker *const worker = client->manager->worker;

    return fe_timer_start(fe_worker_timers(worker), &client->timer, fe_worker_now(worker) + nap_ms);
}

/* The timer is always armed, so that this cannot fail. */
static void wake_at(void *owner, uint64_t when_ms)
{
    struct fe_acme_client *const client = owner;
    const uint64_t now = fe_acme_client_now();
    const uint64_t nap_ms = when_ms > now ? when_ms - now : 0;

    client->wake_ms = when_ms;
    client->asleep_ms = now;
    (void)arm(client, nap_ms < NAP_MAX_MS ? nap_ms : NAP_MAX_MS);
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_acme_client *const client = FE_CONTAINER_OF(timer, struct fe_acme_client, timer);
    const uint64_t now = fe_acme_client_now();

    (void)arm(client, NAP_MAX_MS); /* it has just left its place free */
    if (client->fetch != NULL || client->key_work != NULL) {
        return;
    }
    /* A clock that was set back makes the wait another one: the machine decides. */
    if (now < client->wake_ms && now >= client->asleep_ms) {
        wake_at(client, client->wake_ms);
        return;
    }
    fe_acme_on_wake(client->machine);
}

/* ---- what the machine asks for ----------------------------------------------------------------
 */

/* Another process may have stored a new one since. */
static int lock(void *owner, struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct fe_acme_client *const client = owner;
    const int code = fe_acme_store_lock(client->store, saved, err);

    if (code == 0 && saved->has_certificate &&
        (saved->certificate.not_after_s != client->served.not_after_s ||
         strcmp(saved->certificate.id, client->served.id) != 0)) {
        fe_acme_client_serve_stored(client, &saved->certificate);
    } else if (code == 0 &&
               fe_acme_client_serve(client) != 0) { /* what was valid before may have ended */
        fe_acme_client_warn(client, flatend_strerror(FLATEND_ENOMEM));
    }
    return code;
}

static void unlock(void *owner)
{
    fe_acme_store_unlock(((struct fe_acme_client *)owner)->store);
}

static int save_account(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_account(((struct fe_acme_client *)owner)->store, saved, err);
}

static int save_order(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_order(((struct fe_acme_client *)owner)->store, saved, err);
}

static int save_key(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    return fe_acme_store_save_key(((struct fe_acme_client *)owner)->store, saved, err);
}

static void drop_rest(struct fe_acme_client *client);

static int install(void *owner, const struct fe_acme_saved *saved,
                   const struct fe_acme_cert_info *info, struct fe_view chain,
                   struct flatend_error *err)
{
    struct fe_acme_client *const client = owner;
    const int code = fe_acme_store_save_certificate(client->store, saved, chain, err);

    if (code == 0) {
        drop_rest(client);
        fe_acme_client_serve_stored(client, info);
    }
    return code;
}

static void refused(void *owner, const char *name);

static const struct fe_acme_ops machine_ops = {
    .now_ms = now_ms,
    .wake_at = wake_at,
    .lock = lock,
    .unlock = unlock,
    .save_account = save_account,
    .save_order = save_order,
    .save_key = save_key,
    .install = install,
    .request = fe_acme_client_request,
    .make_key = fe_acme_client_make_key,
    .publish = fe_acme_client_publish,
    .withdraw = fe_acme_client_withdraw,
    .refused = refused,
};

/* ---- life ----------------------------------------------------------------------------------- */

void fe_acme_manager_init(struct fe_acme_manager *manager, struct fe_worker *worker,
                          const struct fe_config *config, const struct fe_log *log)
{
    *manager = (struct fe_acme_manager){.worker = worker, .config = config, .log = log};
    fe_list_init(&manager->clients);
    fe_acme_answers_init(&manager->answers);
}

void fe_acme_manager_deinit(struct fe_acme_manager *manager)
{
    FE_ASSERT(fe_list_is_empty(&manager->clients), "a manager outlives its clients");
    fe_acme_answers_deinit(&manager->answers);
    fe_tls_trust_free(manager->trust);
    manager->trust = NULL;
}

static void free_client(struct fe_acme_client *client)
{
    FE_ASSERT(client->key_work == NULL, "no key is made for a client that is freed");
    FE_ASSERT(client->rest == NULL, "a client ends after the one for the rest of its names");
    fe_cert_unref(client->cert);
    fe_acme_client_forget_found(client);
    fe_acme_free(client->machine);
    fe_acme_store_close(client->store);
    fe_timer_stop(fe_worker_timers(client->manager->worker), &client->timer);
    fe_list_remove(&client->link);
    fe_arena_deinit(&client->arena);
    free(client);
}

/* Names compare without regard to case, and so do the files that are named after them. */
static int add_name(struct fe_acme_client *client, struct fe_view name)
{
    char *const copy = fe_arena_copy(&client->arena, name);
    size_t k = 0;

    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_ascii_lower_all(copy, name.len);
    while (k < client->n_names && strcmp(client->names[k], copy) != 0) {
        k++;
    }
    if (k == client->n_names) {
        client->names[client->n_names++] = copy;
    }
    return 0;
}

/* Those of the listener but `without`, which may be NULL, and what `whole` is without. */
static int copy_names(struct fe_acme_client *client, const struct fe_acme_client *whole,
                      const char *without)
{
    const struct fe_config_http *const config = client->https->config;
    const size_t n = whole != NULL ? whole->n_names : config->n_domains;
    int code = 0;

    client->names = fe_arena_alloc(&client->arena, n * sizeof(*client->names));
    if (client->names == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct fe_view name =
            whole != NULL ? fe_view_str(whole->names[i]) : config->domains[i];

        if (without == NULL || !fe_view_equal_nocase(name, fe_view_str(without))) {
            code = add_name(client, name);
        }
    }
    return code;
}

static int make_machine(struct fe_acme_client *client)
{
    const struct fe_config_acme *const config = &client->manager->config->acme;
    const struct fe_rng rng = fe_rng_system();
    struct fe_acme_config machine = {
        .directory = config->directory,
        .names = client->names,
        .n_names = client->n_names,
        .contacts = config->contacts,
        .n_contacts = config->n_contacts,
        .eab_key_id = config->eab_key_id,
        .eab_hmac_key = config->eab_hmac_key,
        .key_type = config->key_type,
        .n_challenges = config->n_challenges,
        .retry_min_ms = config->retry_min_ms,
    };

    memcpy(machine.challenges, config->challenges, sizeof(machine.challenges));
    client->machine = fe_acme_new(&machine, &rng, client->manager->log, &machine_ops, client);
    return client->machine != NULL ? 0 : FLATEND_ENOMEM;
}

static int prepare(struct fe_acme_client *client, const struct fe_acme_client *whole,
                   const char *without)
{
    const struct fe_config *const config = client->manager->config;
    int code = copy_names(client, whole, without);

    if (code == 0) {
        code = fe_acme_store_open(config->state_dir, config->acme.directory, client->names,
                                  client->n_names, &client->store);
    }
    if (code == 0) {
        code = make_machine(client);
    }
    if (code == 0) {
        code = arm(client, 0);
    }
    return code;
}

/* For the names of `whole` but one; NULL: for all of the listener's. NULL: out of memory. */
static struct fe_acme_client *new_client(struct fe_acme_manager *manager, struct fe_https *https,
                                         const struct fe_acme_client *whole, const char *without)
{
    struct fe_acme_client *const client = calloc(1, sizeof(*client));

    if (client == NULL) {
        return NULL;
    }
    client->manager = manager;
    client->https = https;
    fe_list_init(&client->link);
    fe_list_init(&client->answer.link);
    fe_arena_init(&client->arena, 0);
    fe_timer_init(&client->timer, on_timer);
    if (prepare(client, whole, without) != 0) {
        free_client(client);
        return NULL;
    }
    fe_list_push_back(&manager->clients, &client->link);
    return client;
}

int fe_acme_manager_add(struct fe_acme_manager *manager, struct fe_https *https)
{
    struct fe_acme_client *const client = new_client(manager, https, NULL, NULL);
    const struct fe_acme_cert_info unknown = {0};
    int code;

    FE_ASSERT(https->store != NULL, "a certificate is for HTTPS");
    if (client == NULL) {
        return FLATEND_ENOMEM;
    }
    /* What exactly it is shows when it is locked. */
    fe_acme_client_serve_stored(client, &unknown);
    code = fe_acme_client_find_stored(client);
    if (code == 0) {
        fe_acme_client_tell_served(client);
    }
    return code;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_fetch_gone(void *arg)
{
    struct fe_acme_client *const client = arg;
    struct fe_acme_manager *const manager = client->manager;

    free_client(client);
    if (fe_list_is_empty(&manager->clients) && manager->on_gone != NULL) {
        manager->on_gone(manager->gone_arg);
    }
}

static void stop(struct fe_acme_client *client)
{
    if (client->is_stopped) {
        return;
    }
    client->is_stopped = true;
    client->rest = NULL;
    fe_timer_stop(fe_worker_timers(client->manager->worker), &client->timer);
    fe_acme_client_discard_key(client);
    if (client->fetch != NULL) {
        fe_fetch_cancel(client->fetch, on_fetch_gone, client);
    } else {
        on_fetch_gone(client);
    }
}

bool fe_acme_manager_stop(struct fe_acme_manager *manager, void (*on_gone)(void *arg), void *arg)
{
    FE_LIST_FOREACH (link, tmp, &manager->clients) {
        stop(FE_CONTAINER_OF(link, struct fe_acme_client, link));
    }
    if (fe_list_is_empty(&manager->clients)) {
        return false;
    }
    manager->on_gone = on_gone;
    manager->gone_arg = arg;
    return true;
}

/* ---- names that cannot be proved ------------------------------------------------------------ */

static void drop_rest(struct fe_acme_client *client)
{
    struct fe_acme_client *at = client->rest;

    client->rest = NULL;
    while (at != NULL) {
        struct fe_acme_client *const next = at->rest;

        stop(at);
        at = next;
    }
}

static bool is_without(const struct fe_acme_client *client, const char *name)
{
    for (size_t i = 0; i < client->n_names; i++) {
        if (strcmp(client->names[i], name) == 0) {
            return false;
        }
    }
    return true;
}

/* The whole list is tried again in its time, and replaces the rest's certificate when it has its
 * own. The rest may lose a name, too. */
static void refused(void *owner, const char *name)
{
    struct fe_acme_client *const client = owner;
    const struct fe_acme_cert_info unknown = {0};

    if (client->n_names == 1 || (client->rest != NULL && is_without(client->rest, name))) {
        return;
    }
    drop_rest(client);
    if (fe_acme_client_find_stored(client) != 0) { /* what that had is good until it ends */
        fe_acme_client_warn(client, flatend_strerror(FLATEND_ENOMEM));
    }
    client->rest = new_client(client->manager, client->https, client, name);
    if (client->rest == NULL) {
        fe_log(client->manager->log, FLATEND_LOG_WARN, "Certificate without '%s': %s.", name,
               flatend_strerror(FLATEND_ENOMEM));
        return;
    }
    fe_log(client->manager->log, FLATEND_LOG_INFO,
           "Getting a certificate without '%s', so that it does not hold the other names back.",
           name);
    fe_acme_client_serve_stored(client->rest, &unknown);
}
