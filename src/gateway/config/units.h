/* Durations and sizes as people write them. */
#ifndef FE_GATEWAY_CONFIG_UNITS_H
#define FE_GATEWAY_CONFIG_UNITS_H

#include "ground/base/err.h"
#include "ground/base/view.h"

/* "1m30s", "500ms", "1.5h", "0": milliseconds. Units are h, m, s and ms, each number may have a
 * fraction. FLATEND_ESYNTAX; FLATEND_ETOOBIG beyond `max_ms`. */
int fe_duration_parse(struct fe_view text, uint64_t max_ms, uint64_t *ms) FE_MUST_USE;

/* "64KiB", "10MB", "512": bytes. Units are B, kB (KB), MB, GB, KiB, MiB and GiB. FLATEND_ESYNTAX;
 * FLATEND_ETOOBIG beyond `max`. */
int fe_size_parse(struct fe_view text, uint64_t max, uint64_t *bytes) FE_MUST_USE;

/* As people write them: "1m30s", "a day" and "a year" for these, "0" for none; and "1MiB", "512".
 * Both return `text`. */
enum { FE_DURATION_TEXT_MAX = 48, FE_SIZE_TEXT_MAX = 32 };
const char *fe_duration_format(uint64_t ms, char text[FE_DURATION_TEXT_MAX]);
const char *fe_size_format(uint64_t bytes, char text[FE_SIZE_TEXT_MAX]);

#endif
