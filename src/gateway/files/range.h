/* Byte ranges (RFC 9110 §14). */
#ifndef FE_GATEWAY_FILES_RANGE_H
#define FE_GATEWAY_FILES_RANGE_H

#include "ground/base/view.h"

enum fe_range_result {
    FE_RANGE_WHOLE,         /* not for us to honour: answer with everything */
    FE_RANGE_PART,          /* `first` to `last` */
    FE_RANGE_UNSATISFIABLE, /* answer 416 */
};

struct fe_range {
    uint64_t first;
    uint64_t last; /* included, less than the size */
};

/* What the value of a Range field asks of `size` bytes. Several ranges in one request are answered
 * with everything, as RFC 9110 §14.2 allows: clients that need them are rare, and many small ranges
 * are a known attack. */
enum fe_range_result fe_range_parse(struct fe_view value, uint64_t size, struct fe_range *range);

#endif
