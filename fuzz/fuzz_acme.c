/* Any bytes as what an ACME server says, and as what is found on disk. The first byte chooses: each
 * of the parsers, or the whole machine, for which the rest is one response after the other,
 * separated by 0xff: status / 4, then the body. */
#include <stdlib.h>

#include "web/acme/acme.h"
#include "web/acme/record.h"

enum { KIND_MACHINE = 7, N_KINDS = 8, CALLS_MAX = 64, NOW_S = 1800000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const NAMES[] = {"a.test", "b.test"};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- parsers -------------------------------------------------------------------------------- */

static void parse_order(struct fe_view body)
{
    struct fe_acme_order order;
    struct fe_acme_problem problem;

    if (fe_acme_order_parse(&order, body, NULL) == 0) {
        check(order.finalize != NULL && order.n_authorizations > 0);
        check(order.status != FE_ACME_VALID || order.certificate != NULL);
        fe_acme_order_problem(&order, &problem);
        check(memchr(problem.text, 0, sizeof(problem.text)) != NULL);
    } else {
        check(order.root == NULL);
    }
    fe_acme_order_deinit(&order);
}

static void parse_authorization(struct fe_view body)
{
    struct fe_acme_authorization authorization;
    struct fe_acme_problem problem;

    if (fe_acme_authorization_parse(&authorization, body, NULL) == 0) {
        for (unsigned i = 0; i < FE_ACME_N_CHALLENGE_TYPES; i++) {
            check(!authorization.has[i] ||
                  (fe_acme_is_url(authorization.challenges[i].url) &&
                   strlen(authorization.challenges[i].token) <= FE_ACME_TOKEN_MAX));
        }
        fe_acme_authorization_problem(&authorization, &problem);
    }
    fe_acme_authorization_deinit(&authorization);
}

static void parse_directory(struct fe_view body)
{
    struct fe_acme_directory directory;

    if (fe_acme_directory_parse(&directory, body, NULL) == 0) {
        check(fe_acme_is_url(directory.new_nonce) && fe_acme_is_url(directory.new_order));
    }
    fe_acme_directory_deinit(&directory);
}

static void parse_record(struct fe_view body)
{
    struct fe_acme_saved saved = {0};

    fe_acme_record_read_account(body, &saved);
    fe_acme_record_read_order(body, NAMES, 2, &saved);
    check(saved.order_url[0] == '\0' || fe_acme_is_url(saved.order_url));
    check(saved.preferred[0] <= FE_ACME_N_CHALLENGE_TYPES && saved.wait_until_ms >= 0);
}

static void parse(unsigned kind, struct fe_view body)
{
    struct fe_acme_window window;
    struct fe_acme_problem problem;
    struct fe_acme_cert_info info;

    switch (kind) {
    case 0:
        parse_directory(body);
        break;
    case 1:
        parse_order(body);
        break;
    case 2:
        parse_authorization(body);
        break;
    case 3:
        if (fe_acme_window_parse(&window, body, NULL) == 0) {
            check(window.end_s > window.start_s);
        }
        break;
    case 4:
        fe_acme_problem_parse(&problem, 400, body);
        check(problem.text[0] != '\0');
        break;
    case 5:
        check(fe_acme_chain_check(body, NULL, NAMES, 2, &info, NULL) <= 0);
        break;
    default:
        parse_record(body);
        break;
    }
}

/* ---- the machine ---------------------------------------------------------------------------- */

struct owner {
    uint64_t now_ms;
    bool has_request;
    bool wants_key;
    unsigned n_locks;
};

static uint64_t now_ms(void *owner)
{
    return ((struct owner *)owner)->now_ms;
}

static void wake_at(void *owner, uint64_t when_ms)
{
    struct owner *self = owner;

    check(when_ms < self->now_ms + UINT64_C(9) * 24 * 3600 * 1000);
}

static int lock(void *owner, struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct owner *self = owner;

    (void)err;
    *saved = (struct fe_acme_saved){.account_key = fe_acme_key_generate(FE_ACME_P256)};
    self->n_locks++;
    return 0;
}

static void unlock(void *owner)
{
    struct owner *self = owner;

    check(self->n_locks-- == 1);
}

static int save(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    (void)saved;
    (void)err;
    check(((struct owner *)owner)->n_locks == 1);
    return 0;
}

static int install(void *owner, const struct fe_acme_saved *saved,
                   const struct fe_acme_cert_info *info, struct fe_view chain,
                   struct flatend_error *err)
{
    (void)info;
    (void)chain;
    return save(owner, saved, err);
}

static int request(void *owner, const struct fe_acme_request *asked, struct flatend_error *err)
{
    struct owner *self = owner;

    (void)err;
    check(!self->has_request && !self->wants_key && strncmp(asked->url, "https://", 8) == 0);
    self->has_request = true;
    return 0;
}

static int make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err)
{
    struct owner *self = owner;

    (void)type;
    (void)err;
    check(!self->has_request && !self->wants_key);
    self->wants_key = true;
    return 0;
}

