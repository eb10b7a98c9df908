#include "web/acme/message.h"

#include <jansson.h>
#include <stdio.h>

#include "web/acme/base64url.h"
#include "web/acme/jws.h"

/* ---- reading -------------------------------------------------------------------------------- */

static int load(json_t **root, struct fe_view body, const char *what, struct flatend_error *err)
{
    json_error_t reason;

    *root = NULL;
    if (body.len > FE_ACME_BODY_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "%s of more than %d bytes", what, FE_ACME_BODY_MAX);
    }
    *root = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, &reason);
    if (*root == NULL) {
        const int code =
            json_error_code(&reason) == json_error_out_of_memory ? FLATEND_ENOMEM : FLATEND_ESYNTAX;
        return fe_err_set(err, code, "%s is not JSON: %s", what, reason.text);
    }
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return fe_err_set(err, FLATEND_ESYNTAX, "%s is not a JSON object", what);
    }
    return 0;
}

/* An object while it is read. The first member that is missing, or is not what it has to be, is
 * remembered; that is all that has to be looked at in the end. */
struct reader {
    const json_t *root;
    const char *missing; /* NULL: none so far */
};

static void need(struct reader *r, bool is_good, const char *member)
{
    if (!is_good && r->missing == NULL) {
        r->missing = member;
    }
}

/* `what` with its article: "an order". */
static int finish(const struct reader *r, const char *what, struct flatend_error *err)
{
    return r->missing == NULL
               ? 0
               : fe_err_set(err, FLATEND_ESYNTAX, "%s without a valid '%s'", what, r->missing);
}

static const char *get_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* NULL: there is none, or it is no URL that may be asked. */
static const char *get_url(const json_t *object, const char *member)
{
    const char *url = get_text(object, member);

    return url != NULL && fe_acme_is_url(url) ? url : NULL;
}

static const char *need_url(struct reader *r, const char *member)
{
    const char *url = get_url(r->root, member);

    need(r, url != NULL, member);
    return url;
}

/* RFC 8555 §7.1.6. False: no known one. */
static bool get_status(const json_t *object, enum fe_acme_status *status)
{
    static const struct {
        const char *name;
        enum fe_acme_status status;
    } known[] = {
        {"pending", FE_ACME_PENDING},       {"ready", FE_ACME_READY},
        {"processing", FE_ACME_PROCESSING}, {"valid", FE_ACME_VALID},
        {"invalid", FE_ACME_INVALID},       {"expired", FE_ACME_INVALID},
        {"revoked", FE_ACME_INVALID},       {"deactivated", FE_ACME_INVALID},
    };
    const char *text = get_text(object, "status");

    for (size_t i = 0; text != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(text, known[i].name) == 0) {
            *status = known[i].status;
            return true;
        }
    }
    return false;
}

static enum fe_acme_status need_status(struct reader *r)
{
    enum fe_acme_status status = FE_ACME_INVALID;

    need(r, get_status(r->root, &status), "status");
    return status;
}

/* ---- directory ------------------------------------------------------------------------------ */

int fe_acme_directory_parse(struct fe_acme_directory *directory, struct fe_view body,
                            struct flatend_error *err)
{
    struct reader r = {0};
    const json_t *meta;
    json_t *root;
    int code = load(&root, body, "the directory", err);

    *directory = (struct fe_acme_directory){0};
    if (code != 0) {
        return code;
    }
    r.root = root;
    meta = json_object_get(root, "meta");
    directory->root = root;
    directory->new_nonce = need_url(&r, "newNonce");
    directory->new_account = need_url(&r, "newAccount");
    directory->new_order = need_url(&r, "newOrder");
    directory->renewal_info = get_url(root, "renewalInfo");
    directory->terms_of_service = get_text(meta, "termsOfService");
    directory->wants_eab = json_is_true(json_object_get(meta, "externalAccountRequired"));
    code = finish(&r, "a directory", err);
    if (code != 0) {
        fe_acme_directory_deinit(directory);
    }
    return code;
}

void fe_acme_directory_deinit(struct fe_acme_directory *directory)
{
    json_decref(directory->root);
    *directory = (struct fe_acme_directory){0};
}

