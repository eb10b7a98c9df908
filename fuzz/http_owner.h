/* What the owner of a server's connection answers when nothing depends on it; for the programs that
 * fuzz one. */
#ifndef FUZZ_HTTP_OWNER_H
#define FUZZ_HTTP_OWNER_H

#include "web/http/server.h"

enum { NOW_MS = 1000 };

static inline void set_reading(void *owner, bool reading)
{
    (void)owner;
    (void)reading;
}

static inline uint64_t now_ms(void *owner)
{
    (void)owner;
    return NOW_MS;
}

static inline uint64_t written(void *owner)
{
    (void)owner;
    return 0;
}

static inline bool is_all_acked(void *owner)
{
    (void)owner;
    return true;
}

static inline struct fe_view date(void *owner)
{
    (void)owner;
    return FE_VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT");
}

#endif
