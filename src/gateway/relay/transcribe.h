/* The heads of requests and responses, transcribed between HTTP and the mesh: docs/PROTOCOL.md §1.5
 * and docs/gateway.md. */
#ifndef FE_GATEWAY_RELAY_TRANSCRIBE_H
#define FE_GATEWAY_RELAY_TRANSCRIBE_H

#include "mesh/wire/event.h"
#include "web/http/router.h"

/* What a client is told of a response that HTTP cannot say, with 502. */
#define FE_RESPONSE_INVALID "invalid status, header name or header value"

enum {
    /* Query parameters of one request. Each is compared with those before it, and a packet of the
     * old dialect has room for fewer. */
    FE_QUERY_PARAMS_MAX = 256,
    /* Names in the Connection fields of one request; each is looked up for every field. */
    FE_CONNECTION_OPTIONS_MAX = 16,
    /* Fields of a response; old peers have room for about as many. */
    FE_RESPONSE_FIELDS_MAX = 256,
    /* Headers that the caller may add to a transcript. */
    FE_TRANSCRIPT_EXTRA = 1,
};

struct fe_transcript {
    struct fe_header *headers;
    size_t n;
};

/* What the service is told of a request: its fields, query and route parameters, and the names that
 * begin with a colon. Everything borrows from the request, the match, `remote` or the arena.
 * FLATEND_ELIMIT: more than the limits above; FLATEND_ESYNTAX: a query parameter that cannot be
 * told (a control character in its name, a NUL in its value); FLATEND_ENOMEM. */
int fe_transcribe_request(const struct fe_request *request, const struct fe_match *match,
                          struct fe_view remote, struct fe_arena *arena,
                          struct fe_transcript *transcript) FE_MUST_USE;

/* Fields behind a body, for the mesh, without those that only the gateway may give and those that
 * the request's Connection names; borrows from `fields` and the arena. FLATEND_ENOMEM. */
int fe_transcribe_trailers(const struct fe_request *request, const struct fe_fields *fields,
                           struct fe_arena *arena, struct fe_transcript *transcript) FE_MUST_USE;

/* The same the other way. FLATEND_ENOMEM. */
int fe_transcribe_response_trailers(struct fe_headers headers, struct fe_arena *arena,
                                    struct fe_fields *fields) FE_MUST_USE;

/* Headers that HTTP has no place for: in the mesh a name may be any text. */
struct fe_dropped_headers {
    size_t n;
    struct fe_view first; /* its name */
};

/* What the service says to HTTP; borrows from `headers` and the arena. FLATEND_EPROTO: an invalid
 * `:status` or content-length, or too many fields; `*why` says which, static text. Headers whose
 * names are no tokens (RFC 9110 §5.1) are dropped. Values are checked where they are written.
 * FLATEND_ENOMEM. */
int fe_transcribe_response(struct fe_headers headers, struct fe_arena *arena,
                           struct fe_response *response, struct fe_dropped_headers *dropped,
                           const char **why) FE_MUST_USE;

#endif
