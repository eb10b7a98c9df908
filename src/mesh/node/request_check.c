#include "mesh/node/request_check.h"

#include "ground/base/token.h"
#include "mesh/node/head.h"
#include "mesh/node/options.h"

enum { LENGTHS = 3 /* of a header's name and value, at least */ };

static size_t at_most_head(size_t len)
{
    return len < FE_HEAD_MAX ? len : FE_HEAD_MAX;
}

static int fail_index(struct flatend_error *error, const char *field, size_t i, const char *text)
{
    return fe_err_set(error, FLATEND_EINVAL, "%s[%zu]: %s", field, i, text);
}

/* Adds the names to `size`, which stays near FE_HEAD_MAX: what is sure to be too large for any
 * provider need not be looked at. */
static int check_services(const char *const *services, size_t n, size_t *size,
                          struct flatend_error *error)
{
    if (n == 0 || services == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "services: none");
    }
    for (size_t i = 0; i < n && *size <= FE_HEAD_MAX; i++) {
        const size_t len = services[i] != NULL ? strlen(services[i]) : 0;

        if (len < 1 || len > FE_SERVICE_NAME_MAX) {
            return fail_index(error, "services", i, "a name has 1 to 255 bytes");
        }
        *size += 1 + len;
    }
    return *size <= FE_HEAD_MAX ? 0 : fe_err_set(error, FLATEND_ETOOBIG, "services: too many");
}

int fe_request_check_services(const char *const *services, size_t n, struct flatend_error *error)
{
    size_t size = 0;

    return check_services(services, n, &size, error);
}

static int check_header(const struct flatend_header *header, size_t i, struct flatend_error *error)
{
    const size_t len = header->name != NULL ? strlen(header->name) : 0;

    if (len < 1 || len > UINT16_MAX || !fe_is_header_name(fe_view_of(header->name, len))) {
        return fail_index(error, "headers", i,
                          "a name has 1 to 65535 bytes, none of them a control character");
    }
    if (header->value == NULL && header->value_len > 0) {
        return fail_index(error, "headers", i, "value: NULL, but not empty");
    }
    /* Of values that are too long for any provider only the length matters. */
    if (header->value_len <= FE_HEAD_MAX &&
        !fe_is_field_value(fe_view_of(header->value, header->value_len))) {
        return fail_index(error, "headers", i, "the value has control characters");
    }
    if (header->flags != 0 || header->reserved != 0) {
        return fail_index(error, "headers", i, "flags and reserved fields must be 0");
    }
    return 0;
}

static int check_headers(const struct flatend_request *request, size_t size,
                         struct flatend_error *error)
{
    if (request->n_headers > 0 && request->headers == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "headers: NULL, but not none");
    }
    for (size_t i = 0; i < request->n_headers && size <= FE_HEAD_MAX; i++) {
        const struct flatend_header *header = &request->headers[i];
        const int code = check_header(header, i, error);

        if (code != 0) {
            return code;
        }
        size += LENGTHS + strlen(header->name) + at_most_head(header->value_len);
    }
    return size <= FE_HEAD_MAX ? 0 : fe_err_code(error, FLATEND_ETOOBIG);
}

/* All but the services. */
static int check_rest(const struct flatend_request *request, size_t size,
                      struct flatend_error *error)
{
    if (request->body_len > 0 && request->body == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "body: NULL, but not empty");
    }
    if (request->flags != 0) {
        return fe_err_set(error, FLATEND_EINVAL, "unknown flags");
    }
    if (!fe_view_is_zero(fe_view_of(request->reserved, sizeof(request->reserved)))) {
        return fe_err_set(error, FLATEND_EINVAL, "reserved fields must be 0");
    }
    return check_headers(request, size, error);
}

int fe_request_check(const struct flatend_request *request, struct flatend_error *error)
{
    size_t size = 0;
    int code;

    if (request == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "request: NULL");
    }
    code = check_services(request->services, request->n_services, &size, error);
    if (code != 0) {
        return code;
    }
    code = check_rest(request, size, error);
    if (code != 0) {
        (void)fe_err_wrap(error, "service '%s'", request->services[0]);
    }
    return code;
}
