#include "gateway/certs/acme_answer.h"

#include "ground/base/assert.h"

#define PREFIX FE_VIEW_LIT("/.well-known/acme-challenge/")

void fe_acme_answers_init(struct fe_acme_answers *answers)
{
    answers->lock = FE_MUTEX_INIT;
    fe_list_init(&answers->list);
}

void fe_acme_answers_deinit(struct fe_acme_answers *answers)
{
    FE_ASSERT(fe_list_is_empty(&answers->list), "each answer is withdrawn by its order");
    fe_mutex_deinit(&answers->lock);
}

void fe_acme_answers_add(struct fe_acme_answers *answers, struct fe_acme_answer *answer)
{
    fe_mutex_lock(&answers->lock);
    fe_list_push_back(&answers->list, &answer->link);
    fe_mutex_unlock(&answers->lock);
}

void fe_acme_answers_remove(struct fe_acme_answers *answers, struct fe_acme_answer *answer)
{
    fe_mutex_lock(&answers->lock);
    fe_list_remove(&answer->link);
    fe_mutex_unlock(&answers->lock);
}

/* A copy, since it may be removed while it is sent. False: there is none for `token`. */
static bool copy_text(struct fe_acme_answers *answers, struct fe_view token,
                      char text[FE_ACME_ANSWER_MAX + 1])
{
    bool is_found = false;

    fe_mutex_lock(&answers->lock);
    FE_LIST_FOREACH (link, tmp, &answers->list) {
        const struct fe_acme_answer *const answer =
            FE_CONTAINER_OF(link, struct fe_acme_answer, link);

        if (fe_view_equal(fe_view_str(answer->token), token)) {
            memcpy(text, answer->text, sizeof(answer->text));
            is_found = true;
            break;
        }
    }
    fe_mutex_unlock(&answers->lock);
    return is_found;
}

static void respond(struct fe_exchange *ex, struct fe_view text)
{
    struct fe_field type = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("application/octet-stream")};
    const struct fe_response response = {
        .status = 200, .fields = {&type, 1, 1}, .content_length = text.len};

    if (ex->ops->respond(ex, &response) != 0 || ex->ops->write(ex, text) != (ssize_t)text.len) {
        ex->ops->abort(ex);
        return;
    }
    ex->ops->end(ex, NULL);
}

bool fe_acme_answer_serve(struct fe_acme_answers *answers, struct fe_exchange *ex)
{
    const struct fe_request *const request = &ex->request;
    char text[FE_ACME_ANSWER_MAX + 1];

    if (!fe_view_has_prefix(request->path, PREFIX) ||
        (request->method != FE_METHOD_GET && request->method != FE_METHOD_HEAD) ||
        !copy_text(answers, fe_view_skip(request->path, PREFIX.len), text)) {
        return false;
    }
    respond(ex, fe_view_str(text));
    return true;
}
