#include "gateway/files/files.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/files/file.h"
#include "gateway/files/listing.h"
#include "gateway/files/mime.h"
#include "gateway/files/precondition.h"
#include "gateway/files/range.h"
#include "gateway/files/transfer.h"
#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "ground/os/clock.h"
#include "ground/os/dir.h"
#include "web/http/date.h"
#include "web/http/moved.h"
#include "web/http/problem.h"

enum {
    FIELDS_MAX = 12,
    ETAG_MAX = 40,
    NO_TIME_MAX_S = 1, /* reproducible builds write 0 or 1 */
};

#define INDEX "index.html"

/* ---- heads ---------------------------------------------------------------------------------- */

/* A response and the memory of its fields. */
struct reply {
    struct fe_response response;
    struct fe_field fields[FIELDS_MAX];
    char etag[ETAG_MAX];
    char modified[FE_HTTP_DATE_LEN + 1];
    char date[FE_HTTP_DATE_LEN + 1]; /* empty: that of all responses */
    char range[72];
};

static void reply_init(struct reply *reply, int status, uint64_t len)
{
    reply->response = (struct fe_response){
        .status = status,
        .fields = {reply->fields, 0, FIELDS_MAX},
        .content_length = len,
    };
}

static void add_field(struct reply *reply, struct fe_view name, struct fe_view value)
{
    FE_ASSERT(reply->response.fields.n < FIELDS_MAX, "the fields of a reply fit");
    reply->fields[reply->response.fields.n++] = (struct fe_field){name, value};
}

/* Whether the route is for all paths: "/", or "/" and a catch-all. */
static bool takes_the_rest(const struct fe_config_route *route)
{
    const struct fe_view pattern = route->pattern;

    return route->static_is_dir && pattern.len > 0 && (pattern.len == 1 || pattern.ptr[1] == '*');
}

/* There is no such file. Where the route takes all that no other one does, the path may be meant
 * for one of these. */
static void respond_not_found(struct fe_exchange *ex)
{
    const struct fe_match *const match = ex->match;
    const struct fe_config_route *const route = match->route;
    struct fe_view location = {NULL, 0};

    if (fe_router_elsewhere(match, &ex->request, &ex->arena, &location) != 0) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
    } else if (location.len > 0) {
        fe_moved_respond(ex, location, FE_MOVED_NORMALIZED);
    } else {
        fe_problem_respond(
            ex, 404, takes_the_rest(route) ? "no route and no file for this path" : "no such file");
    }
}

