/* The query of a URL as forms and scripts write it: application/x-www-form-urlencoded
 * (https://url.spec.whatwg.org/#application/x-www-form-urlencoded). */
#ifndef FE_GATEWAY_RELAY_QUERY_H
#define FE_GATEWAY_RELAY_QUERY_H

#include "ground/base/view.h"

/* Takes the next parameter off, as it was sent. One without a name is skipped; one without "=" has
 * an empty value. False at the end. */
bool fe_query_next(struct fe_view *query, struct fe_view *name, struct fe_view *value);

/* Writes `raw` with its escapes decoded and '+' as a space, and returns how many bytes that are: at
 * most `raw.len`. A '%' that begins no escape stands for itself. */
size_t fe_query_decode(uint8_t *to, struct fe_view raw);

#endif
