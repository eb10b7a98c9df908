/* Statistics: blocks of counters and gauges, each written plainly by the one thread that it belongs
 * to, and copied on that thread for readers on others.
 *
 * A block is listed once, in an X-macro, out of which come the struct and the table that describes
 * it; copying is assignment. Names follow the conventions of Prometheus, so that an exporter only
 * has to print:
 *
 *     #define FE_X_STATS(X) X(COUNTER, accepts, "flatend_x_accepts_total", NULL, "connections",
 * ...) struct fe_x_stats { FE_X_STATS(FE_STAT_FIELD)
 *     };
 *     #define ROW(...) FE_STAT_ROW(fe_x_stats, __VA_ARGS__)
 *     static const struct fe_stat rows[] = {FE_X_STATS(ROW)};
 *     const struct fe_stats_type fe_x_stats_type = FE_STATS_TYPE(struct fe_x_stats, rows);
 *
 * Every value is a uint64_t. Those of several threads add up, gauges as well as counters. */
#ifndef FE_GROUND_BASE_STATS_H
#define FE_GROUND_BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

enum fe_stat_kind {
    FE_STAT_COUNTER, /* only grows */
    FE_STAT_GAUGE,   /* as it is now */
};

/* What one value of a block means. */
struct fe_stat {
    const char *name;   /* "flatend_http2_streams_total" */
    const char *labels; /* "kind=\"pings\"", of values that share a name; or NULL */
    const char *unit;   /* in the plural: "streams", "bytes" */
    const char *help;   /* a sentence without its full stop */
    enum fe_stat_kind kind;
    size_t offset; /* in the block */
};

/* What a block consists of; immutable. */
struct fe_stats_type {
    const struct fe_stat *stats;
    size_t n_stats;
    size_t size; /* of a block */
};

#define FE_STAT_FIELD(kind, field, name, labels, unit, help) uint64_t field;

/* A row of the table; `block` is the struct's tag. */
#define FE_STAT_ROW(block, kind, field, name, labels, unit, help)                                  \
    {name, labels, unit, help, FE_STAT_##kind, offsetof(struct block, field)},

#define FE_STATS_TYPE(block, rows)                                                                 \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0]), sizeof(block)                                      \
    }

uint64_t fe_stats_get(const struct fe_stats_type *type, const void *block, size_t index);

/* Adds all of `block` to `sum`, a block of the same type. */
void fe_stats_add(const struct fe_stats_type *type, void *sum, const void *block);

#endif
