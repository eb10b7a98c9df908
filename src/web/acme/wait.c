/* When to try again, and when to renew. */
#include <stdarg.h>
#include <stdio.h>

#include "ground/base/assert.h"
#include "web/acme/internal.h"

const char *fe_acme_names(const struct fe_acme *acme, char text[FE_ACME_NAME_MAX + 32])
{
    const struct fe_acme_config *const config = &acme->config;

    FE_ASSERT(config->n_names > 0, "a certificate is for a name");
    if (config->n_names == 1) {
        return config->names[0];
    }
    snprintf(text, FE_ACME_NAME_MAX + 32, "%.*s and %zu more", FE_ACME_NAME_MAX, config->names[0],
             config->n_names - 1);
    return text;
}

static int64_t now_of(const struct fe_acme *acme)
{
    return (int64_t)acme->ops->now_ms(acme->owner);
}

/* Uniform in [0, n), for spans that exceed 32 bits of milliseconds too. */
static int64_t random_below(const struct fe_acme *acme, int64_t n)
{
    const int64_t parts = 1 << 20;

    return n <= 0 ? 0
                  : n / parts * fe_rng_below(&acme->rng, (uint32_t)parts) +
                        fe_rng_below(&acme->rng, (uint32_t)(n < parts ? n : parts));
}

/* ---- renewal -------------------------------------------------------------------------------- */

bool fe_acme_is_due(struct fe_acme *acme)
{
    return !acme->saved.has_certificate || now_of(acme) >= acme->renew_at_ms;
}

static int64_t not_before_ms(const struct fe_acme_cert_info *info)
{
    return info->not_before_s * 1000;
}

static int64_t lifetime_ms(const struct fe_acme_cert_info *info)
{
    return info->not_after_s > info->not_before_s ? (info->not_after_s - info->not_before_s) * 1000
                                                  : 0;
}

/* Two thirds of its lifetime, and up to a twentieth earlier, so that certificates that were made
 * together are not renewed together. */
static int64_t fallback_ms(const struct fe_acme *acme, const struct fe_acme_cert_info *info)
{
    const int64_t lifetime = lifetime_ms(info);

    return not_before_ms(info) + lifetime / 3 * 2 - random_below(acme, lifetime / 20);
}

void fe_acme_plan(struct fe_acme *acme)
{
    const struct fe_acme_cert_info *const info = &acme->saved.certificate;

    if (!acme->saved.has_certificate || (acme->planned.not_after_s == info->not_after_s &&
                                         strcmp(acme->planned.id, info->id) == 0)) {
        return;
    }
    acme->planned = *info;
    acme->window = (struct fe_acme_window){0};
    acme->renew_at_ms = fallback_ms(acme, info);
    acme->check_at_ms = now_of(acme);
}

/* RFC 9773 §4.2: a random time within the window, chosen once; one that has passed means now. A
 * window that lies behind the certificate's last tenth is not waited for. */
