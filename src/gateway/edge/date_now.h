/* The time of day for the Date field, formatted once a second and not for each response. */
#ifndef FE_GATEWAY_EDGE_DATE_NOW_H
#define FE_GATEWAY_EDGE_DATE_NOW_H

#include "ground/base/view.h"
#include "web/http/date.h"

struct fe_date_now {
    uint64_t until_ms; /* on the worker's clock: when `text` is to be looked at again */
    char text[FE_HTTP_DATE_LEN + 1];
};

/* `now` is zero before the first call. At most a second old. */
struct fe_view fe_date_now(struct fe_date_now *now, uint64_t now_ms);

#endif
