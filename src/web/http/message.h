/* HTTP messages as every version of the protocol means them (RFC 9110). */
#ifndef FE_WEB_HTTP_MESSAGE_H
#define FE_WEB_HTTP_MESSAGE_H

#include "ground/base/arena.h"
#include "ground/base/view.h"

/* A field costs an entry of the array and at least four bytes on the wire: requests with more
 * fields than this are refused with 431, so that a head of the largest size stays cheap. Apache's
 * limit is 100. */
enum { FE_FIELDS_MAX = 128 };

struct fe_field {
    struct fe_view name; /* lower case */
    struct fe_view value;
};

struct fe_fields {
    struct fe_field *items;
    size_t n;
    size_t cap;
};

/* Appends; the array grows in `arena`, name and value are borrowed. */
int fe_fields_add(struct fe_fields *fields, struct fe_arena *arena, struct fe_view name,
                  struct fe_view value) FE_MUST_USE;

/* The first field of that (lower-case) name, or NULL. */
const struct fe_field *fe_fields_find(const struct fe_fields *fields, struct fe_view name);

/* The field of that name if there is just one, else NULL: of a field that is no list a second one
 * makes no sense of the first (RFC 9110 §5.3). */
const struct fe_field *fe_fields_find_only(const struct fe_fields *fields, struct fe_view name);

enum fe_method {
    FE_METHOD_OTHER, /* a valid token that is none of these */
    FE_METHOD_GET,
    FE_METHOD_HEAD,
    FE_METHOD_POST,
    FE_METHOD_PUT,
    FE_METHOD_DELETE,
    FE_METHOD_CONNECT,
    FE_METHOD_OPTIONS,
    FE_METHOD_TRACE,
    FE_METHOD_PATCH,
};

enum fe_method fe_method_of(struct fe_view token);
bool fe_method_is_idempotent(enum fe_method method); /* RFC 9110 §9.2.2 */

#define FE_BODY_UNKNOWN UINT64_MAX /* chunked, or until the end of a stream */

struct fe_request {
    enum fe_method method;
    struct fe_view method_text;
    struct fe_view scheme;    /* "http" or "https" */
    struct fe_view authority; /* host[:port], may be empty in HTTP/1.0 */
    struct fe_view path;      /* as sent, starts with '/' (or is "*"), without the query */
    struct fe_view query;     /* without '?'; empty if none */
    struct fe_fields fields;
    uint64_t content_length; /* 0: no body; FE_BODY_UNKNOWN */
    /* The protocol that the client would go over to (RFC 9110 §7.8, the first that it names; RFC
     * 8441 §4): such a request can be answered by a tunnel. Empty: none. */
    struct fe_view upgrade;
    unsigned version; /* 10, 11, 20 */
};

struct fe_response {
    int status;
    struct fe_fields fields;
    uint64_t content_length; /* FE_BODY_UNKNOWN: the protocol frames the body */
};

/* The head as it goes out: RFC 9110 §15.3.6 lets 205 have no content, which its length then says.
 */
static inline struct fe_response fe_response_as_sent(const struct fe_response *response)
{
    struct fe_response sent = *response;

    if (sent.status == 205) {
        sent.content_length = 0;
    }
    return sent;
}

/* Whether there is content behind the head (RFC 9110 §6.4.1). */
static inline bool fe_response_has_content(const struct fe_response *response,
                                           enum fe_method method)
{
    return method != FE_METHOD_HEAD && response->status != 204 && response->status != 205 &&
           response->status != 304;
}

/* A copy of the head with room for `n_extra` more fields; names and values are borrowed.
 * FLATEND_ENOMEM. */
int fe_response_extend(struct fe_response *copy, const struct fe_response *response, size_t n_extra,
                       struct fe_arena *arena) FE_MUST_USE;

enum {
    /* Names and values of a response's head: more than any client takes, and far from overflow. */
    FE_RESPONSE_HEAD_MAX = 1024 * 1024,
};

/* What any version of HTTP can say: a name that is a token, a value without control characters; a
 * final status; both, in a head of at most FE_RESPONSE_HEAD_MAX. */
bool fe_field_is_valid(const struct fe_field *field);
bool fe_status_is_valid(int status);
bool fe_response_is_valid(const struct fe_response *response);

#endif
