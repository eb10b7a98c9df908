#include "web/http/h2/limits.h"

#define ROW(...) FE_STAT_ROW(fe_h2_counters, __VA_ARGS__)

static const struct fe_stat rows[] = {FE_H2_STATS(ROW)};

const struct fe_stats_type fe_h2_stats_type = FE_STATS_TYPE(struct fe_h2_counters, rows);
