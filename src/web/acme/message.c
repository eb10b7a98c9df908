#include "web/acme/message.h"

#include <jansson.h>
#include <stdio.h>

#include "web/acme/base64url.h"
#include "web/acme/jws.h"

/* ---- reading -------------------------------------------------------------------------------- */

static int fail(struct flatend_error *err, const char *what, const char *member)
{
    return fe_err_set(err, FLATEND_ESYNTAX, "%s without a valid '%s'", what, member);
}

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

/* ---- directory ------------------------------------------------------------------------------ */

static const char *missing_of_directory(const struct fe_acme_directory *directory)
{
    if (directory->new_nonce == NULL) {
        return "newNonce";
    }
    if (directory->new_account == NULL) {
        return "newAccount";
    }
    return directory->new_order == NULL ? "newOrder" : NULL;
}

int fe_acme_directory_parse(struct fe_acme_directory *directory, struct fe_view body,
                            struct flatend_error *err)
{
    json_t *root;
    const json_t *meta;
    const char *missing;
    const int code = load(&root, body, "the directory", err);

    *directory = (struct fe_acme_directory){0};
    if (code != 0) {
        return code;
    }
    meta = json_object_get(root, "meta");
    *directory = (struct fe_acme_directory){
        .root = root,
        .new_nonce = get_url(root, "newNonce"),
        .new_account = get_url(root, "newAccount"),
        .new_order = get_url(root, "newOrder"),
        .renewal_info = get_url(root, "renewalInfo"),
        .terms_of_service = get_text(meta, "termsOfService"),
        .wants_eab = json_is_true(json_object_get(meta, "externalAccountRequired")),
    };
    missing = missing_of_directory(directory);
    if (missing != NULL) {
        fe_acme_directory_deinit(directory);
        return fail(err, "a directory", missing);
    }
    return 0;
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

static const char *fill_order(const json_t *root, struct fe_acme_order *order)
{
    if (!get_status(root, &order->status)) {
        return "status";
    }
    order->finalize = get_url(root, "finalize");
    if (order->finalize == NULL) {
        return "finalize";
    }
    if (!get_authorizations(root, order)) {
        return "authorizations";
    }
    order->certificate = get_url(root, "certificate");
    if (order->status == FE_ACME_VALID && order->certificate == NULL) {
        return "certificate";
    }
    return NULL;
}

int fe_acme_order_parse(struct fe_acme_order *order, struct fe_view body, struct flatend_error *err)
{
    const char *missing;
    int code;

    *order = (struct fe_acme_order){0};
    code = load(&order->root, body, "the order", err);
    if (code != 0) {
        return code;
    }
    missing = fill_order(order->root, order);
    if (missing != NULL) {
        fe_acme_order_deinit(order);
        return fail(err, "an order", missing);
    }
    return 0;
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
    const char *const type = get_text(object, "type");
    struct fe_acme_challenge challenge = {
        .url = get_url(object, "url"),
        .token = get_text(object, "token"),
    };

    if (type == NULL || challenge.url == NULL || challenge.token == NULL ||
        strlen(challenge.token) > FE_ACME_TOKEN_MAX ||
        !fe_is_base64url(fe_view_str(challenge.token)) || !get_status(object, &challenge.status)) {
        return;
    }
    for (unsigned i = 0; i < FE_ACME_N_CHALLENGE_TYPES; i++) {
        if (strcmp(type, fe_acme_challenge_name((enum fe_acme_challenge_type)i)) == 0) {
            authorization->has[i] = true;
            authorization->challenges[i] = challenge;
        }
    }
}

static const char *fill_authorization(const json_t *root,
                                      struct fe_acme_authorization *authorization)
{
    const json_t *const challenges = json_object_get(root, "challenges");
    const size_t n = json_array_size(challenges);

    if (!get_status(root, &authorization->status)) {
        return "status";
    }
    authorization->name = get_text(json_object_get(root, "identifier"), "value");
    if (authorization->name == NULL) {
        return "identifier";
    }
    if (n == 0 || n > FE_ACME_CHALLENGES_MAX) {
        return "challenges";
    }
    for (size_t i = 0; i < n; i++) {
        note_challenge(json_array_get(challenges, i), authorization);
    }
    return NULL;
}

int fe_acme_authorization_parse(struct fe_acme_authorization *authorization, struct fe_view body,
                                struct flatend_error *err)
{
    const char *missing;
    int code;

    *authorization = (struct fe_acme_authorization){0};
    code = load(&authorization->root, body, "the authorization", err);
    if (code != 0) {
        return code;
    }
    missing = fill_authorization(authorization->root, authorization);
    if (missing != NULL) {
        fe_acme_authorization_deinit(authorization);
        return fail(err, "an authorization", missing);
    }
    return 0;
}

void fe_acme_authorization_deinit(struct fe_acme_authorization *authorization)
{
    json_decref(authorization->root);
    *authorization = (struct fe_acme_authorization){0};
}

/* ---- renewal information -------------------------------------------------------------------- */

int fe_acme_window_parse(struct fe_acme_window *window, struct fe_view body,
                         struct flatend_error *err)
{
    const json_t *suggested;
    const char *start;
    const char *end;
    json_t *root;
    int code = load(&root, body, "the renewal information", err);

    *window = (struct fe_acme_window){0};
    if (code != 0) {
        return code;
    }
    suggested = json_object_get(root, "suggestedWindow");
    start = get_text(suggested, "start");
    end = get_text(suggested, "end");
    if (start == NULL || end == NULL || fe_acme_time_parse(start, &window->start_s) != 0 ||
        fe_acme_time_parse(end, &window->end_s) != 0 || window->end_s <= window->start_s) {
        *window = (struct fe_acme_window){0};
        code = fail(err, "renewal information", "suggestedWindow");
    }
    json_decref(root);
    return code;
}

/* ---- problems ------------------------------------------------------------------------------- */

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