void fe_acme_plan_window(struct fe_acme *acme, const struct fe_acme_window *window)
{
    const struct fe_acme_cert_info *const info = &acme->saved.certificate;
    const int64_t last_ms = not_before_ms(info) + lifetime_ms(info) / 10 * 9;

    FE_ASSERT(acme->saved.has_certificate, "a window is a certificate's");
    FE_ASSERT(window->end_s > window->start_s, "a window has an end");
    if (window->start_s == acme->window.start_s && window->end_s == acme->window.end_s) {
        return;
    }
    acme->window = *window;
    acme->renew_at_ms =
        window->start_s * 1000 + random_below(acme, (window->end_s - window->start_s) * 1000);
    if (acme->renew_at_ms > last_ms) {
        acme->renew_at_ms = last_ms;
    }
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void end_round(struct fe_acme *acme)
{
    acme->state = FE_ACME_IN_WAITING;
    acme->phase = FE_ACME_IDLE;
    if (acme->is_locked) {
        acme->is_locked = false;
        acme->ops->withdraw(acme->owner);
        acme->ops->unlock(acme->owner);
    }
    fe_acme_directory_deinit(&acme->directory);
    fe_acme_order_deinit(&acme->order);
    fe_acme_authorization_deinit(&acme->authorization);
    fe_buf_reset(&acme->payload);
}

void fe_acme_end_round(struct fe_acme *acme)
{
    const int64_t now = now_of(acme);
    int64_t wake = now;

    end_round(acme);
    if (acme->saved.has_certificate) {
        wake = acme->renew_at_ms < acme->check_at_ms ? acme->renew_at_ms : acme->check_at_ms;
    }
    if (wake < acme->saved.wait_until_ms) {
        wake = acme->saved.wait_until_ms;
    }
    acme->ops->wake_at(acme->owner, (uint64_t)(wake > now ? wake : now));
}

/* Doubles with each failure; the jitter of a quarter keeps those apart that failed together. */
static int64_t backoff_ms(const struct fe_acme *acme)
{
    int64_t wait = (int64_t)acme->config.retry_min_ms;

    for (unsigned i = 1; i < acme->saved.n_failures && wait < FE_ACME_RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    if (wait > FE_ACME_RETRY_MAX_MS) {
        wait = FE_ACME_RETRY_MAX_MS;
    }
    return wait + random_below(acme, wait / 4);
}

static void format_duration(int64_t ms, char text[32])
{
    const int64_t s = (ms + 999) / 1000;

    if (s >= 2 * 3600) {
        snprintf(text, 32, "%lld h", (long long)(s / 3600));
    } else if (s >= 120) {
        snprintf(text, 32, "%lld min", (long long)(s / 60));
    } else {
        snprintf(text, 32, "%lld s", (long long)s);
    }
}

/* A wait that an earlier process began is logged once: it may be long, and its cause may have been
 * removed. */
bool fe_acme_must_wait(struct fe_acme *acme)
{
    const int64_t now = now_of(acme);
    char names[FE_ACME_NAME_MAX + 32];
    char wait[32];

    if (acme->saved.wait_until_ms > now + FE_ACME_RETRY_AFTER_MAX_MS ||
        now < acme->saved.wait_from_ms) {
        acme->saved.wait_until_ms = 0; /* the clock has been set back */
    }
    if (now >= acme->saved.wait_until_ms) {
        return !fe_acme_is_due(acme) && now < acme->check_at_ms;
    }
    if (acme->saved.n_failures > 0) {
        format_duration(acme->saved.wait_until_ms - now, wait);
        fe_log(acme->log, FLATEND_LOG_INFO,
               "Retrying the certificate for %s in %s after earlier failures.",
               fe_acme_names(acme, names), wait);
    }
    return true;
}

static void note_failure(struct fe_acme *acme, enum fe_acme_verdict verdict,
                         uint64_t retry_after_ms)
{
    struct fe_acme_saved *const saved = &acme->saved;
    int64_t wait;

    saved->n_failures += verdict == FE_ACME_REFUSED ? FE_ACME_REFUSAL_WEIGHT : 1;
    if (saved->n_failures > FE_ACME_FAILURES_MAX) {
        saved->n_failures = FE_ACME_FAILURES_MAX;
    }
    wait = backoff_ms(acme);
    if (retry_after_ms > (uint64_t)wait) {
        wait = (int64_t)(retry_after_ms < FE_ACME_RETRY_AFTER_MAX_MS ? retry_after_ms
                                                                     : FE_ACME_RETRY_AFTER_MAX_MS);
    }
    saved->wait_from_ms = now_of(acme);
    saved->wait_until_ms = saved->wait_from_ms + wait;
    if (verdict == FE_ACME_REFUSED) {
        saved->order_url[0] = '\0';
        fe_acme_key_free(saved->order_key);
        saved->order_key = NULL;
    }
}

/* The disk may be full: a new order each minute would soon be over the server's limits. */
static void save_failure(struct fe_acme *acme)
{
    char names[FE_ACME_NAME_MAX + 32];
    struct flatend_error err = {0};

    acme->n_unsaved_failures = 0;
    if (acme->is_locked && acme->ops->save_order(acme->owner, &acme->saved, &err) == 0) {
        return;
    }
    acme->n_unsaved_failures = acme->saved.n_failures;
    acme->unsaved_wait_until_ms = acme->saved.wait_until_ms;
    if (acme->is_locked) {
        fe_log(acme->log, FLATEND_LOG_WARN, "Certificate for %s: %s.", fe_acme_names(acme, names),
               err.text);
    }
}

void fe_acme_recall_failures(struct fe_acme *acme)
{
    struct fe_acme_saved *const saved = &acme->saved;

    if (acme->n_unsaved_failures <= saved->n_failures || !fe_acme_is_due(acme)) {
        acme->n_unsaved_failures = 0; /* another process was more successful */
        return;
    }
    saved->n_failures = acme->n_unsaved_failures;
    if (saved->wait_until_ms < acme->unsaved_wait_until_ms) {
        saved->wait_until_ms = acme->unsaved_wait_until_ms;
    }
}

static void fail(struct fe_acme *acme, enum fe_acme_verdict verdict, uint64_t retry_after_ms,
                 const char *reason)
{
    const size_t refused = acme->refused;
    char names[FE_ACME_NAME_MAX + 32];
    char wait[32];

    note_failure(acme, verdict, retry_after_ms);
    if (verdict == FE_ACME_REFUSED && refused < acme->config.n_names) {
        acme->saved.refused = refused + 1;
    }
    save_failure(acme);
    format_duration(acme->saved.wait_until_ms - now_of(acme), wait);
    fe_log(acme->log, FLATEND_LOG_WARN, "No certificate for %s: %s: %s. Retrying in %s.",
           fe_acme_names(acme, names), fe_acme_state_name(acme), reason, wait);
    fe_acme_end_round(acme);
    if (verdict == FE_ACME_REFUSED && refused < acme->config.n_names) {
        acme->ops->refused(acme->owner, acme->config.names[refused]);
    }
}

void fe_acme_fail(struct fe_acme *acme, enum fe_acme_verdict verdict, uint64_t retry_after_ms,
                  const char *format, ...)
{
    struct flatend_error reason;
    va_list args;

    va_start(args, format);
    vsnprintf(reason.text, sizeof(reason.text), format, args);
    va_end(args);
    fail(acme, verdict, retry_after_ms, reason.text);
}

void fe_acme_fail_name(struct fe_acme *acme, size_t index, const char *format, ...)
{
    struct flatend_error reason;
    va_list args;

    FE_ASSERT(index < acme->config.n_names, "a name that is refused is one of ours");
    va_start(args, format);
    vsnprintf(reason.text, sizeof(reason.text), format, args);
    va_end(args);
    acme->refused = index;
    fail(acme, FE_ACME_REFUSED, 0, reason.text);
}

size_t fe_acme_index_of(const struct fe_acme *acme, const char *name)
{
    for (size_t i = 0; i < acme->config.n_names; i++) {
        if (fe_view_equal_nocase(fe_view_str(acme->config.names[i]), fe_view_str(name))) {
            return i;
        }
    }
    return FE_ACME_NAMES_MAX;
}

void fe_acme_fail_local(struct fe_acme *acme, const struct flatend_error *err)
{
    fe_acme_fail(acme, FE_ACME_TRY_AGAIN, 0, "%s", err->text);
}

/* RFC 8555 §6.7: an account that the server has forgotten is made again, with the same key. */
static bool try_account_again(struct fe_acme *acme, const struct fe_acme_problem *problem)
{
    if (strcmp(problem->type, "accountDoesNotExist") != 0 || acme->has_asked_account ||
        acme->saved.account_url[0] == '\0' || acme->directory.root == NULL) {
        return false;
    }
    acme->saved.account_url[0] = '\0';
    acme->saved.order_url[0] = '\0'; /* it was that account's */
    fe_acme_key_free(acme->saved.order_key);
    acme->saved.order_key = NULL;
    fe_acme_enter(acme, FE_ACME_IN_ACCOUNT);
    return true;
}

void fe_acme_fail_response(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct fe_acme_problem problem;
    bool is_limit;

    fe_acme_problem_parse(&problem, response->status, response->body);
    if (try_account_again(acme, &problem)) {
        return;
    }
    /* What is over a limit, or broken there, is not over for the order. */
    acme->refused = fe_acme_index_of(acme, problem.name);
    is_limit = response->status == 429 || strcmp(problem.type, "rateLimited") == 0;
    fe_acme_fail(acme,
                 is_limit || response->status >= 500 || strcmp(problem.type, "badNonce") == 0
                     ? FE_ACME_TRY_AGAIN
                     : FE_ACME_REFUSED,
                 response->retry_after_ms, "%s", problem.text);
}
