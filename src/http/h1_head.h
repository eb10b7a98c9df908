/* The head of an HTTP/1.1 request: from one block of bytes to a message (RFC 9112 §3 to §6). */
#ifndef FE_HTTP_H1_HEAD_H
#define FE_HTTP_H1_HEAD_H

#include "http/message.h"

/* What a client did wrong: the status and the line that it is told. Static text. */
struct fe_h1_fault {
    int status;
    const char *reason;
};

/* Sets the fault; always FLATEND_EPROTO, so that `return fe_h1_refuse(...)` reads. */
int fe_h1_refuse(struct fe_h1_fault *fault, int status, const char *reason);

/* What the head says beyond the message itself. */
struct fe_h1_head {
    bool keep_alive;       /* RFC 9112 §9.3 */
    bool expects_continue; /* RFC 9110 §10.1.1 */
    bool is_chunked;       /* RFC 9112 §7.1 */
};

/* Parses a complete head, from the request line to the empty line. Names are lower-cased in place;
 * `request` (cleared before) borrows from `block`, its array of fields is in `arena`.
 * FLATEND_EPROTO: `fault` says what; the fields so far are in `request`. FLATEND_ENOMEM. */
int fe_h1_head_parse(uint8_t *block, size_t len, struct fe_arena *arena, struct fe_request *request,
                     struct fe_h1_head *head, struct fe_h1_fault *fault) FE_MUST_USE;

/* Parses one field line (without its CRLF), lower-casing the name in place. FLATEND_EPROTO. */
int fe_h1_field_parse(uint8_t *line, size_t len, struct fe_field *field,
                      struct fe_h1_fault *fault) FE_MUST_USE;

/* The forms of a request target, RFC 9112 §3.2; `method`, `version` and `authority` (from Host, if
 * any) are known. FLATEND_EPROTO. */
int fe_h1_target_parse(struct fe_request *request, struct fe_view target,
                       struct fe_h1_fault *fault) FE_MUST_USE;

/* host [ ":" port ] without user information (RFC 3986 §3.2); may be empty. */
bool fe_h1_is_authority(struct fe_view v);

#endif
