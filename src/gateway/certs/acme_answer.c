#include "gateway/certs/acme_answer.h"

#include "ground/base/assert.h"
#include "web/http/problem.h"

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
    FE_ASSERT(answer->token[0] != '\0', "an answer has a token");
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

static struct fe_view token_of(const struct fe_request *request)
{
    FE_ASSERT(fe_view_has_prefix(request->path, PREFIX), "a challenge has its path");
    return fe_view_skip(request->path, PREFIX.len);
}

static void respond(struct fe_exchange *ex, struct fe_view text)
{
    struct fe_field type = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("application/octet-stream")};
    const struct fe_response response = {
        .status = 200, .fields = {&type, 1, 1}, .content_length = text.len};

    if (fe_exchange_respond(ex, &response) != 0 ||
        fe_exchange_write(ex, text) != (ssize_t)text.len) {
        fe_exchange_reset(ex, FLATEND_ENOMEM);
        return;
    }
    fe_exchange_finish(ex, NULL);
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct fe_acme_answers *const answers =
        FE_CONTAINER_OF(backend, const struct fe_acme_answers_backend, backend)->answers;
    char text[FE_ACME_ANSWER_MAX + 1];

    if (copy_text(answers, token_of(&ex->request), text)) {
        respond(ex, fe_view_str(text));
    } else { /* removed meanwhile */
        fe_problem_respond(ex, 404, "no route for this path");
    }
}

struct fe_acme_answers_backend fe_acme_answers_backend(struct fe_acme_answers *answers)
{
    static const struct fe_backend_ops ops = {.start = start};

    return (struct fe_acme_answers_backend){{&ops}, answers};
}

bool fe_acme_answers_have(struct fe_acme_answers *answers, const struct fe_request *request)
{
    char text[FE_ACME_ANSWER_MAX + 1];

    return fe_view_has_prefix(request->path, PREFIX) &&
           (request->method == FE_METHOD_GET || request->method == FE_METHOD_HEAD) &&
           copy_text(answers, token_of(request), text);
}