static int publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                   const char *token, const char *key_authorization, struct flatend_error *err)
{
    (void)owner;
    (void)type;
    (void)name;
    (void)err;
    check(strlen(key_authorization) == strlen(token) + 1 + FE_ACME_THUMBPRINT_MAX - 1);
    return 0;
}

static void withdraw(void *owner)
{
    (void)owner;
}

static void refused(void *owner, const char *name)
{
    (void)owner;
    check(name[0] != '\0');
}

static const struct fe_acme_ops ops = {
    .now_ms = now_ms,
    .wake_at = wake_at,
    .lock = lock,
    .unlock = unlock,
    .save_account = save,
    .save_order = save,
    .save_key = save,
    .install = install,
    .request = request,
    .make_key = make_key,
    .publish = publish,
    .withdraw = withdraw,
    .refused = refused,
};

/* The bytes up to the next separator. */
static struct fe_view next_part(struct fe_view *rest)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, 0xff, rest->len) : NULL;
    const size_t n = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    const struct fe_view part = fe_view_of(rest->ptr, n);

    *rest = fe_view_skip(*rest, end != NULL ? n + 1 : n);
    return part;
}

static void answer(struct fe_acme *acme, struct owner *owner, struct fe_view *rest)
{
    const struct fe_view part = next_part(rest);
    const struct flatend_error err = {FLATEND_ECLOSED, "closed"};
    const struct fe_acme_response response = {
        .status = part.len > 0 ? part.ptr[0] * 4 : 0,
        .nonce = FE_VIEW_LIT("n"),
        .location = FE_VIEW_LIT("https://ca.test/1"),
        .body = part.len > 0 ? fe_view_skip(part, 1) : part,
    };

    owner->has_request = false;
    if (part.len == 0) {
        fe_acme_on_failure(acme, &err);
    } else {
        fe_acme_on_response(acme, &response);
    }
}

static void run(struct fe_view rest)
{
    const struct fe_acme_config config = {
        .directory = "https://ca.test/dir",
        .names = NAMES,
        .n_names = 2,
        .challenges = {FE_ACME_HTTP_01, FE_ACME_TLS_ALPN_01},
        .n_challenges = 2,
        .retry_min_ms = 1000,
    };
    struct fe_rng_seeded seeded;
    const struct fe_rng rng = fe_rng_from_seed(&seeded, 1);
    struct owner owner = {.now_ms = (uint64_t)NOW_S * 1000};
    struct fe_acme *acme = fe_acme_new(&config, &rng, NULL, &ops, &owner);

    for (unsigned i = 0; acme != NULL && i < CALLS_MAX && rest.len > 0; i++) {
        if (owner.has_request) {
            answer(acme, &owner, &rest);
        } else if (owner.wants_key) {
            owner.wants_key = false;
            fe_acme_on_key(acme, fe_acme_key_generate(FE_ACME_P256));
        } else {
            owner.now_ms += 10000;
            fe_acme_on_wake(acme);
        }
    }
    fe_acme_free(acme);
    check(owner.n_locks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 64 * 1024) {
        return 0;
    }
    if (data[0] % N_KINDS == KIND_MACHINE) {
        run(fe_view_of(data + 1, size - 1));
    } else {
        parse(data[0] % N_KINDS, fe_view_of(data + 1, size - 1));
    }
    return 0;
}