static void respond_with_code(struct fe_exchange *ex, int code)
{
    switch (code) {
    case FLATEND_ENOENT:
        respond_not_found(ex);
        break;
    case FLATEND_EACCESS:
        fe_problem_respond(ex, 403, "file not readable: permission denied");
        break;
    case FLATEND_ELIMIT:
        fe_problem_respond(ex, 503, "overloaded: too many open files");
        break;
    case FLATEND_ENOMEM:
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        break;
    default:
        fe_problem_respond(ex, 500, "cannot read the file");
        break;
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

/* The system is out of descriptors, or has some: the same for whoever asks it. */
static int note(const struct fe_exchange *ex, int code)
{
    const struct fe_files_backend *const files =
        FE_CONTAINER_OF(ex->backend, const struct fe_files_backend, backend);

    if (files->descriptors == NULL) {
        return code;
    }
    if (code == FLATEND_ELIMIT) {
        fe_shortage_hit(files->descriptors, files->now_ms(files->now_arg));
    } else if (code == 0) {
        fe_shortage_pass(files->descriptors, files->now_ms(files->now_arg));
    }
    return code;
}

/* Numbers into one that shows none of them (splitmix64). */
static uint64_t mix(uint64_t hash, uint64_t n)
{
    hash = (hash + n + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 29;
}

/* RFC 9110 §8.8.3: another content has another tag. The file's own time does not say so of what is
 * made to be the same each time, or copied with its time: but the system's (of the last change of
 * whatever kind) or the inode is then another one. */
static uint64_t fingerprint(const struct fe_file_info *info)
{
    const uint64_t parts[] = {info->inode, (uint64_t)info->modified_s, info->modified_ns,
                              (uint64_t)info->changed_s, info->changed_ns};
    uint64_t hash = info->size;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hash = mix(hash, parts[i]);
    }
    return hash;
}

/* RFC 9110 §8.8.2: the beginning of the epoch is no time at which a file was made, but what is put
 * in place of one. What is sent is not later than the Date (§8.8.2.1), which is up to a second old:
 * a file of this second has its own. */
static void describe(const struct fe_file_info *info, struct reply *reply,
                     struct fe_validators *validators)
{
    const int64_t now_s = fe_wall_clock_s();

    snprintf(reply->etag, sizeof(reply->etag), "\"%" PRIx64 "-%016" PRIx64 "\"", info->size,
             fingerprint(info));
    validators->etag = fe_view_str(reply->etag);
    if (info->modified_s <= NO_TIME_MAX_S) {
        return;
    }
    if (info->modified_s >= now_s) {
        fe_http_date_format(reply->date, now_s);
    }
    fe_http_date_format(reply->modified, info->modified_s < now_s ? info->modified_s : now_s);
    validators->modified_s = info->modified_s;
}

static void add_if_known(struct reply *reply, struct fe_view name, const char *value)
{
    if (value[0] != '\0') {
        add_field(reply, name, fe_view_str(value));
    }
}

static void add_validators(struct reply *reply)
{
    add_if_known(reply, FE_VIEW_LIT("etag"), reply->etag);
    add_if_known(reply, FE_VIEW_LIT("last-modified"), reply->modified);
    add_if_known(reply, FE_VIEW_LIT("date"), reply->date);
}

static void respond_without_body(struct fe_exchange *ex, const struct reply *reply)
{
    const int code = fe_exchange_respond(ex, &reply->response);

    if (code != 0) {
        fe_exchange_reset(ex, code);
    } else {
        fe_exchange_finish(ex, NULL);
    }
}

/* True: the exchange was answered without the file. */
static bool answer_condition(struct fe_exchange *ex, struct reply *reply,
                             const struct fe_validators *validators)
{
    switch (fe_precondition_evaluate(&ex->request.fields, validators)) {
    case FE_PRECONDITION_HOLDS:
        return false;
    case FE_PRECONDITION_FAILED:
        fe_problem_respond(ex, 412, "the file does not match the request's precondition");
        return true;
    case FE_PRECONDITION_NOT_MODIFIED:
        break;
    }
    reply_init(reply, 304, FE_BODY_UNKNOWN);
    add_validators(reply);
    respond_without_body(ex, reply);
    return true;
}

/* Which part of the file the request wants. Range is defined for GET only (RFC 9110 §14.2). */
static enum fe_range_result choose_range(const struct fe_exchange *ex,
                                         const struct fe_validators *validators, uint64_t size,
                                         struct fe_range *range)
{
    const struct fe_fields *const fields = &ex->request.fields;
    const struct fe_field *const field = fe_fields_find_only(fields, FE_VIEW_LIT("range"));

    if (field == NULL || ex->request.method != FE_METHOD_GET ||
        !fe_precondition_allows_range(fields, validators)) {
        return FE_RANGE_WHOLE;
    }
    return fe_range_parse(field->value, size, range);
}

static void refuse_range(struct fe_exchange *ex, uint64_t size)
{
    char text[40];

    snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
    fe_problem_respond_with(ex, 416, "range beyond the end of the file",
                            (struct fe_field){FE_VIEW_LIT("content-range"), fe_view_str(text)});
}

/* The whole file, which `transfer` has, or a range of it, as a head and a transfer. */
static void send_file(struct fe_exchange *ex, struct fe_view name, struct reply *reply,
                      struct fe_transfer *transfer, const struct fe_range *range)
{
    const uint64_t size = transfer->left;

    reply_init(reply, 200, size);
    if (range != NULL) {
        FE_ASSERT(range->first <= range->last && range->last < size, "a range is in the file");
        transfer->offset = range->first;
        transfer->left = range->last - range->first + 1;
        reply_init(reply, 206, transfer->left);
        snprintf(reply->range, sizeof(reply->range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                 range->first, range->last, size);
        add_field(reply, FE_VIEW_LIT("content-range"), fe_view_str(reply->range));
    }
    add_field(reply, FE_VIEW_LIT("content-type"), fe_mime_type(name));
    add_field(reply, FE_VIEW_LIT("accept-ranges"), FE_VIEW_LIT("bytes"));
    add_validators(reply);
    fe_transfer_send(ex, &reply->response, transfer);
}

/* Takes over `fd`. */
static void serve_file(struct fe_exchange *ex, const struct fe_config_route *route,
                       struct fe_view name, int fd, const struct fe_file_info *info)
{
    const uint64_t size = info->size;
    struct fe_validators validators = {FE_VIEW_LIT(""), FE_NOT_DATED}; /* no tag is this */
    struct fe_transfer *transfer;
    struct fe_range range;
    struct reply reply = {0};
    enum fe_range_result result;

    if (!route->no_cache) {
        describe(info, &reply, &validators);
    }
    if (answer_condition(ex, &reply, &validators)) {
        fe_fd_close(fd);
        return;
    }
    result = choose_range(ex, &validators, size, &range);
    if (result == FE_RANGE_UNSATISFIABLE) {
        fe_fd_close(fd);
        refuse_range(ex, size);
        return;
    }
    transfer = fe_transfer_new(fd);
    if (transfer == NULL) {
        fe_fd_close(fd);
        respond_with_code(ex, FLATEND_ENOMEM);
        return;
    }
    transfer->left = size;
    send_file(ex, name, &reply, transfer, result == FE_RANGE_PART ? &range : NULL);
}

/* ---- directories ---------------------------------------------------------------------------- */

/* For "%.*s": printf takes no NULL, not even of length 0. */
static const char *text_of(struct fe_view view)
{
    return view.len > 0 ? (const char *)view.ptr : "";
}

/* "/dir?x" to "/dir/?x". */
static void redirect_to_slash(struct fe_exchange *ex)
{
    struct reply reply;
    size_t len;
    const char *const location =
        fe_moved_reference(&ex->arena, ex->request.path, true, ex->request.query, &len);

    reply_init(&reply, 301, 0);
    if (location == NULL) {
        fe_exchange_reset(ex, FLATEND_ENOMEM);
        return;
    }
    add_field(&reply, FE_VIEW_LIT("location"), fe_view_of(location, len));
    respond_without_body(ex, &reply);
}

/* What the page shows can change without the directory's own time: it has no validators. Takes
 * over `fd`. */
static void serve_listing(struct fe_exchange *ex, struct fe_view rest, int fd)
{
    struct fe_transfer *const transfer = fe_transfer_new(-1);
    struct reply reply;
    int code;

    if (transfer == NULL) {
        fe_fd_close(fd);
        respond_with_code(ex, FLATEND_ENOMEM);
        return;
    }
    code = fe_listing_write(fd, ex->request.path, rest.len > 0, &transfer->page);
    if (code != 0) {
        fe_transfer_free(transfer);
        respond_with_code(ex, code);
        return;
    }
    transfer->left = transfer->page.len;
    reply_init(&reply, 200, transfer->page.len);
    add_field(&reply, FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/html; charset=utf-8"));
    fe_transfer_send(ex, &reply.response, transfer);
}

/* Its index, else its listing, else nothing. Takes over `fd`. */
static void serve_dir(struct fe_exchange *ex, const struct fe_config_route *route,
                      struct fe_view rest, int fd)
{
    const struct fe_view path = ex->request.path;
    struct fe_file_info info;
    char *index;
    int index_fd;
    int code;

    if (path.len == 0 || path.ptr[path.len - 1] != '/') {
        fe_fd_close(fd);
        redirect_to_slash(ex);
        return;
    }
    index = fe_arena_printf(&ex->arena, "%.*s%s" INDEX, (int)rest.len, text_of(rest),
                            rest.len > 0 && rest.ptr[rest.len - 1] != '/' ? "/" : "");
    code = index != NULL ? note(ex, fe_static_open(route, fe_view_str(index), &index_fd, &info))
                         : FLATEND_ENOMEM;
    if (code == 0 && info.kind == FE_FILE_REGULAR) {
        fe_fd_close(fd);
        serve_file(ex, route, FE_VIEW_LIT(INDEX), index_fd, &info);
        return;
    }
    if (code == 0) {
        fe_fd_close(index_fd); /* a directory of that name */
        code = FLATEND_ENOENT;
    }
    if (code == FLATEND_ENOENT && route->browse) {
        serve_listing(ex, rest, fd);
        return;
    }
    fe_fd_close(fd);
    respond_with_code(ex, code);
}

/* The decoded path below the route's directory. */
static struct fe_view rest_of(const struct fe_match *match, const struct fe_config_route *route)
{
    for (size_t i = 0; i < match->n_params; i++) {
        if (fe_view_equal(match->params[i].name, route->rest)) {
            return match->params[i].value;
        }
    }
    return fe_view_of(NULL, 0);
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_config_route *const route = ex->match->route;
    const struct fe_view rest = rest_of(ex->match, route);
    struct fe_file_info info;
    int fd;
    const int code = note(ex, fe_static_open(route, rest, &fd, &info));

    (void)backend;
    FE_ASSERT(route->kind == FE_ROUTE_STATIC, "files are served by routes to files");
    if (code != 0) {
        respond_with_code(ex, code);
    } else if (info.kind == FE_FILE_DIRECTORY) {
        serve_dir(ex, route, rest, fd);
    } else {
        serve_file(ex, route, route->static_is_dir ? rest : fe_view_str(route->static_path), fd,
                   &info);
    }
}

/* No body of a request is ever asked for, so that none comes. */
static const struct fe_backend_ops backend_ops = {
    .start = start,
    .on_writable = fe_transfer_pump,
    .on_reset = fe_transfer_on_reset,
};

struct fe_files_backend fe_files_backend(struct fe_shortage *descriptors,
                                         uint64_t (*now_ms)(void *arg), void *now_arg)
{
    return (struct fe_files_backend){{&backend_ops}, descriptors, now_ms, now_arg};
}

/* ---- how files are opened ------------------------------------------------------------------- */

static bool has_directory(const struct fe_config *config)
{
    for (size_t i = 0; i < config->n_http; i++) {
        for (size_t k = 0; k < config->http[i].n_routes; k++) {
            if (config->http[i].routes[k].static_is_dir) {
                return true;
            }
        }
    }
    return false;
}

void fe_files_log_opening(const struct fe_config *config, enum flatend_log_level refused,
                          const struct fe_log *log)
{
    const char *reason;

    if (!has_directory(config)) {
        return;
    }
    reason = fe_dir_beneath_refusal();
    if (reason != NULL) {
        fe_log(log, refused,
               "This system refuses openat2 (%s): files below a directory are opened name by name, "
               "as safely, with a system call for each.",
               reason);
    } else {
        fe_log(log, FLATEND_LOG_DEBUG, "Files below a directory are opened by openat2.");
    }
}
