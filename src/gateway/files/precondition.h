/* Conditional requests (RFC 9110 §13), for GET and HEAD. */
#ifndef FE_GATEWAY_FILES_PRECONDITION_H
#define FE_GATEWAY_FILES_PRECONDITION_H

#include "web/http/message.h"

/* No date is this, and conditions about dates do not apply (RFC 9110 §13.1.3, §13.1.4). */
#define FE_NOT_DATED INT64_MAX

/* What identifies the state of a file. */
struct fe_validators {
    struct fe_view etag; /* strong, with its quotes */
    int64_t modified_s;  /* Unix time, or FE_NOT_DATED */
};

enum fe_precondition {
    FE_PRECONDITION_HOLDS,
    FE_PRECONDITION_NOT_MODIFIED, /* answer 304 */
    FE_PRECONDITION_FAILED,       /* answer 412 */
};

/* If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, in the order and with the
 * precedence of RFC 9110 §13.2.2. */
enum fe_precondition fe_precondition_evaluate(const struct fe_fields *fields,
                                              const struct fe_validators *validators);

/* Whether If-Range, if there is one, lets Range be honoured (§13.1.5). */
bool fe_precondition_allows_range(const struct fe_fields *fields,
                                  const struct fe_validators *validators);

#endif
