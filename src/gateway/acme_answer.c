#include "gateway/acme_answer.h"

#define PREFIX FE_VIEW_LIT("/.well-known/acme-challenge/")

static void respond(struct fe_exchange *ex, const struct fe_acme_answer *answer)
{
    struct fe_field type = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("application/octet-stream")};
    const struct fe_view text = fe_view_str(answer->text);
    const struct fe_response response = {
        .status = 200, .fields = {&type, 1, 1}, .content_length = text.len};

    if (ex->ops->respond(ex, &response) != 0 || ex->ops->write(ex, text) != (ssize_t)text.len) {
        ex->ops->abort(ex);
        return;
    }
    ex->ops->end(ex, NULL);
}

bool fe_acme_answer_serve(const struct fe_list *answers, struct fe_exchange *ex)
{
    const struct fe_request *const request = &ex->request;
    struct fe_view token;

    if (fe_list_is_empty(answers) || !fe_view_has_prefix(request->path, PREFIX) ||
        (request->method != FE_METHOD_GET && request->method != FE_METHOD_HEAD)) {
        return false;
    }
    token = fe_view_skip(request->path, PREFIX.len);
    FE_LIST_FOREACH (link, tmp, answers) {
        const struct fe_acme_answer *const answer =
            FE_CONTAINER_OF(link, struct fe_acme_answer, link);

        if (fe_view_equal(fe_view_str(answer->token), token)) {
            respond(ex, answer);
            return true;
        }
    }
    return false;
}
