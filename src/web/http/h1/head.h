/* The head of an HTTP/1.1 request: from one block of bytes to a message (RFC 9112 §3 to §6). */
#ifndef FE_WEB_HTTP_H1_HEAD_H
#define FE_WEB_HTTP_H1_HEAD_H

#include "web/http/target.h"

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
                     struct fe_h1_head *head, struct fe_http_fault *fault) FE_MUST_USE;

/* Parses one field line (without its CRLF), lower-casing the name in place. FLATEND_EPROTO. */
int fe_h1_field_parse(uint8_t *line, size_t len, struct fe_field *field,
                      struct fe_http_fault *fault) FE_MUST_USE;

#endif