/* ---- order ---------------------------------------------------------------------------------- */

static bool get_authorizations(const json_t *root, struct fe_acme_order *order)
{
    const json_t *const urls = json_object_get(root, "authorizations");
    const size_t n = json_array_size(urls);

    if (n == 0 || n > FE_ACME_NAMES_MAX) {
        return false;
    }
    while (order->n_authorizations < n) {
        const char *const url = json_string_value(json_array_get(urls, order->n_authorizations));

        if (url == NULL || !fe_acme_is_url(url)) {
            return false;
        }
        order->authorizations[order->n_authorizations++] = url;
    }
    return true;
}

int fe_acme_order_parse(struct fe_acme_order *order, struct fe_view body, struct flatend_error *err)
{
    struct reader r = {0};
    int code;

    *order = (struct fe_acme_order){0};
    code = load(&order->root, body, "the order", err);
    if (code != 0) {
        return code;
    }
    r.root = order->root;
    order->status = need_status(&r);
    order->finalize = need_url(&r, "finalize");
    need(&r, get_authorizations(r.root, order), "authorizations");
    order->certificate = get_url(r.root, "certificate");
    need(&r, order->status != FE_ACME_VALID || order->certificate != NULL, "certificate");
    code = finish(&r, "an order", err);
    if (code != 0) {
        fe_acme_order_deinit(order);
    }
    return code;
}

void fe_acme_order_deinit(struct fe_acme_order *order)
{
    json_decref(order->root);
    *order = (struct fe_acme_order){0};
}

/* ---- authorization -------------------------------------------------------------------------- */

const char *fe_acme_challenge_name(enum fe_acme_challenge_type type)
{
    return type == FE_ACME_HTTP_01 ? "http-01" : "tls-alpn-01";
}

/* A challenge of a type that is not known, or that makes no sense, is as if it were not there: RFC
 * 8555 §8 lets servers offer what they like. */
static void note_challenge(const json_t *object, struct fe_acme_authorization *authorization)
{
    struct reader r = {.root = object};
    const char *const type = get_text(object, "type");
    struct fe_acme_challenge challenge = {.token = get_text(object, "token")};

    challenge.status = need_status(&r);
    challenge.url = need_url(&r, "url");
    need(&r, type != NULL, "type");
    need(&r,
         challenge.token != NULL && strlen(challenge.token) <= FE_ACME_TOKEN_MAX &&
             fe_is_base64url(fe_view_str(challenge.token)),
         "token");
    if (r.missing != NULL) {
        return;
    }
    for (unsigned i = 0; i < FE_ACME_N_CHALLENGE_TYPES; i++) {
        if (strcmp(type, fe_acme_challenge_name((enum fe_acme_challenge_type)i)) == 0) {
            authorization->has[i] = true;
            authorization->challenges[i] = challenge;
        }
    }
}

int fe_acme_authorization_parse(struct fe_acme_authorization *authorization, struct fe_view body,
                                struct flatend_error *err)
{
    struct reader r = {0};
    const json_t *challenges;
    size_t n;
    int code;

    *authorization = (struct fe_acme_authorization){0};
    code = load(&authorization->root, body, "the authorization", err);
    if (code != 0) {
        return code;
    }
    r.root = authorization->root;
    challenges = json_object_get(r.root, "challenges");
    n = json_array_size(challenges);
    authorization->status = need_status(&r);
    authorization->name = get_text(json_object_get(r.root, "identifier"), "value");
    need(&r, authorization->name != NULL, "identifier");
    need(&r, n > 0 && n <= FE_ACME_CHALLENGES_MAX, "challenges");
    for (size_t i = 0; i < n && r.missing == NULL; i++) {
        note_challenge(json_array_get(challenges, i), authorization);
    }
    code = finish(&r, "an authorization", err);
    if (code != 0) {
        fe_acme_authorization_deinit(authorization);
    }
    return code;
}

void fe_acme_authorization_deinit(struct fe_acme_authorization *authorization)
{
    json_decref(authorization->root);
    *authorization = (struct fe_acme_authorization){0};
}

/* ---- renewal information -------------------------------------------------------------------- */

