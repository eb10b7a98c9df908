/* Whole responses: JSON, and problems. */
#include <stdio.h>

#include "ground/base/json.h"
#include "ground/base/status.h"
#include "mesh/node/context.h"

/* Responses with these never have content (RFC 9110 §15). */
static bool has_no_content(int status)
{
    return status == 204 || status == 205 || status == 304;
}

int flatend_context_json(struct flatend_context *ctx, int status, const char *text, size_t len)
{
    if (text == NULL || has_no_content(status)) {
        return FLATEND_EINVAL;
    }
    return fe_context_respond(ctx, status, "application/json", fe_view_of(text, len));
}

/* RFC 9457, in the words of the gateway's own problems. */
static size_t format_problem(char *out, int status, const char *message)
{
    size_t len =
        (size_t)snprintf(out, FE_ERROR_FORM_MAX, "{\"title\":\"%s\",\"status\":%d,\"detail\":\"",
                         fe_status_text(status), status);

    len += fe_json_escape(out + len, fe_view_str(message));
    memcpy(out + len, "\"}\n", 3);
    return len + 3;
}

int flatend_context_problem(struct flatend_context *ctx, int status, const char *format, ...)
{
    static const struct fe_error_form form = {"application/problem+json", format_problem};
    va_list args;
    int code;

    va_start(args, format);
    code = fe_context_fail(ctx, status, &form, format, args);
    va_end(args);
    return code;
}
