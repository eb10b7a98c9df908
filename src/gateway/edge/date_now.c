#include "gateway/edge/date_now.h"

#include "ground/os/clock.h"

enum { KEEP_MS = 1000 };

struct fe_view fe_date_now(struct fe_date_now *now, uint64_t now_ms)
{
    if (now_ms >= now->until_ms) {
        fe_http_date_format(now->text, fe_wall_clock_s());
        now->until_ms = now_ms + KEEP_MS;
    }
    return fe_view_of(now->text, FE_HTTP_DATE_LEN);
}