static bool get_time(const json_t *object, const char *member, int64_t *seconds)
{
    const char *text = get_text(object, member);

    return text != NULL && fe_acme_time_parse(text, seconds) == 0;
}

int fe_acme_window_parse(struct fe_acme_window *window, struct fe_view body,
                         struct flatend_error *err)
{
    struct reader r = {0};
    const json_t *suggested;
    json_t *root;
    int code = load(&root, body, "the renewal information", err);

    *window = (struct fe_acme_window){0};
    if (code != 0) {
        return code;
    }
    suggested = json_object_get(root, "suggestedWindow");
    need(&r,
         get_time(suggested, "start", &window->start_s) &&
             get_time(suggested, "end", &window->end_s) && window->end_s > window->start_s,
         "suggestedWindow");
    code = finish(&r, "renewal information", err);
    if (code != 0) {
        *window = (struct fe_acme_window){0};
    }
    json_decref(root);
    return code;
}

/* ---- problems ------------------------------------------------------------------------------- */

/* RFC 8555 §6.7.1: the first subproblem's identifier. Of one name alone Let's Encrypt says it in
 * the text: Cannot issue for "example.org": ... */
static void find_name(struct fe_acme_problem *problem, const char *identifier, const char *detail)
{
    const char *const quote = strchr(detail, '"');
    const char *const name = identifier != NULL ? identifier : quote != NULL ? quote + 1 : "";
    const size_t len = identifier != NULL ? strlen(name) : strcspn(name, "\"");

    if (len <= FE_ACME_NAME_MAX) {
        memcpy(problem->name, name, len);
        problem->name[len] = '\0';
    }
}

static void fill_problem(struct fe_acme_problem *problem, const json_t *document)
{
    static const char prefix[] = "urn:ietf:params:acme:error:";
    const char *type = get_text(document, "type");
    const char *detail = get_text(document, "detail");
    const json_t *const first = json_array_get(json_object_get(document, "subproblems"), 0);
    const char *const name = get_text(json_object_get(first, "identifier"), "value");
    const char *const sub = get_text(first, "detail");

    if (type != NULL && strncmp(type, prefix, sizeof(prefix) - 1) == 0) {
        type += sizeof(prefix) - 1;
    }
    snprintf(problem->type, sizeof(problem->type), "%s", type != NULL ? type : "");
    detail = detail != NULL ? detail : "no detail given";
    find_name(problem, name, detail);
    if (name != NULL && sub != NULL) { /* RFC 8555 §6.7.1: which of the names it is about */
        snprintf(problem->text, sizeof(problem->text), "%.40s: %.80s (%.40s: %s)", problem->type,
                 detail, name, sub);
    } else {
        snprintf(problem->text, sizeof(problem->text), "%.60s: %s", problem->type, detail);
    }
}

void fe_acme_problem_parse(struct fe_acme_problem *problem, int status, struct fe_view body)
{
    json_t *root;

    *problem = (struct fe_acme_problem){0};
    if (load(&root, body, "the problem", NULL) == 0 && get_text(root, "type") != NULL) {
        fill_problem(problem, root);
    } else {
        snprintf(problem->text, sizeof(problem->text), "HTTP status %d without a problem document",
                 status);
    }
    json_decref(root);
}

void fe_acme_order_problem(const struct fe_acme_order *order, struct fe_acme_problem *problem)
{
    const json_t *const error = json_object_get(order->root, "error");

    *problem = (struct fe_acme_problem){.text = "order invalid, no reason given"};
    if (json_is_object(error)) {
        fill_problem(problem, error);
    }
}

void fe_acme_authorization_problem(const struct fe_acme_authorization *authorization,
                                   struct fe_acme_problem *problem)
{
    const json_t *const challenges = json_object_get(authorization->root, "challenges");

    *problem = (struct fe_acme_problem){.text = "authorization invalid, no reason given"};
    for (size_t i = 0; i < json_array_size(challenges); i++) {
        const json_t *const error = json_object_get(json_array_get(challenges, i), "error");

        if (json_is_object(error)) {
            fill_problem(problem, error);
            return;
        }
    }
}
