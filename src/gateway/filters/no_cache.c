#include "gateway/filters/no_cache.h"

void fe_no_cache_fields(struct fe_field fields[FE_NO_CACHE_FIELDS])
{
    fields[0] = (struct fe_field){
        FE_VIEW_LIT("cache-control"),
        FE_VIEW_LIT("no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    };
    fields[1] =
        (struct fe_field){FE_VIEW_LIT("expires"), FE_VIEW_LIT("Thu, 01 Jan 1970 00:00:00 GMT")};
    fields[2] = (struct fe_field){FE_VIEW_LIT("pragma"), FE_VIEW_LIT("no-cache")};
}
